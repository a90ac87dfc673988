/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - one line on a terminal about a long run: how many messages, how much, how fast.
 */
#ifndef PABAL_TOOLS_PROGRESS_H
#define PABAL_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	const char *verb; /* "sent" or "received" */
	uint64_t count;
	uint64_t bytes;
	int64_t start_ns;
	int64_t last_ns; /* when it was drawn */
};

/** terminal_is_useful() - the descriptor is a terminal on which a line can be drawn again. */
bool terminal_is_useful(int fd);

/** clock_now() - nanoseconds of a clock that only goes forward. */
int64_t clock_now(void);

/**
 * progress_begin() - start counting.
 * @data_fd: where the messages come from or go to. Nothing is drawn if that is a terminal: they would get into each other's way.
 */
void progress_begin(struct progress *progress, const char *verb, int data_fd);

/** progress_add() - count; and draw, after a second and at most five times a second. */
void progress_add(struct progress *progress, uint64_t count, uint64_t bytes);

/**
 * progress_wait() - make a call that may wait for long, and say meanwhile that it waits, and for what.
 * @call: called with a part of the time as often as it returns -ETIMEDOUT and there is time left.
 * @what: "for room", say.
 *
 * Return: what the last call returned.
 */
int progress_wait(struct progress *progress, int (*call)(void *data, int64_t timeout_ns), void *data, int64_t timeout_ns, const char *what);

/** progress_line() - draw any text as the line. It is cut to the width of the terminal. */
void progress_line(const char *text);

/** progress_clear() - erase the line, if there is one. */
void progress_clear(void);

#endif
