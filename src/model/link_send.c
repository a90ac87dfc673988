/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_send.c - send and send_with, and the commit that every message goes through.
 *
 * A small message is copied into the ring, behind the header that is stored last: that store is the commit. A large one is copied into the arena, and a small entry into the ring says where it
 * lies. Killed before the store: nobody sees anything. Killed after it: the message is there whole, and the peer is woken by the kernel, which tells it of our death.
 *
 * Before the commit it is made sure that the peer lives: a send to a dead peer must not say that it went.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "model/link.h"
#include "model/link_copy.h"
#include "model/link_large.h"
#include "model/link_fds.h"
#include "platform/file.h"

enum {
	FILL_LOCKED_MAX = 4096,   /* a larger message is copied in without the handle's lock, as in a mailbox */
	BACK_STEP = 256 << 10,    /* bytes of the arena that get real memory at once, so that this is no system call a message; a guess */
	RECLAIM_AFTER_COMMIT = 4, /* large messages looked at after a commit, when nobody waits for us; a guess */
};

int pabal__link_check_peer(struct pabal_link *link)
{
	struct pabal__link_sending *sending = &link->sending;
	bool believe = sending->ask_at > pabal__writer_sequence(&sending->writer);
	int r = pabal__link_end(link);

	if (__builtin_expect(r != 0, 0))
		return r;
	if (__builtin_expect(!pabal__doorbell_lives(&link->bell, &sending->life, believe), 0))
		return pabal__doorbell_end(&link->bell);
	if (!believe)
		sending->ask_at = pabal__writer_sequence(&sending->writer) + PABAL__LIFE_BELIEVED_MAX;
	return 0;
}

static inline bool has_extra(const struct pabal__link_send *send)
{
	return send->extra.tag || send->extra.fd_count || send->extra.what != PABAL__MESSAGE_PLAIN;
}

/* The descriptors go first, so that they are there when the message is. */
static int send_fds(struct pabal__link_send *send)
{
	struct pabal_link *link = send->link;
	int r = pabal__link_fds_send(link->fds_out, link->sending.fd_lots + 1, send->fds, send->extra.fd_count);

	if (r == 0)
		link->sending.fd_lots++;
	if (r == -EPIPE)
		return pabal__link_channel_end(link);
	return r == 1 ? PABAL__DOORBELL_WAIT : r > 1 ? PABAL__DOORBELL_WAIT_UNRUNG : r;
}

/* Is there room in the ring, behind a loan that lies at the next position, if there is one? */
static inline int room(struct pabal__link_sending *sending, uint64_t cells)
{
	if (__builtin_expect(pabal__ring_loan_state(sending->ring_loan) == PABAL__RING_LOAN_NEXT, 0))
		return pabal__writer_room_behind(&sending->writer, pabal__ring_loan_cells(sending->ring_loan), cells);
	return pabal__writer_room(&sending->writer, cells);
}

/* A loan lies where the next message must go: it comes later. */
static void overtake(struct pabal__link_sending *sending)
{
	sending->ring_loan = pabal__ring_loan_become(sending->ring_loan, PABAL__RING_LOAN_GAP);
	pabal__writer_overtake(&sending->writer, pabal__ring_loan_cells(sending->ring_loan));
}

/*
 * Room in the ring, nothing of it on loan, and the descriptors on their way: what comes next cannot fail. A loan is overtaken last: a message that does not go must leave no skip
 * behind, or those who try again and again would fill the ring with skips.
 */
static inline int make_ready(struct pabal__link_send *send, uint64_t length)
{
	struct pabal__link_sending *sending = &send->link->sending;
	int r = room(sending, pabal__stream_cells(length));

	if (__builtin_expect(r <= 0, 0))
		return r < 0 ? pabal__link_break(send->link) : PABAL__DOORBELL_WAIT;
	r = __builtin_expect(send->extra.fd_count != 0, 0) && !PABAL__FAULT(FDS_LATE) ? send_fds(send) : 0;
	if (__builtin_expect(r == 0 && pabal__ring_loan_state(sending->ring_loan) == PABAL__RING_LOAN_NEXT, 0))
		overtake(sending);
	return r;
}

