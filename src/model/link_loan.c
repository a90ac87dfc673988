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
#include "model/link_large.h"

/* What a loan keeps in its reserved words. */
enum { LOAN_MARK, LOAN_HANDLE };

struct loan {
	struct pabal__link_send send; /* of one that is to be committed */
	struct pabal_loan *loan;
};

/* A small one in private memory, since there is no room in the ring, or another loan lies there. */
static int loan_private(struct pabal__link_sending *sending, struct pabal_loan *ret_loan)
{
	struct pabal__slot *slot = pabal__slots_take(&sending->loans);

	if (!slot)
		return -ENOMEM;
	ret_loan->data = slot->data;
	ret_loan->reserved[LOAN_MARK] = slot->mark;
	return 0;
}

/* Its loan is done. */
static inline void give_back(struct pabal__link_sending *sending, struct pabal__slot *slot)
{
	slot->state = PABAL__SLOT_PLAIN;
	pabal__slots_give(&sending->loans, slot);
}

/* The next cells of the ring, for which there is room. */
static inline void lend_next(struct pabal__link_sending *sending, uint64_t cells, struct pabal_loan *ret_loan)
{
	uint32_t mark = pabal__ring_loan_mark(sending->ring_loan) + 1;

	sending->ring_loan = pabal__ring_loan_pack(mark, cells, PABAL__RING_LOAN_NEXT);
	ret_loan->data = pabal__writer_content(&sending->writer);
	ret_loan->reserved[LOAN_MARK] = (uint64_t)mark << 32 | PABAL__SLOT_NONE;
}

/* A small one. Never waits. */
static inline int loan_small(struct pabal_link *link, size_t size, struct pabal_loan *ret_loan)
{
	struct pabal__link_sending *sending = &link->sending;
	uint64_t cells = pabal__stream_cells(size);

	if (__builtin_expect(pabal__ring_loan_state(sending->ring_loan) != PABAL__RING_LOAN_NONE || pabal__writer_room(&sending->writer, cells) <= 0,
			     0))
		return loan_private(sending, ret_loan);
	lend_next(sending, cells, ret_loan);
	return 0;
}

static inline void lend_block(struct pabal_link *link, uint32_t node, struct pabal__slot *slot, struct pabal_loan *ret_loan)
{
	slot->state = PABAL__SLOT_BLOCK;
	slot->node = node;
	ret_loan->data = link->mine->arena + pabal__arena_node_at(&link->sending.arena, node)->offset;
	ret_loan->reserved[LOAN_MARK] = slot->mark;
}

/* A block of the arena is lent out. Under the lock. */
static inline int lend(struct pabal_link *link, uint32_t node, struct pabal_loan *ret_loan)
{
	struct pabal__link_sending *sending = &link->sending;
	struct pabal__slot *slot = pabal__slots_take(&sending->loans);

	if (__builtin_expect(!slot, 0)) {
		pabal__link_free_memory(link, node);
		return -ENOMEM;
	}
	lend_block(link, node, slot, ret_loan);
	return 0;
}

static int loan_large(struct pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	struct pabal__link_send send = { .link = link, .size = size, .node = PABAL__ARENA_NONE, .only_memory = true };
	int r = pabal__link_send_message(&send, timeout_ns);
	bool entered;

	if (r < 0)
		return r;
	entered = pabal__link_enter(link, &link->sending.lock);
	r = lend(link, send.node, ret_loan);
	pabal__link_leave(&link->sending.lock, entered);
	return r;
}

/* The usual case, short: a small loan, or a block just as large came back. Under the lock. PABAL__DOORBELL_WAIT: do it the long way. */
static inline int loan_plain(struct pabal_link *link, size_t size, struct pabal_loan *ret_loan)
{
	int r = pabal__link_end(link);
	uint32_t node;

	if (__builtin_expect(r < 0, 0))
		return r;
	if (size <= PABAL__STREAM_INLINE_MAX)
		return loan_small(link, size, ret_loan);
	node = pabal__arena_take_kept(&link->sending.arena, size);
	return node == PABAL__ARENA_NONE ? PABAL__DOORBELL_WAIT : lend(link, node, ret_loan);
}

/* What is asked for makes sense. */
static PABAL__LONG_WAY int loan_any(pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	bool entered = pabal__link_enter(link, &link->sending.lock);
	int r = loan_plain(link, size, ret_loan);

	pabal__link_leave(&link->sending.lock, entered);
	if (__builtin_expect(r > 0, 0))
		r = loan_large(link, size, ret_loan, timeout_ns);
	if (__builtin_expect(r < 0, 0))
		return pabal__link_say(r, PABAL__DOORBELL_ROOM);
	ret_loan->size = size;
	ret_loan->reserved[LOAN_HANDLE] = (uintptr_t)link;
	return 0;
}

