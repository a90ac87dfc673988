/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - the lines of a file descriptor, one after the other, in memory that has a bound: no line is kept that is longer than it may be.
 */
#ifndef PABAL_TOOLS_LINES_H
#define PABAL_TOOLS_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines {
	int fd;          /* set by the caller */
	size_t size_max; /* the longest line, without its newline; set by the caller */

	/* Our own. */
	unsigned long long number; /* of the line that was told last, from 1 */
	char *data;
	size_t room;
	size_t begin, seen, end; /* what is in hand: from begin to end, and there is no newline before seen */
	bool is_at_end;          /* there is nothing more to read */
	bool is_skipping;        /* what comes next still belongs to a line that was too long */
};

/**
 * lines_read() - read once. Call it when lines_take() has nothing.
 * Return: 0, also at the end; negative: why it could not be read, or -ENOMEM. -EINTR and -EAGAIN lose nothing.
 */
int lines_read(struct lines *lines);

/**
 * lines_take() - the next line of what was read, without its newline; there is room for one more byte behind it. A last line without a newline is a line.
 * @ret_line, @ret_size: valid until the next lines_read().
 *
 * Return: 0; -EAGAIN: read more first; -EPIPE: that was the last one; -EMSGSIZE: the line is longer than it may be, and the next call goes on behind it.
 */
int lines_take(struct lines *lines, char **ret_line, size_t *ret_size);

/** lines_next() - lines_take(), and what must be read for it. Return: the same, but for -EAGAIN; -ECANCELED: a signal asked us to end; or why it could not be read. */
int lines_next(struct lines *lines, char **ret_line, size_t *ret_size);

/** lines_free() - free what lines_read() allocated. The descriptor stays open. */
void lines_free(struct lines *lines);

#endif
