/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refill.c - a mailbox that was tortured must still hold exactly its capacity.
 *
 * A slot or a block that a dead process took with it does no harm that one sees at once: there is just a little less room. So the
 * empty mailbox is filled with small messages until it says that it is full, and drained again.
 */
#include <errno.h>
#include <inttypes.h>

#include <pabal/mailbox.h>

#include "payload.h"
#include "plan.h"
#include "refill.h"
#include "report.h"
#include "tally.h"

#define BLOCK_MIN 256 /* no message of PAYLOAD_SIZE_MIN takes more memory than this */

static uint64_t fill(pabal_mailbox *mailbox, uint64_t limit, int *ret_r)
{
	unsigned char message[PAYLOAD_SIZE_MIN];
	uint64_t count = 0;

	do {
		payload_fill(message, sizeof(message), count + 1);
		*ret_r = pabal_mailbox_send(mailbox, message, sizeof(message), PABAL_NOWAIT);
		count += *ret_r == 0;
	} while (*ret_r == 0 && count < limit);
	return count;
}

/* Return: how many came, each as it was sent and in order. */
static uint64_t drain(pabal_mailbox *mailbox, int *ret_r)
{
	unsigned char message[PAYLOAD_SIZE_MIN];
	uint64_t count = 0, id;
	size_t size;

	for (;;) {
		*ret_r = pabal_mailbox_receive(mailbox, message, sizeof(message), &size, PABAL_NOWAIT);
		if (*ret_r < 0 || !payload_check(message, size, &id) || id != count + 1)
			return count;
		count++;
	}
}

void refill_check(const char *mailbox, const struct plan *plan, struct tally *tally)
{
	pabal_mailbox *handle;
	uint64_t filled, drained;
	int r;

	if ((uint64_t)plan->capacity * BLOCK_MIN > plan->memory_max)
		return; /* the memory would be full first */
	r = pabal_mailbox_open(mailbox, NULL, &handle);
	if (r < 0) {
		tally_find(tally, "after the drain: %s", call_detail(r));
		return;
	}
	filled = fill(handle, (uint64_t)plan->capacity + 1, &r);
	if (r != -EAGAIN || filled != plan->capacity)
		tally_find(tally, "afterwards it holds %" PRIu64 " messages, not %" PRIu32 ": %s", filled, plan->capacity, pabal_strerror(r));
	drained = drain(handle, &r);
	if (r != -EAGAIN || drained != filled)
		tally_find(tally, "afterwards %" PRIu64 " of %" PRIu64 " messages come back in order: %s", drained, filled, pabal_strerror(r));
	pabal_mailbox_close(handle);
}
