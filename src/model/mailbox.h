/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/mailbox.h - the inside of a mailbox handle, for the files of this layer.
 *
 * A handle is one participant: its view of the segment, its slot, its allocator, its two ends of the ring. The sending half and the receiving half have a lock
 * each, private to the process, and share no cache line that either writes.
 */
#ifndef PABAL_SRC_MODEL_MAILBOX_H
#define PABAL_SRC_MODEL_MAILBOX_H

#include <errno.h>
#include <pthread.h>

#include <pabal/mailbox.h>

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define PABAL__SINGLE_THREADED __libc_single_threaded
#else
#define PABAL__SINGLE_THREADED 0
#endif

#include "memory/participant.h"
#include "memory/pool.h"
#include "model/descriptor_post.h"
#include "model/object.h"
#include "platform/fork.h"
#include "queue/redeliver.h"
#include "queue/ring.h"
#include "wait/nudge.h"
#include "wait/wait.h"

/* What stands on the memory of a handle's life: a handle that was closed, or never was one, is refused by chance only, but cheaply. */
#define PABAL__HANDLE_MAGIC 0x50424d42u

struct pabal__side {
	_Alignas(64) pthread_mutex_t lock;
	struct pabal__waiter waiter;
	uint64_t count;                               /* messages sent, or received; published in the participant's slot */
	uint64_t look_at;                             /* the count at which to look for the dead next */
	uint32_t stride;                              /* from one look to the next */
	int64_t glanced;                              /* when the last one was */
	struct pabal__descriptor *_Atomic descriptor; /* for poll(2); NULL until it is asked for (model/descriptor.h) */
	struct pabal__sleepers sleepers;              /* of this process; at the end, for nobody looks at them who need not wait */
};

struct pabal_mailbox { /* NOLINT(clang-analyzer-optin.performance.Padding): the padding keeps the two sides on lines of their own */
	uint32_t magic;
	uint32_t flags;
	uint32_t id;
	uint32_t generation; /* of the process that opened it (platform/fork.h) */
	void *hold;          /* the mapping that keeps our liveness lock */
	struct pabal__participant *self;
	struct pabal__segment segment;
	_Atomic uint32_t interrupts, acknowledged;
	struct pabal__nudges nudges; /* who waits for it in pabal_wait_many() */
	_Atomic uint32_t borrowed;   /* 1: there may be loans or leases; set by loan and take, read by close */
	_Atomic int64_t looked;      /* when a call of ours last looked for the dead */

	_Alignas(64) struct pabal__ring ring;
	struct pabal__side sending;
	struct pabal__pool pool;
	struct pabal__side receiving;
	struct pabal__redeliver redeliver;
	uint64_t seen_notice;
};

/* The first member of whatever a call hands to pabal__wait(). */
struct pabal__call {
	pabal_mailbox *mailbox;
	uint64_t busy_position; /* where somebody was in the middle of a take */
};

/* Why pabal__mailbox_check() refuses. */
int pabal__mailbox_refuse(const pabal_mailbox *mailbox, bool write) __attribute__((cold));

/* Is this handle fit for use? @write: not by a read-only handle. 0, -EINVAL, -ESTALE, -EPERM. */
static inline int pabal__mailbox_check(const pabal_mailbox *mailbox, bool write, int64_t timeout_ns)
{
	if (__builtin_expect(mailbox && mailbox->magic == PABAL__HANDLE_MAGIC && mailbox->generation == pabal__fork_generation() &&
				     !(write && (mailbox->flags & PABAL_READ_ONLY)) && timeout_ns >= PABAL_FOREVER,
			     1))
		return 0;
	return pabal__mailbox_refuse(mailbox, write);
}

/* Exclude other threads from one side of the handle; true: leave again. A process with one thread needs no lock, and libc knows. */
static inline bool pabal__side_enter(const pabal_mailbox *mailbox, struct pabal__side *side)
{
	if (PABAL__SINGLE_THREADED || (mailbox->flags & PABAL_SINGLE_THREAD))
		return false;
	pthread_mutex_lock(&side->lock);
	return true;
}

