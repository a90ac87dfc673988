/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/mailbox.c - what every call on a handle shares: is it fit for use, how it waits, what is said when it fails.
 */
#include "model/mailbox.h"

#include <errno.h>

#include "base/error.h"
#include "model/bury.h"
#include "model/descriptor.h"
#include "platform/clock.h"
#include "platform/cpu.h"

enum {
	LOOK_NS = 100000000, /* a handle that does not sleep looks for the dead this often at most: they are to be found within 300 ms */
	PATIENCE = 4,        /* yields of a call that does not wait while somebody is in the middle of a take */
};

int pabal__mailbox_refuse(const pabal_mailbox *mailbox, bool write)
{
	if (!mailbox || mailbox->magic != PABAL__HANDLE_MAGIC)
		return pabal__fail_with(-EINVAL, "this is no open mailbox handle");
	if (mailbox->generation != pabal__fork_generation())
		return pabal__fail_with(-ESTALE,
					"this handle was opened before a fork and belongs to the parent: open the mailbox again in the child");
	if (write && (mailbox->flags & PABAL_READ_ONLY))
		return pabal__fail_with(-EPERM, "this handle is read-only: open the mailbox without PABAL_READ_ONLY");
	return pabal__fail_with(-EINVAL, "the time-out is negative: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds");
}

/* What the call found, on the side that it was about. */
static int say_not_now(int error, bool receiving)
{
	bool late = error == -ETIMEDOUT;

	if (receiving)
		return pabal__fail_with(error, late ? "the time was up before the mailbox had a message"
						    : "not now: the mailbox is empty; give a time-out to wait");
	return pabal__fail_with(
		error,
		late ? "the time was up before the mailbox had room, in its capacity and its memory, for the message"
		     : "not now: the mailbox is full: it has no room, in its capacity or its memory, for the message; give a time-out to wait");
}

int pabal__mailbox_say(int error)
{
	switch (error) {
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or open with PABAL_RESTART");
	case -ECANCELED:
		return pabal__fail_with(error, "the wait was interrupted with pabal_mailbox_interrupt()");
	case -ESHUTDOWN:
		return pabal__fail_with(error, "the mailbox was destroyed: close the handle");
	case -EBADMSG:
		return pabal__fail_with(
			error, "the content of the mailbox is corrupt: somebody who may write it damaged it; run pabal fsck, then destroy it");
	default:
		return error;
	}
}

uint64_t pabal__mailbox_reclaim(struct pabal__segment *segment, uint32_t me)
{
	uint64_t bytes = pabal__pool_reclaim(segment, me);

	if (bytes)
		pabal__mailbox_ring_memory(segment);
	return bytes;
}

bool pabal__mailbox_idle(void *argument)
{
	pabal_mailbox *mailbox = ((struct pabal__call *)argument)->mailbox;
	struct pabal__burial burial = { 0 };

	pabal__bury_dead(&mailbox->segment, &burial);
	pabal__mailbox_reclaim(&mailbox->segment, mailbox->id);
	return burial.buried > 0;
}

void pabal__mailbox_busy(void *argument)
{
	struct pabal__call *call = argument;
	pabal_mailbox *mailbox = call->mailbox;
	struct pabal__burial burial = { 0 };
	uint64_t word;
	uint32_t taker = pabal__ring_taker(&mailbox->ring, call->busy_position, &word);

	if (!taker || taker > pabal__participants_high(&mailbox->segment) || pabal__participant_lives(&mailbox->segment, taker) != 0)
		return;
	pabal__ring_repair(&mailbox->ring, call->busy_position, word); /* its undertaker may be slow; the slot is all we need */
	pabal__bury(&mailbox->segment, taker, &burial);
}

/* May this call look for the dead, or did one of the handle do so a moment ago? */
static bool is_time_to_look(pabal_mailbox *mailbox, int64_t now)
{
	if (now - atomic_load_explicit(&mailbox->looked, memory_order_relaxed) < LOOK_NS) /* alone, both: how often, nothing more */
		return false;
	atomic_store_explicit(&mailbox->looked, now, memory_order_relaxed);
	return !PABAL__FAULT(NO_GLANCE);
}

