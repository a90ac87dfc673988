/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/lock.c - the locks of a region, as far as nobody has to wait.
 *
 * A lock is one word, `generation:32 | 0:21 | inherited:1 | owner:10`: the participant that holds it, and the generation of its slot, so that whoever gets that slot
 * later does not seem to hold it.
 *
 *   FREE        --CAS by p-->                        HELD(p)
 *   HELD(p)     --store by p-->                      FREE
 *   HELD(p), p dead --CAS by q-->                    HELD(q) inherited
 *   HELD(p), p dead --CAS by p's undertaker-->       FREE inherited
 *   FREE inherited  --CAS by q-->                    HELD(q) inherited
 *   HELD(q) inherited --store by q-->                FREE
 *   HELD(q) inherited, q dead -->                    as HELD(q)
 *
 * One word says all of it, so a process killed between any two steps leaves it free or held by a dead one. Who takes over from the dead does so by a CAS from the very word of
 * which it asked the kernel: had anybody else been there meanwhile, the word would be another.
 *
 * Unlocking is a plain store, then a look at the bells. Nothing orders the two but the sleeper's membarrier (lock_wait.c).
 *
 * `patient` is not part of the lock but a courtesy: others let the one in who has waited long, for a while. It decides nothing, so it may be stale, and its
 * writer dead.
 *
 * A hostile peer can give the lock to anybody; it is bounded by that. A word that nobody could have written is -EBADMSG.
 */
#include <errno.h>

#include "base/error.h"
#include "model/region.h"
#include "platform/thread.h"

bool pabal__lock_holder_lives(struct pabal__segment *segment, uint64_t word)
{
	uint32_t owner = pabal__lock_owner(word);
	pabal__word *slot = &pabal__participant_at(segment, owner)->word;
	uint64_t used;

	if (!owner)
		return true;
	if (owner > pabal__participants_high(segment))
		return false;
	used = atomic_load_explicit(slot, memory_order_acquire); /* pairs with claim(): who locks has joined before */
	return pabal__participant_used(used) && pabal__lock_word(owner, used) == (word & ~(uint64_t)PABAL__LOCK_INHERITED) &&
	       pabal__participant_lives(segment, owner) != 0;
}

int pabal__lock_attempt(pabal_region *region, struct pabal__lock *lock, uint32_t taker, bool courteous)
{
	/* relaxed: a look; the CAS decides */
	uint64_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
	uint32_t patient;

	for (;;) {
		if (pabal__lock_owner(word))
			return PABAL__LOCK_HELD;
		if (word & ~(uint64_t)PABAL__LOCK_INHERITED)
			return -EBADMSG;
		patient = atomic_load_explicit(&lock->patient, memory_order_relaxed); /* alone: a courtesy */
		if (courteous && patient && patient != taker && !PABAL__FAULT(NO_COURTESY))
			return PABAL__LOCK_PROMISED;
		/* acquire: pairs with the release of who held it before */
		if (atomic_compare_exchange_weak_explicit(&lock->word, &word, region->mine | word, memory_order_acquire, memory_order_relaxed))
			return word ? PABAL_INHERITED : 0;
	}
}

int pabal__lock_take_over(pabal_region *region, struct pabal__lock *lock)
{
	uint64_t word = atomic_load_explicit(&lock->word, memory_order_relaxed); /* a look; the CAS decides */
	uint64_t mark = PABAL__FAULT(NO_INHERITANCE) ? 0 : PABAL__LOCK_INHERITED;

	if (word & PABAL__LOCK_SPARE)
		return -EBADMSG;
	if (PABAL__FAULT(NO_TAKEOVER) || pabal__lock_holder_lives(&region->segment, word))
		return PABAL__LOCK_HELD;
	/* acquire: what the dead one wrote before it was found dead is to be seen */
	if (!atomic_compare_exchange_strong_explicit(&lock->word, &word, region->mine | mark, memory_order_acquire, memory_order_relaxed))
		return PABAL__LOCK_HELD;
	atomic_fetch_add_explicit(&region->segment.header->redelivered, 1, memory_order_relaxed); /* statistics */
	return mark ? PABAL_INHERITED : 0;
}

/*
 * The usual case of lock and of unlock is short, and calls nothing but at its end: what a call in the middle would have to come back to costs as much as the rest. So all that is not usual
 * is a function of its own, which begins again from what the caller gave. Both begin a cache line: wherever else the linker puts them they take a cycle or two more, of 22. Measured.
 */
#define LINE_ALIGNED __attribute__((aligned(64)))

/* Why there is no such lock to take or give back; 0: there is. */
static int refuse(const pabal_region *region, uint32_t index, int64_t timeout_ns)
{
	int r = pabal__region_check(region, true, timeout_ns);

	if (r < 0)
		return r;
	return index >= region->lock_count ? pabal__region_no_index(region, index) : 0;
}

/* This thread holds it. relaxed, here and below: only this thread writes what it compares with itself. */
static int hold(const pabal_region *region, uint32_t index)
{
	atomic_store_explicit(&region->holders[index], pabal__thread_draw(), memory_order_relaxed);
	return 0;
}

/* What was not to be had at the first look, or may not be. */
static __attribute__((noinline)) int lock_slowly(pabal_region *region, uint32_t index, int64_t timeout_ns)
{
	int r = refuse(region, index, timeout_ns);

	if (r < 0)
		return r;
	if (pabal__object_ended(&region->segment))
		return pabal__region_say(-ESHUTDOWN);
	/* Without a number this thread holds no lock: the word is never that. */
	if (atomic_load_explicit(&region->holders[index], memory_order_relaxed) == pabal__thread_drawn)
		return pabal__fail_with(-EDEADLK, "this thread holds that lock already: unlock it first");
	r = pabal__lock_wait(region, index, timeout_ns);
	if (r >= 0)
		hold(region, index);
	return r;
}

