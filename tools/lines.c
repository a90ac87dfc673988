/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c - the lines of a file descriptor.
 *
 * getline() would read a file without a newline into memory until there is no more of either. Here a line that turns out longer than it may be is dropped on the spot: there are
 * never more than size_max + 1 bytes in hand, and the memory for them doubles, so it is at most about twice that.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"
#include "stop.h"

#define FIRST_ROOM ((size_t)64 << 10) /* guess: as much as a pipe holds */

/* Room for a byte to read, and for one behind it. */
static int make_room(struct lines *lines)
{
	size_t room = lines->room ? 2 * lines->room : FIRST_ROOM;
	char *larger;

	if (lines->end + 1 < lines->room)
		return 0;
	larger = realloc(lines->data, room);
	if (!larger)
		return -ENOMEM;
	lines->data = larger;
	lines->room = room;
	return 0;
}

int lines_read(struct lines *lines)
{
	ssize_t length;
	int r;

	if (lines->begin > 0)
		memmove(lines->data, lines->data + lines->begin, lines->end - lines->begin);
	lines->seen -= lines->begin;
	lines->end -= lines->begin;
	lines->begin = 0;
	r = make_room(lines);
	if (r < 0)
		return r;
	length = read(lines->fd, lines->data + lines->end, lines->room - lines->end - 1);
	if (length < 0)
		return -errno;
	lines->end += (size_t)length;
	lines->is_at_end = length == 0;
	return 0;
}

/* Where the next line ends, in what is in hand; NULL: beyond it. */
static char *find_end(struct lines *lines)
{
	return lines->end > lines->seen ? memchr(lines->data + lines->seen, '\n', lines->end - lines->seen) : NULL;
}

static int take(struct lines *lines, size_t length, size_t newline, char **ret_line, size_t *ret_size)
{
	*ret_line = lines->data + lines->begin;
	*ret_size = length;
	lines->begin = lines->seen = lines->begin + length + newline;
	lines->number++;
	return length > lines->size_max ? -EMSGSIZE : 0;
}

static void drop(struct lines *lines, size_t until)
{
	lines->begin = lines->seen = until;
}

int lines_take(struct lines *lines, char **ret_line, size_t *ret_size)
{
	char *newline = find_end(lines);

	if (lines->is_skipping && newline) {
		drop(lines, (size_t)(newline + 1 - lines->data));
		lines->is_skipping = false;
		newline = find_end(lines);
	}
	if (newline)
		return take(lines, (size_t)(newline - lines->data) - lines->begin, 1, ret_line, ret_size);
	lines->seen = lines->end;
	if (lines->is_skipping)
		drop(lines, lines->end);
	if (lines->end - lines->begin > lines->size_max) {
		lines->is_skipping = true;
		return take(lines, lines->end - lines->begin, 0, ret_line, ret_size);
	}
	if (!lines->is_at_end)
		return -EAGAIN;
	return lines->end > lines->begin ? take(lines, lines->end - lines->begin, 0, ret_line, ret_size) : -EPIPE;
}

int lines_next(struct lines *lines, char **ret_line, size_t *ret_size)
{
	struct pollfd item = { .fd = lines->fd, .events = POLLIN };
	int r;

	while ((r = lines_take(lines, ret_line, ret_size)) == -EAGAIN) {
		r = lines_read(lines);
		if (r == -EAGAIN) /* a descriptor that does not block */
			r = poll(&item, 1, -1) < 0 ? -errno : 0;
		if (r == -EINTR)
			r = stop_requests() > 0 ? -ECANCELED : 0;
		if (r < 0)
			return r;
	}
	return r;
}

void lines_free(struct lines *lines)
{
	free(lines->data);
	lines->data = NULL;
}
