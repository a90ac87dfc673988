/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_receive.c - receive, take, release, and the descriptors of a message.
 *
 * receive copies and is done. take hands out a large message where it lies, in the peer's arena; a small one is copied into a place of its own first, so that one who
 * keeps it does not keep the ring. Killed anywhere: what was not received goes with the receiver; the peer is told of its death.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "model/link.h"
#include "model/link_copy.h"
#include "model/link_large.h"

enum { COPY_LOCKED_MAX = 4096 /* a larger message is copied out without the handle's lock, as in a mailbox */ };

struct receive {
	struct pabal_link *link;
	void *data;
	size_t size_max, size;
};

/* Out of the arena, after the message is ours: other threads may receive meanwhile. */
static int receive_large(struct receive *receive, struct pabal__incoming *incoming, bool *entered)
{
	struct pabal_link *link = receive->link;
	int r = pabal__link_accept(link, incoming);

	if (r < 0)
		return r;
	if (incoming->size > COPY_LOCKED_MAX) {
		pabal__link_leave(&link->receiving.lock, *entered);
		*entered = false;
	}
	if (incoming->size) /* else data may be NULL */
		memcpy(receive->data, incoming->data, incoming->size);
	pabal__link_release_large(link, incoming->receipt, pabal__link_alone(link));
	pabal__link_close_fds(incoming->fds, incoming->extra.fd_count);
	if (incoming->parked)
		free(incoming->parked);
	return 0;
}

/* A deliberate fault. */
static int let_go_first(struct receive *receive, uint32_t header)
{
	const unsigned char *content = pabal__reader_content(&receive->link->receiving.reader);

	pabal__link_consume_plain(receive->link, header, PABAL__LINK_LOOKED);
	pabal__copy_out(receive->data, content, receive->size);
	return 0;
}

static inline int receive_one(struct receive *receive, bool *entered)
{
	struct pabal__incoming incoming;
	uint32_t header;
	int r;

	pabal__link_expect_large(receive->link);
	header = pabal__link_plain(receive->link);
	if (__builtin_expect(header && pabal__stream_length_of(header) <= receive->size_max, 1)) {
		receive->size = pabal__stream_length_of(header);
		if (PABAL__FAULT(LET_GO_FIRST))
			return let_go_first(receive, header);
		pabal__copy_out(receive->data, pabal__reader_content(&receive->link->receiving.reader), receive->size);
		pabal__link_consume_plain(receive->link, header, PABAL__LINK_LOOKED);
		return 0;
	}
	r = pabal__link_next(receive->link, &incoming);
	if (r)
		return r;
	receive->size = incoming.size;
	if (__builtin_expect(incoming.size > receive->size_max, 0))
		return -EMSGSIZE;
	if (__builtin_expect(incoming.large, 0))
		return receive_large(receive, &incoming, entered);
	pabal__copy_out(receive->data, incoming.data, incoming.size);
	r = pabal__link_accept(receive->link, &incoming);
	if (__builtin_expect(r == 0 && incoming.fds, 0))
		pabal__link_close_fds(incoming.fds, incoming.extra.fd_count);
	if (__builtin_expect(r == 0 && incoming.parked, 0))
		free(incoming.parked);
	return r;
}

static int attempt_receive(void *object)
{
	struct receive *receive = object;
	bool entered = pabal__link_enter(receive->link, &receive->link->receiving.lock);
	int r = receive_one(receive, &entered);

	pabal__link_leave(&receive->link->receiving.lock, entered);
	return r;
}

static PABAL__LONG_WAY int receive_any(pabal_link *link, void *data, size_t size_max, size_t *ret_size, int64_t timeout_ns)
{
	struct receive receive = { .link = link, .data = data, .size_max = size_max };
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (!data && size_max)
		return pabal__fail_with(-EINVAL, "data is NULL but size_max is not 0");
	r = attempt_receive(&receive);
	if (r > 0)
		r = pabal__link_wait(link, attempt_receive, &receive, PABAL__DOORBELL_MESSAGE, timeout_ns);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = receive.size;
	if (__builtin_expect(r == 0, 1))
		return 0;
	if (r == -EMSGSIZE)
		return pabal__fail(r, "the message has %zu bytes, the buffer %zu: it stays the next; receive it with a larger buffer", receive.size,
				   size_max);
	return pabal__link_say(r, PABAL__DOORBELL_MESSAGE);
}