static inline int try_small(struct pabal__link_send *send)
{
	bool extra = has_extra(send);
	uint64_t length = send->size + (extra ? sizeof send->extra : 0);
	int r = make_ready(send, length);
	struct pabal__spot spot;
	unsigned char *content;

	if (__builtin_expect(r != 0, 0))
		return r;
	spot = pabal__link_spot(send->link, length, pabal__link_layout(send->link));
	content = pabal__spot_begin(&spot);
	if (PABAL__FAULT(COMMIT_BEFORE_FILL) && !extra) {
		pabal__link_publish(send->link, &spot, PABAL__STREAM_DATA);
		pabal__copy_in(content, send->data, send->size);
		return 0;
	}
	if (extra) {
		pabal__copy_in(content + sizeof send->extra, send->data, send->size);
		memcpy(content, &send->extra, sizeof send->extra);
	} else {
		pabal__copy_in(content, send->data, send->size);
	}
	pabal__link_publish(send->link, &spot, extra ? PABAL__STREAM_EXTRA : PABAL__STREAM_DATA);
	return send->extra.fd_count && PABAL__FAULT(FDS_LATE) ? send_fds(send) : 0;
}

/* Real memory behind the first @size bytes of the arena. */
static int back(struct pabal_link *link, uint64_t size)
{
	struct pabal__link_sending *sending = &link->sending;
	uint64_t step = size - sending->backed < BACK_STEP ? BACK_STEP : size - sending->backed;
	int r;

	if (size <= sending->backed)
		return 0;
	if (step > sending->arena.size - sending->backed)
		step = sending->arena.size - sending->backed;
	r = pabal__file_back(link->memory, sizeof(struct pabal__half) + sending->backed, step);
	if (r == 0)
		sending->backed += step;
	return r;
}

int pabal__link_try_memory(struct pabal__link_send *send)
{
	struct pabal_link *link = send->link;
	struct pabal__arena *arena = &link->sending.arena;
	uint32_t node;
	int r = pabal__link_end(link);

	if (r == 0)
		r = pabal__arena_allocate(arena, send->size ? send->size : 1, &node);
	if (r == -EBADMSG)
		return pabal__link_break(link);
	if (r > 0) {
		link->sending.memory_refused = true;
		return PABAL__DOORBELL_WAIT;
	}
	if (r)
		return r;
	r = back(link, arena->books->nodes[node].offset + arena->books->nodes[node].size);
	if (r < 0) {
		pabal__arena_free(arena, node);
		return r;
	}
	send->node = node;
	return 0;
}

/* The message's bytes into its block. The block is ours: other threads may send meanwhile. */
static void fill(struct pabal__link_send *send, bool *entered)
{
	struct pabal__link_sending *sending = &send->link->sending;
	unsigned char *to = send->link->mine->arena + sending->arena.books->nodes[send->node].offset;

	if (send->size > FILL_LOCKED_MAX) {
		pabal__link_leave(&sending->lock, *entered);
		memcpy(to, send->data, send->size);
		*entered = pabal__link_enter(send->link, &sending->lock);
	} else if (send->size) {
		memcpy(to, send->data, send->size);
	}
	send->filled = true;
}

PABAL__LONG_WAY int pabal__link_answered(struct pabal_link *link, uint64_t length)
{
	link->sending.answered = pabal__reader_sequence(&link->receiving.reader);
	link->sending.arena.described = PABAL__ARENA_NONE; /* it was of the spot before */
	pabal__writer_prepare(&link->sending.writer, length);
	return pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_MESSAGE);
}

int pabal__link_sent_large(struct pabal_link *link, uint64_t size, bool alone)
{
	if (alone) {
		pabal__link_answered(link, PABAL__LINK_ENTRY);
	} else {
		pabal__writer_own(&link->sending.writer);
		pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_MESSAGE);
	}
	if (pabal__arena_reclaim_some(&link->sending.arena, RECLAIM_AFTER_COMMIT) < 0)
		pabal__link_break(link); /* the message went; the next call says so */
	/* relaxed: a hint, and for once: some day the number of that use comes again */
	atomic_store_explicit(&link->sending.arena.told, 0, memory_order_relaxed);
	if (alone) {
		pabal__link_describe_next(link, size);
		pabal__arena_own_kept(&link->sending.arena, link->mine);
	}
	return 0;
}

