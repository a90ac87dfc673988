/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor.c - descriptors for poll(2): sockets in the directory. Who sends to them: descriptor_post.c.
 *
 * A handle with a descriptor has set a bit in its participant slot, and a word in the header that says so. It arms the bell like a sleeper and looks. Whoever makes something
 * happen finds the bell armed, rings it, sees the word, and sends a byte to all that have the bit. What is sent stays until a call on that handle says "not now": then the
 * handle empties the socket, arms, and attempts once more. So either that attempt finds it, or the bell is found armed; never neither.
 *
 * Who dies after its commit and before its bytes are sent leaves the others unaware. A sleeper has slices for that; a descriptor has the kernel: the file of the object is
 * watched, and the death of whoever had it open is an event, and so is a read by one who could not reach the socket. After a death the handle's next call finds nothing, buries the dead, and looks again a moment later, in case the kernel
 * had not let go of it yet. Where there are no watches left, a timer stands in for it.
 *
 * Each descriptor is an epoll of that socket, an event counter for ourselves, the timer and the watch (descriptor_fds.c). Where the program has closed them behind our back it is lost: nothing of it is touched, and
 * the next call that asks for it says so. A hostile peer can make it readable, or remove the socket's name; then
 * the handle hears of nothing but deaths: it can do as much to the object.
 */
#include "model/descriptor.h"

#include <errno.h>

#include "model/descriptor_life.h"
#include "platform/membarrier.h"

enum { BRIEF_NS = 1000000 /* no membarrier: as in wait.c */ };

void pabal__descriptor_close(pabal_mailbox *mailbox, bool name_too)
{
	pabal__descriptor_unmake(&mailbox->segment, mailbox->id, mailbox->sending.descriptor, name_too);
	pabal__descriptor_unmake(&mailbox->segment, mailbox->id, mailbox->receiving.descriptor, name_too);
	mailbox->sending.descriptor = mailbox->receiving.descriptor = NULL;
	pabal__nudges_close(&mailbox->nudges);
}

/* Ask to be rung for by this bell. The caller looks after it. */
static void arm(struct pabal__descriptor *descriptor, pabal__bell *bell, bool stores)
{
	pabal__bell_arm(bell);
	if (stores && !pabal__membarrier_all()) /* as in wait.c: they who ring it do it after a plain store */
		pabal__descriptor_fds_set_in(&descriptor->fds, BRIEF_NS);
	else if (!pabal__descriptor_fds_watches(&descriptor->fds))
		pabal__descriptor_fds_set_in(&descriptor->fds, PABAL__DESCRIPTOR_SLICE_NS);
}

static void arm_side(struct pabal__descriptor *descriptor, const struct pabal__side *side)
{
	arm(descriptor, side->waiter.bell, side->waiter.memory_bell == side->waiter.bell);
}

/* Empty it for a side that has nothing to tell. false: it is lost, and was not touched. */
static bool empty(pabal_mailbox *mailbox, struct pabal__descriptor *descriptor)
{
	if (!pabal__descriptor_empty(&mailbox->segment, descriptor))
		return false;
	/* What was drained may have been meant for who waits for the end alone. */
	if (pabal__object_ended(&mailbox->segment))
		pabal__nudge_all(&mailbox->nudges);
	return true;
}

int pabal__descriptor_settle(struct pabal__call *call, struct pabal__side *side, int error)
{
	struct pabal__descriptor *descriptor = side->descriptor;
	int saved = errno, r;

	if (!empty(call->mailbox, descriptor)) {
		errno = saved;
		return error;
	}
	if (!PABAL__FAULT(NO_SOCKET_REARM))
		arm_side(descriptor, side);
	r = side->waiter.calls->attempt(call);
	if (r == PABAL__WAIT_MEMORY && side->waiter.memory_bell != side->waiter.bell) {
		/* Only now: whoever gives up a full mailbox frees the block that it had filled, and would ring for itself. */
		arm(descriptor, side->waiter.memory_bell, true);
		r = side->waiter.calls->attempt(call);
	}
	if (r <= 0 || r == PABAL__WAIT_BUSY) /* there may be more, or the same, which did not fit; or nobody will ring */
		pabal__descriptor_fds_set(&descriptor->fds);
	errno = saved;
	return r > 0 ? error : r;
}

