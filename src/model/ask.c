/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/ask.c - asking the holder of a name for a link.
 *
 *   ABSENT --the directory changed, the name is held--> SENT: our HELLO is in its socket --WELCOME--> a party
 *     ^  \--its backlog is full--> LATER                 |  --REFUSE(tie, duplicate)--> LATER: its own letter is under way to us, or we have it already
 *     |                            |                     |  --REFUSE(other), nonsense--> error, told to those who wait
 *     +----------------------------+---------------------+  --it hung up, or its name is held by another instance--> ABSENT
 *
 * An opening is one for each name, whoever of our threads waits for it. With nobody waiting it goes on while SENT, since the other side may count on it, and keeps its error for the next call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "model/process.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/life.h"
#include "platform/sealed.h"
#include "platform/watch.h"
#include "queue/stream.h"

int pabal__own_memory_make(uint64_t memory_max, struct pabal__own_memory *ret_memory)
{
	struct pabal__own_memory memory = { .fd = -1, .memory_max = memory_max };
	uint64_t size = pabal__stream_size(memory_max);
	int r = pabal__sealed_make(size, &memory.fd, &memory.data);

	if (r < 0)
		return r;
	/* All but the arena, which is backed as it is used. */
	r = pabal__file_back(memory.fd, 0, size - pabal__stream_arena_size(memory_max));
	if (r == 0)
		pabal__stream_format(memory.data, memory_max);
	if (r < 0)
		pabal__own_memory_free(&memory);
	else
		*ret_memory = memory;
	return r;
}

void pabal__own_memory_free(struct pabal__own_memory *memory)
{
	if (memory->data)
		pabal__sealed_unmap(memory->data, pabal__stream_size(memory->memory_max));
	if (memory->fd >= 0)
		close(memory->fd);
	memory->data = NULL;
	memory->fd = -1;
}

static void hang_up(pabal_process *self, struct pabal__opening *opening)
{
	if (opening->state != PABAL__ASK_SENT)
		return;
	pabal__epoll_remove(self->door, opening->socket);
	close(opening->socket);
	pabal__own_memory_free(&opening->memory);
	opening->state = PABAL__ASK_LATER;
	opening->look_at = 0;
}

static void fail(pabal_process *self, struct pabal__opening *opening, int error)
{
	hang_up(self, opening);
	opening->error = error;
	opening->untold = ++self->numbers;
	pabal__process_news(self);
}

/* The same with the sentence that was just said: whoever waits for it may be another thread, and this one may fail in other ways before it is told. */
static void fail_with_words(pabal_process *self, struct pabal__opening *opening, int error)
{
	memcpy(opening->words, pabal_error_detail(), strnlen(pabal_error_detail(), sizeof opening->words - 1));
	fail(self, opening, error);
}

static void later(pabal_process *self, struct pabal__opening *opening)
{
	hang_up(self, opening);
	opening->state = PABAL__ASK_LATER;
	opening->look_at = pabal__clock_now() + PABAL__RETRY_NS;
}

/* Nobody has the name. Look again when the directory changes, or, where it cannot be watched, soon. */
static void absent(pabal_process *self, struct pabal__opening *opening)
{
	hang_up(self, opening);
	opening->state = PABAL__ASK_ABSENT;
	opening->look_at = self->watched >= 0 ? INT64_MAX : pabal__clock_now() + PABAL__RETRY_NS;
}

/* Watch the directory, and then look into it once more: what comes after that look is not missed. */
static void watch(pabal_process *self)
{
	int fd;

	if (self->watch < 0) {
		fd = pabal__watch_open();
		if (fd < 0)
			return; /* none left for this user: looked at every 20 ms instead, as where the watch is refused */
		if (pabal__epoll_add(self->door, fd, pabal__event(PABAL__EVENT_WATCH, 0)) < 0) {
			close(fd);
			return;
		}
		self->watch = fd;
	}
	if (self->watched < 0)
		self->watched = pabal__watch_begin(self->watch, self->directory.path);
}

/* Nobody is waited for. The descriptor stays, since to close it takes long (platform/watch.h), and the handle's lock is held. */
static void unwatch(pabal_process *self)
{
	for (struct pabal__opening *opening = self->openings; opening; opening = opening->next)
		if (opening->users && !opening->error)
			return;
	if (self->watched < 0)
		return;
	pabal__watch_end(self->watch, self->watched);
	self->watched = -1;
}

/* Connected: say HELLO. */
static int say_hello(pabal_process *self, struct pabal__opening *opening)
{
	int r = pabal__own_memory_make(self->memory_max, &opening->memory), fds[] = { opening->memory.fd, pabal__life_fd() };

	if (r < 0)
		return r;
	r = pabal__epoll_add(self->door, opening->socket, pabal__event(PABAL__EVENT_OPENING, opening->number));
	if (r == 0) {
		r = pabal__letter_send(opening->socket, PABAL__HELLO, 0, &self->holder, self->memory_max, opening->instance, fds,
				       fds[1] >= 0 ? 2 : 1);
		if (r < 0)
			pabal__epoll_remove(self->door, opening->socket);
	}
	if (r < 0)
		pabal__own_memory_free(&opening->memory);
	return r;
}

