/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/watch.c - inotify on one directory. What the events say is not believed: they only mean "look again".
 */
#include "platform/watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "platform/clock.h"

int pabal__watch_open(void)
{
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	return watch < 0 ? pabal__errno() : watch;
}

int pabal__watch_begin(int watch, const char *path)
{
	int number = inotify_add_watch(watch, path, IN_CREATE | IN_MOVED_TO | IN_ATTRIB);

	return number < 0 ? pabal__errno() : number;
}

void pabal__watch_end(int watch, int number)
{
	char events[4096];

	/* Where it is refused, the descriptor is another file by now, and what can be read there is not ours. */
	if (inotify_rm_watch(watch, number))
		return;
	/* The end itself is told, too. */
	while (read(watch, events, sizeof events) > 0) {
	}
}

int pabal__watch_wait(int watch, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = watch, .events = POLLIN };
	char events[4096];
	int64_t left = deadline == INT64_MAX ? INT64_C(3600000000000) : deadline - pabal__clock_now();
	struct timespec duration;
	int r;

	if (left <= 0)
		return -ETIMEDOUT;
	duration.tv_sec = left / 1000000000;
	duration.tv_nsec = left % 1000000000;
	r = ppoll(&poll_fd, 1, &duration, NULL);
	if (r < 0)
		return errno == EINTR ? -EINTR : pabal__errno();
	if (r > 0 && read(watch, events, sizeof events) < 0 && errno != EAGAIN)
		return pabal__errno();
	return 0;
}

void pabal__watch_drain(int watch)
{
	char events[4096];

	while (read(watch, events, sizeof events) < 0 && errno == EINTR) {
	}
}
