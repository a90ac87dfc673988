/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_post.c - a byte to the socket of each handle that has a descriptor.
 *
 * Who has one is said by bits, in the slots of the participants. That there may be one is said by a word in the header, `changes:63 | in use:1`: while it is not in use, a ring costs one load of it. Who gets a
 * descriptor sets its bit, counts a change, and sets "in use", in this order. Who finds the word in use looks at all bits before it opens anything; if there is none at all, it takes "in use" back, by CAS from what
 * the word was *before* it looked. So whoever counted after that makes the CAS fail, or sets "in use" after it; and whoever counted before that has a bit, which was seen.
 *
 *   in use --somebody finds no bit, and nobody has counted since--> not in use --somebody has a bit--> in use
 *
 * Killed between any two steps: a bit that is not counted goes with its burial; "in use" without a bit costs the next one who looks a look. No bit is ever without "in use" but for a moment in which its bell
 * has not been armed for it yet. A hostile peer may write the word: then others hear of nothing but deaths; it can do as much to the object.
 *
 * Not everybody reaches every socket: who has set its user since it opened the object may not enter the directory any more, or has no descriptor left to send from. What it still has is the file of the object.
 * So it reads a byte of that, through the descriptor that it has: whoever polls watches the file, for deaths, and hears of a read as well. pabal reads the file through read(2) nowhere else but when it is opened,
 * and all that comes of one read too many is one look too many.
 */
#include "model/descriptor_post.h"

#include <errno.h>
#include <unistd.h>

#include "model/descriptor_names.h"
#include "platform/datagram.h"
#include "platform/file.h"

enum { IN_USE = 1, ONE_CHANGE = 2 };

static uint64_t bits_of(const struct pabal__segment *segment, uint32_t id)
{
	/* seq_cst: after the look at the word; pairs with pabal__descriptor_enroll(), where the bit comes first */
	return atomic_load_explicit(&pabal__participant_at(segment, id)->waits_index, memory_order_seq_cst);
}

/* The first one that is to be told of @event. 0: nobody; @ret_anybody: but of something else. */
static uint32_t first_with(const struct pabal__segment *segment, uint32_t event, bool *ret_anybody)
{
	uint32_t high = pabal__participants_high(segment);

	*ret_anybody = false;
	for (uint32_t id = 1; id <= high; id++) {
		uint64_t bits = bits_of(segment, id);

		if (bits & event)
			return id;
		*ret_anybody = *ret_anybody || bits;
	}
	return 0;
}

/* All that have the bit, @first and others after it, by their sockets. false: some were not reached. */
static bool send_to_all(const struct pabal__segment *segment, uint32_t first, uint32_t event)
{
	uint32_t high = pabal__participants_high(segment);
	struct pabal__directory directory;
	char name[PABAL__DESCRIPTOR_NAME_SIZE];
	bool reached = true;
	int sender;

	if (pabal__segment_directory(segment, &directory) < 0)
		return false;
	sender = pabal__datagram_sender();
	for (uint32_t id = first; id <= high && sender >= 0; id++) {
		if (!(bits_of(segment, id) & event))
			continue;
		pabal__descriptor_name(segment, id, event, name);
		reached = pabal__datagram_send(sender, directory.fd, name) == 0 && reached;
	}
	if (sender >= 0)
		close(sender);
	pabal__directory_close(&directory);
	return sender >= 0 && reached;
}

static void read_the_file(const struct pabal__segment *shared)
{
	struct pabal__segment own = *shared; /* the descriptor may have to be found anew */
	int fd = pabal__segment_fd(&own);

	if (fd >= 0)
		pabal__file_tell(fd);
	if (own.fd != shared->fd && own.fd >= 0)
		close(own.fd);
}

void pabal__mailbox_post(const struct pabal__segment *segment, uint32_t event)
{
	pabal__word *word = &segment->header->descriptors;
	/* seq_cst: after the ring, and before the bits; pairs with pabal__descriptor_enroll(), after which the bell is armed */
	uint64_t seen = atomic_load_explicit(word, memory_order_seq_cst);
	int saved = errno;
	uint32_t first;
	bool anybody;

	if (!(seen & IN_USE))
		return;
	first = first_with(segment, event, &anybody);
	if (first) {
		if (!send_to_all(segment, first, event))
			read_the_file(segment);
		errno = saved;
	} else if (!anybody && PABAL__FAULT(DESCRIPTORS_FORGOTTEN)) {
		atomic_store_explicit(word, 0, memory_order_seq_cst);
	} else if (!anybody) {
		/* acq_rel: after the looks at the bits, which are loads; pairs with the change that is counted after a bit, and makes it fail */
		atomic_compare_exchange_strong_explicit(word, &seen, seen & ~(uint64_t)IN_USE, memory_order_acq_rel, memory_order_relaxed);
	}
}

void pabal__descriptor_enroll(pabal_mailbox *mailbox, uint32_t event)
{
	pabal__word *word = &mailbox->segment.header->descriptors;

	/*
	 * The bit first: whoever sees the change sees the bit, and if we are killed after it, our undertaker looks for the socket. seq_cst, all three: in this order, and before the bell is armed; pairs with
	 * pabal__mailbox_post(). Two steps for the word, since one CAS might have to be tried for ever.
	 */
	if (!PABAL__FAULT(CHANGE_BEFORE_BIT))
		atomic_fetch_or_explicit(&mailbox->self->waits_index, event, memory_order_seq_cst);
	if (!PABAL__FAULT(CHANGE_UNCOUNTED))
		atomic_fetch_add_explicit(word, ONE_CHANGE, memory_order_seq_cst);
	atomic_fetch_or_explicit(word, IN_USE, memory_order_seq_cst);
	if (PABAL__FAULT(CHANGE_BEFORE_BIT))
		atomic_fetch_or_explicit(&mailbox->self->waits_index, event, memory_order_seq_cst);
}

void pabal__descriptor_withdraw(pabal_mailbox *mailbox, uint32_t events)
{
	/* release: no more bytes, please */
	atomic_fetch_and_explicit(&mailbox->self->waits_index, ~(uint64_t)events, memory_order_release);
}
