/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/crowd.c - counting what many receive.
 */
#include "crowd.h"

#include <sys/resource.h>

#include "tools.h"

enum { WARM_UP_NS = 30000000 };

void crowd_watch(struct stage *stage, uint32_t pairs, struct burst *ret_burst)
{
	uint64_t counts[CROWD_PAIRS_MAX], sum = 0, least = UINT64_MAX, most = 0;
	int64_t start;

	nap_ns(WARM_UP_NS);
	start = now_ns();
	for (uint32_t i = 0; i < pairs; i++)
		counts[i] = atomic_load(&stage->lanes[pairs + i].count);
	nap_ns(stage->length_ns);
	for (uint32_t i = 0; i < pairs; i++) {
		counts[i] = atomic_load(&stage->lanes[pairs + i].count) - counts[i];
		sum += counts[i];
		least = counts[i] < least ? counts[i] : least;
		most = counts[i] > most ? counts[i] : most;
	}
	ret_burst->value = (double)sum * 1e9 / (double)(now_ns() - start);
	ret_burst->fairness = pairs > 1 && most ? (double)least / (double)most : 0;
}

/* Processor time of the children that have ended, in ns. */
static double cpu_of_the_dead(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

double crowd_end(struct stage *stage, uint32_t pairs)
{
	double before = cpu_of_the_dead();
	uint64_t sum = 0;

	stage_kill(stage);
	for (uint32_t i = 0; i < pairs; i++)
		sum += atomic_load(&stage->lanes[pairs + i].count);
	return sum ? (cpu_of_the_dead() - before) / (double)sum : 0;
}
