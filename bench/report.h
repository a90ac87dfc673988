/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/report.h - figures, collected and written out as a table, as Markdown or as JSON.
 */
#ifndef PABAL_BENCH_REPORT_H
#define PABAL_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIGURES_MAX = 128 };

struct figure {
	const char *section, *name, *waiting, *placement, *unit, *ratio_to; /* constant strings; NULL where it makes no sense */
	size_t size;                                                        /* bytes of a message; 0: makes no sense */
	uint32_t pairs;                                                     /* 0: makes no sense */
	double value, ratio, fairness, cpu_ns, goal;
	bool goal_is_least; /* the goal is a least ratio, else a greatest */
	uint32_t bursts, kept;
	char note[64];
};

struct report {
	bool progress; /* standard error is a terminal */
	uint32_t count;
	struct figure figures[FIGURES_MAX];
};

void report_add(struct report *report, const struct figure *figure);
void report_progress(const struct report *report, const char *section, const char *placement, uint32_t done, uint32_t all);

void report_table(const struct report *report);
void report_markdown(const struct report *report);
void report_json(const struct report *report);

#endif
