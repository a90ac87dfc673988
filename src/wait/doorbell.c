/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/doorbell.c - arming and ringing.
 *
 * Sleeper: if the peer's ring word bears the number of our arm, take the next number; store the arm; barrier on all processors; look again at everything wanted; sleep in poll on
 * the socket. Waker: publish; load the arm; if it wants this and its number was not rung yet: store the number in our ring word, then send a byte.
 *
 * Why nobody sleeps while there is something: either the look after the barrier sees the publication, or the waker's load of the arm, which comes after it, sees the arm. If the waker
 * finds the number rung already, a byte was sent for it after the sleeper took it, and bytes are swallowed only before arming: so poll returns. A number stands until it was rung, so a
 * sleeper that was not rung for may change what it wants without a new one. The ring word never goes back: it is written under a lock.
 *
 * Killed between storing the ring word and sending the byte: the sleeper is told by the kernel, since the waker is dead. Killed while armed: a byte goes to nobody.
 *
 * Several threads of one process share one arm, whose wants are the union of theirs. One of them polls, the others follow it: they sleep on turns, a word of this process, which goes on
 * whenever bytes were swallowed. Who swallows bytes thereby tells everybody for whom they may have been meant: threads by turns, descriptors by their latch, who asked from outside by notify_fd.
 */
#include "wait/doorbell.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "platform/futex.h"
#include "platform/membarrier.h"
#include "platform/wake.h"

enum { PROOF_AGE = 4 /* times ticks_5us: to kill a process and to wait for its end takes longer; measured: 50 microseconds at least */ };

int pabal__doorbell_init(struct pabal__doorbell *bell)
{
	int kick = pabal__wake_open();

	if (kick < 0)
		return kick;
	bell->kick = kick;
	bell->latch[0] = bell->latch[1] = -1;
	if (!bell->peer_life)
		bell->peer_life = &pabal__life_unknown;
	bell->ticks_5us = pabal__cpu_ticks_5us();
	bell->number = 1; /* not 0, which is what the peer's ring word begins with */
	pthread_mutex_init(&bell->lock, NULL);
	pthread_mutex_init(&bell->ring_lock, NULL);
	for (int i = 0; i < PABAL__TOLD_COUNT; i++)
		pabal__sleepers_init(&bell->sleepers[i], NULL, NULL, 0);
	return 0;
}

void pabal__doorbell_deinit(struct pabal__doorbell *bell)
{
	close(bell->kick);
	pabal__nudges_close(&bell->nudges);
	for (int i = 0; i < PABAL__DOORBELL_EVENTS; i++)
		if (bell->latch[i] >= 0)
			close(bell->latch[i]);
	pthread_mutex_destroy(&bell->lock);
	pthread_mutex_destroy(&bell->ring_lock);
	for (int i = 0; i < PABAL__TOLD_COUNT; i++)
		pabal__sleepers_deinit(&bell->sleepers[i]);
}

int pabal__doorbell_ring_armed(struct pabal__doorbell *bell, uint32_t event)
{
	uint64_t arm;
	uint32_t number;

	pthread_mutex_lock(&bell->ring_lock);
	arm = atomic_load_explicit(&bell->peer->arm, memory_order_relaxed); /* alone: any arm that is there now will do */
	number = (uint32_t)(arm >> 32);
	/* relaxed: written under the lock */
	if ((arm & event) && number != atomic_load_explicit(&bell->rung, memory_order_relaxed) && !PABAL__FAULT(NO_RING)) {
		atomic_store_explicit(&bell->rung, number, memory_order_relaxed);
		/* release: what we ring for comes first; pairs with the acquire in arm() */
		atomic_store_explicit(&bell->mine->ring_word, number, memory_order_release);
		atomic_fetch_add_explicit(&bell->rings, 1, memory_order_relaxed); /* statistics */
		pabal__wake_send(bell->socket);
	}
	pthread_mutex_unlock(&bell->ring_lock);
	return 0;
}

/* Say what is wanted; under the lock. After this the caller looks once more. */
static void arm(struct pabal__doorbell *bell)
{
	/* acquire: what the peer rang for is visible; pairs with pabal__doorbell_ring_armed() */
	uint32_t rung = (uint32_t)atomic_load_explicit(&bell->peer->ring_word, memory_order_acquire);
	uint32_t wants = atomic_load_explicit(&bell->standing, memory_order_relaxed) | bell->asked; /* under the lock */

	for (int i = 0; i < PABAL__DOORBELL_EVENTS; i++)
		if (atomic_load_explicit(&bell->waiting[i], memory_order_relaxed)) /* written under the lock */
			wants |= 1u << i;
	if (rung == bell->number && !PABAL__FAULT(NO_REARM))
		bell->number++;
	else if ((bell->wants & wants) == wants && bell->barrier)
		return;
	bell->wants = wants;
	atomic_store_explicit(&bell->mine->arm, (uint64_t)bell->number << 32 | wants, memory_order_relaxed); /* ordered by the barriers */
	atomic_thread_fence(memory_order_seq_cst); /* arm, then look; enough if the peer fences as well: publish, then load the arm */
	bell->barrier = (atomic_load_explicit(&bell->peer->state, memory_order_relaxed) & PABAL__HALF_FENCES) || pabal__membarrier_all();
}