static inline void pabal__side_leave(struct pabal__side *side, bool entered)
{
	if (entered)
		pthread_mutex_unlock(&side->lock);
}

/* Go on after a first attempt that returned @reason (> 0); with the sentence for a mailbox, or without one. */
int pabal__mailbox_go_on(struct pabal__call *call, struct pabal__side *side, int reason, int64_t timeout_ns);
int pabal__mailbox_wait(struct pabal__call *call, struct pabal__side *side, int reason, int64_t timeout_ns);

/* The sentence for -EINTR, -ECANCELED and the like; formats nothing. Returns @error. */
int pabal__mailbox_say(int error);

/* For struct pabal__wait_calls: bury the dead and give memory back; repair the slot that we are stuck at; a glance before a sleep. */
bool pabal__mailbox_idle(void *argument);
void pabal__mailbox_busy(void *argument);
void pabal__mailbox_before_sleep(void *argument, int64_t now);

/* Where nobody sleeps a whole slice the dead would never be looked for: so messages are counted, and some of them look. */
enum {
	PABAL__LOOK_FIRST = 32,   /* messages of a handle before its first look */
	PABAL__LOOK_SELDOM = 1024 /* messages between two looks at most: one of them costs 30 ns when it finds that it is too soon; a guess */
};

/* How many messages from this look to the next, if the last @stride took @elapsed_ns. */
uint32_t pabal__mailbox_stride(uint32_t stride, int64_t elapsed_ns);

/* It is time for a look by the count of messages. Not under the side's lock. */
void pabal__mailbox_glance(pabal_mailbox *mailbox, struct pabal__side *side) __attribute__((cold));

/* Count @count messages of a side, under its lock; @published: our word for it. true: call pabal__mailbox_glance() once the lock is left. */
static inline bool pabal__side_count(struct pabal__side *side, uint64_t count, pabal__word *published)
{
	side->count += count; /* relaxed, alone: statistics, ours to write */
	atomic_store_explicit(published, side->count, memory_order_relaxed);
	return __builtin_expect((int64_t)(side->count - side->look_at) >= 0, 0);
}

void pabal__mailbox_told_room(void *argument);
void pabal__mailbox_told_items(void *argument);

extern const struct pabal__wait_calls pabal__send_calls, pabal__receive_calls;

/* A bell was rung: a byte to each handle that has a descriptor for this. */
static inline void pabal__mailbox_post(const struct pabal__segment *segment, uint32_t event)
{
	pabal__descriptor_post(segment, event, event);
}

/* There is something to take, or room, by a read-modify-write; wakes one. */
static inline void pabal__mailbox_ring_items(const pabal_mailbox *mailbox)
{
	if (__builtin_expect(pabal__bell_ring(&mailbox->segment.header->items_bell), 0))
		pabal__mailbox_post(&mailbox->segment, PABAL_READABLE);
}

static inline void pabal__mailbox_ring_room(const pabal_mailbox *mailbox)
{
	if (__builtin_expect(pabal__bell_ring(&mailbox->segment.header->room_bell), 0))
		pabal__mailbox_post(&mailbox->segment, PABAL_WRITABLE);
}

/* There is memory, by a plain store; wakes all. */
static inline void pabal__mailbox_ring_memory(const struct pabal__segment *segment)
{
	if (__builtin_expect(pabal__bell_ring_all(&segment->header->memory_bell), 0))
		pabal__mailbox_post(segment, PABAL_WRITABLE);
}

/* A rare event has happened (destroy, redelivery, burial): everybody looks. */
void pabal__mailbox_notify(const struct pabal__segment *segment);

/* A handle for a seat, whose parts become its own; and the end of it: all that it holds is given back, and the slot. Buffers begin with one. */
void pabal__mailbox_init(pabal_mailbox *mailbox, const struct pabal__seat *seat, uint32_t flags);
void pabal__mailbox_leave(pabal_mailbox *mailbox);