/* Ask the holder of the name, whoever that is now. */
static void ask(pabal_process *self, struct pabal__opening *opening)
{
	struct pabal__credentials listener;
	struct pabal__holder_info info;
	int r = pabal__holder_look(&self->directory, opening->peer, &info, NULL);

	if (r == -ENOENT || (r == 0 && !info.alive)) {
		absent(self, opening);
		return;
	}
	if (r < 0) {
		fail_with_words(self, opening, r);
		return;
	}
	r = pabal__socket_connect(self->directory.fd, info.socket_name, &opening->socket);
	if (r == -EAGAIN || r == -ECONNREFUSED || r == -ENOENT) { /* a full backlog; or it went away after the look */
		later(self, opening);
		return;
	}
	if (r < 0) {
		fail_with_words(self, opening, pabal__fail(r, "cannot reach '%s' in %s: %s", opening->peer, self->directory.path, strerror(-r)));
		return;
	}
	memcpy(opening->instance, info.instance, sizeof opening->instance);
	opening->uid = info.uid;
	/* Who listens must be who made the name's file, as far as the kernel can tell. */
	if (pabal__socket_peer(opening->socket, &listener) < 0 || (listener.uid != opening->uid && !PABAL__FAULT(NO_STRANGER_CHECK)))
		r = -EPERM;
	if (r == 0)
		r = say_hello(self, opening);
	if (r < 0) {
		close(opening->socket);
		if (r == -EPIPE || r == -EAGAIN)
			later(self, opening);
		else
			fail_with_words(self, opening, pabal__fail(r, "cannot ask '%s' for a link: %s", opening->peer, strerror(-r)));
		return;
	}
	opening->state = PABAL__ASK_SENT;
	opening->look_at = pabal__clock_now() + PABAL__LOOK_NS;
}

static int refused(uint32_t reason)
{
	switch (reason) {
	case PABAL__REFUSE_FULL:
		return -EMFILE;
	case PABAL__REFUSE_VERSION:
		return -EPROTO;
	case PABAL__REFUSE_STRANGER:
		return -EPERM;
	default:
		return -EBADMSG;
	}
}

/* The letter that WELCOMEs us becomes a party. */
static int welcomed(pabal_process *self, struct pabal__opening *opening, struct pabal__post *post)
{
	struct pabal__introduction introduction = {
		.peer = opening->peer,
		.instance = opening->instance,
		.socket = opening->socket,
		.channel = post->fds[1],
		.memory = &opening->memory,
		.peer_memory = post->fds[0],
		.peer_life = post->fd_count > 2 ? post->fds[2] : -1,
		.peer_memory_max = post->letter.memory_max,
		.entry = opening->entry,
	};
	struct pabal__party *party;
	int r;

	if ((memcmp(post->letter.from, opening->instance, sizeof opening->instance) != 0 && !PABAL__FAULT(NO_INSTANCE_CHECK)) ||
	    strcmp(post->letter.name, opening->peer) != 0)
		return -EBADMSG;
	pabal__epoll_remove(self->door, opening->socket);
	r = pabal__party_add(self, &introduction, &party);
	if (r < 0) {
		close(opening->socket);
		pabal__own_memory_free(&opening->memory);
		opening->state = PABAL__ASK_LATER;
		return r;
	}
	opening->state = PABAL__ASK_LATER; /* socket and memory are the party's */
	opening->entry = PABAL__NOT_TOLD;
	post->fd_count = 0;
	pabal__ask_settle(self, party->peer.name);
	return 0;
}

/* Read the answer, if there is one. @opening may be gone afterwards. */
void pabal__ask_progress(pabal_process *self, struct pabal__opening *opening)
{
	struct pabal__post post;
	int r;

	if (opening->state != PABAL__ASK_SENT)
		return;
	r = pabal__letter_receive(opening->socket, &post);
	if (r == -EAGAIN)
		return;
	if (r == 0 && post.letter.kind == PABAL__WELCOME)
		r = welcomed(self, opening, &post);
	else if (r == 0 && post.letter.kind == PABAL__REFUSE &&
		 (post.letter.reason == PABAL__REFUSE_TIE || post.letter.reason == PABAL__REFUSE_DUPLICATE)) {
		later(self, opening);
	} else if (r == 0) {
		r = post.letter.kind == PABAL__REFUSE ? refused(post.letter.reason) : -EBADMSG;
	}
	pabal__post_close(&post);
	if (r ==
	    -EPIPE) { /* it died, or gave up its name, without an answer: whoever is next. Not at once, lest two who cannot answer keep each other busy */
		later(self, opening);
	} else if (r < 0) {
		fail(self, opening, r);
	}
}

