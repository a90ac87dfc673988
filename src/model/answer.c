/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/answer.c - those who knock at the door: letting them in, and answering their HELLO.
 *
 * A caller is a stranger until its letter has been checked against what the kernel and the directory say: the file of the name that it gives must be held by just that instance, and belong to the user
 * that the kernel saw connecting. Everything is bounded: callers let in a call, callers that have not spoken, one packet from each, two descriptors with it.
 *
 * The rule that makes one link of two who ask at once: read the answer to my own letter first, if there is one; linked with that very instance: REFUSE(duplicate); my own letter to it is
 * unanswered, and my name is the smaller one: REFUSE(tie), for it will answer mine; anything else: WELCOME, and my own letter, if any, is void.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "model/process.h"
#include "platform/clock.h"
#include "platform/life.h"

static void let_in(pabal_process *self, int socket)
{
	struct pabal__caller *place = &self->callers[0];

	for (uint32_t i = 1; i < PABAL__CALLERS && place->number; i++)
		if (self->callers[i].number < place->number)
			place = &self->callers[i];
	if (place->number && !PABAL__FAULT(NO_CALLER_LIMIT)) {
		pabal__epoll_remove(self->door, place->socket);
		close(place->socket);
	}
	place->number = ++self->numbers;
	place->socket = socket;
	if (pabal__epoll_add(self->door, socket, pabal__event(PABAL__EVENT_CALLER, place->number)) < 0) {
		place->number = 0;
		close(socket);
	}
}

/* No number is left for a descriptor: give up the spare one, so as to say so instead of being silent. */
static bool refuse_one(pabal_process *self)
{
	int socket = -1;

	if (self->spare < 0)
		return false;
	close(self->spare);
	self->spare = -1;
	if (pabal__socket_accept(self->listener, &socket) == 0) {
		pabal__letter_send(socket, PABAL__REFUSE, PABAL__REFUSE_FULL, &self->holder, self->memory_max, NULL, NULL, 0);
		close(socket);
	}
	self->spare = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return socket >= 0;
}

void pabal__answer_listener(pabal_process *self)
{
	int socket, r;

	for (int i = 0; i < PABAL__ACCEPTS; i++) {
		r = pabal__socket_accept(self->listener, &socket);
		if (r == 0) {
			let_in(self, socket);
			continue;
		}
		if (r == -EMFILE && refuse_one(self))
			continue;
		if (r != -EAGAIN) { /* nothing helps: do not look for a while, or the door would never be quiet */
			pabal__epoll_remove(self->door, self->listener);
			self->deaf = true;
			self->hear_at = pabal__clock_now() + PABAL__RETRY_NS;
		}
		return;
	}
}

static void send_away(pabal_process *self, struct pabal__caller *caller, uint32_t reason)
{
	pabal__epoll_remove(self->door, caller->socket);
	if (reason)
		pabal__letter_send(caller->socket, PABAL__REFUSE, reason, &self->holder, self->memory_max, NULL, NULL, 0);
	close(caller->socket);
	caller->number = 0;
}

/* Is the sender of this letter the process that has the name it gives? Why not to believe it, or 0. */
static uint32_t doubt(pabal_process *self, int socket, const struct pabal__letter *letter)
{
	struct pabal__credentials peer;
	struct pabal__holder_info info;
	int r;

	if (memcmp(letter->to, self->holder.instance, sizeof letter->to) != 0 || strcmp(letter->name, self->holder.name) == 0)
		return PABAL__REFUSE_STRANGER;
	if (PABAL__FAULT(NO_STRANGER_CHECK))
		return 0;
	r = pabal__holder_look(&self->directory, letter->name, &info, NULL);
	if (r == -EMFILE || r == -ENOMEM)
		return PABAL__REFUSE_FULL;
	if (r < 0 || pabal__socket_peer(socket, &peer) < 0)
		return PABAL__REFUSE_STRANGER;
	return info.alive && info.uid == peer.uid && memcmp(info.instance, letter->from, sizeof info.instance) == 0 ? 0 : PABAL__REFUSE_STRANGER;
}

static bool is_linked(const pabal_process *self, const struct pabal__letter *letter)
{
	for (const struct pabal__party *party = pabal__party_first(self, letter->name); party; party = pabal__party_same_name(party))
		if (memcmp(party->instance, letter->from, sizeof party->instance) == 0 && !pabal__party_has_ended(party))
			return true;
	return false;
}

