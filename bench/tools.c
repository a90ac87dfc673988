/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/tools.c - small things that every measurement needs.
 */
#include "tools.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pabal/pabal.h>

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void nap_ns(int64_t duration_ns)
{
	struct timespec duration = { .tv_sec = duration_ns / 1000000000, .tv_nsec = duration_ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
}

void two_cpus(int *ret_first, int *ret_second)
{
	cpu_set_t set;
	int found = 0;

	*ret_first = 0;
	*ret_second = -1;
	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (CPU_ISSET(cpu, &set))
			*(found++ ? ret_second : ret_first) = cpu;
	}
}

void pin(int cpu)
{
	pin_to_two(cpu, cpu);
}

void pin_to_two(int first, int second)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(first, &set);
	if (second >= 0)
		CPU_SET(second, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, uint32_t count)
{
	if (!count)
		return 0;
	qsort(values, count, sizeof *values, compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void payload_write(void *data, size_t size, uint64_t number)
{
	uint64_t *words = data;

	for (size_t i = 0; i < size / sizeof *words; i++)
		words[i] = number + i;
}

bool payload_check(const void *data, size_t size, uint64_t number)
{
	const uint64_t *words = data;
	uint64_t wrong = 0;

	for (size_t i = 0; i < size / sizeof *words; i++)
		wrong |= words[i] ^ (number + i);
	return !wrong;
}

void die(int error, const char *what)
{
	const char *detail = pabal_error_detail();

	fprintf(stderr, "pabal-bench: %s: %s%s%s\n", what, pabal_strerror(error), *detail ? ": " : "", detail);
	exit(1);
}