/* The usual case: it is the header of a small message. No other thread receives, what is asked for makes sense. */
static inline PABAL__SHORT_WAY bool receive_small(pabal_link *link, uint32_t header, enum pabal__link_look look, void *data, size_t size_max,
						  size_t *ret_size)
{
	size_t size = pabal__stream_length_of(header);

	if (__builtin_expect(!pabal__link_is_plain(link, header) || size > size_max || size > PABAL__COPY_SMALL, 0))
		return false;
	pabal__copy_out(data, pabal__reader_content(&link->receiving.reader), size);
	if (ret_size)
		*ret_size = size;
	pabal__link_consume_plain(link, header, look);
	return true;
}

/* The same for who has asked, and waits for the answer. */
static PABAL__LONG_WAY int receive_answer(pabal_link *link, void *data, size_t size_max, size_t *ret_size, int64_t timeout_ns)
{
	return receive_small(link, pabal__link_await(link), PABAL__LINK_AWAITED, data, size_max, ret_size)
		       ? 0
		       : receive_any(link, data, size_max, ret_size, timeout_ns);
}

/* Short: it calls nothing, unless at its end. */
int pabal_link_receive(pabal_link *link, void *data, size_t size_max, size_t *ret_size, int64_t timeout_ns)
{
	if (__builtin_expect(pabal__link_is_fit(link, timeout_ns) && pabal__link_alone(link) && data && !PABAL__FAULT(LET_GO_FIRST), 1)) {
		if (timeout_ns != PABAL_NOWAIT && pabal__link_expects(link))
			return receive_answer(link, data, size_max, ret_size, timeout_ns);
		if (receive_small(link, pabal__reader_look(&link->receiving.reader), PABAL__LINK_LOOKED, data, size_max, ret_size))
			return 0;
	}
	return receive_any(link, data, size_max, ret_size, timeout_ns);
}

int pabal__link_receive_now(struct pabal_link *link, void *data, size_t size_max, size_t *ret_size)
{
	struct receive receive = { .link = link, .data = data, .size_max = size_max };
	int r = attempt_receive(&receive);

	if (r > 0 && !pabal__link_lives(link))
		r = attempt_receive(&receive);
	if (r == 0 || r == -EMSGSIZE)
		*ret_size = receive.size;
	return r > 0 ? -EAGAIN : r;
}

struct take {
	struct pabal_link *link;
	struct pabal_message *message;
};

static int check_take_opts(const struct pabal_take_opts *given)
{
	struct pabal_take_opts opts;
	int r;

	if (!given)
		return 0;
	r = pabal__options_copy(given, &opts, sizeof opts);
	if (r < 0)
		return r;
	if (opts.mode > PABAL_TAKE_LOWEST)
		return pabal__fail(-EINVAL, "mode is %u: it is one of PABAL_TAKE_ANY, _TAGS, _EXCEPT, _LOWEST", opts.mode);
	if (opts.mode != PABAL_TAKE_ANY)
		return pabal__fail_with(-ENOTSUP, "a link hands its messages out in order: take with PABAL_TAKE_ANY, or use a mailbox");
	if (opts.tag_count || opts.tags || opts.tag_max || opts.reserved_)
		return pabal__fail_with(-EINVAL, "PABAL_TAKE_ANY has no tags: leave the other members at 0");
	return 0;
}

/* What is at @data was consumed. Every member is written, but for reserved words that nobody uses. */
static inline void describe(const struct pabal_link *link, const struct pabal__slot *slot, const void *data, size_t size, uint32_t tag,
			    uint32_t fd_count, struct pabal_message *message)
{
	message->data = data;
	message->size = size;
	message->sequence = pabal__link_received(link);
	message->time_ns = 0;
	message->delivery_count = 1;
	message->tag = tag;
	message->priority = 0;
	message->fd_count = fd_count;
	message->claimed_pid = link->identity.pid;
	message->claimed_uid = link->identity.uid;
	message->reserved[PABAL__MESSAGE_MARK] = slot->mark;
	message->reserved[PABAL__MESSAGE_HANDLE] = (uintptr_t)link;
}

