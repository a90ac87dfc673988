/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/party.c - the table of links of a process, and what a link handle is beside its link: a party.
 *
 * A party is made when a handshake ends, by whichever side asked. It goes when its handle is closed (pabal_link_close()), or, if it was never handed out, when it has ended and all is received. It leaves the
 * table at once, and what another thread is just using by name is freed by that thread: nobody sleeps in there. Parties of one name are in order of age, since a peer that starts again is a new party
 * while the old one still holds messages.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/process.h"
#include "platform/life.h"
#include "platform/sealed.h"
#include "queue/stream.h"

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash;
}

static uint32_t bucket_of(const char *name)
{
	return hash_of(name) % PABAL__BUCKETS;
}

/* A link of ours sleeps or spins: whoever knocks meanwhile is answered. */
static int serve(void *argument)
{
	pabal_process *self = argument;
	bool entered = pabal__process_enter(self);

	pabal__door_serve(self);
	pabal__process_leave(self, entered);
	return 0;
}

int pabal__party_watch(struct pabal__party *party, bool watched)
{
	pabal_process *self = party->process;
	uint64_t event = pabal__event(PABAL__EVENT_PARTY, party->number);
	int r = 0;

	if (party->watched == watched)
		return 0;
	if (watched) {
		r = pabal__epoll_add(self->inside, party->socket, event);
		if (r == 0 && party->pidfd >= 0)
			r = pabal__epoll_add(self->inside, party->pidfd, event);
	}
	if (!watched || r < 0) {
		pabal__epoll_remove(self->inside, party->socket);
		if (party->pidfd >= 0)
			pabal__epoll_remove(self->inside, party->pidfd);
	}
	party->watched = watched && r == 0; /* if it failed, the next call that waits tries again */
	return r;
}

/*
 * The peer as the kernel knows it. Where the kernel cannot make a pidfd from a socket, one is made from the number; that it is the right process is certain if the name's file is still held by the
 * same instance afterwards: its process lived when the pidfd was made, so its number was not another's.
 */
static int identify(pabal_process *self, struct pabal__party *party, int socket)
{
	struct pabal__credentials credentials = { 0 };
	struct pabal__holder_info info;
	int r = pabal__socket_peer(socket, &credentials);

	if (r < 0)
		return r;
	party->peer.pid = credentials.pid;
	party->peer.uid = credentials.uid;
	party->peer.gid = credentials.gid;
	if (credentials.pid == 0)
		party->peer.flags |= PABAL_PEER_FOREIGN;
	r = pabal__socket_peer_pidfd(socket, &party->pidfd);
	if (r != -ENOTSUP || credentials.pid == 0)
		return r == -EMFILE || r == -ENOMEM ? r : 0; /* without a pidfd the socket alone tells of its end */
	if (pabal__pid_open(credentials.pid, &party->pidfd) < 0)
		return 0;
	if (pabal__holder_look(&self->directory, party->peer.name, &info, NULL) < 0 || !info.alive ||
	    memcmp(info.instance, party->instance, sizeof info.instance) != 0) {
		close(party->pidfd);
		party->pidfd = -1;
	}
	return 0;
}

static void enter_table(pabal_process *self, struct pabal__party *party)
{
	struct pabal__party **bucket = &self->buckets[bucket_of(party->peer.name)];

	while (*bucket)
		bucket = &(*bucket)->same_bucket;
	*bucket = party;
	party->next_number = self->numbered[party->number % PABAL__BUCKETS];
	self->numbered[party->number % PABAL__BUCKETS] = party;
	self->party_count++;
	party->previous = self->last;
	if (self->last)
		self->last->next = party;
	else
		self->first = party;
	self->last = party;
}

/* pabal_link_close(): instead of ending the link, give one handle back. */
static void close_handle(void *owner, pabal_link *link)
{
	struct pabal__party *party = owner;
	pabal_process *self = party->process;
	bool entered;

	if (link->generation !=
	    pabal__fork_generation()) /* a fork child: what it has of its parent's goes with the process handle, or with the child */
		return;
	entered = pabal__process_enter(self);
	if (party->handles > 0 && --party->handles == 0) {
		pabal__party_remove(party);
		pabal__process_stir(self); /* who waits for room in it, by name, waits in vain */
	}
	pabal__process_leave(self, entered);
}

