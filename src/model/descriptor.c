/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor.c - descriptors for poll(2): sockets in the directory. Who sends to them: descriptor_post.c.
 *
 * A handle with a descriptor has set a bit in its participant slot, and a word in the header that says so. It arms the bell like a sleeper and looks. Whoever makes something
 * happen finds the bell armed, rings it, sees the word, and sends a byte to all that have the bit. What is sent stays until a call on that handle says "not now": then the
 * handle empties the socket, arms, and attempts once more. So either that attempt finds it, or the bell is found armed; never neither.
 *
 * Who dies after its commit and before its bytes are sent leaves the others unaware. A sleeper has slices for that; a descriptor has the kernel: the file of the object is
 * watched, and the death of whoever had it open is an event, and so is a read by one who could not reach the socket. After a death the handle's next call finds nothing, buries the dead, and looks again a moment later, in case the kernel
 * had not let go of it yet. Where there are no watches left, a timer stands in for it.
 *
 * Each descriptor is an epoll of that socket, an event counter for ourselves, the timer and the watch. A hostile peer can make it readable, or remove the socket's name; then
 * the handle hears of nothing but deaths: it can do as much to the object.
 */
#include "model/descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "model/bury.h"
#include "model/descriptor_post.h"
#include "platform/datagram.h"
#include "platform/membarrier.h"
#include "platform/wake.h"

enum {
	SOON_NS = 20000000,   /* a death was seen: the kernel needs tenths of a millisecond to let go of a small process; a guess */
	SLICE_NS = 250000000, /* no watch: as wait.c's longest slice */
	BRIEF_NS = 1000000,   /* no membarrier: as in wait.c */
	DRAIN = 64,
};

struct pabal__descriptor {
	int group, socket, own, timer, watch;
	uint32_t event;
	char name[PABAL__DESCRIPTOR_NAME_SIZE];
};

static void set_timer(const struct pabal__descriptor *descriptor, int64_t ns)
{
	struct itimerspec time = { .it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 } };

	timerfd_settime(descriptor->timer, 0, &time, NULL);
}

static void remove_name(const pabal_mailbox *mailbox, const struct pabal__descriptor *descriptor)
{
	struct pabal__directory directory;

	if (descriptor->socket >= 0 && pabal__segment_directory(&mailbox->segment, &directory) == 0) {
		unlinkat(directory.fd, descriptor->name, 0);
		pabal__directory_close(&directory);
	}
}

/* @name_too: and the name first, then the bit: if we are killed in between, our undertaker looks for the socket. */
static void close_one(pabal_mailbox *mailbox, struct pabal__descriptor *descriptor, bool name_too)
{
	if (!descriptor)
		return;
	if (name_too) {
		remove_name(mailbox, descriptor);
		pabal__descriptor_withdraw(mailbox, descriptor->event);
	}
	for (int i = 0; i < 5; i++) {
		int fd = (const int[]){ descriptor->group, descriptor->socket, descriptor->own, descriptor->timer, descriptor->watch }[i];

		if (fd >= 0)
			close(fd);
	}
	free(descriptor);
}

void pabal__descriptor_close(pabal_mailbox *mailbox, bool name_too)
{
	close_one(mailbox, mailbox->sending.descriptor, name_too);
	close_one(mailbox, mailbox->receiving.descriptor, name_too);
	mailbox->sending.descriptor = mailbox->receiving.descriptor = NULL;
}

/* The deaths of those who have the file open, and their reads (descriptor_post.c). -1: no watch is left; the timer stands in. */
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

/* Empty all that made it readable. true: somebody may have died. */
static bool drain(const struct pabal__descriptor *descriptor)
{
	char events[4096];
	uint64_t count;
	ssize_t size;
	bool death = false;

	pabal__wake_drain(descriptor->socket, DRAIN);
	pabal__wake_clear(descriptor->own);
	if (read(descriptor->timer, &count, sizeof count) > 0)
		death = descriptor->watch < 0;
	while (descriptor->watch >= 0 && (size = read(descriptor->watch, events, sizeof events)) > 0)
		death = tells_of_death(events, size) || death;
	return death;
}

/* Ask to be rung for by this bell. The caller looks after it. */
static void arm(const struct pabal__descriptor *descriptor, pabal__bell *bell, bool stores)
{
	pabal__bell_arm(bell);
	if (stores && !pabal__membarrier_all()) /* as in wait.c: they who ring it do it after a plain store */
		set_timer(descriptor, BRIEF_NS);
	else if (descriptor->watch < 0)
		set_timer(descriptor, SLICE_NS);
}

static void arm_side(const struct pabal__descriptor *descriptor, const struct pabal__side *side)
{
	arm(descriptor, side->waiter.bell, side->waiter.memory_bell == side->waiter.bell);
}

/* Empty it for a side that has nothing to tell, and see to what it told of. */
static void empty(pabal_mailbox *mailbox, const struct pabal__descriptor *descriptor)
{
	struct pabal__burial burial = { 0 };

	if (drain(descriptor)) {
		pabal__bury_dead(&mailbox->segment, &burial);
		set_timer(descriptor, SOON_NS);
	}
	/* What was drained may have been meant for who waits for the end alone. */
	if (pabal__object_ended(&mailbox->segment))
		pabal__nudge_all(&mailbox->nudges);
}

