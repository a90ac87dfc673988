/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/talk.c - the calls of a process handle: send and receive by name, link, accept. Each is an attempt that can be repeated; how they wait stands in talk_wait.c.
 *
 * A link that is gone is told to a call by name once. What it still holds is received first. Of several links of one name (the peer started again) the oldest comes first.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/process.h"

/* What the call waited for last, or would have. */
static int say_not_now(const struct pabal__talk *talk, int error)
{
	bool late = error == -ETIMEDOUT;

	switch (talk->what) {
	case PABAL_WAITS_MESSAGE:
		if (talk->peer)
			return pabal__fail_with(error, late ? "the time was up before that process had sent a message"
							    : "not now: there is no message from that process; give a time-out to wait");
		return pabal__fail_with(error, late ? "the time was up before there was a message, from any process"
						    : "not now: there is no message, from any process; give a time-out to wait");
	case PABAL_WAITS_PEER:
		if (talk->peer)
			return pabal__fail_with(error, late ? "the time was up before that process had answered: there is no link before it does"
							    : "not now: that process has not answered yet, and there is no link before it does; "
							      "give a time-out to wait");
		return pabal__fail_with(error, late ? "the time was up before any process had linked"
						    : "not now: no process has linked since the last one was accepted; give a time-out to wait");
	case PABAL_WAITS_ROOM:
		return pabal__link_say(error, PABAL__DOORBELL_ROOM);
	default: /* between two looks */
		return pabal__fail_with(error, "another thread closed the link meanwhile: the next call looks for one anew");
	}
}

/* The sentence for an error that came without one. */
static int say(const struct pabal__talk *talk, int error)
{
	const char *peer = talk->peer ? talk->peer : "any process";

	switch (error) {
	case -EAGAIN:
	case -ETIMEDOUT:
		return say_not_now(talk, error);
	case -ENOENT:
		return pabal__fail(error, "no process named '%s' in %s: nobody has announced it; give a time-out to wait for it", peer,
				   talk->self->directory.path);
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or announce with PABAL_RESTART");
	case -ECANCELED:
		return pabal__fail_with(error, "the wait was interrupted with pabal_process_interrupt()");
	case -EPIPE:
		return pabal__fail(error, "'%s' has closed the link: the next call looks for it anew", peer);
	case -EOWNERDEAD:
		return pabal__fail(error, "'%s' has died: the next call looks for a new holder of the name", peer);
	case -EBADMSG:
		return pabal__fail(error, "what '%s' sent makes no sense: it is no pabal, or it is hostile", peer);
	case -EPROTO:
		return pabal__fail(error, "'%s' speaks another version of the link than this library: upgrade the older one", peer);
	case -EMSGSIZE:
		return talk->reads ? pabal__fail_with(error, "the message is larger than the buffer: it stays the next; receive it with a larger one")
				   : pabal__fail(error, "the message has %zu bytes, this process can send %llu: announce with a larger memory_max",
						 talk->size, (unsigned long long)talk->self->memory_max);
	case -EMFILE:
		return pabal__fail(error, "no descriptors left, here or in '%s', to open a link", peer);
	case -EBADF:
		return pabal__fail_with(error, "the program closed the descriptors of this process handle: close it, and announce anew");
	case -EPERM:
		return pabal__fail(error, "'%s' says that this is not the process of this name: was it announced before its user changed?", peer);
	case -ENOSPC:
	case -ENOMEM:
		return pabal__fail_with(error, "there is no memory for this message, or for a link, now: send less at once, or give memory back");
	default:
		return pabal__fail(error, "what a link with '%s' needs was refused: %s", peer, strerror(-error));
	}
}

uint32_t pabal__talk_entry(const struct pabal__talk *talk)
{
	const struct pabal__party *party = talk->room_of ? pabal__party_numbered(talk->self, talk->room_of) : NULL;

	if (!party && talk->peer)
		party = pabal__party_first(talk->self, talk->peer);
	return party ? party->entry : talk->opening ? talk->opening->entry : PABAL__NOT_TOLD;
}

int pabal__talk_end(struct pabal__talk *talk, int r)
{
	bool said = false;

	if (talk->opening) {
		said = r < 0 && r == talk->opening->error && talk->opening->words[0];
		if (said)
			pabal__say("%s", talk->opening->words);
		if (talk->opening->state == PABAL__ASK_ABSENT && r == -EAGAIN)
			r = -ENOENT;
		if (talk->opening->state == PABAL__ASK_ABSENT && r == -ETIMEDOUT && talk->what == PABAL_WAITS_PEER) {
			said = true;
			pabal__fail(r, "the time was up before anybody announced '%s'", talk->peer);
		}
		pabal__ask_end(talk->self, talk->opening);
	}
	return r < 0 && !said ? say(talk, r) : r;
}