static int begin_link(pabal_process *self, const struct pabal__introduction *introduction, struct pabal__party *party)
{
	struct pabal__link_parts parts = {
		.socket = introduction->socket,
		.fds_out = introduction->channel,
		.fds_in = introduction->channel,
		.pidfd = party->pidfd,
		.memory = introduction->memory->fd,
		.mine = introduction->memory->data,
		.mine_max = introduction->memory->memory_max,
		.peer_max = introduction->peer_memory_max,
		.patient = !introduction->by_peer,
		.peer_life = &pabal__life_unknown,
	};
	uint64_t size = pabal__stream_size(introduction->peer_memory_max);
	int r;

	if (size == 0)
		return -EBADMSG;
	r = pabal__sealed_map(introduction->peer_memory, size, &parts.peer);
	if (r < 0)
		return r;
	if (introduction->peer_life >= 0)
		r = pabal__life_map(introduction->peer_life, &parts.peer_life);
	if (r == 0)
		r = pabal__stream_fits(parts.peer, introduction->peer_memory_max) ? pabal__link_init(&party->link, &parts, self->flags) : -EBADMSG;
	if (r < 0) {
		pabal__life_unmap(parts.peer_life);
		pabal__sealed_unmap(parts.peer, size);
		return r;
	}
	party->link.identity = party->peer;
	party->link.on_close = close_handle;
	party->link.owner = party;
	party->link.bell.service_fd = self->door;
	party->link.bell.service = serve;
	party->link.bell.service_argument = self;
	party->link.bell.notify_fd = self->notify;
	return 0;
}

int pabal__party_add(pabal_process *self, const struct pabal__introduction *introduction, struct pabal__party **ret_party)
{
	struct pabal__party *party = aligned_alloc(_Alignof(struct pabal__party), sizeof *party);
	int r;

	if (!party)
		return -ENOMEM;
	memset(party, 0, sizeof *party);
	party->process = self;
	party->pidfd = -1;
	party->socket = introduction->socket;
	party->number = ++self->numbers;
	memcpy(party->peer.name, introduction->peer, strnlen(introduction->peer, PABAL_NAME_SIZE - 1));
	memcpy(party->instance, introduction->instance, sizeof party->instance);
	r = identify(self, party, introduction->socket);
	if (r == 0)
		r = pabal__party_watch(party, true);
	if (r == 0)
		r = begin_link(self, introduction, party);
	if (r < 0) {
		pabal__party_watch(party, false);
		if (party->pidfd >= 0)
			close(party->pidfd);
		free(party);
		return r;
	}
	close(introduction->peer_memory); /* the mapping keeps it */
	if (introduction->peer_life >= 0)
		close(introduction->peer_life);
	party->offered = introduction->by_peer;
	party->untold = party->number;
	party->entry = introduction->entry == PABAL__NOT_TOLD ? pabal__tell_entry(&self->holder, party->peer.name) : introduction->entry;
	pabal__tell_state(&self->holder, party->entry, PABAL__ENTRY_LINKED, party->peer.pid, party->peer.uid);
	for (int i = 0; i < PABAL__TOLD_COUNT; i++)
		party->link.bell.sleepers[i].told = pabal__tell_waits(&self->holder, party->entry, i);
	enter_table(self, party);
	*ret_party = party;
	return 0;
}

static struct pabal__party *named(struct pabal__party *party, const char *name)
{
	while (party && strcmp(party->peer.name, name) != 0)
		party = party->same_bucket;
	return party;
}

struct pabal__party *pabal__party_first(const pabal_process *self, const char *peer)
{
	return named(self->buckets[bucket_of(peer)], peer);
}

struct pabal__party *pabal__party_same_name(const struct pabal__party *party)
{
	return named(party->same_bucket, party->peer.name);
}

struct pabal__party *pabal__party_numbered(const pabal_process *self, uint64_t number)
{
	struct pabal__party *party = self->numbered[number % PABAL__BUCKETS];

	while (party && party->number != number)
		party = party->next_number;
	return party;
}

