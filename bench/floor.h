/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/floor.h - the floor: what the machine takes to bring one cache line to another core and one back.
 */
#ifndef PABAL_BENCH_FLOOR_H
#define PABAL_BENCH_FLOOR_H

/* The median round trip in ns between two processes, each pinned to its CPU. */
double floor_probe(int first, int second);

#endif