/* There is no link: have one opened. PABAL__TALK_WAIT, or why there will be none. */
static int open_link(struct pabal__talk *talk)
{
	int r;

	talk->what = PABAL_WAITS_PEER;
	if (!talk->opening) {
		r = pabal__ask_begin(talk->self, talk->peer, talk->waits, &talk->opening);
		if (r < 0)
			return r;
	}
	return talk->opening->error ? talk->opening->error : PABAL__TALK_WAIT;
}

/* One send, without the lock. */
static int send_over(struct pabal__talk *talk, struct pabal__party *party)
{
	pabal_process *self = talk->self;
	int r;

	pabal__party_use(party);
	pabal__process_leave(self, talk->entered);
	r = pabal_link_send(&party->link, talk->const_data, talk->size, PABAL_NOWAIT);
	talk->entered = pabal__process_enter(self);
	if (r == -EAGAIN) {
		talk->room_of = party->number; /* to sleep is not to use it: it can be closed meanwhile */
		talk->what = PABAL_WAITS_ROOM;
		r = PABAL__TALK_WAIT;
	} else if (party->gone && r < 0) { /* closed by another thread meanwhile: the next attempt looks for a new one */
		r = PABAL__TALK_WAIT;
	} else if (r == -EPIPE || r == -EOWNERDEAD || r == -EBADMSG) {
		bool told = party->told; /* another thread was told meanwhile */

		party->told = true;
		if (r == -EBADMSG && !party->drained) /* nothing can be received from it either */
			pabal__party_drained(party, r);
		r = told ? PABAL__TALK_WAIT : r;
	}
	pabal__party_put(party);
	return r;
}

static int attempt_send(struct pabal__talk *talk)
{
	struct pabal__party *party;
	int r = pabal__tomb_open(talk->self, talk->peer);

	talk->room_of = 0;
	if (r < 0)
		return r;
	party = pabal__party_first(talk->self, talk->peer);
	while (party && party->told)
		party = pabal__party_same_name(party);
	return party ? send_over(talk, party) : open_link(talk);
}

/* One receive. @ret_next: where to go on. PABAL__TALK_WAIT: nothing here. */
static int receive_over(struct pabal__talk *talk, struct pabal__party *party, struct pabal__party **ret_next)
{
	pabal_process *self = talk->self;
	char name[PABAL_NAME_SIZE];
	size_t size = 0;
	bool told;
	int r;

	memcpy(name, party->peer.name, sizeof name);
	pabal__party_use(party);
	pabal__process_leave(self, talk->entered);
	r = pabal__link_receive_now(&party->link, talk->data, talk->size, &size);
	talk->entered = pabal__process_enter(self);
	*ret_next = party->gone ? NULL : talk->peer ? pabal__party_same_name(party) : party->next;
	told = party->told;
	talk->ended = party->gone;
	if (r == -EAGAIN || (r < 0 && party->gone)) { /* the latter: closed by another thread meanwhile, and what it held went with it */
		r = PABAL__TALK_WAIT;
	} else if (r == 0 || r == -EMSGSIZE) {
		if (!party->gone)
			self->turn = r ? party : party->next; /* what did not fit is the next for who asks again */
		if (talk->ret_peer)
			memcpy(talk->ret_peer, name, sizeof name);
		if (talk->ret_size)
			*talk->ret_size = size;
	} else if (r == -EPIPE || r == -EOWNERDEAD || r == -EBADMSG) {
		if (talk->peer)
			party->told = true;
		talk->ended = true;
		if (!party->drained)
			pabal__party_drained(party, r);
		if (!talk->peer || told)
			r = PABAL__TALK_WAIT;
	}
	pabal__party_put(party);
	return r;
}

/* Does an older link of the same name still hold messages, or has its end to be found? Then it comes first. */
static struct pabal__party *elder(struct pabal__party *party)
{
	struct pabal__party *first = pabal__party_first(party->process, party->peer.name);

	while (first != party && first->drained)
		first = pabal__party_same_name(first);
	if (first != party && !pabal__link_has(&first->link))
		pabal__link_wake_read(&first->link); /* it is gone, since there is a younger one; learn of it */
	return first != party && pabal__link_has(&first->link) ? first : party;
}

/*
 * An attempt is the last look before a sleep, so it must leave no message behind: when a link turned out to have ended, those of its name that are younger, and were passed over for its sake, are looked at
 * again.
 */
static int receive_named(struct pabal__talk *talk)
{
	struct pabal__party *party, *next, *from;
	int r = pabal__tomb_open(talk->self, talk->peer);

	if (r < 0)
		return r;
	r = PABAL__TALK_WAIT;
	for (party = pabal__party_first(talk->self, talk->peer); party && r > 0; party = next) {
		next = pabal__party_same_name(party);
		from = party->drained ? NULL : elder(party);
		if (!from || !pabal__link_has(&from->link))
			continue;
		r = receive_over(talk, from, &next);
		if (talk->ended)
			next = pabal__party_first(talk->self, talk->peer);
	}
	return r;
}