bool pabal__party_has_ended(const struct pabal__party *party)
{
	struct pollfd poll_fd = { .fd = party->pidfd, .events = POLLIN };

	return party->drained || pabal__socket_hung_up(party->socket) || (party->pidfd >= 0 && poll(&poll_fd, 1, 0) > 0);
}

static void leave_table(struct pabal__party *party)
{
	pabal_process *self = party->process;
	struct pabal__party **bucket = &self->buckets[bucket_of(party->peer.name)];

	while (*bucket != party)
		bucket = &(*bucket)->same_bucket;
	*bucket = party->same_bucket;
	bucket = &self->numbered[party->number % PABAL__BUCKETS];
	while (*bucket != party)
		bucket = &(*bucket)->next_number;
	*bucket = party->next_number;
	self->party_count--;
	if (party->previous)
		party->previous->next = party->next;
	else
		self->first = party->next;
	if (party->next)
		party->next->previous = party->previous;
	else
		self->last = party->previous;
	if (self->turn == party)
		self->turn = party->next;
}

static void end_link(struct pabal__party *party)
{
	pabal__link_deinit(&party->link);
	free(party);
}

void pabal__party_remove(struct pabal__party *party)
{
	pabal__party_watch(party, false);
	leave_table(party);
	pabal__tell_end(&party->process->holder, party->entry);
	party->gone = true;
	if (!party->users) /* else the last of them ends it */
		end_link(party);
}

static struct pabal__tomb **find_tomb(pabal_process *self, const char *peer)
{
	uint32_t hash = self->tombs ? hash_of(peer) : 0;
	struct pabal__tomb **at = &self->tombs;

	while (*at && ((*at)->hash != hash || strcmp((*at)->peer, peer) != 0))
		at = &(*at)->next;
	return at;
}

static void bury(pabal_process *self, const char *peer, int error)
{
	struct pabal__tomb **at = find_tomb(self, peer), *tomb = *at;

	if (tomb) { /* told once, however often its name's holders came and went */
		tomb->error = error;
		return;
	}
	tomb = calloc(1, sizeof *tomb);
	if (!tomb)
		return; /* then its end is not told, only found: the next call opens a new link */
	memcpy(tomb->peer, peer, sizeof tomb->peer);
	tomb->hash = hash_of(peer);
	tomb->error = error;
	*at = tomb;
	if (++self->tomb_count > PABAL__TOMBS) {
		tomb = self->tombs;
		self->tombs = tomb->next;
		self->tomb_count--;
		free(tomb);
	}
}

int pabal__tomb_open(pabal_process *self, const char *peer)
{
	struct pabal__tomb **at = find_tomb(self, peer), *tomb = *at;
	int error;

	if (!tomb)
		return 0;
	error = tomb->error;
	*at = tomb->next;
	self->tomb_count--;
	free(tomb);
	return error;
}

void pabal__tombs_close(pabal_process *self)
{
	while (self->tombs) {
		struct pabal__tomb *tomb = self->tombs;

		self->tombs = tomb->next;
		free(tomb);
	}
}

static void let_go(struct pabal__party *party)
{
	if (!party->drained || party->handles || party->users)
		return;
	if (!party->told)
		bury(party->process, party->peer.name, party->end);
	pabal__party_remove(party);
}

void pabal__party_drained(struct pabal__party *party, int error)
{
	party->drained = true;
	party->offered = false; /* it holds nothing any more */
	party->untold = 0;
	party->end = error;
	pabal__party_watch(party, false);
	pabal__process_stir(party->process); /* its socket, which is not watched any more, was to wake who waits for room in it */
	let_go(party);
}

void pabal__party_use(struct pabal__party *party)
{
	party->users++;
	if (!party->offered) /* else it is still to be accepted */
		party->untold = 0;
}

void pabal__party_put(struct pabal__party *party)
{
	party->users--;
	if (!party->gone)
		let_go(party);
	else if (!party->users)
		end_link(party);
}

void pabal__parties_close(pabal_process *self, bool left)
{
	struct pabal__party *party, *next;

	for (party = self->first; party; party = next) {
		next = party->next;
		if (left) {
			pabal__party_remove(party);
			continue;
		}
		end_link(party); /* a fork child: the epoll, the table and the name's file are its parent's */
	}
	self->first = NULL;
}
