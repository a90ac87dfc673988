/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.c - messages to a file descriptor, whatever kind of descriptor it is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "output.h"
#include "stop.h"

unsigned output_advance(struct iovec *pieces, unsigned first, unsigned count, size_t written)
{
	while (first < count && written >= pieces[first].iov_len)
		written -= pieces[first++].iov_len;
	if (first < count) {
		pieces[first].iov_base = (char *)pieces[first].iov_base + written;
		pieces[first].iov_len -= written;
	}
	return first;
}

int output_wait(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLOUT };

	return poll(&item, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/* An iovec is for reading too, so it knows no const. */
static struct iovec piece(const void *data, size_t size)
{
	struct iovec piece = { .iov_len = size };

	memcpy(&piece.iov_base, &data, sizeof(data));
	return piece;
}

int output_message(int fd, const char *from, const void *data, size_t size, bool line)
{
	struct iovec pieces[4];
	unsigned count = 0, first = 0;
	ssize_t written;
	int r = 0;

	if (from) {
		pieces[count++] = piece(from, strlen(from));
		pieces[count++] = piece("\t", 1);
	}
	pieces[count++] = piece(data, size);
	if (line)
		pieces[count++] = piece("\n", 1);
	while (r == 0 && (first = output_advance(pieces, first, count, 0)) < count) {
		written = writev(fd, pieces + first, (int)(count - first));
		if (written >= 0)
			first = output_advance(pieces, first, count, (size_t)written);
		else if (errno == EAGAIN)
			r = output_wait(fd);
		else if (errno != EINTR)
			r = errno == EPIPE && stop_requests() > 0 ? -ECANCELED : -errno;
		if (r == 0 && first < count && stop_requests() > 0)
			r = -ECANCELED;
	}
	return r;
}
