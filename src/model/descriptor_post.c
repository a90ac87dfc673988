/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_post.c - a byte to the socket of each handle that has a descriptor.
 *
 * Who has one is said by bits, of the participants. That there may be one is said by a word in the header, `changes:63 | in use:1`: while it is not in use, a ring, or a notify, costs one load of it. Who gets a
 * descriptor sets its bit, counts a change, and sets "in use", in this order. Who finds the word in use looks at all bits before it opens anything; if there is none at all, it takes "in use" back, by CAS from what
 * the word was *before* it looked. So whoever counted after that makes the CAS fail, or sets "in use" after it; and whoever counted before that has a bit, which was seen.
 *
 *   in use --somebody finds no bit, and nobody has counted since--> not in use --somebody has a bit--> in use
 *
 * Killed between any two steps: a bit that is not counted goes with its burial; "in use" without a bit costs the next one who looks a look. No bit is ever without "in use" but for a moment in which its owner
 * has not looked yet, or its bell is not armed for it. A hostile peer may write the words: then others hear of nothing but deaths; it can do as much to the object.
 *
 * In a mailbox or buffer bits stay as long as the descriptor, and who rings has cleared the bell, which is armed anew when the socket was emptied. The events of a region have no bell for this: its bits are armed, by those about
 * to sleep. Who has told one takes its bits back, so that a sleeper that is slow, stopped or dead costs others one byte and no more: by CAS from what the word was *before* the byte was sent. Whoever sleeps empties its socket,
 * arms, which changes the word since arms are counted, looks, and sleeps; so a bit that was taken back has a byte that was sent after it was set, and that nobody has swallowed who has not looked since. Nobody waits for
 * a teller that is stopped or killed: until it has sent the byte the bit stands, and the next one sends its own. (One that is stopped between its byte and the CAS while another arms 2^32 times, to the
 * last, would be wrong.)
 *
 * Not everybody reaches every socket: who has set its user since it opened the object may not enter the directory any more, or has no descriptor left to send from. What it still has is the file of the object.
 * So it reads a byte of that, through the descriptor that it has: whoever polls watches the file, for deaths, and hears of a read as well. pabal reads the file through read(2) nowhere else but when it is opened,
 * and all that comes of one read too many is one look too many.
 */
#include "model/descriptor_post.h"

#include <errno.h>
#include <unistd.h>

#include "base/fault.h"
#include "model/descriptor_names.h"
#include "platform/datagram.h"
#include "platform/file.h"

enum { IN_USE = 1, ONE_CHANGE = 2 };

static bool is_region(const struct pabal__segment *segment)
{
	return segment->kind->number == PABAL_KIND_REGION;
}

static uint64_t bits_of(const struct pabal__segment *segment, uint32_t id)
{
	/* seq_cst: after the look at the word; pairs with pabal__descriptor_enroll(), where the bit comes first */
	return atomic_load_explicit(pabal__participant_descriptors(segment, id), memory_order_seq_cst);
}

