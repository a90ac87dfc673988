/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/tools.h - the clock, pinning, medians, payloads that are checked, and giving up.
 */
#ifndef PABAL_BENCH_TOOLS_H
#define PABAL_BENCH_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t now_ns(void);
void nap_ns(int64_t duration_ns);

/* The first two CPUs that we may run on; *ret_second is -1 if there is only one. */
void two_cpus(int *ret_first, int *ret_second);
void pin(int cpu);

/* Run on these two CPUs and no other, we and our children to come. */
void pin_to_two(int first, int second);

/* Sorts @values. */
double median(double *values, uint32_t count);

/* Write every word of a message; check every word of one. @number is the first word; the sender's number is its upper 16 bits. */
void payload_write(void *data, size_t size, uint64_t number);
bool payload_check(const void *data, size_t size, uint64_t number);

void die(int error, const char *what) __attribute__((noreturn));

#endif