bool pabal__descriptor_verify(pabal_mailbox *mailbox, uint32_t event, bool (*is_ready)(pabal_mailbox *mailbox, uint32_t event))
{
	struct pabal__side *side = event == PABAL_READABLE ? &mailbox->receiving : &mailbox->sending;

	if (is_ready(mailbox, event))
		return true;
	if (!empty(mailbox, side->descriptor))
		return false;
	if (!PABAL__FAULT(NO_SOCKET_REARM))
		arm_side(side->descriptor, side);
	if (!is_ready(mailbox, event))
		return false;
	pabal__descriptor_fds_set(&side->descriptor->fds); /* until a call says "not now" */
	return true;
}

void pabal__descriptor_end_fds(const pabal_mailbox *mailbox, int *ret_fds)
{
	const struct pabal__descriptor_fds *fds = &((const struct pabal__descriptor *)mailbox->receiving.descriptor)->fds;

	ret_fds[0] = fds->fds[PABAL__FD_SOCKET];
	ret_fds[1] = fds->fds[PABAL__FD_WATCH];
	ret_fds[2] = fds->fds[PABAL__FD_TIMER];
}

void pabal__descriptor_hush(pabal_mailbox *mailbox)
{
	struct pabal__descriptor *descriptor = mailbox->receiving.descriptor;

	if (!empty(mailbox, descriptor))
		return;
	pabal__descriptor_fds_set(&descriptor->fds); /* it was emptied, but not armed: who reads, does that */
	if (!pabal__descriptor_fds_watches(&descriptor->fds))
		pabal__descriptor_fds_set_in(&descriptor->fds, PABAL__DESCRIPTOR_SLICE_NS);
}

static void poke_one(struct pabal__descriptor *descriptor)
{
	if (descriptor && pabal__descriptor_fds_are_ours(&descriptor->fds))
		pabal__descriptor_fds_set(&descriptor->fds);
}

void pabal__descriptor_poke(pabal_mailbox *mailbox)
{
	poke_one(mailbox->sending.descriptor);
	poke_one(mailbox->receiving.descriptor);
}

bool pabal__descriptor_is_lost(const pabal_mailbox *mailbox)
{
	const struct pabal__descriptor *sending = mailbox->sending.descriptor, *receiving = mailbox->receiving.descriptor;

	return (sending && pabal__descriptor_fds_are_lost(&sending->fds)) || (receiving && pabal__descriptor_fds_are_lost(&receiving->fds));
}

int pabal__descriptor_of(pabal_mailbox *mailbox, uint32_t event, bool (*is_ready)(pabal_mailbox *mailbox, uint32_t event))
{
	struct pabal__side *side = event == PABAL_READABLE ? &mailbox->receiving : &mailbox->sending;
	struct pabal__descriptor *descriptor = NULL;
	bool entered = pabal__side_enter(mailbox, side);
	int r = 0;

	if (!side->descriptor) {
		r = pabal__descriptor_make(&mailbox->segment, mailbox->id, event, &descriptor);
		if (r == 0) {
			side->descriptor = descriptor; /* whole: calls that say "not now", and interrupts, look without the lock */
			arm_side(descriptor, side);
		}
	}
	pabal__side_leave(side, entered);
	if (r == 0 && !pabal__descriptor_fds_are_ours(&side->descriptor->fds))
		r = -EBADF;
	/* One that was there before is not silent for nothing: a look would tell a send that had found no memory of the room that there is, again and again. */
	if (r == 0 && descriptor && is_ready(mailbox, event))
		pabal__descriptor_fds_set(&descriptor->fds);
	return r < 0 ? pabal__descriptor_say(r, &mailbox->segment) : side->descriptor->fds.group;
}