int pabal__descriptor_settle(struct pabal__call *call, struct pabal__side *side, int error)
{
	struct pabal__descriptor *descriptor = side->descriptor;
	int saved = errno, r;

	empty(call->mailbox, descriptor);
	if (!PABAL__FAULT(NO_SOCKET_REARM))
		arm_side(descriptor, side);
	r = side->waiter.calls->attempt(call);
	if (r == PABAL__WAIT_MEMORY && side->waiter.memory_bell != side->waiter.bell) {
		/* Only now: whoever gives up a full mailbox frees the block that it had filled, and would ring for itself. */
		arm(descriptor, side->waiter.memory_bell, true);
		r = side->waiter.calls->attempt(call);
	}
	if (r == 0 || r == PABAL__WAIT_BUSY) /* there may be more; or nobody will ring */
		pabal__wake_set(descriptor->own);
	errno = saved;
	return r > 0 ? error : r;
}

bool pabal__descriptor_verify(pabal_mailbox *mailbox, uint32_t event, bool (*is_ready)(pabal_mailbox *mailbox, uint32_t event))
{
	struct pabal__side *side = event == PABAL_READABLE ? &mailbox->receiving : &mailbox->sending;

	if (is_ready(mailbox, event))
		return true;
	empty(mailbox, side->descriptor);
	if (!PABAL__FAULT(NO_SOCKET_REARM))
		arm_side(side->descriptor, side);
	if (!is_ready(mailbox, event))
		return false;
	pabal__wake_set(side->descriptor->own); /* until a call says "not now" */
	return true;
}

void pabal__descriptor_end_fds(const pabal_mailbox *mailbox, int *ret_fds)
{
	const struct pabal__descriptor *descriptor = mailbox->receiving.descriptor;

	ret_fds[0] = descriptor->socket;
	ret_fds[1] = descriptor->watch;
	ret_fds[2] = descriptor->timer;
}

void pabal__descriptor_hush(pabal_mailbox *mailbox)
{
	const struct pabal__descriptor *descriptor = mailbox->receiving.descriptor;

	empty(mailbox, descriptor);
	pabal__wake_set(descriptor->own); /* it was emptied, but not armed: who reads, does that */
	if (descriptor->watch < 0)
		set_timer(descriptor, SLICE_NS);
}

void pabal__descriptor_poke(const pabal_mailbox *mailbox)
{
	if (mailbox->receiving.descriptor)
		pabal__wake_set(mailbox->receiving.descriptor->own);
	if (mailbox->sending.descriptor)
		pabal__wake_set(mailbox->sending.descriptor->own);
}

static int open_socket(pabal_mailbox *mailbox, struct pabal__descriptor *descriptor)
{
	struct pabal__directory directory;
	uint32_t mode = mailbox->segment.mode & 0666;
	int r = pabal__segment_directory(&mailbox->segment, &directory);

	if (r < 0)
		return r;
	pabal__descriptor_name(&mailbox->segment, mailbox->id, descriptor->event, descriptor->name);
	pabal__descriptor_enroll(mailbox, descriptor->event);
	r = pabal__datagram_open(directory.fd, descriptor->name, mode, &descriptor->socket);
	pabal__directory_close(&directory);
	return r;
}

static int open_all(pabal_mailbox *mailbox, struct pabal__descriptor *descriptor)
{
	int r = open_socket(mailbox, descriptor);

	if (r < 0)
		return r;
	descriptor->own = pabal__wake_open();
	descriptor->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	descriptor->watch = watch_file(&mailbox->segment);
	if (descriptor->own < 0 || descriptor->timer < 0)
		return -EMFILE;
	descriptor->group = pabal__wake_group((const int[]){ descriptor->socket, descriptor->own, descriptor->timer, descriptor->watch }, 4);
	return descriptor->group < 0 ? descriptor->group : 0;
}

/* The whole of it, or nothing. */
static int make(pabal_mailbox *mailbox, uint32_t event, struct pabal__descriptor **ret_descriptor)
{
	struct pabal__descriptor *descriptor = malloc(sizeof *descriptor);
	int r;

	if (!descriptor)
		return -ENOMEM;
	*descriptor = (struct pabal__descriptor){ .group = -1, .socket = -1, .own = -1, .timer = -1, .watch = -1, .event = event };
	r = open_all(mailbox, descriptor);
	if (r < 0)
		close_one(mailbox, descriptor, true);
	else
		*ret_descriptor = descriptor;
	return r;
}

static int say(int error, const struct pabal__segment *segment)
{
	if (error == -ENOENT)
		return pabal__fail(error, "cannot make a descriptor for '%s': its directory %s is gone, or another one is in its place",
				   segment->name, segment->place.path);
	return pabal__fail(error, "cannot make a descriptor for '%s': %s", segment->name,
			   error == -EMFILE || error == -ENFILE ? "too many open files"
								: "no memory, or no permission to make a socket in the directory");
}

int pabal__descriptor_of(pabal_mailbox *mailbox, uint32_t event, bool (*is_ready)(pabal_mailbox *mailbox, uint32_t event))
{
	struct pabal__side *side = event == PABAL_READABLE ? &mailbox->receiving : &mailbox->sending;
	struct pabal__descriptor *descriptor = NULL;
	bool entered = pabal__side_enter(mailbox, side);
	int r = 0;

	if (!side->descriptor) {
		r = make(mailbox, event, &descriptor);
		if (r == 0) {
			side->descriptor = descriptor; /* whole: calls that say "not now", and interrupts, look without the lock */
			arm_side(descriptor, side);
		}
	}
	r = r < 0 ? say(r, &mailbox->segment) : side->descriptor->group;
	pabal__side_leave(side, entered);
	if (r >= 0 && is_ready(mailbox, event))
		pabal__wake_set(side->descriptor->own);
	return r;
}
