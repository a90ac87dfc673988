/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox.c - the messages that come to an announced process.
 *
 * The end of a link is told to who asks for messages of that peer by name, once, after the last of them. So to know when all senders have ended we note who sent, and
 * when there is nothing more from anyone ask for each of them by name. The descriptor of the process says when to look again.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbox.h"
#include "progress.h"
#include "stop.h"

#define FIRST_ROOM 4096 /* guess: larger than most messages */
#define NS_PER_SECOND 1000000000

static int make_room(struct inbox *inbox, size_t size)
{
	char *larger;

	if (size <= inbox->room)
		return 0;
	larger = realloc(inbox->data, size);
	if (!larger)
		return -ENOMEM;
	inbox->data = larger;
	inbox->room = size;
	return 0;
}

/* One receive, with as much room as it takes. What did not fit is the next of its sender, so that one is asked again. */
static int receive(struct inbox *inbox, const char *from, int64_t timeout_ns)
{
	int r = make_room(inbox, FIRST_ROOM);

	if (r < 0)
		return r;
	r = pabal_process_receive(inbox->self, from, inbox->peer, inbox->data, inbox->room, &inbox->size, timeout_ns);
	while (r == -EMSGSIZE) {
		r = make_room(inbox, inbox->size);
		if (r == 0)
			r = pabal_process_receive(inbox->self, inbox->peer, NULL, inbox->data, inbox->room, &inbox->size, PABAL_NOWAIT);
	}
	return r;
}

static int note_sender(struct inbox *inbox)
{
	void *more;

	for (uint32_t i = 0; i < inbox->sender_count; i++)
		if (strcmp(inbox->senders[i], inbox->peer) == 0)
			return 0;
	more = realloc(inbox->senders, (inbox->sender_count + 1) * sizeof(*inbox->senders));
	if (!more)
		return -ENOMEM;
	inbox->senders = more;
	snprintf(inbox->senders[inbox->sender_count++], PABAL_NAME_SIZE, "%s", inbox->peer);
	return 0;
}

/* Nothing came from anyone: who of the senders has ended? -EAGAIN: not all. */
static int look_for_ends(struct inbox *inbox)
{
	for (uint32_t i = 0; i < inbox->sender_count;) {
		int r = receive(inbox, inbox->senders[i], PABAL_NOWAIT);

		if (r == 0)
			return 0; /* it came just now */
		if (r == -EAGAIN) {
			i++;
			continue;
		}
		snprintf(inbox->peer, PABAL_NAME_SIZE, "%s", inbox->senders[i]);
		if (r != -EPIPE)
			return r;
		memmove(inbox->senders[i], inbox->senders[--inbox->sender_count], sizeof(*inbox->senders));
		inbox->is_any_ended = true;
	}
	return inbox->is_any_ended && inbox->sender_count == 0 ? -EPIPE : -EAGAIN;
}

/*
 * Until something happens to the process or its links. The signals that end us are blocked but for the sleep itself: one that came between the last look and the sleep would else
 * be slept through.
 */
static int wait_readable(struct inbox *inbox, int64_t deadline_ns)
{
	struct pollfd item = { .fd = pabal_process_fd(inbox->self, PABAL_READABLE), .events = POLLIN };
	int64_t left_ns = deadline_ns - clock_now();
	const struct timespec left = { .tv_sec = left_ns / NS_PER_SECOND, .tv_nsec = left_ns % NS_PER_SECOND };
	sigset_t old;
	int r = 0;

	if (item.fd < 0)
		return item.fd;
	if (left_ns <= 0)
		return -ETIMEDOUT;
	stop_block(&old);
	if (stop_requests() > 0)
		r = -ECANCELED;
	else if (ppoll(&item, 1, &left, &old) < 0)
		r = errno == EINTR ? -ECANCELED : -errno;
	stop_unblock(&old);
	return r;
}

static int next_until_closed(struct inbox *inbox, int64_t timeout_ns)
{
	int64_t deadline_ns;
	int r;

	if (timeout_ns < 0 || __builtin_add_overflow(clock_now(), timeout_ns, &deadline_ns))
		deadline_ns = INT64_MAX;
	for (;;) {
		r = receive(inbox, NULL, PABAL_NOWAIT);
		if (r == 0)
			return note_sender(inbox);
		if (r == -EAGAIN)
			r = look_for_ends(inbox);
		if (r == 0)
			return note_sender(inbox);
		if (r == -EAGAIN && timeout_ns != PABAL_NOWAIT)
			r = wait_readable(inbox, deadline_ns);
		if (r == -ETIMEDOUT)
			return receive(inbox, NULL, 1); /* for the library's sentence about it */
		if (r < 0)
			return r;
	}
}

int inbox_next(struct inbox *inbox, int64_t timeout_ns)
{
	int r;

	if (inbox->until_closed && !inbox->from)
		return next_until_closed(inbox, timeout_ns);
	r = receive(inbox, inbox->from, timeout_ns);
	if (r < 0 && inbox->from)
		snprintf(inbox->peer, PABAL_NAME_SIZE, "%s", inbox->from);
	return r;
}

void inbox_free(struct inbox *inbox)
{
	free(inbox->data);
	free(inbox->senders);
	inbox->data = NULL;
	inbox->senders = NULL;
}
