/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/doorbell.h - the two sides of a link wake each other, though neither can write the other's memory.
 *
 * Who is about to sleep arms: writes into its own half what it wants to be woken for, under a number. Who has made that happen reads it, writes into its own half
 * which number it rang, and sends one byte over the link's socket; each number is rung once at most. While nobody has armed, ringing costs one load of a line that
 * nobody writes. The socket and a pidfd also tell the peer's end.
 */
#ifndef PABAL_SRC_WAIT_DOORBELL_H
#define PABAL_SRC_WAIT_DOORBELL_H

#include <errno.h>
#include <pthread.h>

#include "platform/cpu.h"
#include "platform/life.h"
#include "queue/stream.h"
#include "wait/nudge.h"
#include "wait/sleepers.h"

/* What one can wait for; the numbers are PABAL_READABLE and PABAL_WRITABLE. */
enum { PABAL__DOORBELL_MESSAGE = 1, PABAL__DOORBELL_ROOM = 2, PABAL__DOORBELL_EVENTS = 2 };

/* Others are told what a wait is for: event - 1, or that the message is to be a reply, which is said beside the event. */
enum { PABAL__TOLD_REPLY = PABAL__DOORBELL_EVENTS, PABAL__TOLD_COUNT, PABAL__DOORBELL_REPLY = 4 };

/* When the peer was last known to live. One of its own for each thread's direction: hints of one must not slow the other. */
struct pabal__life {
	uint64_t looked; /* ticks: the last look at the peer's words */
	uint64_t proof;  /* ticks: it lived then, or later */
	uint64_t words[3];
};

struct pabal__doorbell {
	/* Set before use, then only read. */
	int socket, pidfd;      /* pidfd: or -1 */
	int kick;               /* an event counter: wakes who of this process sleeps in poll */
	int service_fd;         /* polled as well while somebody sleeps, or -1 */
	int notify_fd;          /* an event counter, set when a sleeper swallowed a byte that somebody asked for with pabal__doorbell_ask(); or -1 */
	int (*service)(void *); /* called when service_fd is ready, and now and then by who spins; may be NULL */
	void *service_argument;
	struct pabal__half *mine;
	const struct pabal__half *peer;
	const _Atomic uint64_t *peer_life; /* platform/life.h */
	uint64_t ticks_5us;
	uint32_t flags;                    /* PABAL_WAIT_SPIN, PABAL_WAIT_BLOCK, PABAL_RESTART */
	bool fences;                       /* no membarrier here: fence after each publication */
	int latch[PABAL__DOORBELL_EVENTS]; /* event counters for descriptors that others poll, or -1 */

	/* Ringing. */
	_Atomic uint32_t rung; /* the number of the peer's arm that was rung last; written under ring_lock */
	_Atomic bool hung_up;  /* the kernel says that the peer is gone; never taken back */
	pthread_mutex_t ring_lock;
	_Atomic uint64_t rings, sleeps; /* statistics */

	/* Sleeping; under lock but for the atomics. */
	pthread_mutex_t lock;
	uint32_t number;                                  /* of our arm */
	uint32_t wants;                                   /* what it says */
	bool barrier;                                     /* all processors have seen it */
	bool polling;                                     /* a thread sleeps in poll; the others follow it */
	_Atomic uint32_t standing;                        /* events wanted for descriptors; written under lock */
	uint32_t silent;                                  /* events whose descriptor was made unreadable, and not set by us since */
	uint32_t asked;                                   /* events wanted by who polls the socket from outside */
	_Atomic uint32_t waiting[PABAL__DOORBELL_EVENTS]; /* threads in the second half of a wait; written under lock */
	_Atomic uint32_t turns;                           /* goes on whenever those who follow are to look again */
	_Atomic uint32_t interrupts, acknowledged;
	struct pabal__nudges nudges;                        /* who sleeps in poll on this link and on others */
	struct pabal__sleepers sleepers[PABAL__TOLD_COUNT]; /* for lookers-on: who waits, and where to tell it, which is set before use */
};

/* @bell is zeroed but for what is set before use; opens kick. 0 or a negative error. */
int pabal__doorbell_init(struct pabal__doorbell *bell);
void pabal__doorbell_deinit(struct pabal__doorbell *bell);

/* Wake the peer, which wants @event and may not have been rung for it. 0. */
int pabal__doorbell_ring_armed(struct pabal__doorbell *bell, uint32_t event);

/*
 * After a publication (a message, a position, a release): does the peer sleep for it? The one who sleeps has paid for the barrier. 0, so that a call can end with it: one that has nothing to do
 * afterwards saves no registers for the case that it rings.
 */
