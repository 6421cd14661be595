/* Deadlines in nanoseconds, each begun and ended in O(1): a hierarchical timing wheel that never fires early. */
#include "async_server/deadline_queue.h"

#include <string.h>

#define TICK_NS ((uint64_t)1 << DEADLINE_TICK_BITS)

void
deadline_queue_init(struct deadline_queue *queue, uint64_t now_ns)
{
	memset(queue, 0, sizeof(*queue));
	queue->tick = now_ns / TICK_NS;
}

/* tick_of rounds up: a deadline belongs to the first tick that does not begin before it. */
static uint64_t
tick_of(uint64_t due_ns)
{
	return (due_ns + TICK_NS - 1) / TICK_NS;
}

static void
push(struct deadline **list, struct deadline *deadline)
{
	deadline->next = *list;
	deadline->link = list;
	if (deadline->next != NULL)
		deadline->next->link = &deadline->next;
	*list = deadline;
}

void
deadline_remove(struct deadline *deadline)
{
	if (deadline->link == NULL)
		return;
	*deadline->link = deadline->next;
	if (deadline->next != NULL)
		deadline->next->link = deadline->link;
	deadline->link = NULL;
}

/*
 * The level is that of the highest digit (base 64) in which the tick differs
 * from the present.  So the slots of a level in use always lie ahead of the
 * present one and never wrap around, and all of a level comes before all of
 * the next.
 */
static void
insert(struct deadline_queue *queue, struct deadline *deadline)
{
	unsigned level, slot;

	deadline->tick = tick_of(deadline->due_ns);
	if (deadline->tick <= queue->tick) {
		push(&queue->expired, deadline);
		return;
	}
	level = (63U - (unsigned)__builtin_clzll(deadline->tick ^ queue->tick)) / DEADLINE_SLOT_BITS;
	slot = (unsigned)(deadline->tick >> (level * DEADLINE_SLOT_BITS)) % DEADLINE_SLOTS;
	queue->occupied[level] |= (uint64_t)1 << slot;
	push(&queue->slots[level][slot], deadline);
}

void
deadline_set(struct deadline_queue *queue, struct deadline *deadline, uint64_t due_ns)
{
	deadline->due_ns = due_ns;
	if (deadline->link != NULL) {
		if (tick_of(due_ns) >= deadline->tick)
			return;
		deadline_remove(deadline);
	}
	insert(queue, deadline);
}

/* first_slot finds the slot that comes up next. Returns the tick at which it begins, DEADLINE_NONE when all are empty. */
static uint64_t
first_slot(struct deadline_queue *queue, struct deadline ***list)
{
	for (unsigned level = 0; level < DEADLINE_LEVELS; level++) {
		while (queue->occupied[level] != 0) {
			unsigned slot = (unsigned)__builtin_ctzll(queue->occupied[level]);
			unsigned shift = level * DEADLINE_SLOT_BITS;

			if (queue->slots[level][slot] != NULL) {
				*list = &queue->slots[level][slot];
				return (queue->tick >> shift & ~(uint64_t)(DEADLINE_SLOTS - 1)) << shift |
				       (uint64_t)slot << shift;
			}
			/* deadline_remove does not know of the bits: they are put right here. */
			queue->occupied[level] &= ~((uint64_t)1 << slot);
		}
	}
	return DEADLINE_NONE;
}

/*
 * advance moves the present to TICK, or only as far as the first slot with
 * something due: that goes to `expired`, the rest of the slot to lower levels.
 */
static void
advance(struct deadline_queue *queue, uint64_t tick)
{
	struct deadline **slot, *list, *next;
	uint64_t start;

	while (queue->expired == NULL && (start = first_slot(queue, &slot)) <= tick) {
		list = *slot;
		*slot = NULL;
		queue->tick = start;
		for (; list != NULL; list = next) {
			next = list->next;
			insert(queue, list);
		}
	}
	if (queue->expired == NULL && tick > queue->tick)
		queue->tick = tick;
}

struct deadline *
deadline_queue_pop(struct deadline_queue *queue, uint64_t now_ns)
{
	struct deadline *deadline;

	for (;;) {
		advance(queue, now_ns / TICK_NS);
		deadline = queue->expired;
		if (deadline == NULL)
			return NULL;
		deadline_remove(deadline);
		if (tick_of(deadline->due_ns) <= queue->tick)
			return deadline;
		insert(queue, deadline); /* moved later while it stood here */
	}
}

uint64_t
deadline_queue_next(struct deadline_queue *queue)
{
	struct deadline **slot;
	uint64_t tick;

	if (queue->expired != NULL)
		return DEADLINE_AT_ONCE;
	tick = first_slot(queue, &slot);
	return tick == DEADLINE_NONE ? DEADLINE_NONE : tick * TICK_NS;
}
