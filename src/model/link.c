/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link.c - the life of a link handle, what every call on it shares, and what is told about it.
 *
 * Killed anywhere in here: the kernel closes socket and pidfd, which is how the peer learns of it; what was committed lies in memory that the peer has mapped itself.
 */
#include "model/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "platform/membarrier.h"
#include "platform/wake.h"

int pabal__link_refuse(const struct pabal_link *link)
{
	if (!link || link->magic != PABAL__LINK_MAGIC)
		return pabal__fail_with(-EINVAL, "this is no open link handle");
	if (link->generation != pabal__fork_generation())
		return pabal__fail_with(-ESTALE, "this link was opened before a fork and belongs to the parent: announce a process in the child");
	return pabal__fail_with(-EINVAL, "the time-out is negative: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds");
}

/* What the call looked for, and did not find. */
static int say_not_now(int error, uint32_t event)
{
	bool late = error == -ETIMEDOUT;

	if (event & PABAL__DOORBELL_REPLY)
		return pabal__fail_with(error, late ? "the time was up before the reply came"
						    : "not now: the reply has not come yet; give a time-out to wait");
	if (event & PABAL__DOORBELL_MESSAGE)
		return pabal__fail_with(error, late ? "the time was up before the link had a message"
						    : "not now: the link is empty; give a time-out to wait");
	return pabal__fail_with(
		error, late ? "the time was up before the link had room, in its ring and its memory, for the message"
			    : "not now: the link is full: it has no room, in its ring or its memory, for the message; give a time-out to wait");
}

int pabal__link_words(int error, uint32_t event)
{
	switch (error) {
	case -EAGAIN:
	case -ETIMEDOUT:
		return say_not_now(error, event);
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or announce with PABAL_RESTART");
	case -ECANCELED:
		return pabal__fail_with(error, "the wait was interrupted with pabal_link_interrupt()");
	case -EPIPE:
		return pabal__fail_with(error, "the peer has closed the link: close this side too");
	case -EOWNERDEAD:
		return pabal__fail_with(error, "the peer has died: close the link; a new one can be opened when its name is announced again");
	case -EBADMSG:
		return pabal__fail_with(error, "the peer wrote what makes no sense into its memory: this link is finished; close it");
	case -ENOSPC:
	case -ENOMEM:
		return pabal__fail_with(error, "there is no memory for this message now: send less at once, or give memory back");
	case -EBADF:
		return pabal__fail_with(error, "one of the descriptors that were to go with the message is not open: it was not sent");
	case -ENOTSUP:
		return pabal__fail_with(error, "this link carries no descriptors: the message was not sent");
	default:
		return pabal__fail(error, "the kernel refused what the call on the link needs: %s", strerror(-error));
	}
}

int pabal__link_break(struct pabal_link *link)
{
	atomic_store_explicit(&link->broken, true, memory_order_relaxed); /* alone: whoever breaks it says so himself */
	return -EBADMSG;
}

/*
 * A process that dies has its descriptors closed one by one: the channel may be gone a moment before the socket that tells of the end. Its last words are there all the same, since it does not run any more; and who
 * closes in an orderly way has said so before it closed anything.
 */
int pabal__link_channel_end(struct pabal_link *link)
{
	atomic_store_explicit(&link->bell.hung_up, true, memory_order_release); /* pairs with the acquire of pabal__doorbell_end() */
	return pabal__doorbell_end(&link->bell);
}

static void init_sending(struct pabal_link *link)
{
	struct pabal__link_sending *sending = &link->sending;

	pthread_mutex_init(&sending->lock, NULL);
	pabal__writer_init(&sending->writer, link->mine, link->peer);
	sending->answered = PABAL__STREAM_SEQUENCE;
	sending->ask_at = pabal__writer_sequence(&sending->writer) + PABAL__LIFE_BELIEVED_MAX;
	pabal__spin_init(&sending->spin.spin);
	pabal__slots_init(&sending->loans);
}