static inline int pabal__doorbell_ring(struct pabal__doorbell *bell, uint32_t event)
{
	uint64_t arm;

	if (__builtin_expect(bell->fences, 0))
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	arm = atomic_load_explicit(&bell->peer->arm, memory_order_relaxed); /* ordered by the sleeper's membarrier, or by the fence */
	/* relaxed: a look; looked at again under the lock */
	if (__builtin_expect((arm & event) != 0, 0) && (uint32_t)(arm >> 32) != atomic_load_explicit(&bell->rung, memory_order_relaxed))
		return pabal__doorbell_ring_armed(bell, event);
	return 0;
}

/* Ask the kernel, or believe in words that changed a moment ago. */
void pabal__doorbell_look_for_life(struct pabal__doorbell *bell, struct pabal__life *life, uint64_t now);

enum { PABAL__LIFE_BELIEVED_MAX = 256 }; /* times; then it is asked: a peer that lies costs so many messages to nobody; a guess */

/*
 * Does the peer live? Its life word says so: a load of a line that nobody writes. Where there is none, or who held it has gone: it did less than about 25 microseconds ago, or hung_up is set now; no
 * process dies and is mourned faster. That costs a look at the clock, and while the peer moves no system call. @believe: the caller has not believed the word too often yet.
 */
static inline bool pabal__doorbell_lives(struct pabal__doorbell *bell, struct pabal__life *life, bool believe)
{
	uint64_t now;

	if (__builtin_expect(pabal__life_beats(bell->peer_life) && (believe || PABAL__FAULT(LIFE_BELIEVED)), 1))
		return true;
	now = pabal__cpu_ticks();
	if (__builtin_expect(now - life->looked >= bell->ticks_5us, 0) && !PABAL__FAULT(NO_LIFE))
		pabal__doorbell_look_for_life(bell, life, now);
	return !atomic_load_explicit(&bell->hung_up, memory_order_acquire); /* pairs with who set it: the peer's last words are there */
}

/* Why the peer sends no more: -EPIPE, -EOWNERDEAD; 0: it may. Messages that it committed before can be seen after this call. */
static inline int pabal__doorbell_end(const struct pabal__doorbell *bell)
{
	/* acquire: pairs with the release of who closes: its messages come first */
	uint32_t state = atomic_load_explicit(&bell->peer->state, memory_order_acquire);

	if (__builtin_expect(!(state & PABAL__HALF_CLOSED) && !atomic_load_explicit(&bell->hung_up, memory_order_acquire), 1))
		return 0;
	/* Closed before it hung up: look again, now that its last words are there. */
	return atomic_load_explicit(&bell->peer->state, memory_order_acquire) & PABAL__HALF_CLOSED ? -EPIPE : -EOWNERDEAD;
}

/* Threads of this process that sleep are to look again: something happened that the peer does not ring for. A signal handler may call it. */
void pabal__doorbell_kick(struct pabal__doorbell *bell);
static inline bool pabal__doorbell_has_sleepers(struct pabal__doorbell *bell)
{
	/* seq_cst: what happened first, then the look; pairs with the count, then the attempt, of who is about to sleep */
	return atomic_load(&bell->waiting[0]) || atomic_load(&bell->waiting[1]);
}

/* We made room ourselves: the same, and descriptors and who asked from outside are told. */
void pabal__doorbell_room(struct pabal__doorbell *bell);

/* End every wait of this process with -ECANCELED. A signal handler may call it. */
void pabal__doorbell_interrupt(struct pabal__doorbell *bell);

/* Is the peer gone? One system call. */
bool pabal__doorbell_ask_kernel(struct pabal__doorbell *bell);

/*
 * For wait/doorbell_wait.c. Enter: count a thread in that waits for @event (0: it is counted already) and arm; then it looks once more. Sleep: until something may have changed since
 * @seen, which enter returned. -EINTR: a signal handler ran. Leave: count it out.
 */
uint32_t pabal__doorbell_enter(struct pabal__doorbell *bell, uint32_t event, bool *ret_barrier);
int pabal__doorbell_sleep(struct pabal__doorbell *bell, uint32_t seen, int64_t duration_ns);
void pabal__doorbell_leave(struct pabal__doorbell *bell, uint32_t event);

/* Somebody polls the socket and the pidfd from outside: arm for these events. The caller looks once more, then sleeps. */
void pabal__doorbell_ask(struct pabal__doorbell *bell, uint32_t events);
/* It was woken: swallow the bytes, and pass on to others of this process what was meant for them. */
void pabal__doorbell_answer(struct pabal__doorbell *bell);

/* A descriptor for @event stands armed from now on. The caller looks once more, and sets the latch if something is there. */
void pabal__doorbell_stand(struct pabal__doorbell *bell, uint32_t event);
/* An attempt was in vain: let the descriptor for @event be unreadable, armed again. The caller looks once more. */
void pabal__doorbell_settle(struct pabal__doorbell *bell, uint32_t event);

#endif
