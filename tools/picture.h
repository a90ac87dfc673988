/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picture.h - the picture that demo draws in the terminal: who sends, who receives, who is dead, how full the mailbox is.
 */
#ifndef PABAL_TOOLS_PICTURE_H
#define PABAL_TOOLS_PICTURE_H

#include <stdbool.h>

#include "run.h"

struct picture_row {
	pid_t pid; /* whose numbers these are */
	uint64_t progress;
	double rate;
};

struct picture {
	int64_t last_ns;
	unsigned height; /* lines on the screen; the cursor is below them */
	double rate_max; /* the longest bar */
	bool has_colors;
	bool has_blocks; /* the terminal shows UTF-8 */
	struct picture_row rows[2 * LEDGER_WORKERS_MAX];
};

/** picture_init() - look at the terminal and the environment. */
void picture_init(struct picture *picture);

/** picture_show() - draw, at most ten times a second, and at the end. @data: the struct picture. To be handed to run_plan(). */
void picture_show(const struct run *run, void *data);

#endif