static int try_large(struct pabal__link_send *send, bool *entered)
{
	int r = send->node == PABAL__ARENA_NONE ? pabal__link_try_memory(send) : 0;
	struct pabal__spot spot;

	if (r)
		return r;
	if (!send->filled && !PABAL__FAULT(COMMIT_BEFORE_FILL))
		fill(send, entered);
	r = make_ready(send, PABAL__LINK_ENTRY);
	if (r)
		return r;
	spot = pabal__link_spot(send->link, PABAL__LINK_ENTRY, pabal__link_layout(send->link));
	pabal__spot_begin(&spot);
	pabal__link_publish_large(send->link, send->node, send->size, &send->extra, &spot, false);
	if (PABAL__FAULT(COMMIT_BEFORE_FILL))
		fill(send, entered);
	return pabal__link_sent_large(send->link, send->size, spot.alone);
}

int pabal__link_try_send(struct pabal__link_send *send, bool *entered)
{
	int r = pabal__link_check_peer(send->link);

	if (__builtin_expect(r != 0, 0))
		return r;
	if (__builtin_expect(send->size <= PABAL__STREAM_INLINE_MAX && send->node == PABAL__ARENA_NONE, 1))
		return try_small(send);
	return try_large(send, entered);
}

static inline int attempt(void *object)
{
	struct pabal__link_send *send = object;
	bool entered = pabal__link_enter(send->link, &send->link->sending.lock);
	int r = send->only_memory ? pabal__link_try_memory(send) : pabal__link_try_send(send, &entered);

	pabal__link_leave(&send->link->sending.lock, entered);
	return r;
}

/*
 * Only if somebody was refused: who finds the ring full, gives his memory back and then waits by the descriptor, would else be told at once, and again and again.
 */
void pabal__link_free_memory(struct pabal_link *link, uint32_t node)
{
	struct pabal__link_sending *sending = &link->sending;

	pabal__arena_free(&sending->arena, node);
	if (sending->memory_refused)
		pabal__doorbell_room(&link->bell);
	sending->memory_refused = false;
}

/* What was allocated for a message that did not go. */
static void give_back(const struct pabal__link_send *send)
{
	bool entered = pabal__link_enter(send->link, &send->link->sending.lock);

	pabal__link_free_memory(send->link, send->node);
	pabal__link_leave(&send->link->sending.lock, entered);
}

int pabal__link_send_message(struct pabal__link_send *send, int64_t timeout_ns)
{
	int r = attempt(send);

	if (__builtin_expect(r > 0, 0))
		r = pabal__link_wait(send->link, attempt, send, PABAL__DOORBELL_ROOM, timeout_ns);
	if (__builtin_expect(r < 0 && send->node != PABAL__ARENA_NONE, 0))
		give_back(send);
	return r;
}

int pabal__link_check_message(const struct pabal_link *link, const void *data, size_t size)
{
	if (size > link->mine_max)
		return pabal__fail(-EMSGSIZE, "the message has %zu bytes, this side of the link can send %llu: announce with a larger memory_max",
				   size, (unsigned long long)link->mine_max);
	return !data && size ? pabal__fail_with(-EINVAL, "data is NULL but size is not 0") : 0;
}

static int read_opts(const struct pabal_message_opts *given, struct pabal__link_send *send)
{
	struct pabal_message_opts opts;
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r < 0)
		return r;
	if (opts.flags)
		return pabal__fail(-EINVAL, "flags of a message are 0x%x: there are none yet", opts.flags);
	if (opts.priority || opts.ttl_ns)
		return pabal__fail_with(-ENOTSUP, "a link keeps the order of its messages and loses none: priority and ttl_ns are for mailboxes");
	if (opts.fd_count > PABAL_LINK_FDS_MAX)
		return pabal__fail(-EINVAL, "fd_count is %u: a message carries %d descriptors at most", opts.fd_count, PABAL_LINK_FDS_MAX);
	if (opts.fd_count && !opts.fds)
		return pabal__fail_with(-EINVAL, "fds is NULL but fd_count is not 0");
	send->extra.tag = opts.tag;
	send->extra.fd_count = (uint16_t)opts.fd_count;
	send->fds = opts.fds;
	return 0;
}

