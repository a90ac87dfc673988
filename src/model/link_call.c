/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_call.c - calls and replies.
 *
 * A call is a message that bears a number; its reply bears the same one. Numbers are not used again, so a reply to a call that has ended meets nobody: it is dropped and counted. Whoever
 * reads the ring gives a reply to its call and puts other messages aside for receive and take: so one waits for a reply without missing a message, in any number of threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/link.h"
#include "platform/clock.h"

enum {
	CALLS_MAX = 65536,
	CALLS_FIRST = 16,
	PARKED_MAX =
		16 << 20, /* bytes put aside while somebody waits for a reply; then the peer has to wait. As much as a link's memory is by default */
	PARKED_LAST = PABAL__STREAM_BYTES + PABAL__STREAM_BYTES / 16 * sizeof(struct pabal__parked), /* a ring's worth of messages */
};

/* Is this call under way? Under the lock. A number is generation:32 | place + 1:32. */
static struct pabal__call_state *find(const struct pabal__calls *calls, uint64_t call)
{
	uint64_t place = (call & UINT32_MAX) - 1;

	if (place >= calls->count || !calls->table[place].open || calls->table[place].generation != call >> 32)
		return NULL;
	return &calls->table[place];
}

static int grow(struct pabal__calls *calls)
{
	uint32_t count = calls->count ? calls->count * 2 : CALLS_FIRST;
	struct pabal__call_state *table;

	if (calls->count >= CALLS_MAX)
		return -EUSERS;
	table = realloc(calls->table, count * sizeof *table);
	if (!table)
		return -ENOMEM;
	calls->table = table;
	for (uint32_t i = count; i-- > calls->count;) {
		table[i] = (struct pabal__call_state){ .generation = 1, .next_free = calls->free };
		calls->free = i;
	}
	calls->count = count;
	return 0;
}

static int begin(struct pabal_link *link, uint64_t *ret_call)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	struct pabal__calls *calls = &receiving->calls;
	bool entered = pabal__link_enter(link, &receiving->lock);
	int r = calls->free == PABAL__SLOT_NONE ? grow(calls) : 0;

	if (r == 0) {
		struct pabal__call_state *state = &calls->table[calls->free];

		*ret_call = (uint64_t)state->generation << 32 | (calls->free + 1);
		calls->free = state->next_free;
		state->open = true;
		state->reply = NULL;
		calls->open++;
		receiving->calls_begun++;
	}
	pabal__link_leave(&receiving->lock, entered);
	return r;
}

/* End a call; its reply, if it has come. */
static struct pabal__parked *end(struct pabal_link *link, uint64_t call)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	struct pabal__calls *calls = &receiving->calls;
	bool entered = pabal__link_enter(link, &receiving->lock);
	struct pabal__call_state *state = find(calls, call);
	struct pabal__parked *reply = NULL;

	if (state) {
		reply = state->reply;
		state->open = false;
		state->reply = NULL;
		if (!PABAL__FAULT(CALL_REUSED))
			state->generation++;
		state->next_free = calls->free;
		calls->free = (uint32_t)(state - calls->table);
		calls->open--;
		if (reply && --calls->replied == 0)
			calls->fresh = false;
	}
	pabal__link_leave(&receiving->lock, entered);
	return reply;
}

/* The request did not go. Of a peer that guesses numbers there may be a reply all the same. */
static void take_back(struct pabal_link *link, uint64_t call)
{
	struct pabal__parked *forged = end(link, call);
	bool entered = pabal__link_enter(link, &link->receiving.lock);

	link->receiving.calls_begun--;
	pabal__link_leave(&link->receiving.lock, entered);
	if (forged)
		pabal__parked_free(link, forged);
}

int pabal__calls_take_reply(struct pabal_link *link, struct pabal__incoming *incoming)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	struct pabal__call_state *state = find(&receiving->calls, incoming->extra.call);
	struct pabal__parked *reply = pabal__link_park(link, incoming);

	if (!reply)
		return -ENOMEM;
	if (!state || state->reply) {
		receiving->late_replies++;
		pabal__parked_free(link, reply);
		return 0;
	}
	state->reply = reply;
	receiving->calls.replied++;
	receiving->calls.fresh = true;
	if (pabal__doorbell_has_sleepers(&link->bell))
		pabal__doorbell_kick(&link->bell);
	return 0;
}

void pabal__calls_deinit(struct pabal_link *link)
{
	struct pabal__calls *calls = &link->receiving.calls;

	for (uint32_t i = 0; i < calls->count; i++) {
		struct pabal__parked *reply = calls->table[i].reply;

		if (reply) {
			pabal__link_close_fds(reply->fds, reply->extra.fd_count);
			free(reply);
		}
	}
	free(calls->table);
	memset(calls, 0, sizeof *calls);
}

