/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery.h - messages on their way from a mailbox to a file descriptor: taken, written, then released.
 */
#ifndef PABAL_TOOLS_DELIVERY_H
#define PABAL_TOOLS_DELIVERY_H

#include <stdbool.h>
#include <sys/uio.h>

#include <pabal/mailbox.h>

#define DELIVERY_MAX 256                   /* two pieces each: half of what one writev() takes */
#define DELIVERY_BYTES ((size_t)128 << 10) /* guess: twice what a pipe holds; more gains nothing, and a kill repeats it */

struct delivery {
	pabal_mailbox *mailbox;
	int fd;
	bool lines;     /* a newline after each message */
	unsigned count; /* messages in hand: leased and not yet written */
	size_t bytes;   /* their payload */
	struct pabal_message messages[DELIVERY_MAX];
	struct iovec pieces[2 * DELIVERY_MAX];
};

/** delivery_take() - take one more message into the hand. There must be room. Return: as pabal_mailbox_take(). */
int delivery_take(struct delivery *delivery, int64_t timeout_ns);

/** delivery_is_full() - it is time to write. */
bool delivery_is_full(const struct delivery *delivery);

/**
 * delivery_flush() - write what is in the hand, then release it.
 * @ret_count: messages that were written and released, also on failure.
 * @ret_write_error: 0, or why it could not be written.
 *
 * What was not written is put back into the mailbox, in its order.
 *
 * Return: 0; -EIO if writing failed, -ECANCELED if a signal came while it could not go on, or SIGPIPE (@ret_write_error tells); else as pabal_mailbox_release().
 */
int delivery_flush(struct delivery *delivery, unsigned *ret_count, int *ret_write_error);

/** delivery_give_back() - put everything in the hand back into the mailbox, in its order. Return: as pabal_mailbox_requeue(). */
int delivery_give_back(struct delivery *delivery);

#endif
