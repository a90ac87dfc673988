/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/floor.h - the floor: what the machine takes to bring one cache line to another core and one back.
 */
#ifndef PABAL_BENCH_FLOOR_H
#define PABAL_BENCH_FLOOR_H

/* The median round trip in ns between two processes, each pinned to its CPU. */
double floor_probe(int first, int second);

/*
 * The same where each of the two can only read the line that the other one writes, as in a link. On some processors (AMD's Zen) that costs half as much again: a line that its reader may not
 * write stays shared when it was read, and its writer must ask for it back.
 */
double floor_probe_read_only(int first, int second);

#endif