/* The usual case of a large one, nearly as short: the block that came back last is just as large. */
static PABAL__LONG_WAY int loan_kept(pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	struct pabal__link_sending *sending = &link->sending;
	struct pabal__slot *slot;
	uint32_t node;

	if (__builtin_expect(pabal__link_end(link) || !pabal__slots_has_first(&sending->loans), 0))
		return loan_any(link, size, ret_loan, timeout_ns);
	node = pabal__arena_take_kept(&sending->arena, size);
	if (__builtin_expect(node == PABAL__ARENA_NONE, 0))
		return loan_any(link, size, ret_loan, timeout_ns);
	slot = pabal__slots_take_first(&sending->loans);
	lend_block(link, node, slot, ret_loan);
	ret_loan->size = size;
	ret_loan->reserved[LOAN_HANDLE] = (uintptr_t)link;
	return 0;
}

static PABAL__LONG_WAY int loan_checked(pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (!ret_loan)
		return pabal__fail_with(-EINVAL, "ret_loan is NULL: it receives the loan");
	if (size > link->mine_max)
		return pabal__fail(-EMSGSIZE, "the loan has %zu bytes, this side of the link can send %llu: announce with a larger memory_max", size,
				   (unsigned long long)link->mine_max);
	return loan_any(link, size, ret_loan, timeout_ns);
}

int pabal_link_loan(pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	uint64_t cells = pabal__stream_cells(size);

	if (__builtin_expect(!(pabal__link_is_fit(link, timeout_ns) && pabal__link_alone(link) && ret_loan && size <= link->mine_max), 0))
		return loan_checked(link, size, ret_loan, timeout_ns);
	if (size > PABAL__STREAM_INLINE_MAX)
		return loan_kept(link, size, ret_loan, timeout_ns);
	if (__builtin_expect(pabal__link_end(link) || !pabal__link_has_cells(link, cells), 0))
		return loan_any(link, size, ret_loan, timeout_ns);
	lend_next(&link->sending, cells, ret_loan);
	ret_loan->size = size;
	ret_loan->reserved[LOAN_HANDLE] = (uintptr_t)link;
	return 0;
}

/* Is it the loan that lies in the ring, which is in this state? Under the lock. */
static inline bool is_lent(const struct pabal_link *link, const struct pabal_loan *loan, enum pabal__ring_loan state)
{
	uint64_t out = link->sending.ring_loan;

	return loan && loan->reserved[LOAN_HANDLE] == (uintptr_t)link &&
	       loan->reserved[LOAN_MARK] == ((uint64_t)pabal__ring_loan_mark(out) << 32 | PABAL__SLOT_NONE) && pabal__ring_loan_state(out) == state;
}

static inline bool is_in_ring(const struct pabal_link *link, const struct pabal_loan *loan)
{
	return is_lent(link, loan, PABAL__RING_LOAN_NEXT) || is_lent(link, loan, PABAL__RING_LOAN_GAP);
}

/* The place of any other loan of this handle that is not done yet; under the lock. */
static inline struct pabal__slot *find(const struct pabal_link *link, const struct pabal_loan *loan)
{
	if (!loan || loan->reserved[LOAN_HANDLE] != (uintptr_t)link)
		return NULL;
	return pabal__slots_find(&link->sending.loans, loan->reserved[LOAN_MARK]);
}

/* Forget what it was, so that it is not committed twice. */
static inline void forget(struct pabal_loan *loan)
{
	loan->data = NULL;
	loan->size = 0;
	loan->reserved[LOAN_MARK] = loan->reserved[LOAN_HANDLE] = 0;
}

/* The loan that lay in the ring is done. */
static void leave_ring(struct pabal_link *link)
{
	struct pabal__link_sending *sending = &link->sending;

	if (pabal__ring_loan_state(sending->ring_loan) == PABAL__RING_LOAN_GAP)
		pabal__writer_close_gap(&sending->writer);
	sending->ring_loan = pabal__ring_loan_become(sending->ring_loan, PABAL__RING_LOAN_NONE);
	pabal__writer_unready(&sending->writer); /* it was written to */
	pabal__doorbell_room(&link->bell);       /* messages had to be laid around it */
}

/* The commit of a loan that lies at the next position. 0 */
static inline PABAL__SHORT_WAY int publish_lent(struct pabal_link *link, size_t size, enum pabal__link_layout layout)
{
	struct pabal__spot spot = pabal__link_spot(link, size, layout);

	pabal__spot_settle(&spot);
	return pabal__link_publish(link, &spot, PABAL__STREAM_DATA);
}