static int take_other(struct pabal_link *link, struct pabal__slot *slot, struct pabal_message *message)
{
	struct pabal__incoming incoming;
	int r = pabal__link_next(link, &incoming);

	if (r)
		return r;
	if (!incoming.large && !incoming.parked)
		pabal__copy_out(slot->data, incoming.data, incoming.size);
	r = pabal__link_accept(link, &incoming);
	if (r < 0)
		return r;
	slot->state = incoming.parked ? PABAL__SLOT_PARKED : incoming.large ? PABAL__SLOT_ARENA : PABAL__SLOT_PRIVATE;
	slot->fds = incoming.fds;
	slot->fd_count = incoming.extra.fd_count;
	slot->parked = incoming.parked;
	slot->receipt = incoming.receipt;
	slot->request = incoming.extra.what == PABAL__MESSAGE_CALL;
	slot->call = slot->request ? incoming.extra.call : 0;
	describe(link, slot, slot->state == PABAL__SLOT_PRIVATE ? slot->data : incoming.data, incoming.size, incoming.extra.tag,
		 incoming.extra.fd_count, message);
	return 0;
}

/* A small message: copied, so that who keeps it does not keep the ring. Its place stays as it was. 0 */
static inline PABAL__SHORT_WAY int take_small(struct pabal_link *link, uint32_t header, enum pabal__link_look look, struct pabal__slot *slot,
					      struct pabal_message *message)
{
	size_t size = pabal__stream_length_of(header);

	pabal__copy_out(slot->data, pabal__reader_content(&link->receiving.reader), size);
	pabal__link_consume(link, header, look);
	describe(link, slot, slot->data, size, 0, 0, message);
	return pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_ROOM);
}

/* A large message with nothing beside it: it stays where it is. 0 */
static inline PABAL__SHORT_WAY int take_large(struct pabal_link *link, const struct pabal__incoming *incoming, enum pabal__link_look look,
					      struct pabal__slot *slot, struct pabal_message *message, bool alone)
{
	pabal__link_remember(link, incoming, alone);
	pabal__link_consume(link, incoming->header, look);
	slot->state = PABAL__SLOT_BLOCK;
	slot->receipt = incoming->receipt;
	describe(link, slot, incoming->data, incoming->size, incoming->extra.tag, 0, message);
	return pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_ROOM);
}

static inline int take_one(struct pabal_link *link, struct pabal_message *message)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	struct pabal__incoming incoming;
	struct pabal__slot *slot;
	uint32_t header;
	int r;

	pabal__link_expect_large(link);
	header = pabal__reader_look(&receiving->reader);
	slot = pabal__slots_take(&receiving->leases);

	if (__builtin_expect(!slot, 0))
		return -ENOMEM;
	if (pabal__link_is_plain(link, header))
		return take_small(link, header, PABAL__LINK_LOOKED, slot, message);
	if (pabal__stream_kind_of(header) == PABAL__STREAM_LARGE && pabal__link_peek_large(link, header, &incoming))
		return take_large(link, &incoming, PABAL__LINK_LOOKED, slot, message, pabal__link_alone(link));
	r = take_other(link, slot, message);
	if (r)
		pabal__slots_give(&receiving->leases, slot);
	return r;
}

static int attempt_take(void *object)
{
	struct take *take = object;
	bool entered = pabal__link_enter(take->link, &take->link->receiving.lock);
	int r = take_one(take->link, take->message);

	pabal__link_leave(&take->link->receiving.lock, entered);
	return r;
}

/* What is asked for makes sense. */
static PABAL__LONG_WAY int take_any(pabal_link *link, struct pabal_message *ret_message, int64_t timeout_ns)
{
	struct take take = { .link = link, .message = ret_message };
	int r = attempt_take(&take);

	if (r > 0)
		r = pabal__link_wait(link, attempt_take, &take, PABAL__DOORBELL_MESSAGE, timeout_ns);
	return __builtin_expect(r == 0, 1) ? 0 : pabal__link_say(r, PABAL__DOORBELL_MESSAGE);
}

