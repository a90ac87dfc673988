/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/region.h - the inside of a region handle, and its locks and events, for the files of this layer.
 *
 * A handle is one participant. What is shared lies in the segment (struct pabal__lock, struct pabal__event); which thread of this process holds a lock is private to the
 * handle, for nobody else has to know.
 */
#ifndef PABAL_SRC_MODEL_REGION_H
#define PABAL_SRC_MODEL_REGION_H

#include <pabal/region.h>

#include "model/object.h"
#include "platform/fork.h"
#include "wait/bell.h"
#include "wait/nudge.h"
#include "wait/sleepers.h"
#include "wait/spin.h"

#define PABAL__REGION_MAGIC 0x52474e50u

/* lock.c opens with the states. */
struct pabal__lock {
	_Alignas(64) pabal__word word; /* who holds it */
	pabal__bell_word bell;         /* waiting ones arm, who unlocks rings */
	pabal__bell_word patient_bell; /* the same, for the one in @patient */
	_Atomic uint32_t patient;      /* who has waited long and is let in first: a courtesy; 0: nobody */
	_Atomic uint32_t takers;       /* patient ones are told apart by a number from here */
};

/* event.c */
struct pabal__event {
	_Alignas(64) _Atomic uint32_t count; /* who notifies adds 1 */
	pabal__bell_word bell;               /* waiting ones arm, who notifies rings */
};

_Static_assert(sizeof(struct pabal__lock) == PABAL__SYNC && sizeof(struct pabal__event) == PABAL__SYNC, "a line each");

/* Threads of ours in pabal_wait_many() (region_wait.c). */
struct pabal__region_pollers {
	pthread_mutex_t lock; /* of what follows, but for nudges */
	struct pabal__descriptor *descriptor;
	_Atomic uint32_t *told;  /* of each event: the number that was told last */
	_Atomic uint32_t inside; /* waits that are to be told */
	struct pabal__nudges nudges;
};

struct pabal_region {
	uint32_t magic;
	uint32_t flags;
	uint32_t id;
	uint32_t generation; /* of the process that opened it (platform/fork.h) */
	uint64_t mine;       /* what a lock word of ours says */
	struct pabal__lock *locks;
	struct pabal__event *events;
	uint32_t lock_count, event_count; /* copies of the shape's, near the rest */
	uint32_t locks_open;              /* lock_count, or 0 in a handle that may not write: for the short ways of lock.c */
	_Atomic uint64_t *holders;        /* a thread of ours for each lock (platform/thread.h), or 0 */
	void *data;
	void *hold;
	struct pabal__participant *self;
	struct pabal__spin spin; /* on its locks */
	struct pabal__segment segment;
	struct pabal__sleepers lock_sleepers, event_sleepers; /* of this process, whichever lock or event they wait for */
	struct pabal__region_pollers pollers;
};

/* Why pabal__region_check() refuses. */
int pabal__region_refuse(const pabal_region *region, bool write) __attribute__((cold));

static inline bool pabal__region_is_fit(const pabal_region *region, bool write, int64_t timeout_ns)
{
	return __builtin_expect(region && region->magic == PABAL__REGION_MAGIC && region->generation == pabal__fork_generation() &&
					!(write && (region->flags & PABAL_READ_ONLY)) && timeout_ns >= PABAL_FOREVER,
				1);
}

/* Is this handle fit for use? 0, -EINVAL, -ESTALE, -EPERM. */
static inline int pabal__region_check(const pabal_region *region, bool write, int64_t timeout_ns)
{
	return pabal__region_is_fit(region, write, timeout_ns) ? 0 : pabal__region_refuse(region, write);
}

/* There is no such lock or event. */
int pabal__region_no_index(const pabal_region *region, uint32_t index) __attribute__((cold));

/* The sentence for -EAGAIN, -ETIMEDOUT and the like; formats nothing. Returns @error. */
int pabal__region_say(int error);

/* What a lock's word says. */
enum pabal__lock_bits {
	PABAL__LOCK_OWNER = 0x3ff,      /* participant; 0: free */
	PABAL__LOCK_INHERITED = 0x400,  /* a holder died, and nobody has unlocked since */
	PABAL__LOCK_SPARE = 0xfffff800, /* 0 */
};

static inline uint64_t pabal__lock_word(uint32_t id, uint64_t participant_word)
{
	return PABAL__FAULT(NO_LOCK_GENERATION) ? id : (participant_word >> 32) << 32 | id;
}

static inline uint32_t pabal__lock_owner(uint64_t word)
{
	return (uint32_t)word & PABAL__LOCK_OWNER;
}

static inline struct pabal__lock *pabal__lock_at(const struct pabal__segment *segment, uint32_t index)
{
	return (struct pabal__lock *)pabal__segment_at(segment, segment->region.locks) + index;
}

static inline struct pabal__event *pabal__event_at(const struct pabal__segment *segment, uint32_t index)
{
	return (struct pabal__event *)pabal__segment_at(segment, segment->region.events) + index;
}

/* Does the holder that this word names live? true for a free one. */
bool pabal__lock_holder_lives(struct pabal__segment *segment, uint64_t word);
/* Give all locks that participant @id holds to whoever comes next, as inherited; returns how many. @participant_word: as long as it used the slot. */
uint64_t pabal__lock_release_all(struct pabal__segment *segment, uint32_t id, uint64_t participant_word);
/* Everybody who waits looks again. */
void pabal__region_notify(const struct pabal__segment *segment);
/* What the account says of a region: its locks are its blocks. */
int pabal__region_account(struct pabal__segment *segment, struct pabal_check_result *ret_result);

/* lock_wait.c: what lock.c does when the lock is not to be had at once. */
int pabal__lock_wait(pabal_region *region, uint32_t index, int64_t timeout_ns);

/* One attempt. 0, 1 (inherited), or one of these. @taker: our number if we are the patient one. */
enum { PABAL__LOCK_HELD = -1000, PABAL__LOCK_PROMISED = -1001 };
int pabal__lock_attempt(pabal_region *region, struct pabal__lock *lock, uint32_t taker, bool courteous);
/* If the holder is dead, have it; 1, or PABAL__LOCK_HELD, or -EBADMSG. */
int pabal__lock_take_over(pabal_region *region, struct pabal__lock *lock);

#endif