/* The first lock of this thread: it has no number yet. */
static __attribute__((cold, noinline)) int hold_as_new(const pabal_region *region, uint32_t index)
{
	return hold(region, index);
}

LINE_ALIGNED int pabal_region_lock(pabal_region *region, uint32_t index, int64_t timeout_ns)
{
	struct pabal__lock *lock;
	uint64_t word = 0, me, unusual;

	if (__builtin_expect(!pabal__region_is_fit(region, false, timeout_ns) || index >= region->locks_open, 0))
		return lock_slowly(region, index, timeout_ns);
	lock = region->locks + index;
	/* Both in one branch. relaxed: alone, a courtesy */
	unusual = pabal__object_state(&region->segment) | atomic_load_explicit(&lock->patient, memory_order_relaxed);
	/* acquire: pairs with the release of who held it before; a word that is 0 was left in order */
	if (__builtin_expect(unusual != 0 || !atomic_compare_exchange_strong_explicit(&lock->word, &word, region->mine, memory_order_acquire,
										      memory_order_relaxed),
			     0))
		return lock_slowly(region, index, timeout_ns);
	me = pabal__thread_drawn;
	if (__builtin_expect(me == PABAL__THREAD_UNNUMBERED, 0))
		return hold_as_new(region, index);
	atomic_store_explicit(&region->holders[index], me, memory_order_relaxed);
	return 0;
}

/* Somebody sleeps. The patient one first: the others would only let it pass. Always 0. */
static __attribute__((cold, noinline)) int wake(struct pabal__lock *lock)
{
	uint32_t seen = atomic_load_explicit(&lock->patient_bell, memory_order_relaxed); /* ordered by the sleeper's membarrier */

	if (PABAL__FAULT(NO_UNLOCK_RING))
		return 0;
	if (seen & 1) {
		pabal__bell_ring_armed(&lock->patient_bell, seen, 1);
		if (atomic_load_explicit(&lock->patient, memory_order_relaxed) != 0) /* alone: a courtesy */
			return 0;
	}
	seen = atomic_load_explicit(&lock->bell, memory_order_relaxed); /* the same */
	if (seen & 1)
		pabal__bell_ring_armed(&lock->bell, seen, 1);
	return 0;
}

/* There is none, or it is not this thread's, or not as it left it. */
static __attribute__((cold, noinline)) int not_ours(const pabal_region *region, uint32_t index)
{
	int r = refuse(region, index, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (atomic_load_explicit(&region->holders[index], memory_order_relaxed) != pabal__thread_drawn)
		return pabal__fail_with(-EINVAL, "this thread does not hold that lock: lock it first; who locked it unlocks it");
	atomic_store_explicit(&region->holders[index], 0, memory_order_relaxed);
	return pabal__region_say(-EBADMSG);
}

LINE_ALIGNED int pabal_region_unlock(pabal_region *region, uint32_t index)
{
	struct pabal__lock *lock;
	uint64_t word, unlike;

	if (__builtin_expect(!pabal__region_is_fit(region, false, PABAL_NOWAIT) || index >= region->locks_open, 0))
		return not_ours(region, index);
	lock = region->locks + index;
	word = atomic_load_explicit(&lock->word, memory_order_relaxed); /* ours, if it is ours: nobody changes it while we live */
	unlike = atomic_load_explicit(&region->holders[index], memory_order_relaxed) ^ pabal__thread_drawn;
	unlike |= (word ^ region->mine) & ~(uint64_t)PABAL__LOCK_INHERITED; /* in one branch */
	if (__builtin_expect(unlike != 0, 0))
		return not_ours(region, index);
	atomic_store_explicit(&region->holders[index], 0, memory_order_relaxed);
	/* release: pairs with the acquire of the next holder. Inherited or not, it is in order now. */
	atomic_store_explicit(&lock->word, PABAL__FAULT(KEEP_MARK) ? word & PABAL__LOCK_INHERITED : 0, memory_order_release);
	/* The store may still be in this processor's buffer when the bells are loaded; who sleeps has seen to that by a membarrier. */
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(
		    (atomic_load_explicit(&lock->bell, memory_order_relaxed) | atomic_load_explicit(&lock->patient_bell, memory_order_relaxed)) & 1,
		    0))
		return wake(lock);
	return 0;
}

uint64_t pabal__lock_release_all(struct pabal__segment *segment, uint32_t id, uint64_t participant_word)
{
	uint64_t mine = pabal__lock_word(id, participant_word), count = 0;

	for (uint32_t i = 0; i < segment->shape.locks; i++) {
		struct pabal__lock *lock = pabal__lock_at(segment, i);
		uint64_t word = atomic_load_explicit(&lock->word, memory_order_relaxed); /* a look; the CAS decides */

		if ((word & ~(uint64_t)PABAL__LOCK_INHERITED) != mine || PABAL__FAULT(NO_LOCK_BURIAL))
			continue;
		/* release: what the dead one wrote before our look at its life is passed on; pairs with the next holder's acquire */
		count += atomic_compare_exchange_strong_explicit(&lock->word, &word, PABAL__LOCK_INHERITED, memory_order_acq_rel,
								 memory_order_relaxed);
	}
	return count;
}