struct pabal__opening *pabal__ask_find(pabal_process *self, const char *peer)
{
	struct pabal__opening *opening = self->openings;

	while (opening && strcmp(opening->peer, peer) != 0)
		opening = opening->next;
	return opening;
}

void pabal__ask_drop(pabal_process *self, struct pabal__opening *opening)
{
	struct pabal__opening **at = &self->openings;

	hang_up(self, opening);
	while (*at && *at != opening)
		at = &(*at)->next;
	if (*at)
		*at = opening->next;
	pabal__tell_end(&self->holder, opening->entry);
	free(opening);
	unwatch(self);
}

void pabal__asks_close(pabal_process *self, bool left)
{
	struct pabal__opening *opening;

	while (left && self->openings)
		pabal__ask_drop(self, self->openings);
	/* A fork child: the epoll and the table are its parent's, and the memory was never mapped here. */
	while ((opening = self->openings)) {
		self->openings = opening->next;
		if (opening->state == PABAL__ASK_SENT) {
			close(opening->socket);
			close(opening->memory.fd);
		}
		free(opening);
	}
}

int pabal__ask_begin(pabal_process *self, const char *peer, bool waits, struct pabal__opening **ret_opening)
{
	struct pabal__opening *opening = pabal__ask_find(self, peer);

	if (!opening) {
		opening = calloc(1, sizeof *opening);
		if (!opening)
			return pabal__fail(-ENOMEM, "no memory to open a link with '%s'", peer);
		memcpy(opening->peer, peer, strnlen(peer, sizeof opening->peer - 1));
		opening->number = ++self->numbers;
		opening->memory.fd = -1;
		opening->entry = pabal__tell_entry(&self->holder, peer);
		opening->next = self->openings;
		self->openings = opening;
	}
	opening->users++;
	if (opening->state != PABAL__ASK_SENT && !opening->error)
		ask(self, opening);
	if (waits && opening->state == PABAL__ASK_ABSENT && !opening->error && self->watched < 0) {
		watch(self);
		ask(self, opening); /* it may have come between the look and the watch */
	}
	*ret_opening = opening;
	return 0;
}

void pabal__ask_end(pabal_process *self, struct pabal__opening *opening)
{
	if (--opening->users)
		return;
	if (opening->state == PABAL__ASK_SENT)
		unwatch(self);
	else
		pabal__ask_drop(self, opening);
}

void pabal__ask_settle(pabal_process *self, const char *peer)
{
	struct pabal__opening *opening = pabal__ask_find(self, peer);

	if (opening && opening->users == 0)
		pabal__ask_drop(self, opening);
	else if (opening)
		later(self, opening); /* those who wait for it find the party; if it ends before they look, they ask again */
	pabal__process_news(self);
}

void pabal__ask_event(pabal_process *self, uint64_t number)
{
	struct pabal__opening *opening = self->openings;

	while (opening && opening->number != number)
		opening = opening->next;
	if (opening)
		pabal__ask_progress(self, opening);
}

/* One that did not answer yet: does it still hold the name? */
static void look(pabal_process *self, struct pabal__opening *opening, int64_t now)
{
	struct pabal__holder_info info;

	if (pabal__holder_look(&self->directory, opening->peer, &info, NULL) == 0 && info.alive &&
	    memcmp(info.instance, opening->instance, sizeof info.instance) == 0) {
		opening->look_at = now + PABAL__LOOK_NS;
		return;
	}
	hang_up(self, opening);
	ask(self, opening);
}

static bool linked(const pabal_process *self, const char *peer)
{
	const struct pabal__party *party = pabal__party_first(self, peer);

	while (party && pabal__party_has_ended(party))
		party = pabal__party_same_name(party);
	return party != NULL;
}

void pabal__ask_timers(pabal_process *self, int64_t now)
{
	struct pabal__opening *next;

	for (struct pabal__opening *opening = self->openings; opening; opening = next) {
		next = opening->next;
		if (opening->error || opening->look_at > now)
			continue;
		if (opening->state == PABAL__ASK_SENT)
			look(self, opening, now);
		else if (opening->users && linked(self, opening->peer))
			opening->look_at = now + PABAL__RETRY_NS;
		else if (opening->users)
			ask(self, opening);
		else
			pabal__ask_drop(self, opening);
	}
}

void pabal__ask_names_changed(pabal_process *self)
{
	for (struct pabal__opening *opening = self->openings; opening; opening = opening->next)
		if (opening->state == PABAL__ASK_ABSENT && opening->users && !opening->error)
			ask(self, opening);
}
