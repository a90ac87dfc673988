/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery.c - messages on their way from a mailbox to a file descriptor.
 *
 *   taken (leased to us) --> written, wholly --> released
 *                        \-> not written     --> requeued
 *
 * A message is released only after the kernel has all of it. Killed before, we leave leases behind, and the messages are delivered
 * again: a line may be repeated, none is lost. Many messages share one writev(), straight from the blocks in which they lie.
 */
#include <errno.h>
#include <string.h>

#include "delivery.h"
#include "output.h"
#include "stop.h"

int delivery_take(struct delivery *delivery, int64_t timeout_ns)
{
	int r = pabal_mailbox_take(delivery->mailbox, NULL, &delivery->messages[delivery->count], timeout_ns);

	if (r < 0)
		return r;
	delivery->bytes += delivery->messages[delivery->count].size;
	delivery->count++;
	return 0;
}

bool delivery_is_full(const struct delivery *delivery)
{
	return delivery->count == DELIVERY_MAX || delivery->bytes >= DELIVERY_BYTES;
}

static unsigned lay_out(struct delivery *delivery)
{
	static char newline[] = "\n";
	unsigned count = 0;
	void *data;

	for (unsigned i = 0; i < delivery->count; i++) {
		const struct pabal_message *message = &delivery->messages[i];

		memcpy(&data, &message->data, sizeof(data)); /* an iovec is for reading too, so it knows no const */
		delivery->pieces[count++] = (struct iovec){ .iov_base = data, .iov_len = message->size };
		if (delivery->lines)
			delivery->pieces[count++] = (struct iovec){ .iov_base = newline, .iov_len = 1 };
	}
	return count;
}

/* Write the hand out. A signal ends it where it would have to wait. Return: 0 or the reason; *ret_done: messages wholly written. */
static int write_out(struct delivery *delivery, unsigned *ret_done)
{
	unsigned count = lay_out(delivery), per_message = delivery->lines ? 2 : 1, first = 0;
	ssize_t written;
	int r = 0;

	while (r == 0 && (first = output_advance(delivery->pieces, first, count, 0)) < count) {
		written = writev(delivery->fd, delivery->pieces + first, (int)(count - first));
		if (written >= 0)
			first = output_advance(delivery->pieces, first, count, (size_t)written);
		else if (errno == EAGAIN)
			r = output_wait(delivery->fd);
		else if (errno != EINTR)
			r = errno == EPIPE && stop_requests() > 0 ? -ECANCELED : -errno;
		if (r == 0 && first < count && stop_requests() > 0)
			r = -ECANCELED;
	}
	*ret_done = first / per_message;
	return r;
}

/* What came back is taken in the order in which it was sent. The last first all the same: so nobody who takes meanwhile has one before an older one of ours. */
static int give_back_from(struct delivery *delivery, unsigned first)
{
	int r, result = 0;

	for (unsigned i = delivery->count; i > first; i--) {
		r = pabal_mailbox_requeue(delivery->mailbox, &delivery->messages[i - 1]);
		if (r < 0)
			result = r;
	}
	delivery->count = 0;
	delivery->bytes = 0;
	return result;
}

int delivery_give_back(struct delivery *delivery)
{
	return give_back_from(delivery, 0);
}

int delivery_flush(struct delivery *delivery, unsigned *ret_count, int *ret_write_error)
{
	unsigned done;
	int r = 0, write_error = write_out(delivery, &done);

	*ret_count = done;
	*ret_write_error = write_error;
	for (unsigned i = 0; i < done && r == 0; i++)
		r = pabal_mailbox_release(delivery->mailbox, &delivery->messages[i]);
	if (r < 0)
		return r; /* closing the handle gives the rest back */
	r = give_back_from(delivery, done);
	if (write_error < 0)
		return write_error == -ECANCELED ? -ECANCELED : -EIO;
	return r;
}