/* Who follows looks again, and who polls as well. */
void pabal__doorbell_kick(struct pabal__doorbell *bell)
{
	atomic_fetch_add_explicit(&bell->turns, 1, memory_order_release); /* what happened comes first; pairs with the loads in a wait */
	pabal__futex_wake(&bell->turns, INT_MAX);
	pabal__wake_set(bell->kick);
}

void pabal__doorbell_room(struct pabal__doorbell *bell)
{
	if (pabal__doorbell_has_sleepers(bell))
		pabal__doorbell_kick(bell);
	/* Who asks for room says so under the lock, and looks afterwards: if it is not seen here, it sees the room, which was there before. */
	pthread_mutex_lock(&bell->lock);
	if (bell->silent & PABAL__DOORBELL_ROOM)
		pabal__wake_set(bell->latch[PABAL__DOORBELL_ROOM - 1]);
	bell->silent &= ~(uint32_t)PABAL__DOORBELL_ROOM;
	if ((bell->asked & PABAL__DOORBELL_ROOM) && bell->notify_fd >= 0)
		pabal__wake_set(bell->notify_fd);
	pthread_mutex_unlock(&bell->lock);
}

void pabal__doorbell_interrupt(struct pabal__doorbell *bell)
{
	atomic_fetch_add_explicit(&bell->interrupts, 1, memory_order_release); /* pairs with the acquire of the waits */
	pabal__doorbell_kick(bell);
	pabal__nudge_all(&bell->nudges);
}

/* Swallow bytes, and pass on what they may have meant to others; under the lock. @mine: the events of whoever swallows for himself. */
static void swallow(struct pabal__doorbell *bell, uint32_t mine, uint32_t count_max)
{
	uint32_t standing;

	if (!pabal__wake_drain(bell->socket, count_max))
		return;
	standing = atomic_load_explicit(&bell->standing, memory_order_relaxed) & ~mine; /* written under the lock */
	for (int i = 0; i < PABAL__DOORBELL_EVENTS; i++)
		if (standing & 1u << i)
			pabal__wake_set(bell->latch[i]);
	if (bell->asked && bell->notify_fd >= 0)
		pabal__wake_set(bell->notify_fd);
}

/* What the kernel says of the peer's end. */
static bool is_gone(struct pabal__doorbell *bell, uint32_t socket, uint32_t pidfd)
{
	if (!(socket & PABAL__WAKE_HUNG_UP) && !pidfd)
		return false;
	atomic_store_explicit(&bell->hung_up, true, memory_order_release); /* pairs with the acquire of pabal__doorbell_end() */
	return true;
}

bool pabal__doorbell_ask_kernel(struct pabal__doorbell *bell)
{
	const int fds[] = { bell->socket, bell->pidfd };
	uint32_t ready[2];

	pabal__wake_poll(fds, 2, 0, ready);
	return is_gone(bell, ready[0], ready[1]);
}

void pabal__doorbell_look_for_life(struct pabal__doorbell *bell, struct pabal__life *life, uint64_t now)
{
	/* relaxed: that they move is all that counts */
	uint64_t words[3] = {
		atomic_load_explicit(&bell->peer->position, memory_order_relaxed),
		atomic_load_explicit(&bell->peer->arm, memory_order_relaxed),
		atomic_load_explicit(&bell->peer->ring_word, memory_order_relaxed),
	};
	uint64_t before = life->looked;

	life->looked = now;
	/* They moved since the last look: it lived after that. If that was long ago it says nothing. */
	if (memcmp(words, life->words, sizeof words) != 0) {
		memcpy(life->words, words, sizeof words);
		life->proof = PABAL__FAULT(MOVED_IS_ALIVE) ? now : before;
	}
	if (now - life->proof < PROOF_AGE * bell->ticks_5us)
		return;
	if (!pabal__doorbell_ask_kernel(bell))
		life->proof = now;
}

void pabal__doorbell_ask(struct pabal__doorbell *bell, uint32_t events)
{
	pthread_mutex_lock(&bell->lock);
	bell->asked |= events;
	arm(bell);
	pthread_mutex_unlock(&bell->lock);
}

