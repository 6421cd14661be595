/* Pseudorandom numbers: splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
#ifndef LOADGEN_SPLITMIX_H
#define LOADGEN_SPLITMIX_H

#include <stdint.h>

/* splitmix_next returns the next 64 bits of the sequence that STATE stands in. */
static inline uint64_t
splitmix_next(uint64_t *state)
{
	uint64_t bits = *state += 0x9e3779b97f4a7c15U;

	bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
	bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
	return bits ^ (bits >> 31);
}

/*
 * splitmix_begin returns the state in which sequence INDEX of SEED begins: seeds and numbers side by side must not be
 * places side by side in one sequence.
 */
static inline uint64_t
splitmix_begin(uint64_t seed, uint64_t index)
{
	uint64_t state = seed;

	state = splitmix_next(&state) + index;
	return splitmix_next(&state);
}

#endif