/* The first one that is to be told of @bits. 0: nobody; @ret_anybody: but of something else. */
static uint32_t first_with(const struct pabal__segment *segment, uint64_t bits, bool *ret_anybody)
{
	uint64_t any = is_region(segment) ? PABAL__TOLD_ALL : UINT64_MAX;
	uint32_t high = pabal__participants_high(segment);

	*ret_anybody = false;
	for (uint32_t id = 1; id <= high; id++) {
		uint64_t word = bits_of(segment, id);

		if (word & bits)
			return id;
		*ret_anybody = *ret_anybody || (word & any);
	}
	return 0;
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

/* It has been told: not again, unless it has armed since @word was read. */
static void take_back(const struct pabal__segment *segment, uint32_t id, uint64_t word, uint64_t bits)
{
	if (PABAL__FAULT(TAKEN_BACK_BLINDLY))
		word = bits_of(segment, id);
	/* seq_cst: after the byte; pairs with pabal__descriptor_enroll(), which makes it fail */
	atomic_compare_exchange_strong_explicit(pabal__participant_descriptors(segment, id), &word, word & ~bits, memory_order_seq_cst,
						memory_order_relaxed);
}

/* All that have one of the bits, @first and others after it: by their sockets, or where that fails by the file. */
static void send_to_all(const struct pabal__segment *segment, uint32_t first, uint64_t bits, uint32_t event)
{
	uint32_t high = pabal__participants_high(segment);
	struct pabal__directory directory = { .fd = -1 };
	char name[PABAL__DESCRIPTOR_NAME_SIZE];
	int sender = pabal__segment_directory(segment, &directory) < 0 ? -1 : pabal__datagram_sender();

	for (uint32_t id = first; id <= high; id++) {
		uint64_t word = bits_of(segment, id);

		if (!(word & bits))
			continue;
		pabal__descriptor_name(segment, id, event, name);
		if (sender < 0 || pabal__datagram_send(sender, directory.fd, name) < 0)
			read_the_file(segment);
		if (is_region(segment))
			take_back(segment, id, word, bits);
	}
	if (sender >= 0)
		close(sender);
	if (directory.fd >= 0)
		pabal__directory_close(&directory);
}

void pabal__descriptor_post(const struct pabal__segment *segment, uint64_t bits, uint32_t event)
{
	pabal__word *word = &segment->header->descriptors;
	/* seq_cst: after the ring, and before the bits; pairs with pabal__descriptor_enroll(), after which the bell is armed */
	uint64_t seen = atomic_load_explicit(word, memory_order_seq_cst);
	int saved = errno;
	uint32_t first;
	bool anybody;

	if (!(seen & IN_USE))
		return;
	first = first_with(segment, bits, &anybody);
	if (first) {
		send_to_all(segment, first, bits, event);
		errno = saved;
	} else if (!anybody && PABAL__FAULT(DESCRIPTORS_FORGOTTEN)) {
		atomic_store_explicit(word, 0, memory_order_seq_cst);
	} else if (!anybody) {
		/* acq_rel: after the looks at the bits, which are loads; pairs with the change that is counted after a bit, and makes it fail */
		atomic_compare_exchange_strong_explicit(word, &seen, seen & ~(uint64_t)IN_USE, memory_order_acq_rel, memory_order_relaxed);
	}
}

static void set_bits(const struct pabal__segment *segment, uint32_t id, uint64_t bits)
{
	pabal__word *word = pabal__participant_descriptors(segment, id);

	/* seq_cst, both: see below. The count first: who has read the word before that takes nothing back. Who has read it since sends after it. */
	if (is_region(segment))
		atomic_fetch_add_explicit(word, PABAL__TOLD_ARM, memory_order_seq_cst);
	atomic_fetch_or_explicit(word, bits, memory_order_seq_cst);
}

void pabal__descriptor_enroll(const struct pabal__segment *segment, uint32_t id, uint64_t bits)
{
	pabal__word *word = &segment->header->descriptors;

	/*
	 * The bit first: whoever sees the change sees the bit, and if we are killed after it, our undertaker looks for the socket. seq_cst, all: in this order, and before the bell is armed, or the event looked at; pairs with
	 * pabal__descriptor_post(). Two steps for the word, since one CAS might have to be tried for ever.
	 */
	if (!PABAL__FAULT(CHANGE_BEFORE_BIT))
		set_bits(segment, id, bits);
	if (!PABAL__FAULT(CHANGE_UNCOUNTED))
		atomic_fetch_add_explicit(word, ONE_CHANGE, memory_order_seq_cst);
	atomic_fetch_or_explicit(word, IN_USE, memory_order_seq_cst);
	if (PABAL__FAULT(CHANGE_BEFORE_BIT))
		set_bits(segment, id, bits);
}

void pabal__descriptor_withdraw(const struct pabal__segment *segment, uint32_t id, uint64_t bits)
{
	/* release: no more bytes, please */
	atomic_fetch_and_explicit(pabal__participant_descriptors(segment, id), ~bits, memory_order_release);
}
