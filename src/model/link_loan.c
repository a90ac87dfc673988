/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_loan.c - loan, commit and cancel: messages that are written in place.
 *
 * Large loans lie in the arena, where the reader will read them. The first small one lies in the ring, right where its message will be: a commit then is one store. If another message overtakes it
 * the ring goes on behind it, and it is copied at its commit, as are small loans beside it, which lie in private memory. A process killed with loans out leaves nothing that the peer
 * could see.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/link.h"

/* What a loan keeps in its reserved words. */
enum { LOAN_MARK, LOAN_HANDLE };

struct loan {
	struct pabal__link_send send; /* of one that is to be committed */
	struct pabal_loan *loan;
	size_t size;
};

/* A small one. Never waits: what finds no room in the ring lies in private memory. */
static inline int loan_small(struct pabal_link *link, size_t size, struct pabal_loan *ret_loan)
{
	struct pabal__link_sending *sending = &link->sending;
	struct pabal__slot *slot = pabal__slots_take(&sending->loans);
	uint64_t cells = pabal__stream_cells(size);

	if (__builtin_expect(!slot, 0))
		return -ENOMEM;
	if (__builtin_expect((sending->ring_loan & sending->gap_loan) == PABAL__SLOT_NONE, 1) && pabal__writer_room(&sending->writer, cells) > 0) {
		slot->state = PABAL__SLOT_RING;
		sending->ring_loan = slot->number;
		sending->loan_cells = cells;
		ret_loan->data = pabal__writer_content(&sending->writer);
	} else {
		slot->state = PABAL__SLOT_PRIVATE;
		ret_loan->data = slot->data;
	}
	ret_loan->reserved[LOAN_MARK] = pabal__slot_mark(slot);
	return 0;
}

static int loan_large(struct pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	struct pabal__link_send send = { .link = link, .size = size, .node = PABAL__ARENA_NONE, .only_memory = true };
	struct pabal__link_sending *sending = &link->sending;
	int r = pabal__link_send_message(&send, timeout_ns);
	struct pabal__slot *slot;
	bool entered;

	if (r < 0)
		return r;
	entered = pabal__link_enter(link, &sending->lock);
	slot = pabal__slots_take(&sending->loans);
	if (slot) {
		slot->state = PABAL__SLOT_ARENA;
		slot->node = send.node;
		ret_loan->data = link->mine->arena + sending->arena.books->nodes[send.node].offset;
		ret_loan->reserved[LOAN_MARK] = pabal__slot_mark(slot);
	} else {
		pabal__arena_free(&sending->arena, send.node);
	}
	pabal__link_leave(&sending->lock, entered);
	return slot ? 0 : -ENOMEM;
}

int pabal_link_loan(pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	bool entered;
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (!ret_loan)
		return pabal__fail_with(-EINVAL, "ret_loan is NULL: it receives the loan");
	if (size > link->mine_max)
		return pabal__fail(-EMSGSIZE, "the loan has %zu bytes, this side of the link can send %llu: announce with a larger memory_max", size,
				   (unsigned long long)link->mine_max);
	if (__builtin_expect(size <= PABAL__STREAM_INLINE_MAX, 1)) {
		entered = pabal__link_enter(link, &link->sending.lock);
		r = pabal__link_broken(link) ? -EBADMSG : pabal__doorbell_end(&link->bell);
		if (__builtin_expect(r == 0, 1))
			r = loan_small(link, size, ret_loan);
		pabal__link_leave(&link->sending.lock, entered);
	} else {
		r = loan_large(link, size, ret_loan, timeout_ns);
	}
	if (r < 0)
		return pabal__link_say(r);
	ret_loan->size = size;
	ret_loan->reserved[LOAN_HANDLE] = (uintptr_t)link;
	return 0;
}

/* The place of a loan of this handle that is not done yet; under the lock. */
static inline struct pabal__slot *find(const struct pabal_link *link, const struct pabal_loan *loan)
{
	if (__builtin_expect(!loan || loan->reserved[LOAN_HANDLE] != (uintptr_t)link, 0))
		return NULL;
	return pabal__slots_find(&link->sending.loans, loan->reserved[LOAN_MARK]);
}

/* The ring, or nobody, has the loan's memory now. */
static void forget(struct pabal__link_sending *sending, struct pabal__slot *slot)
{
	if (slot->state == PABAL__SLOT_RING)
		sending->ring_loan = PABAL__SLOT_NONE;
	if (slot->state == PABAL__SLOT_GAP) {
		sending->gap_loan = PABAL__SLOT_NONE;
		pabal__writer_close_gap(&sending->writer);
	}
	pabal__slots_give(&sending->loans, slot);
}

/* Where the loan lies decides what is left to do. That it was overtaken may have happened since the last attempt. */
static inline int try_commit(struct loan *commit, bool *entered)
{
	struct pabal_link *link = commit->send.link;
	struct pabal__slot *slot = find(link, commit->loan);
	int r;

	if (__builtin_expect(!slot, 0))
		return -EINVAL;
	commit->send.data = commit->loan->data;
	commit->send.node = slot->state == PABAL__SLOT_ARENA ? slot->node : PABAL__ARENA_NONE;
	r = slot->state == PABAL__SLOT_RING ? pabal__link_try_publish(link, commit->size) : pabal__link_try_send(&commit->send, entered);
	if (__builtin_expect(r == 0, 1))
		forget(&link->sending, slot);
	return r;
}

static int attempt_commit(void *object)
{
	struct loan *commit = object;
	struct pabal__link_sending *sending = &commit->send.link->sending;
	bool entered = pabal__link_enter(commit->send.link, &sending->lock);
	int r = try_commit(commit, &entered);

	pabal__link_leave(&sending->lock, entered);
	return r;
}

int pabal_link_commit(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	struct loan commit = { .send = { .link = link, .size = size, .filled = true }, .loan = loan, .size = size };
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (loan && size > loan->size)
		return pabal__fail(-EINVAL, "the message has %zu bytes but the loan %zu: ask for a larger loan", size, loan->size);
	r = attempt_commit(&commit);
	if (__builtin_expect(r > 0, 0))
		r = pabal__link_wait(link, attempt_commit, &commit, PABAL__DOORBELL_ROOM, timeout_ns);
	if (__builtin_expect(r < 0, 0))
		return r == -EINVAL ? pabal__fail_with(r, "this is no loan of this link: it was committed or cancelled already, or is another's")
				    : pabal__link_say(r);
	memset(loan, 0, sizeof *loan);
	return 0;
}

int pabal_link_cancel(pabal_link *link, struct pabal_loan *loan)
{
	struct pabal__slot *slot;
	bool entered;
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	entered = pabal__link_enter(link, &link->sending.lock);
	slot = find(link, loan);
	if (slot && slot->state == PABAL__SLOT_ARENA)
		pabal__arena_free(&link->sending.arena, slot->node);
	if (slot)
		forget(&link->sending, slot);
	pabal__link_leave(&link->sending.lock, entered);
	if (!slot)
		return pabal__fail_with(-EINVAL, "this is no loan of this link: it was committed or cancelled already, or is another's");
	if (pabal__doorbell_has_sleepers(&link->bell)) /* other threads may wait for memory, or for the ring */
		pabal__doorbell_kick(&link->bell);
	memset(loan, 0, sizeof *loan);
	return 0;
}