/* Bytes were swallowed by somebody who does not poll: whoever does may have missed them. Under the lock. */
static void turn(struct pabal__doorbell *bell)
{
	atomic_fetch_add_explicit(&bell->turns, 1, memory_order_release); /* pairs with the loads in a wait */
	if (atomic_load_explicit(&bell->waiting[0], memory_order_relaxed) || atomic_load_explicit(&bell->waiting[1], memory_order_relaxed)) {
		pabal__futex_wake(&bell->turns, INT_MAX);
		if (bell->polling)
			pabal__wake_set(bell->kick);
	}
}

void pabal__doorbell_answer(struct pabal__doorbell *bell)
{
	pabal__doorbell_ask_kernel(bell);
	pthread_mutex_lock(&bell->lock);
	bell->asked = 0;
	swallow(bell, 0, PABAL__WAKE_MAX);
	turn(bell);
	pthread_mutex_unlock(&bell->lock);
}

void pabal__doorbell_stand(struct pabal__doorbell *bell, uint32_t event)
{
	pthread_mutex_lock(&bell->lock);
	atomic_fetch_or_explicit(&bell->standing, event, memory_order_relaxed); /* under the lock */
	bell->silent |= event;
	arm(bell);
	pthread_mutex_unlock(&bell->lock);
}

void pabal__doorbell_settle(struct pabal__doorbell *bell, uint32_t event)
{
	pthread_mutex_lock(&bell->lock);
	pabal__wake_clear(bell->latch[event - 1]);
	bell->silent |= event;
	swallow(bell, event, PABAL__WAKE_MAX);
	turn(bell);
	arm(bell);
	pthread_mutex_unlock(&bell->lock);
}

/* The second half of a wait: one thread polls, the others follow. */

/* Sleep in poll, and see to whatever woke us. -EINTR: a signal handler ran. */
static int poll_once(struct pabal__doorbell *bell, int64_t duration, bool *ret_bytes)
{
	const int fds[PABAL__WAKE_FDS] = { bell->socket, bell->pidfd, bell->kick, bell->service_fd };
	uint32_t ready[PABAL__WAKE_FDS];
	int r = pabal__wake_poll(fds, bell->service_fd >= 0 ? 4 : 3, duration, ready);

	if (r <= 0)
		return r;
	*ret_bytes = ready[0] & PABAL__WAKE_READY;
	is_gone(bell, ready[0], ready[1]);
	if (ready[2])
		pabal__wake_clear(bell->kick);
	if (bell->service_fd >= 0 && ready[3] && bell->service)
		bell->service(bell->service_argument);
	return 0;
}

int pabal__doorbell_sleep(struct pabal__doorbell *bell, uint32_t seen, int64_t duration)
{
	bool follow, bytes = false;
	int r;

	atomic_fetch_add_explicit(&bell->sleeps, 1, memory_order_relaxed); /* statistics */
	pthread_mutex_lock(&bell->lock);
	if (atomic_load_explicit(&bell->turns, memory_order_acquire) != seen) { /* pairs with who turned: look again */
		pthread_mutex_unlock(&bell->lock);
		return 0;
	}
	follow = bell->polling;
	bell->polling = true;
	pthread_mutex_unlock(&bell->lock);
	if (follow)
		return pabal__futex_wait(&bell->turns, seen, duration) == -EINTR ? -EINTR : 0;
	r = poll_once(bell, duration, &bytes);
	pthread_mutex_lock(&bell->lock);
	if (bytes)
		swallow(bell, 0, 1); /* there is seldom more, and what is left only wakes once too often */
	bell->polling = false;
	atomic_fetch_add_explicit(&bell->turns, 1, memory_order_release); /* somebody else polls now; pairs with the loads in a wait */
	pthread_mutex_unlock(&bell->lock);
	if (atomic_load_explicit(&bell->waiting[0], memory_order_relaxed) + atomic_load_explicit(&bell->waiting[1], memory_order_relaxed) > 1)
		pabal__futex_wake(&bell->turns, INT_MAX);
	return r;
}

uint32_t pabal__doorbell_enter(struct pabal__doorbell *bell, uint32_t event, bool *ret_barrier)
{
	uint32_t seen;

	pabal__life_keep(); /* we may have to keep on telling the peer that we live */
	pthread_mutex_lock(&bell->lock);
	if (event)
		atomic_fetch_add(&bell->waiting[event - 1], 1); /* seq_cst: counted, then the attempt; pairs with pabal__doorbell_has_sleepers() */
	arm(bell);
	*ret_barrier = bell->barrier;
	seen = atomic_load_explicit(&bell->turns, memory_order_acquire); /* pairs with who turned: its doing is visible to the attempt */
	pthread_mutex_unlock(&bell->lock);
	return seen;
}

void pabal__doorbell_leave(struct pabal__doorbell *bell, uint32_t event)
{
	pthread_mutex_lock(&bell->lock);
	atomic_fetch_sub_explicit(&bell->waiting[event - 1], 1, memory_order_relaxed); /* under the lock */
	pthread_mutex_unlock(&bell->lock);
}