/*
 * Too much is put aside for @bytes more: the peer has to wait, 0 if not. If it has ended it waits no more, and what it left in the ring is put aside as well, since the end is behind it; more than that
 * is written by one who said that it had ended.
 */
static int too_much(struct pabal_link *link, uint64_t bytes)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	uint64_t sum = receiving->parked_bytes + bytes;

	if (sum <= PARKED_MAX)
		return 0;
	if (pabal__link_end(link))
		return sum <= PARKED_MAX + PARKED_LAST ? 0 : pabal__link_break(link);
	receiving->parked_full = true;
	return PABAL__DOORBELL_WAIT;
}

/* Put the message that is next in the ring aside. */
static int put_aside(struct pabal_link *link, struct pabal__incoming *incoming)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	struct pabal__parked *parked;
	uint64_t bytes = sizeof *parked + (incoming->large ? 0 : incoming->size);
	int r = too_much(link, bytes);

	if (r)
		return r;
	parked = pabal__link_park(link, incoming);
	if (!parked)
		return -ENOMEM;
	receiving->parked_count++;
	receiving->parked_bytes += bytes;
	*receiving->parked_end = parked;
	receiving->parked_end = &parked->next;
	if (pabal__doorbell_has_sleepers(&link->bell))
		pabal__doorbell_kick(&link->bell);
	return 0;
}

/* Read on in the ring until the reply is there. */
static int read_on(struct pabal_link *link, uint64_t call)
{
	for (int i = 0; i < PABAL__STREAM_BYTES / 16; i++) {
		struct pabal__call_state *state = find(&link->receiving.calls, call);
		struct pabal__incoming incoming;
		int r;

		if (!state)
			return -EINVAL;
		if (state->reply)
			return 0;
		r = pabal__link_peek(link, &incoming);
		if (r == 0)
			r = incoming.extra.what == PABAL__MESSAGE_REPLY ? pabal__calls_take_reply(link, &incoming) : put_aside(link, &incoming);
		if (r)
			return r;
	}
	return PABAL__DOORBELL_WAIT;
}

struct finish {
	struct pabal_link *link;
	uint64_t call;
};

static int attempt_finish(void *object)
{
	const struct finish *finish = object;
	bool entered = pabal__link_enter(finish->link, &finish->link->receiving.lock);
	int r = read_on(finish->link, finish->call);

	pabal__link_leave(&finish->link->receiving.lock, entered);
	return r;
}

static int deliver(struct pabal_link *link, struct pabal__parked *reply, void *data, size_t size_max, size_t *ret_size)
{
	int r = 0;

	if (ret_size)
		*ret_size = reply->size;
	if (reply->size > size_max)
		r = pabal__fail(-EMSGSIZE, "the reply has %llu bytes, the buffer %zu: it is lost", (unsigned long long)reply->size, size_max);
	else if (reply->size)
		memcpy(data, reply->data, reply->size);
	pabal__parked_free(link, reply);
	return r;
}

static int say_no_reply(struct pabal_link *link, int error)
{
	bool entered = pabal__link_enter(link, &link->receiving.lock), full = link->receiving.parked_full;

	pabal__link_leave(&link->receiving.lock, entered);
	if (full)
		return pabal__fail_with(error,
					"so many messages were put aside that the reply cannot be looked for behind them: receive some of them");
	return pabal__link_say(error, PABAL__DOORBELL_REPLY);
}

int pabal_link_call_finish(pabal_link *link, uint64_t call, void *reply, size_t reply_size_max, size_t *ret_reply_size, int64_t timeout_ns)
{
	struct finish finish = { .link = link, .call = call };
	struct pabal__parked *parked;
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (!reply && reply_size_max)
		return pabal__fail_with(-EINVAL, "reply is NULL but reply_size_max is not 0");
	if (timeout_ns != PABAL_NOWAIT && pabal__link_alone(link) && pabal__link_expects(link))
		pabal__link_await(link);
	r = attempt_finish(&finish);
	if (r > 0)
		r = pabal__link_wait(link, attempt_finish, &finish, PABAL__DOORBELL_MESSAGE | PABAL__DOORBELL_REPLY, timeout_ns);
	if (r == -EINVAL)
		return pabal__fail_with(r, "no such call is under way on this link: it was finished already, or is another's");
	if (r == -EAGAIN)
		return say_no_reply(link, r);
	parked = end(link, call);
	if (r == 0 && parked)
		return deliver(link, parked, reply, reply_size_max, ret_reply_size);
	if (parked)
		pabal__parked_free(link, parked);
	if (r == -ETIMEDOUT)
		return say_no_reply(link, r);
	return r < 0 ? pabal__link_say(r, PABAL__DOORBELL_REPLY) : pabal__fail_with(-EINVAL, "another thread finished this call");
}