static PABAL__LONG_WAY int take_checked(pabal_link *link, const struct pabal_take_opts *opts, struct pabal_message *ret_message, int64_t timeout_ns)
{
	int r = pabal__link_check(link, timeout_ns);

	if (r == 0 && !ret_message)
		r = pabal__fail_with(-EINVAL, "ret_message is NULL: it receives the message");
	if (r == 0 && opts)
		r = check_take_opts(opts);
	return r < 0 ? r : take_any(link, ret_message, timeout_ns);
}

/* The usual case of a large message, nearly as short: nothing comes with it. No other thread receives. */
static inline PABAL__SHORT_WAY int take_block(pabal_link *link, uint32_t header, enum pabal__link_look look, struct pabal_message *ret_message,
					      int64_t timeout_ns)
{
	struct pabal__incoming incoming;
	struct pabal__slot *slot;

	if (__builtin_expect(!pabal__link_peek_large(link, header, &incoming), 0))
		return take_any(link, ret_message, timeout_ns);
	slot = pabal__slots_take_first(&link->receiving.leases);
	if (__builtin_expect(!slot, 0))
		return take_any(link, ret_message, timeout_ns);
	return take_large(link, &incoming, look, slot, ret_message, true);
}

/* That of a small one. */
static inline PABAL__SHORT_WAY int take_plain(pabal_link *link, uint32_t header, enum pabal__link_look look, struct pabal_message *ret_message,
					      int64_t timeout_ns)
{
	struct pabal__slot *slot;

	if (!pabal__link_is_plain(link, header) || pabal__stream_length_of(header) > PABAL__COPY_SMALL)
		return take_any(link, ret_message, timeout_ns);
	slot = pabal__slots_take_first(&link->receiving.leases);
	return __builtin_expect(slot != NULL, 1) ? take_small(link, header, look, slot, ret_message) : take_any(link, ret_message, timeout_ns);
}

static inline bool is_large(uint32_t header)
{
	return __builtin_expect(pabal__stream_kind_of(header) == PABAL__STREAM_LARGE, 0);
}

static PABAL__LONG_WAY int take_answer(pabal_link *link, struct pabal_message *ret_message, int64_t timeout_ns)
{
	uint32_t header = pabal__link_await(link);

	return is_large(header) ? take_block(link, header, PABAL__LINK_AWAITED, ret_message, timeout_ns)
				: take_plain(link, header, PABAL__LINK_AWAITED, ret_message, timeout_ns);
}

static PABAL__LONG_WAY int take_block_apart(pabal_link *link, uint32_t header, struct pabal_message *ret_message, int64_t timeout_ns)
{
	return take_block(link, header, PABAL__LINK_LOOKED, ret_message, timeout_ns);
}

/* The usual case, short: as in pabal_link_receive(). */
int pabal_link_take(pabal_link *link, const struct pabal_take_opts *opts, struct pabal_message *ret_message, int64_t timeout_ns)
{
	uint32_t header;

	if (__builtin_expect(!(pabal__link_is_fit(link, timeout_ns) && pabal__link_alone(link) && ret_message && !opts), 0))
		return take_checked(link, opts, ret_message, timeout_ns);
	if (timeout_ns != PABAL_NOWAIT && pabal__link_expects(link))
		return take_answer(link, ret_message, timeout_ns);
	pabal__link_expect_large(link);
	header = pabal__reader_look(&link->receiving.reader);
	return is_large(header) ? take_block_apart(link, header, ret_message, timeout_ns)
				: take_plain(link, header, PABAL__LINK_LOOKED, ret_message, timeout_ns);
}

int pabal__link_no_lease(void)
{
	return pabal__fail_with(-EINVAL, "this message is not taken from this link: it was released already, or is another's");
}

/* What a message that was released must not say any more. */
static inline void forget(struct pabal_message *message)
{
	message->data = NULL;
	message->size = 0;
	message->reserved[PABAL__MESSAGE_MARK] = message->reserved[PABAL__MESSAGE_HANDLE] = 0;
}