static int receive_any(struct pabal__talk *talk)
{
	pabal_process *self = talk->self;
	struct pabal__party *party = self->turn, *next;
	int r = PABAL__TALK_WAIT;

	for (uint32_t left = self->party_count; left > 0 && r > 0; party = next) {
		if (!party)
			party = self->first;
		if (!party)
			break;
		next = party->next;
		left--;
		if (party->drained || !pabal__link_has(&party->link))
			continue;
		r = receive_over(talk, elder(party), &next);
		if (talk->ended)
			left = self->party_count;
	}
	return r;
}

int pabal__talk_receive(struct pabal__talk *talk)
{
	return talk->peer ? receive_named(talk) : receive_any(talk);
}

static int hand_out(struct pabal__talk *talk, struct pabal__party *party)
{
	party->handles++;
	party->offered = false;
	party->untold = 0;
	*talk->ret_link = &party->link;
	return 0;
}

static int attempt_link(struct pabal__talk *talk)
{
	struct pabal__party *party = pabal__party_first(talk->self, talk->peer);

	while (party && pabal__party_has_ended(party))
		party = pabal__party_same_name(party);
	if (!party)
		return open_link(talk);
	pabal__tomb_open(talk->self, talk->peer); /* who has a new link need not be told of the old one */
	return hand_out(talk, party);
}

static int attempt_accept(struct pabal__talk *talk)
{
	struct pabal__party *party = talk->self->first;

	while (party && !party->offered)
		party = party->next;
	return party ? hand_out(talk, party) : PABAL__TALK_WAIT;
}

static int check_peer(const pabal_process *self, const char *peer)
{
	int r = pabal__name_check(peer);

	if (r == 0 && strcmp(peer, self->holder.name) == 0)
		return pabal__fail(-EINVAL, "'%s' is this process itself: there is no link with oneself", peer);
	return r;
}

int pabal_process_send(pabal_process *self, const char *peer, const void *data, size_t size, int64_t timeout_ns)
{
	struct pabal__talk talk = { .self = self, .attempt = attempt_send, .peer = peer, .const_data = data, .size = size };
	int r = pabal__process_check(self, timeout_ns);

	if (r == 0)
		r = check_peer(self, peer);
	if (r < 0)
		return r;
	if (!data && size)
		return pabal__fail_with(-EINVAL, "data is NULL, but size is not 0");
	if (size > self->memory_max)
		return say(&talk, -EMSGSIZE);
	return pabal__talk_run(&talk, timeout_ns);
}

int pabal_process_receive(pabal_process *self, const char *peer, char ret_peer[PABAL_NAME_SIZE], void *data, size_t size_max, size_t *ret_size,
			  int64_t timeout_ns)
{
	struct pabal__talk talk = {
		.self = self,
		.attempt = pabal__talk_receive,
		.peer = peer,
		.reads = true,
		.what = PABAL_WAITS_MESSAGE,
		.data = data,
		.size = size_max,
	};
	int r = pabal__process_check(self, timeout_ns);

	talk.ret_size = ret_size;
	talk.ret_peer = ret_peer;
	if (r == 0 && peer)
		r = check_peer(self, peer);
	if (r < 0)
		return r;
	if (!data && size_max)
		return pabal__fail_with(-EINVAL, "data is NULL, but size_max is not 0");
	return pabal__talk_run(&talk, timeout_ns);
}

int pabal_process_link(pabal_process *self, const char *peer, pabal_link **ret_link, int64_t timeout_ns)
{
	struct pabal__talk talk = { .self = self, .attempt = attempt_link, .peer = peer, .what = PABAL_WAITS_PEER, .ret_link = ret_link };
	int r = pabal__process_check(self, timeout_ns);

	if (r == 0)
		r = check_peer(self, peer);
	if (r < 0)
		return r;
	if (!ret_link)
		return pabal__fail_with(-EINVAL, "ret_link is NULL: it receives the handle");
	return pabal__talk_run(&talk, timeout_ns);
}

int pabal_process_accept(pabal_process *self, pabal_link **ret_link, int64_t timeout_ns)
{
	struct pabal__talk talk = { .self = self, .attempt = attempt_accept, .what = PABAL_WAITS_PEER, .ret_link = ret_link };
	int r = pabal__process_check(self, timeout_ns);

	if (r < 0)
		return r;
	if (!ret_link)
		return pabal__fail_with(-EINVAL, "ret_link is NULL: it receives the handle");
	return pabal__talk_run(&talk, timeout_ns);
}