/* Memory is not given back here, as it is when a slice ends: who is busy would fetch it again at once. */
static void look_for_the_dead(pabal_mailbox *mailbox, int64_t now)
{
	struct pabal__burial burial = { 0 };

	if (is_time_to_look(mailbox, now))
		pabal__bury_dead(&mailbox->segment, &burial);
}

void pabal__mailbox_before_sleep(void *argument, int64_t now)
{
	look_for_the_dead(((struct pabal__call *)argument)->mailbox, now);
}

uint32_t pabal__mailbox_stride(uint32_t stride, int64_t elapsed_ns)
{
	while (stride > 1 && elapsed_ns > LOOK_NS) {
		stride /= 2;
		elapsed_ns /= 2;
	}
	return elapsed_ns < LOOK_NS / 4 && stride < PABAL__LOOK_SELDOM ? stride * 2 : stride;
}

void pabal__mailbox_glance(pabal_mailbox *mailbox, struct pabal__side *side)
{
	int64_t now = pabal__clock_coarse();
	bool entered = pabal__side_enter(mailbox, side);

	if ((int64_t)(side->count - side->look_at) >= 0) { /* else another thread was faster */
		if (side->glanced)
			side->stride = pabal__mailbox_stride(side->stride, now - side->glanced);
		side->glanced = now;
		side->look_at = side->count + side->stride;
	}
	pabal__side_leave(side, entered);
	look_for_the_dead(mailbox, now);
}

/* A call that does not wait: give one in the middle of a take a moment, and now and then look for the dead. */
static int try_again(struct pabal__call *call, const struct pabal__wait_calls *calls, int reason)
{
	pabal_mailbox *mailbox = call->mailbox;

	for (int i = 0; i < PATIENCE && reason == PABAL__WAIT_BUSY; i++) {
		calls->busy(call);
		pabal__cpu_yield();
		reason = calls->attempt(call);
	}
	if (reason <= 0)
		return reason;
	if (is_time_to_look(mailbox, pabal__clock_coarse()) && calls->idle(call))
		reason = calls->attempt(call);
	return reason > 0 ? -EAGAIN : reason;
}

void pabal__mailbox_told_room(void *argument)
{
	pabal__mailbox_post(&((struct pabal__call *)argument)->mailbox->segment, PABAL_WRITABLE);
}

void pabal__mailbox_told_items(void *argument)
{
	pabal__mailbox_post(&((struct pabal__call *)argument)->mailbox->segment, PABAL_READABLE);
}

int pabal__mailbox_go_on(struct pabal__call *call, struct pabal__side *side, int reason, int64_t timeout_ns)
{
	int r = timeout_ns == PABAL_NOWAIT ? try_again(call, side->waiter.calls, reason) : pabal__wait(&side->waiter, call, reason, timeout_ns);

	return (r == -EAGAIN || r == -ETIMEDOUT) && side->descriptor ? pabal__descriptor_settle(call, side, r) : r;
}

int pabal__mailbox_wait(struct pabal__call *call, struct pabal__side *side, int reason, int64_t timeout_ns)
{
	int r = pabal__mailbox_go_on(call, side, reason, timeout_ns);

	if (r == -EAGAIN || r == -ETIMEDOUT)
		return say_not_now(r, side == &call->mailbox->receiving);
	return r < 0 ? pabal__mailbox_say(r) : 0;
}

void pabal__mailbox_notify(const struct pabal__segment *segment)
{
	struct pabal__header *header = segment->header;

	/* seq_cst: what happened is visible before the number changes, and the number before the bells are looked at */
	atomic_fetch_add_explicit(&header->notice, 1, memory_order_seq_cst);
	pabal__bell_ring_out(&header->items_bell);
	pabal__bell_ring_out(&header->room_bell);
	pabal__bell_ring_out(&header->memory_bell);
	pabal__mailbox_post(segment, PABAL_READABLE);
	pabal__mailbox_post(segment, PABAL_WRITABLE);
}
