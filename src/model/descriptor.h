/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor.h - descriptors for poll(2) of mailboxes and buffers: one for each side of a handle that asks for it.
 *
 * Whoever rings a bell also sends a byte to the socket of each handle that has a descriptor (descriptor.c). As long as nobody has one, that is one look at a word,
 * after a ring. A call of the handle that says "not now" empties its socket and asks to be rung for again, in this order, and looks once more.
 */
#ifndef PABAL_SRC_MODEL_DESCRIPTOR_H
#define PABAL_SRC_MODEL_DESCRIPTOR_H

#include "model/descriptor_names.h"
#include "model/mailbox.h"

/* The descriptor of that side, made at first use. -EBADF: it is lost. @event: PABAL_READABLE, or PABAL_WRITABLE. @is_ready: a look whether it is so now. */
int pabal__descriptor_of(pabal_mailbox *mailbox, uint32_t event, bool (*is_ready)(pabal_mailbox *mailbox, uint32_t event));

/* The call has ended with @error, which says "not now": the side's descriptor, if there is one, is not readable any more, unless the last attempt succeeds. */
int pabal__descriptor_settle(struct pabal__call *call, struct pabal__side *side, int error);

/* Is it so now? If not, and it is not lost, the side's descriptor, which there is, is not readable any more, and will be when it is. */
bool pabal__descriptor_verify(pabal_mailbox *mailbox, uint32_t event, bool (*is_ready)(pabal_mailbox *mailbox, uint32_t event));

/*
 * For who waits for the end of the object alone: three descriptors, or -1, of the readable side, which there is. They tell of the end, and of other things. Told, and it has not ended: make them silent, and
 * the readable side's descriptor readable, since they may have meant that.
 */
void pabal__descriptor_end_fds(const pabal_mailbox *mailbox, int *ret_fds);
void pabal__descriptor_hush(pabal_mailbox *mailbox);

/* Make what there is readable, so that who polls looks: an interrupt. A signal handler may call it. */
void pabal__descriptor_poke(pabal_mailbox *mailbox);

/* Has the program closed what one of them is made of? As far as some call has seen: this one asks nobody. */
bool pabal__descriptor_is_lost(const pabal_mailbox *mailbox);

/* Close both, and what wait_many() waits by. @name_too: a fork child leaves the names to its parent. */
void pabal__descriptor_close(pabal_mailbox *mailbox, bool name_too);

#endif
