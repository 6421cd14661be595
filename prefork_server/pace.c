/* How slow a peer may be: a patience that waiting uses up, and that what it sends or takes gives back. */
#include "prefork_server/pace.h"

#include "common/clock.h"

void
pace_begin(struct pace *pace, uint64_t patience_ns, int64_t min_rate)
{
	*pace = (struct pace){.left_ns = patience_ns, .most_ns = patience_ns, .min_rate = (uint64_t)min_rate};
}

/* earned returns what BYTES give back. */
static uint64_t
earned(const struct pace *pace, uint64_t bytes)
{
	if (pace->min_rate == 0)
		return bytes > 0 ? pace->most_ns : 0;
	return bytes < UINT64_MAX / NS_PER_SEC ? bytes * NS_PER_SEC / pace->min_rate : pace->most_ns;
}

void
pace_spend(struct pace *pace, uint64_t waited_ns, uint64_t bytes)
{
	uint64_t earned_ns = earned(pace, bytes);

	pace->left_ns = waited_ns < pace->left_ns ? pace->left_ns - waited_ns : 0;
	if (earned_ns < pace->most_ns - pace->left_ns)
		pace->left_ns += earned_ns;
	else
		pace->left_ns = pace->most_ns;
}