/* Overtaken, perhaps since the last attempt: then it is copied. */
static int try_commit_in_ring(struct loan *commit, bool *entered)
{
	struct pabal_link *link = commit->send.link;
	int r;

	commit->send.node = PABAL__ARENA_NONE;
	if (pabal__ring_loan_state(link->sending.ring_loan) == PABAL__RING_LOAN_GAP) {
		r = pabal__link_try_send(&commit->send, entered);
	} else {
		r = pabal__link_check_peer(link);
		if (r == 0)
			publish_lent(link, commit->send.size, pabal__link_layout(link));
	}
	if (r == 0)
		leave_ring(link);
	return r;
}

static int try_commit(struct loan *commit, bool *entered)
{
	struct pabal_link *link = commit->send.link;
	struct pabal__slot *slot;
	int r;

	commit->send.data = commit->loan->data;
	if (is_in_ring(link, commit->loan))
		return try_commit_in_ring(commit, entered);
	slot = find(link, commit->loan);
	if (!slot)
		return -EINVAL;
	commit->send.node = slot->state == PABAL__SLOT_BLOCK ? slot->node : PABAL__ARENA_NONE;
	r = pabal__link_try_send(&commit->send, entered);
	if (r == 0)
		give_back(&link->sending, slot);
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

static int commit_or_wait(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	struct loan commit = { .send = { .link = link, .size = size, .filled = true }, .loan = loan };
	int r = attempt_commit(&commit);

	if (r > 0)
		r = pabal__link_wait(link, attempt_commit, &commit, PABAL__DOORBELL_ROOM, timeout_ns);
	if (r == 0)
		forget(loan);
	if (r == -EINVAL)
		return pabal__fail_with(r, "this is no loan of this link: it was committed or cancelled already, or is another's");
	return r < 0 ? pabal__link_say(r, PABAL__DOORBELL_ROOM) : 0;
}

/* A large loan, and room for its entry, which lies where no loan does. Under the lock, the peer lives. */
static inline bool commit_large(struct pabal_link *link, struct pabal_loan *loan, size_t size)
{
	static const struct pabal__stream_extra nothing;
	struct pabal__link_sending *sending = &link->sending;
	struct pabal__slot *slot = find(link, loan);
	struct pabal__spot spot;

	if (!slot || slot->state != PABAL__SLOT_BLOCK || pabal__ring_loan_state(sending->ring_loan) == PABAL__RING_LOAN_NEXT ||
	    pabal__writer_room(&sending->writer, pabal__stream_cells(PABAL__LINK_ENTRY)) <= 0)
		return false;
	spot = pabal__link_spot(link, PABAL__LINK_ENTRY, pabal__link_layout(link));
	pabal__spot_begin(&spot);
	pabal__link_publish_large(link, slot->node, size, &nothing, &spot, false);
	give_back(sending, slot);
	forget(loan);
	pabal__link_sent_large(link, size, spot.alone);
	return true;
}

/* The usual case, short: does the loan lie in the ring, and the peer live? Under the lock. false: do it the long way. */
static inline PABAL__SHORT_WAY bool is_plain(const struct pabal_link *link, const struct pabal_loan *loan)
{
	return __builtin_expect(is_lent(link, loan, PABAL__RING_LOAN_NEXT) && pabal__link_may_commit(link), 1);
}

/* Its commit. 0 */
static inline PABAL__SHORT_WAY int commit_plain(struct pabal_link *link, struct pabal_loan *loan, size_t size, enum pabal__link_layout layout)
{
	struct pabal__link_sending *sending = &link->sending;

	sending->ring_loan = pabal__ring_loan_become(sending->ring_loan, PABAL__RING_LOAN_NONE);
	forget(loan);
	return publish_lent(link, size, layout);
}

/* What is asked for makes sense. Other threads may send as well, or the message lies apart, or something is not as usual. */
static PABAL__LONG_WAY int commit_any(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	bool entered = pabal__link_enter(link, &link->sending.lock), done;

	if (is_in_ring(link, loan)) {
		done = is_plain(link, loan);
		if (done)
			commit_plain(link, loan, size, pabal__link_layout(link));
	} else {
		done = pabal__link_check_peer(link) == 0 && commit_large(link, loan, size);
	}
	pabal__link_leave(&link->sending.lock, entered);
	return done ? 0 : commit_or_wait(link, loan, size, timeout_ns);
}

/* A large loan that is not done yet, or NULL. */
static inline struct pabal__slot *find_large(const struct pabal_link *link, const struct pabal_loan *loan)
{
	struct pabal__slot *slot = find(link, loan);

	return __builtin_expect(slot && slot->state == PABAL__SLOT_BLOCK, 1) ? slot : NULL;
}

/* Its commit, nearly as short as that of a small one. 0 */
static inline PABAL__SHORT_WAY int commit_block(struct pabal_link *link, struct pabal__slot *slot, struct pabal_loan *loan, size_t size,
						const struct pabal__spot *spot, bool described)
{
	static const struct pabal__stream_extra nothing;
	bool alone = spot->alone;

	pabal__link_publish_large(link, slot->node, size, &nothing, spot, described);
	give_back(&link->sending, slot);
	forget(loan);
	return pabal__link_sent_large(link, size, alone);
}

/* No other thread sends. */
static PABAL__LONG_WAY int commit_large_alone(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	struct pabal__slot *slot = find_large(link, loan);
	struct pabal__spot spot;

	if (__builtin_expect(!slot || !pabal__link_may_commit(link) || !pabal__link_find_spot(link, PABAL__LINK_ENTRY, PABAL__LINK_DENSE, &spot), 0))
		return commit_any(link, loan, size, timeout_ns);
	pabal__spot_begin(&spot);
	return commit_block(link, slot, loan, size, &spot, false);
}

static PABAL__LONG_WAY int commit_large_answer(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	struct pabal__slot *slot = find_large(link, loan);
	const struct pabal__spot *spot = pabal__link_ready(link, PABAL__LINK_ENTRY);

	if (__builtin_expect(!slot || !spot || pabal__ring_loan_state(link->sending.ring_loan) != PABAL__RING_LOAN_NONE, 0))
		return commit_any(link, loan, size, timeout_ns);
	return commit_block(link, slot, loan, size, spot, pabal__link_is_described(link, slot->node, size));
}

/* Of who asks and answers, and is patient. */
static PABAL__LONG_WAY int commit_answer(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	struct pabal__link_sending *sending = &link->sending;
	const struct pabal__spot *spot = pabal__link_ready(link, size);

	/* Of a part of a loan the rest was written perhaps, over what had been looked at. */
	if (__builtin_expect(!spot || (size != loan->size && !PABAL__FAULT(STALE_READY)) || !is_lent(link, loan, PABAL__RING_LOAN_NEXT), 0))
		return commit_any(link, loan, size, timeout_ns);
	pabal__writer_commit(&sending->writer, spot, PABAL__STREAM_DATA);
	sending->ring_loan = pabal__ring_loan_become(sending->ring_loan, PABAL__RING_LOAN_NONE);
	forget(loan);
	return pabal__link_answered(link, size);
}

static PABAL__LONG_WAY int commit_checked(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (!loan)
		return pabal__fail_with(-EINVAL, "loan is NULL: it is what pabal_link_loan() filled in");
	if (size > loan->size)
		return pabal__fail(-EINVAL, "the message has %zu bytes but the loan %zu: ask for a larger loan", size, loan->size);
	return commit_any(link, loan, size, timeout_ns);
}

int pabal_link_commit(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	if (__builtin_expect(!(pabal__link_is_fit(link, timeout_ns) && pabal__link_alone(link) && loan && size <= loan->size), 0))
		return commit_checked(link, loan, size, timeout_ns);
	if (pabal__link_goes_apart(link))
		return loan->size > PABAL__STREAM_INLINE_MAX ? commit_large_answer(link, loan, size, timeout_ns)
							     : commit_answer(link, loan, size, timeout_ns);
	return is_plain(link, loan) ? commit_plain(link, loan, size, PABAL__LINK_DENSE) : commit_large_alone(link, loan, size, timeout_ns);
}

/* Under the lock. false: there is no such loan. */
static bool cancel(struct pabal_link *link, const struct pabal_loan *loan)
{
	struct pabal__slot *slot;

	if (is_in_ring(link, loan)) {
		leave_ring(link);
		return true;
	}
	slot = find(link, loan);
	if (!slot)
		return false;
	if (slot->state == PABAL__SLOT_BLOCK)
		pabal__link_free_memory(link, slot->node);
	give_back(&link->sending, slot);
	return true;
}

int pabal_link_cancel(pabal_link *link, struct pabal_loan *loan)
{
	bool entered, found;
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	entered = pabal__link_enter(link, &link->sending.lock);
	found = cancel(link, loan);
	pabal__link_leave(&link->sending.lock, entered);
	if (!found || !loan)
		return pabal__fail_with(-EINVAL, "this is no loan of this link: it was committed or cancelled already, or is another's");
	forget(loan);
	return 0;
}
