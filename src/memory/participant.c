/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/participant.c - joining, leaving, and asking the kernel who lives.
 */
#include "memory/participant.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "platform/file.h"
#include "platform/fork.h"

enum { PER_PAGE = PABAL__PAGE / sizeof(struct pabal__participant) };

static uint64_t life(uint32_t id)
{
	return (UINT64_C(1) << 40) + id;
}

uint32_t pabal__participants_high(const struct pabal__segment *segment)
{
	/* acquire: pairs with raise_high(), after which the slots up to there have memory */
	uint64_t high = atomic_load_explicit(&segment->header->participants_high, memory_order_acquire);

	return high > PABAL__PARTICIPANTS ? PABAL__PARTICIPANTS : (uint32_t)high;
}

static int raise_high(struct pabal__segment *segment, uint32_t id)
{
	uint64_t high = atomic_load_explicit(&segment->header->participants_high, memory_order_relaxed);
	int r;

	if (id <= high)
		return 0;
	r = pabal__segment_back(segment, PABAL__PARTICIPANTS_AT + (uint64_t)id / PER_PAGE * PABAL__PAGE, PABAL__PAGE);
	if (r < 0)
		return r;
	while (high < id) /* release: pairs with the acquire in pabal__participants_high() */
		if (atomic_compare_exchange_weak_explicit(&segment->header->participants_high, &high, id, memory_order_release, memory_order_relaxed))
			break;
	return 0;
}

static bool claim(const struct pabal__segment *segment, struct pabal__participant *participant)
{
	uint64_t word = atomic_load_explicit(&participant->word, memory_order_acquire); /* pairs with the leaver's release */

	if (pabal__participant_used(word))
		return false;
	/* Relaxed, and before the word says used: nobody reads them for a fact. */
	atomic_store_explicit(&participant->identity, (uint64_t)getpid() << 32 | (uint32_t)getuid(), memory_order_relaxed);
	if (segment->kind->number != PABAL_KIND_REGION) /* there it is another word, which whoever had the slot has cleared */
		atomic_store_explicit(&participant->sent, 0, memory_order_relaxed);
	atomic_store_explicit(&participant->received, 0, memory_order_relaxed);
	atomic_store_explicit(&participant->late_wakes, 0, memory_order_relaxed);
	atomic_store_explicit(&participant->waits_message, 0, memory_order_relaxed);
	atomic_store_explicit(&participant->waits_room, 0, memory_order_relaxed);
	/* acq_rel: pairs with the leaver's release; what we do as @id comes after it */
	return atomic_compare_exchange_strong_explicit(&participant->word, &word, word | 1, memory_order_acq_rel, memory_order_relaxed);
}

/* 0: ours; -EAGAIN: somebody else's; other errors end the search. */
static int try_slot(struct pabal__segment *segment, const struct pabal__directory *directory, uint32_t id, void **ret_hold)
{
	struct pabal__participant *participant = pabal__participant_at(segment, id);
	void *hold = NULL;
	int r;

	r = raise_high(segment, id);
	if (r < 0)
		return r;
	if (pabal__participant_used(atomic_load_explicit(&participant->word, memory_order_relaxed))) /* a look; claim() decides */
		return -EAGAIN;
	pabal__fork_guard();
	r = pabal__file_hold(directory->fd, segment->name, segment->fd, life(id), &hold);
	pabal__fork_unguard();
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return pabal__fail(r, "cannot lock a participant slot of '%s': %s", segment->name, strerror(-r));
	if (!claim(segment, participant)) {
		pabal__file_let_go(hold);
		return -EAGAIN;
	}
	*ret_hold = hold;
	return 0;
}

int pabal__participant_join(struct pabal__segment *segment, const struct pabal__directory *directory, uint32_t *ret_id, void **ret_hold)
{
	for (uint32_t id = 1; id <= PABAL__PARTICIPANTS; id++) {
		int r = try_slot(segment, directory, id, ret_hold);

		if (r == 0)
			*ret_id = id;
		if (r != -EAGAIN)
			return r;
	}
	return pabal__fail(-EUSERS, "all %d participant slots of '%s' are taken: close handles that are not needed", PABAL__PARTICIPANTS,
			   segment->name);
}

void pabal__participant_leave(struct pabal__segment *segment, uint32_t id, void *hold)
{
	struct pabal__participant *participant = pabal__participant_at(segment, id);
	uint64_t word = atomic_load_explicit(&participant->word, memory_order_relaxed); /* ours alone while we live */

	/* release: pairs with the acquire in claim(): all that we gave back is given back before the slot is */
	atomic_store_explicit(&participant->word, ((word >> 32) + 1) << 32, memory_order_release);
	pabal__file_let_go(hold);
}

int pabal__participant_lives(struct pabal__segment *segment, uint32_t id)
{
	int fd = pabal__segment_fd(segment);

	return fd < 0 ? fd : pabal__file_is_held(fd, life(id));
}