static void init_receiving(struct pabal_link *link)
{
	struct pabal__link_receiving *receiving = &link->receiving;

	pthread_mutex_init(&receiving->lock, NULL);
	pabal__reader_init(&receiving->reader, link->mine, link->peer);
	pabal__spin_init(&receiving->spin.spin);
	pabal__slots_init(&receiving->leases);
	receiving->asked = PABAL__STREAM_SEQUENCE;
	receiving->parked_end = &receiving->parked;
	receiving->calls.free = PABAL__SLOT_NONE;
}

static int init_bell(struct pabal_link *link, const struct pabal__link_parts *parts)
{
	struct pabal__doorbell *bell = &link->bell;

	bell->socket = parts->socket;
	bell->pidfd = parts->pidfd;
	bell->service_fd = bell->notify_fd = -1;
	bell->mine = link->mine;
	bell->peer = link->peer;
	bell->peer_life = parts->peer_life;
	bell->flags = link->flags;
	bell->fences = !pabal__membarrier_register();
	if (bell->fences) /* relaxed: a peer that does not see it yet pays for a barrier of its own */
		atomic_fetch_or_explicit(&link->mine->state, PABAL__HALF_FENCES, memory_order_relaxed);
	return pabal__doorbell_init(bell);
}

int pabal__link_init(struct pabal_link *link, const struct pabal__link_parts *parts, uint32_t flags)
{
	struct pabal__arena_books *books;
	int r = pabal__fork_init();

	if (r < 0)
		return r;
	memset(link, 0, sizeof *link);
	link->flags = flags;
	link->mine = parts->mine;
	link->peer = parts->peer;
	link->mine_max = parts->mine_max;
	link->peer_max = parts->peer_max;
	link->receiving.patient = parts->patient;
	books = calloc(1, sizeof *books);
	if (!books)
		return -ENOMEM;
	r = init_bell(link, parts);
	if (r < 0) {
		free(books);
		return r;
	}
	pabal__arena_init(&link->sending.arena, books, link->mine_max, link->peer);
	link->fds_out = parts->fds_out;
	link->fds_in = parts->fds_in;
	link->memory = parts->memory;
	link->ready[0] = link->ready[1] = -1;
	pthread_mutex_init(&link->ready_lock, NULL);
	init_sending(link);
	init_receiving(link);
	link->generation = pabal__fork_generation();
	link->magic = PABAL__LINK_MAGIC;
	return 0;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void free_leases(struct pabal_link *link)
{
	struct pabal__slots *leases = &link->receiving.leases;

	for (uint32_t i = 0; i < leases->chunk_count * PABAL__SLOTS_A_CHUNK; i++) {
		struct pabal__slot *slot = pabal__slots_at(leases, i);

		if (!pabal__slot_in_use(slot))
			continue;
		pabal__link_close_fds(slot->fds, slot->fd_count);
		if (slot->state == PABAL__SLOT_PARKED)
			free(slot->parked);
	}
	pabal__slots_deinit(leases);
}

static void free_private(struct pabal_link *link)
{
	struct pabal__parked *parked;

	free_leases(link);
	while ((parked = link->receiving.parked)) {
		link->receiving.parked = parked->next;
		pabal__link_close_fds(parked->fds, parked->extra.fd_count);
		free(parked);
	}
	pabal__calls_deinit(link);
	pabal__slots_deinit(&link->sending.loans);
	free(link->sending.arena.books);
}

void pabal__link_deinit(struct pabal_link *link)
{
	const int fds[] = { link->bell.socket, link->bell.pidfd, link->fds_out, link->fds_in != link->fds_out ? link->fds_in : -1,
			    link->memory,      link->ready[0],   link->ready[1] };
	bool ours = link->generation == pabal__fork_generation();

	if (ours) {
		/* release: what we committed comes first; pairs with the acquire in pabal__doorbell_end() */
		if (!PABAL__FAULT(NO_CLOSE_WORD))
			atomic_fetch_or_explicit(&link->mine->state, PABAL__HALF_CLOSED, memory_order_release);
		shutdown(link->bell.socket, SHUT_RDWR); /* close alone would not tell the peer while a fork child has the socket as well */
	}
	link->magic = 0;
	free_private(link);
	close_all(fds, sizeof fds / sizeof fds[0]);
	pabal__doorbell_deinit(&link->bell);
	pthread_mutex_destroy(&link->sending.lock);
	pthread_mutex_destroy(&link->receiving.lock);
	pthread_mutex_destroy(&link->ready_lock);
	if (!ours) /* the memories of a process's links are not mapped in its children; something else may be there */
		return;
	munmap(link->mine, pabal__stream_size(link->mine_max));
	munmap((void *)link->peer, pabal__stream_size(link->peer_max));
	pabal__life_unmap(link->bell.peer_life);
}

pabal_link *pabal_link_close(pabal_link *link)
{
	if (!link || link->magic != PABAL__LINK_MAGIC)
		return NULL;
	if (link->on_close) {
		link->on_close(link->owner, link);
	} else {
		pabal__link_deinit(link);
		free(link);
	}
	return NULL;
}

int pabal_link_interrupt(pabal_link *link)
{
	/* For signal handlers: atomics and two system calls, no lock, and no sentence, which is not safe there. */
	if (!link || link->magic != PABAL__LINK_MAGIC)
		return -EINVAL;
	if (link->generation != pabal__fork_generation())
		return -ESTALE;
	pabal__doorbell_interrupt(&link->bell);
	return 0;
}

int pabal_link_peer(const pabal_link *link, struct pabal_peer *ret_peer)
{
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (!ret_peer)
		return pabal__fail_with(-EINVAL, "ret_peer is NULL: it receives who is at the other end");
	*ret_peer = link->identity;
	return 0;
}

int pabal_link_peer_pidfd(const pabal_link *link, int *ret_fd)
{
	int r = pabal__link_check(link, PABAL_NOWAIT), fd;

	if (r < 0)
		return r;
	if (!ret_fd)
		return pabal__fail_with(-EINVAL, "ret_fd is NULL: it receives the descriptor");
	if (link->bell.pidfd < 0)
		return pabal__fail_with(-ENOTSUP, "the kernel has no pidfd for this peer");
	fd = fcntl(link->bell.pidfd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return pabal__fail(pabal__errno(), "the pidfd cannot be duplicated: too many open descriptors");
	*ret_fd = fd;
	return 0;
}

static void fill_stats(pabal_link *link, struct pabal_link_stats *stats)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	struct pabal__link_sending *sending = &link->sending;
	bool entered = pabal__link_enter(link, &sending->lock);

	pabal__arena_reclaim(&sending->arena); /* what makes no sense there is told by the next send */
	stats->sent = pabal__writer_messages(&sending->writer);
	stats->memory = pabal__arena_in_use(&sending->arena);
	if (stats->memory > link->mine_max)
		stats->memory = link->mine_max; /* the last line of the arena may reach beyond the limit */
	pabal__link_leave(&sending->lock, entered);
	entered = pabal__link_enter(link, &receiving->lock);
	stats->received = pabal__link_received(link);
	stats->calls = receiving->calls_begun;
	stats->calls_open = receiving->calls.open;
	stats->late_replies = receiving->late_replies;
	stats->leases = pabal__slots_used(&receiving->leases);
	pabal__link_leave(&receiving->lock, entered);
	stats->memory_max = link->mine_max;
	stats->peer_memory_max = link->peer_max;
	stats->wakes = atomic_load_explicit(&link->bell.rings, memory_order_relaxed);   /* statistics */
	stats->sleeps = atomic_load_explicit(&link->bell.sleeps, memory_order_relaxed); /* statistics */
}

int pabal_link_stat(pabal_link *link, struct pabal_link_stats *stats)
{
	struct pabal_link_stats own = { .struct_size = sizeof own };
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (!stats || stats->struct_size < sizeof stats->struct_size)
		return pabal__fail_with(-EINVAL, "set struct_size of the statistics to sizeof(struct pabal_link_stats)");
	fill_stats(link, &own);
	own.struct_size = stats->struct_size;
	memcpy(stats, &own, stats->struct_size < sizeof own ? stats->struct_size : sizeof own);
	return 0;
}
