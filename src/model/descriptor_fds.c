/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_fds.c - opening, using and closing them, and asking whether they are ours still.
 *
 * The socket has an inode of its own, which is remembered. The others have none, but each is known to our epoll, by its number and by its file: changing what it waits for, to what it is, succeeds for just that
 * file under just that number. That an epoll is ours is seen by its knowing our socket. So first the socket is asked after, then the epoll, then whichever is to be used.
 *
 * What is readable the epoll tells; only that is read, and so only that is asked after.
 */
#include "model/descriptor_fds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "platform/wake.h"

enum { DRAIN = 64 /* bytes of the socket, and reads of the watch, swallowed at a time; a guess */ };

static bool lose(struct pabal__descriptor_fds *fds)
{
	atomic_store_explicit(&fds->lost, true, memory_order_relaxed); /* alone: it says no more than that */
	return false;
}

static bool has(struct pabal__descriptor_fds *fds, enum pabal__descriptor_fd which)
{
	return !pabal__descriptor_fds_are_lost(fds) && (pabal__wake_group_has(fds->group, fds->fds[which], which) || lose(fds));
}

bool pabal__descriptor_fds_are_ours(struct pabal__descriptor_fds *fds)
{
	int saved = errno;
	struct stat st;
	bool ours = !pabal__descriptor_fds_are_lost(fds) &&
		    ((fstat(fds->fds[PABAL__FD_SOCKET], &st) == 0 && st.st_dev == fds->dev && st.st_ino == fds->ino) || lose(fds)) &&
		    has(fds, PABAL__FD_SOCKET);

	errno = saved;
	return ours;
}

static void close_all(const struct pabal__descriptor_fds *fds)
{
	for (int i = 0; i < PABAL__FDS; i++)
		if (fds->fds[i] >= 0)
			close(fds->fds[i]);
	if (fds->group >= 0)
		close(fds->group);
}

void pabal__descriptor_fds_close(struct pabal__descriptor_fds *fds)
{
	struct pabal__descriptor_fds ours = { .group = fds->group, .fds = { -1, -1, -1, -1 } };

	if (!pabal__descriptor_fds_are_ours(fds))
		return;
	/* All are asked after before the first is closed: the epoll forgets what was. */
	for (int i = 0; i < PABAL__FDS; i++)
		if (fds->fds[i] >= 0 && pabal__wake_group_has(fds->group, fds->fds[i], (uint32_t)i))
			ours.fds[i] = fds->fds[i];
	close_all(&ours);
}

/* The deaths of those who have the file open, and their reads (descriptor_post.c). */
static int watch_file(struct pabal__segment *segment)
{
	int fd = pabal__segment_fd(segment), watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (watch >= 0 && (fd < 0 || inotify_add_watch(watch, path, IN_CLOSE_WRITE | IN_ACCESS) < 0)) {
		close(watch);
		watch = -1;
	}
	return watch;
}

int pabal__descriptor_fds_open(struct pabal__segment *segment, int socket, struct pabal__descriptor_fds *ret_fds)
{
	struct pabal__descriptor_fds fds = { .group = -1, .fds = { socket, -1, -1, -1 } };
	struct stat st;
	int r = 0;

	fds.fds[PABAL__FD_OWN] = pabal__wake_open();
	fds.fds[PABAL__FD_TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	fds.fds[PABAL__FD_WATCH] = watch_file(segment);
	if (fds.fds[PABAL__FD_OWN] < 0 || fds.fds[PABAL__FD_TIMER] < 0 || fstat(socket, &st))
		r = -EMFILE;
	if (r == 0)
		r = fds.group = pabal__wake_group(fds.fds, PABAL__FDS);
	if (r < 0) {
		close_all(&fds);
		return r;
	}
	ret_fds->group = fds.group;
	memcpy(ret_fds->fds, fds.fds, sizeof fds.fds);
	ret_fds->dev = st.st_dev;
	ret_fds->ino = st.st_ino;
	atomic_init(&ret_fds->lost, false);
	return 0;
}

/* Is anything but reads told of in these bytes? */
static bool tells_of_death(const char *events, ssize_t size)
{
	struct inotify_event event;
	bool death = false;

	for (ssize_t at = 0; size - at >= (ssize_t)sizeof event; at += (ssize_t)(sizeof event + event.len)) {
		memcpy(&event, events + at, sizeof event);
		death = death || event.mask != IN_ACCESS;
	}
	return death;
}

/* Bounded: whoever may read the file could make events for ever. What is left keeps the descriptor readable. */
static bool drain_watch(int watch)
{
	char events[4096];
	bool death = false;
	ssize_t size = 1;

	for (int i = 0; i < DRAIN && size > 0; i++) {
		size = read(watch, events, sizeof events);
		death = tells_of_death(events, size) || death;
	}
	return death;
}

bool pabal__descriptor_fds_drain(struct pabal__descriptor_fds *fds)
{
	uint32_t ready = pabal__wake_group_ready(fds->group);
	bool death = false;
	uint64_t count;

	if (ready & 1u << PABAL__FD_SOCKET) /* which was asked after before all */
		pabal__wake_drain(fds->fds[PABAL__FD_SOCKET], DRAIN);
	if ((ready & 1u << PABAL__FD_OWN) && has(fds, PABAL__FD_OWN))
		pabal__wake_clear(fds->fds[PABAL__FD_OWN]);
	if ((ready & 1u << PABAL__FD_TIMER) && has(fds, PABAL__FD_TIMER) && read(fds->fds[PABAL__FD_TIMER], &count, sizeof count) > 0)
		death = !pabal__descriptor_fds_watches(fds);
	if ((ready & 1u << PABAL__FD_WATCH) && has(fds, PABAL__FD_WATCH))
		death = drain_watch(fds->fds[PABAL__FD_WATCH]) || death;
	return death;
}

void pabal__descriptor_fds_set(struct pabal__descriptor_fds *fds)
{
	int saved = errno;

	if (has(fds, PABAL__FD_OWN))
		pabal__wake_set(fds->fds[PABAL__FD_OWN]);
	errno = saved;
}

void pabal__descriptor_fds_set_in(struct pabal__descriptor_fds *fds, int64_t ns)
{
	struct itimerspec time = { .it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 } };

	if (has(fds, PABAL__FD_TIMER))
		timerfd_settime(fds->fds[PABAL__FD_TIMER], 0, &time, NULL);
}