static inline void release(struct pabal_link *link, struct pabal__slot *slot)
{
	if (__builtin_expect(slot->state == PABAL__SLOT_BLOCK || slot->state == PABAL__SLOT_ARENA, 0))
		pabal__link_release_large(link, slot->receipt, pabal__link_alone(link));
	if (__builtin_expect(slot->fds != NULL, 0))
		pabal__link_close_fds(slot->fds, slot->fd_count);
	if (__builtin_expect(slot->state == PABAL__SLOT_PARKED, 0)) {
		slot->parked->fds = NULL; /* they went with the lease */
		pabal__parked_free(link, slot->parked);
	}
	slot->state = PABAL__SLOT_PLAIN;
	slot->fds = NULL;
	slot->fd_count = 0;
	slot->call = 0;
	slot->request = false;
	pabal__slots_give(&link->receiving.leases, slot);
}

static PABAL__LONG_WAY int release_any(pabal_link *link, struct pabal_message *message)
{
	bool entered = pabal__link_enter(link, &link->receiving.lock);
	struct pabal__slot *slot = pabal__link_lease(link, message);

	if (__builtin_expect(slot != NULL, 1))
		release(link, slot);
	pabal__link_leave(&link->receiving.lock, entered);
	if (!slot || !message)
		return pabal__link_no_lease();
	forget(message);
	return 0;
}

/* The usual case of a large message, nearly as short: nothing came with it, and nobody else receives. */
static PABAL__LONG_WAY int release_block(pabal_link *link, struct pabal__slot *slot, struct pabal_message *message)
{
	uint64_t receipt = slot->receipt;

	slot->state = PABAL__SLOT_PLAIN;
	pabal__slots_give(&link->receiving.leases, slot);
	forget(message);
	return pabal__link_release_large(link, receipt, true);
}

/* The usual case, short: a small message without descriptors, and nobody else receives. */
int pabal_link_release(pabal_link *link, struct pabal_message *message)
{
	struct pabal__slot *slot;
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	slot = pabal__link_alone(link) ? pabal__link_lease(link, message) : NULL;
	if (__builtin_expect(slot && slot->state == PABAL__SLOT_PLAIN, 1)) {
		pabal__slots_give(&link->receiving.leases, slot);
		forget(message);
		return 0;
	}
	if (slot && slot->state == PABAL__SLOT_BLOCK)
		return release_block(link, slot, message);
	return release_any(link, message);
}

int pabal_link_message_fd(pabal_link *link, const struct pabal_message *message, uint32_t index, int *ret_fd)
{
	struct pabal__slot *slot;
	bool entered;
	int r = pabal__link_check(link, PABAL_NOWAIT), fd = -1;

	if (r < 0)
		return r;
	if (!ret_fd)
		return pabal__fail_with(-EINVAL, "ret_fd is NULL: it receives the descriptor");
	entered = pabal__link_enter(link, &link->receiving.lock);
	slot = pabal__link_lease(link, message);
	if (slot && index < slot->fd_count) {
		fd = slot->fds[index];
		slot->fds[index] = -EINVAL; /* it is the caller's now */
	}
	pabal__link_leave(&link->receiving.lock, entered);
	if (!slot)
		return pabal__link_no_lease();
	if (fd == -EBADMSG)
		return pabal__fail_with(fd, "the peer said that a descriptor comes with this message, but sent none");
	if (fd == -EMFILE)
		return pabal__fail_with(fd, "the descriptor was lost: this process had too many open when the message came");
	if (fd < 0)
		return pabal__fail_with(-EINVAL, "the message has no such descriptor, or it was fetched already");
	*ret_fd = fd;
	return 0;
}

int pabal_link_is_request(pabal_link *link, const struct pabal_message *message)
{
	const struct pabal__slot *slot;
	bool entered, request;
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	entered = pabal__link_enter(link, &link->receiving.lock);
	slot = pabal__link_lease(link, message);
	request = slot && slot->request;
	pabal__link_leave(&link->receiving.lock, entered);
	return slot ? request : pabal__link_no_lease();
}
