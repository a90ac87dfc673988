/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/wait_many.c - waiting on many objects of any kind, by their descriptors.
 *
 * What a kind promises of its descriptor is enough: level-triggered, and never silent while there is something. Of mailboxes and buffers a descriptor that is readable is verified by
 * a look, so that one that another has emptied does not end the wait.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <pabal/process.h>

#include "base/error.h"
#include "model/link.h"
#include "model/process.h"
#include "model/waitable.h"
#include "platform/clock.h"

enum { MOST = 4096 }; /* a guess: each costs five descriptors */

/* What stands at the beginning of each handle. */
static uint32_t magic_of(const void *object)
{
	return object ? *(const uint32_t *)object : 0;
}

static int descriptor_of(void *object, uint32_t event)
{
	if (pabal__waitable_is(object))
		return pabal__waitable_fd(object, event);
	switch (magic_of(object)) {
	case PABAL__PROCESS_MAGIC:
		return pabal_process_fd(object, event);
	case PABAL__LINK_MAGIC:
		return pabal_link_fd(object, event);
	default:
		return pabal__fail_with(-EINVAL, "an object is no open handle of a mailbox, buffer, process or link; "
						 "a region has pabal_region_wait(), for one of its events");
	}
}

static bool restarts(const void *object)
{
	uint32_t flags = pabal__waitable_is(object)                 ? pabal__waitable_flags(object)
			 : magic_of(object) == PABAL__PROCESS_MAGIC ? ((const pabal_process *)object)->flags
								    : ((const pabal_link *)object)->flags;

	return flags & PABAL_RESTART;
}

struct many {
	struct pabal_wait *items;
	uint32_t count;
	struct pollfd *polls; /* two an item: readable, writable */
	bool restart;
};

static int prepare(struct many *many)
{
	many->restart = true;
	for (uint32_t i = 0; i < many->count; i++) {
		struct pabal_wait *item = &many->items[i];

		if (!item->events || (item->events & ~(uint32_t)(PABAL_READABLE | PABAL_WRITABLE | PABAL_HANGUP)))
			return pabal__fail(-EINVAL, "events of item %u are 0x%x: one or more of PABAL_READABLE, _WRITABLE, _HANGUP", i, item->events);
		for (int side = 0; side < 2; side++) {
			uint32_t event = side ? PABAL_WRITABLE : PABAL_READABLE;
			bool wanted = item->events & (side ? PABAL_WRITABLE : PABAL_READABLE | PABAL_HANGUP);
			int fd = wanted ? descriptor_of(item->object, event) : -1;

			if (wanted && fd < 0)
				return fd;
			many->polls[2 * i + (uint32_t)side] = (struct pollfd){ .fd = fd, .events = POLLIN | POLLRDHUP };
		}
		many->restart = many->restart && restarts(item->object);
	}
	return 0;
}

static uint32_t events_of_peer(uint32_t wanted, const struct pollfd *polls)
{
	uint32_t events = 0;

	if (polls[0].revents)
		events |= PABAL_READABLE;
	if (polls[1].revents & POLLIN)
		events |= PABAL_WRITABLE;
	if ((polls[0].revents | polls[1].revents) & (POLLHUP | POLLRDHUP | POLLERR))
		events |= PABAL_HANGUP;
	if (!(wanted & PABAL_READABLE) && (events & PABAL_READABLE) && (wanted & PABAL_HANGUP))
		events |= PABAL_HANGUP; /* the end is something to receive: that call tells */
	return events & wanted;
}

/* -ECANCELED: one of them was interrupted. */
static int look(struct many *many, uint32_t *ret_ready)
{
	*ret_ready = 0;
	for (uint32_t i = 0; i < many->count; i++) {
		struct pabal_wait *item = &many->items[i];
		const struct pollfd *polls = &many->polls[(size_t)2 * i];

		if (pabal__waitable_is(item->object)) {
			if (pabal__waitable_interrupted(item->object))
				return -ECANCELED;
			item->ret_events = item->events & pabal__waitable_verify(item->object, (polls[0].revents ? PABAL_READABLE : 0u) |
												       (polls[1].revents ? PABAL_WRITABLE : 0u));
		} else {
			item->ret_events = events_of_peer(item->events, polls);
		}
		*ret_ready += item->ret_events != 0;
	}
	return 0;
}

static int poll_until(struct many *many, int64_t deadline)
{
	int64_t left = deadline == INT64_MAX ? 0 : deadline - pabal__clock_now();
	struct timespec time;
	int r;

	if (left < 0)
		left = 0;
	time = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	/* ppoll ends with EINTR when a handler ran, whatever SA_RESTART says */
	r = ppoll(many->polls, (nfds_t)2 * many->count, deadline == INT64_MAX ? NULL : &time, NULL);
	return r < 0 ? (errno == EINTR ? -EINTR : -ENOMEM) : r;
}

/* Until one is ready, or it is final. */
static int wait_until(struct many *many, uint32_t *ret_ready, int64_t timeout_ns)
{
	int64_t deadline = pabal__clock_deadline(timeout_ns);
	int r;

	for (;;) {
		r = poll_until(many, deadline);
		if (r == -EINTR && many->restart)
			continue;
		if (r == -EINTR)
			return pabal__fail_with(r, "a signal handler ran while the call waited: call again, or open with PABAL_RESTART");
		if (r < 0)
			return pabal__fail_with(r, "no memory to poll so many descriptors");
		if (look(many, ret_ready) < 0)
			return pabal__fail_with(-ECANCELED, "the wait was interrupted on one of the objects");
		if (*ret_ready)
			return 0;
		if (deadline != INT64_MAX && pabal__clock_now() >= deadline)
			return timeout_ns == PABAL_NOWAIT ? pabal__fail_with(-EAGAIN, "not now: none of the objects is ready")
							  : pabal__fail_with(-ETIMEDOUT, "the time was up before any of the objects was ready");
	}
}

int pabal_wait_many(struct pabal_wait *items, uint32_t count, uint32_t *ret_ready, int64_t timeout_ns)
{
	struct many many = { .items = items, .count = count };
	uint32_t ready = 0;
	int r;

	if (!items || count < 1 || count > MOST || timeout_ns < PABAL_FOREVER)
		return pabal__fail(-EINVAL, "items is NULL, count is not 1 to %d, or the time-out is negative", MOST);
	many.polls = calloc(2 * (size_t)count, sizeof *many.polls);
	if (!many.polls)
		return pabal__fail_with(-ENOMEM, "no memory to wait for so many objects");
	r = prepare(&many);
	if (r == 0)
		r = wait_until(&many, &ready, timeout_ns);
	free(many.polls);
	if (r == 0 && ret_ready)
		*ret_ready = ready;
	return r;
}