/* Why not to welcome it, or 0. */
static uint32_t judge(pabal_process *self, const struct pabal__letter *letter)
{
	struct pabal__opening *mine = pabal__ask_find(self, letter->name);

	if (mine && !PABAL__FAULT(NO_ANSWER_FIRST)) {
		pabal__ask_progress(self, mine);
		mine = pabal__ask_find(self, letter->name);
	}
	if (is_linked(self, letter) && !PABAL__FAULT(NO_DUPLICATE))
		return PABAL__REFUSE_DUPLICATE;
	if (mine && mine->state == PABAL__ASK_SENT && memcmp(mine->instance, letter->from, sizeof mine->instance) == 0) {
		self->crossed++;
		if (strcmp(self->holder.name, letter->name) < 0 && !PABAL__FAULT(NO_TIE))
			return PABAL__REFUSE_TIE;
	}
	return 0;
}

/* Make the link, then say so: who reads WELCOME may send at once. */
static int welcome(pabal_process *self, struct pabal__caller *caller, struct pabal__post *post)
{
	struct pabal__own_memory memory;
	struct pabal__party *party;
	int pair[2], fds[PABAL__LETTER_FDS], r;
	struct pabal__introduction introduction = {
		.peer = post->letter.name,
		.instance = post->letter.from,
		.socket = caller->socket,
		.memory = &memory,
		.peer_memory = post->fds[0],
		.peer_life = post->fd_count > 1 ? post->fds[1] : -1,
		.peer_memory_max = post->letter.memory_max,
		.entry = PABAL__NOT_TOLD,
		.by_peer = true,
	};

	r = pabal__own_memory_make(self->memory_max, &memory);
	if (r < 0)
		return r;
	r = pabal__socket_pair(pair);
	if (r < 0) {
		pabal__own_memory_free(&memory);
		return r;
	}
	introduction.channel = pair[0];
	fds[0] = memory.fd;
	fds[1] = pair[1];
	fds[2] = pabal__life_fd();
	pabal__epoll_remove(self->door, caller->socket);
	r = pabal__party_add(self, &introduction, &party);
	if (r < 0) {
		close(pair[0]);
		pabal__own_memory_free(&memory);
	} else {
		post->fd_count = 0;
		caller->number = 0; /* its socket is the party's */
		r = pabal__letter_send(party->socket, PABAL__WELCOME, 0, &self->holder, self->memory_max, post->letter.from, fds,
				       fds[2] >= 0 ? 3 : 2);
		if (r < 0 &&
		    r != -EPIPE) /* descriptors under way are counted, too. Should it be gone already: then it is a link whose peer has died */
			pabal__letter_send(party->socket, PABAL__REFUSE, PABAL__REFUSE_FULL, &self->holder, self->memory_max, NULL, NULL, 0);
		if (r < 0 && r != -EPIPE)
			pabal__party_remove(party);
		else
			pabal__ask_settle(self, post->letter.name);
		r = 0;
	}
	close(pair[1]);
	return r;
}

static uint32_t reason_of(int error)
{
	switch (error) {
	case -EPIPE:
		return 0; /* it has hung up */
	case -EPROTO:
		return PABAL__REFUSE_VERSION;
	case -EBADMSG:
		return PABAL__REFUSE_NONSENSE;
	default: /* -EMFILE, -ENOMEM, -ENOSPC: ours */
		return PABAL__REFUSE_FULL;
	}
}

void pabal__answer_caller(pabal_process *self, uint64_t number)
{
	struct pabal__caller *caller = NULL;
	struct pabal__post post;
	uint32_t reason;
	int r;

	for (uint32_t i = 0; i < PABAL__CALLERS && !caller; i++)
		if (self->callers[i].number == number)
			caller = &self->callers[i];
	if (!caller)
		return;
	r = pabal__letter_receive(caller->socket, &post);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		send_away(self, caller, reason_of(r));
		return;
	}
	reason = post.letter.kind == PABAL__HELLO ? doubt(self, caller->socket, &post.letter) : PABAL__REFUSE_NONSENSE;
	if (!reason)
		reason = judge(self, &post.letter);
	if (!reason) {
		r = welcome(self, caller, &post);
		reason = r < 0 ? reason_of(r) : 0;
	}
	pabal__post_close(&post);
	if (caller->number)
		send_away(self, caller, reason);
}