/* An interrupt, by anybody, in a signal handler too. */
void pabal__mailbox_stop_waits(pabal_mailbox *mailbox);

/* What the ring said, for those who wait. */
static inline int pabal__mailbox_from_ring(enum pabal__ring_result result)
{
	switch (result) {
	case PABAL__RING_DONE:
		return 0;
	case PABAL__RING_NOT_NOW:
		return PABAL__WAIT_BELL;
	case PABAL__RING_BUSY:
		return PABAL__WAIT_BUSY;
	case PABAL__RING_LARGE:
		return -EMSGSIZE;
	default:
		return -EBADMSG;
	}
}

/* A block for @size bytes, under the send lock. Others who wait for memory hear of what was given back on the way. */
static inline int pabal__mailbox_take_block(pabal_mailbox *mailbox, uint64_t size, struct pabal__block *ret_block)
{
	int r = pabal__pool_allocate(&mailbox->pool, size, ret_block);

	if (__builtin_expect(mailbox->pool.let_go != 0, 0)) {
		mailbox->pool.let_go = 0;
		pabal__mailbox_ring_memory(&mailbox->segment);
	}
	return r == -EAGAIN ? PABAL__WAIT_MEMORY : r;
}

/* Something rare has happened, or there are candidates left: one that came back. Under the receive lock. */
enum pabal__ring_result pabal__mailbox_take_redelivered(pabal_mailbox *mailbox, uint64_t notice, uint64_t size_max, struct pabal__block *ret_block,
							uint64_t *ret_header) __attribute__((cold));

/* The next to be delivered, leased to us if it has @size_max bytes at most: what came back first. Under the receive lock. *ret_from_ring: set if the ring was looked at. */
static inline enum pabal__ring_result pabal__mailbox_take_one(pabal_mailbox *mailbox, uint64_t size_max, struct pabal__block *ret_block,
							      uint64_t *ret_header, bool *ret_from_ring)
{
	/* acquire: pairs with pabal__mailbox_notify(): what was announced is visible */
	uint64_t notice = atomic_load_explicit(&mailbox->segment.header->notice, memory_order_acquire);
	struct pabal__redeliver *redeliver = &mailbox->redeliver;

	if (__builtin_expect(notice != mailbox->seen_notice || redeliver->next < redeliver->count || redeliver->more, 0)) {
		enum pabal__ring_result result = pabal__mailbox_take_redelivered(mailbox, notice, size_max, ret_block, ret_header);

		if (result != PABAL__RING_NOT_NOW)
			return result;
	}
	*ret_from_ring = true;
	return pabal__ring_take(&mailbox->ring, size_max, ret_block, ret_header);
}

/* Is there more to take, for the next sleeper? */
bool pabal__mailbox_has_more(pabal_mailbox *mailbox);

/* Free a block that is ours: one release store, and a ring for those who wait for memory. @header: what its header word is. */
static inline void pabal__mailbox_free(const pabal_mailbox *mailbox, const struct pabal__block *block, uint64_t header)
{
	/* release: our reads and writes of the block are done; pairs with the acquire of its next owner */
	atomic_store_explicit(&block->words[PABAL__WORD_HEADER], pabal__header_next(header, PABAL__FREE, 0, 0), memory_order_release);
	pabal__mailbox_ring_memory(&mailbox->segment);
}

/*
 * Give back the memory of all that is free, and tell those who wait for memory: one who looked while an extent was being given back saw neither the extent nor
 * the room that it leaves.
 */
uint64_t pabal__mailbox_reclaim(struct pabal__segment *segment, uint32_t me);

/*
 * Give back all leases and loans of @id, whose process is dead or asks for it. @dead: a mailbox that drops on death drops its leases.
 * -ENOMEM: nothing was done.
 */
int pabal__bury_blocks(struct pabal__segment *segment, uint32_t id, bool dead, struct pabal__burial *burial);

/* All that the dead @id left: for struct pabal__object_kind. */
int pabal__bury_mailbox(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial);

#endif
