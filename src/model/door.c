/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/door.c - serving the door: what is readable there goes to who answers (answer.c) or asks (ask.c).
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "model/process.h"
#include "platform/clock.h"
#include "platform/watch.h"

enum {
	EVENTS = 32, /* looked at in one serving; what is left is found by the next */
};

int pabal__epoll_add(int epoll, int fd, uint64_t event)
{
	struct epoll_event entry = { .events = EPOLLIN, .data.u64 = event };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &entry) ? (errno == ENOSPC ? -EMFILE : -errno) : 0;
}

void pabal__epoll_remove(int epoll, int fd)
{
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void handle(pabal_process *self, uint64_t event)
{
	switch ((enum pabal__event_kind)(event & 0xff)) {
	case PABAL__EVENT_LISTENER:
		pabal__answer_listener(self);
		break;
	case PABAL__EVENT_CALLER:
		pabal__answer_caller(self, event >> 8);
		break;
	case PABAL__EVENT_OPENING:
		pabal__ask_event(self, event >> 8);
		break;
	case PABAL__EVENT_WATCH:
		if (self->watch < 0)
			break;
		pabal__watch_drain(self->watch);
		pabal__ask_names_changed(self);
		break;
	default:
		break;
	}
}

static void hear_again(pabal_process *self, int64_t now)
{
	if (self->deaf && self->hear_at <= now && pabal__epoll_add(self->door, self->listener, pabal__event(PABAL__EVENT_LISTENER, 0)) == 0)
		self->deaf = false;
}

void pabal__door_serve(pabal_process *self)
{
	struct epoll_event events[EVENTS];
	int count;

	self->served = pabal__clock_coarse();
	/* A HELLO that comes with its connection is answered in the same serving: look again as long as there was something, within bounds. */
	for (int round = 0; round < 2; round++) {
		count = epoll_wait(self->door, events, EVENTS, 0);
		for (int i = 0; i < count; i++)
			handle(self, events[i].data.u64);
		if (count <= 0)
			break;
	}
	if (self->openings || self->deaf)
		pabal__door_timers(self);
}

void pabal__door_timers(pabal_process *self)
{
	int64_t now = pabal__clock_now();

	pabal__ask_timers(self, now);
	hear_again(self, now);
}

int64_t pabal__door_next(const pabal_process *self)
{
	int64_t next = self->deaf ? self->hear_at : INT64_MAX;

	for (const struct pabal__opening *opening = self->openings; opening; opening = opening->next)
		if (!opening->error && opening->look_at < next && (opening->users || opening->state == PABAL__ASK_SENT))
			next = opening->look_at;
	return next;
}