/* Beside the link, the kernel may have no room for what goes with the message. */
static __attribute__((cold)) int say_unsent(const struct pabal__link_send *send, int error)
{
	if (send->extra.fd_count && error == -EAGAIN)
		return pabal__fail_with(error, "not now: the link has no room for the message, or the kernel has none for its descriptors; give a "
					       "time-out to wait");
	if (send->extra.fd_count && error == -ETIMEDOUT)
		return pabal__fail_with(error, "the time was up before the link had room for the message, and the kernel for its descriptors");
	return pabal__link_say(error, PABAL__DOORBELL_ROOM);
}

int pabal_link_send_with(pabal_link *link, const struct pabal_message_opts *message, const void *data, size_t size, int64_t timeout_ns)
{
	struct pabal__link_send send = { .link = link, .data = data, .size = size, .node = PABAL__ARENA_NONE };
	int r = pabal__link_check(link, timeout_ns);

	if (r == 0)
		r = pabal__link_check_message(link, data, size);
	if (r == 0 && message)
		r = read_opts(message, &send);
	if (r < 0)
		return r;
	r = pabal__link_send_message(&send, timeout_ns);
	return __builtin_expect(r == 0, 1) ? 0 : say_unsent(&send, r);
}

/* Is there room for a small message, and does the peer live? false: do it the long way. Under the lock. */
static inline PABAL__SHORT_WAY bool find_plain(struct pabal_link *link, size_t size, enum pabal__link_layout layout, struct pabal__spot *ret_spot)
{
	return __builtin_expect(
		pabal__link_may_commit(link) && !PABAL__FAULT(COMMIT_BEFORE_FILL) && pabal__link_find_spot(link, size, layout, ret_spot), 1);
}

/* The message goes there. 0 */
static inline PABAL__SHORT_WAY int put_plain(struct pabal_link *link, const void *data, size_t size, const struct pabal__spot *spot)
{
	pabal__copy_in(pabal__spot_begin(spot), data, size);
	return pabal__link_publish(link, spot, PABAL__STREAM_DATA);
}

/* Other threads may send as well, or the message is longer, or something is not as usual. */
static PABAL__LONG_WAY int send_any(pabal_link *link, const void *data, size_t size, int64_t timeout_ns)
{
	if (pabal__link_is_fit(link, timeout_ns) && size <= PABAL__STREAM_INLINE_MAX && size <= link->mine_max && (data || !size)) {
		bool entered = pabal__link_enter(link, &link->sending.lock), done;
		struct pabal__spot spot;

		done = find_plain(link, size, pabal__link_layout(link), &spot);
		if (done)
			put_plain(link, data, size, &spot);
		pabal__link_leave(&link->sending.lock, entered);
		if (done)
			return 0;
	}
	return pabal_link_send_with(link, NULL, data, size, timeout_ns);
}

/* Of who asks and answers, and is patient. */
static PABAL__LONG_WAY int send_answer(pabal_link *link, const void *data, size_t size, int64_t timeout_ns)
{
	const struct pabal__spot *spot = pabal__link_ready(link, size);

	if (__builtin_expect(!spot || pabal__ring_loan_state(link->sending.ring_loan) != PABAL__RING_LOAN_NONE || PABAL__FAULT(COMMIT_BEFORE_FILL),
			     0))
		return send_any(link, data, size, timeout_ns);
	pabal__copy_in(pabal__spot_content(spot), data, size);
	pabal__writer_commit(&link->sending.writer, spot, PABAL__STREAM_DATA);
	return pabal__link_answered(link, size);
}

int pabal_link_send(pabal_link *link, const void *data, size_t size, int64_t timeout_ns)
{
	struct pabal__spot spot;

	if (__builtin_expect(!(pabal__link_is_fit(link, timeout_ns) && pabal__link_alone(link) && size <= PABAL__COPY_SMALL &&
			       size <= link->mine_max && (data || !size)),
			     0))
		return send_any(link, data, size, timeout_ns);
	if (pabal__link_goes_apart(link))
		return send_answer(link, data, size, timeout_ns);
	return find_plain(link, size, PABAL__LINK_DENSE, &spot) ? put_plain(link, data, size, &spot) : send_any(link, data, size, timeout_ns);
}