int pabal_link_call_start(pabal_link *link, const void *request, size_t request_size, uint64_t *ret_call, int64_t timeout_ns)
{
	struct pabal__link_send send = {
		.link = link, .data = request, .size = request_size, .extra = { .what = PABAL__MESSAGE_CALL }, .node = PABAL__ARENA_NONE
	};
	int r = pabal__link_check(link, timeout_ns);

	if (r == 0 && !ret_call)
		r = pabal__fail_with(-EINVAL, "ret_call is NULL: it receives what to finish the call with");
	if (r == 0)
		r = pabal__link_check_message(link, request, request_size);
	if (r < 0)
		return r;
	r = begin(link, &send.extra.call);
	if (r < 0)
		return pabal__fail(r, r == -EUSERS ? "%d calls are under way on this link: finish some" : "no memory for a call beside %d others",
				   r == -EUSERS ? CALLS_MAX : (int)link->receiving.calls.open);
	r = pabal__link_send_message(&send, timeout_ns);
	if (r < 0) {
		take_back(link, send.extra.call);
		return pabal__link_say(r, PABAL__DOORBELL_ROOM);
	}
	*ret_call = send.extra.call;
	return 0;
}

int pabal_link_call(pabal_link *link, const void *request, size_t request_size, void *reply, size_t reply_size_max, size_t *ret_reply_size,
		    int64_t timeout_ns)
{
	int64_t deadline;
	uint64_t call = 0;
	int r = pabal__link_check(link, timeout_ns);

	if (r < 0)
		return r;
	if (!reply && reply_size_max)
		return pabal__fail_with(-EINVAL, "reply is NULL but reply_size_max is not 0");
	deadline = pabal__clock_deadline(timeout_ns);
	r = pabal_link_call_start(link, request, request_size, &call, timeout_ns);
	if (r < 0)
		return r;
	if (deadline != INT64_MAX && timeout_ns != PABAL_NOWAIT) {
		timeout_ns = deadline - pabal__clock_now();
		timeout_ns = timeout_ns > 1 ? timeout_ns : 1;
	}
	r = pabal_link_call_finish(link, call, reply, reply_size_max, ret_reply_size, timeout_ns);
	if (r == -EAGAIN) {
		struct pabal__parked *late = end(link, call); /* nobody could finish it any more */

		if (late)
			pabal__parked_free(link, late);
	}
	return r;
}

/* The call that a lease is a request of, for the one who answers it first; 0: it is none, or was answered. */
static uint64_t claim(struct pabal_link *link, const struct pabal_message *request, bool *ret_lease)
{
	bool entered = pabal__link_enter(link, &link->receiving.lock);
	struct pabal__slot *slot = pabal__link_lease(link, request);
	uint64_t call = slot ? slot->call : 0;

	*ret_lease = slot != NULL;
	if (slot)
		slot->call = 0;
	pabal__link_leave(&link->receiving.lock, entered);
	return call;
}

static void unclaim(struct pabal_link *link, const struct pabal_message *request, uint64_t call)
{
	bool entered = pabal__link_enter(link, &link->receiving.lock);
	struct pabal__slot *slot = pabal__link_lease(link, request);

	if (slot)
		slot->call = call;
	pabal__link_leave(&link->receiving.lock, entered);
}

int pabal_link_reply(pabal_link *link, const struct pabal_message *request, const void *data, size_t size, int64_t timeout_ns)
{
	struct pabal__link_send send = {
		.link = link, .data = data, .size = size, .extra = { .what = PABAL__MESSAGE_REPLY }, .node = PABAL__ARENA_NONE
	};
	bool lease;
	int r = pabal__link_check(link, timeout_ns);

	if (r == 0)
		r = pabal__link_check_message(link, data, size);
	if (r < 0)
		return r;
	send.extra.call = claim(link, request, &lease);
	if (!lease)
		return pabal__link_no_lease();
	if (!send.extra.call)
		return pabal__fail_with(-EINVAL, "this message is no request, or was answered already");
	r = pabal__link_send_message(&send, timeout_ns);
	if (r < 0) {
		unclaim(link, request, send.extra.call);
		return pabal__link_say(r, PABAL__DOORBELL_ROOM);
	}
	return 0;
}
