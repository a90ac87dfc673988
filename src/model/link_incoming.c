/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_incoming.c - what comes in: looked at, checked, accepted, or put aside.
 *
 * All that lies in the peer's memory is read here, once each, into a struct of ours, and checked there. A reply goes to its call. While somebody waits for a reply, other messages are
 * put aside for receive and take, in memory of this process: up to a limit, so that a peer cannot make us use more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "model/link.h"
#include "model/link_fds.h"
#include "model/link_large.h"

/* A ring's worth of the smallest messages: who finds so many replies in a row is being kept busy. */
enum {
	REPLIES_MAX = PABAL__STREAM_BYTES / 16,
	SKIPS_MAX = 16, /* an honest writer lays two in a row at most: over a loan, and over an older gap */
};

/* The next header, or why there is none. */
static inline int look(struct pabal_link *link, uint32_t *ret_header)
{
	struct pabal__reader *reader = &link->receiving.reader;
	int r;

	*ret_header = pabal__reader_look(reader);
	if (PABAL__FAULT(END_FIRST) && pabal__doorbell_end(&link->bell))
		return pabal__doorbell_end(&link->bell);
	if (__builtin_expect(*ret_header != 0, 1))
		return 0;
	r = pabal__doorbell_end(&link->bell);
	if (r == 0) {
		pabal__reader_expect(reader);
		pabal__link_expect_release(link);
		return PABAL__DOORBELL_WAIT;
	}
	*ret_header = pabal__reader_look(reader); /* its last words */
	return *ret_header ? 0 : r;
}

int pabal__link_peek(struct pabal_link *link, struct pabal__incoming *ret_incoming)
{
	struct pabal__reader *reader = &link->receiving.reader;
	uint32_t header;
	int r;

	if (__builtin_expect(pabal__link_broken(link), 0))
		return -EBADMSG;
	for (int i = 0; i < SKIPS_MAX; i++) {
		r = look(link, &header);
		if (__builtin_expect(r != 0, 0))
			return r;
		if (__builtin_expect(!pabal__reader_sound(reader, header), 0) && !PABAL__FAULT(HEADER_UNCHECKED))
			return pabal__link_break(link);
		if (__builtin_expect(pabal__stream_kind_of(header) != PABAL__STREAM_SKIP, 1))
			return __builtin_expect(pabal__link_read(link, header, ret_incoming), 1) ? 0 : pabal__link_break(link);
		pabal__reader_consume(reader, header);
		reader->skips++;
	}
	return pabal__link_break(link);
}

static void unpark(struct pabal_link *link, const struct pabal__parked *parked)
{
	struct pabal__link_receiving *receiving = &link->receiving;

	receiving->parked = parked->next;
	if (!receiving->parked)
		receiving->parked_end = &receiving->parked;
	receiving->parked_count--;
	receiving->parked_bytes -= sizeof *parked + (parked->large ? 0 : parked->size);
	if (receiving->parked_full) {
		receiving->parked_full = false;
		pabal__doorbell_kick(&link->bell);
	}
}

/* The descriptors that came with a message. What did not come is remembered as its error. */
static int fetch_fds(struct pabal_link *link, uint32_t count, int **ret_fds)
{
	int *fds = malloc(count * sizeof *fds), r;

	if (!fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		fds[i] = -1;
	r = pabal__link_fds_receive(link->fds_in, ++link->receiving.fd_lots, count, fds);
	for (uint32_t i = 0; i < count; i++)
		if (fds[i] < 0)
			fds[i] = r; /* negative: with 0 they are all there */
	*ret_fds = fds;
	return 0;
}

int pabal__link_accept(struct pabal_link *link, struct pabal__incoming *incoming)
{
	int r;

	incoming->fds = NULL;
	if (__builtin_expect(incoming->parked != NULL, 0)) {
		incoming->fds = incoming->parked->fds;
		unpark(link, incoming->parked);
	} else {
		if (__builtin_expect(incoming->extra.fd_count != 0, 0)) {
			r = fetch_fds(link, incoming->extra.fd_count, &incoming->fds);
			if (r < 0)
				return r;
		}
		if (incoming->large)
			pabal__link_remember(link, incoming, pabal__link_alone(link));
		pabal__reader_consume(&link->receiving.reader, incoming->header);
		pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_ROOM);
	}
	return 0;
}

struct pabal__parked *pabal__link_park(struct pabal_link *link, struct pabal__incoming *incoming)
{
	struct pabal__parked *parked = malloc(sizeof *parked + (incoming->large ? 0 : incoming->size));

	if (!parked)
		return NULL;
	*parked = (struct pabal__parked){ .extra = incoming->extra,
					  .large = incoming->large,
					  .receipt = incoming->receipt,
					  .size = incoming->size,
					  .data = incoming->large ? incoming->data : (unsigned char *)(parked + 1) };
	if (!incoming->large)
		memcpy(parked + 1, incoming->data, incoming->size);
	if (pabal__link_accept(link, incoming) < 0) {
		free(parked);
		return NULL;
	}
	parked->fds = incoming->fds;
	return parked;
}

void pabal__link_close_fds(int *fds, uint32_t count)
{
	if (!fds)
		return;
	for (uint32_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
}

void pabal__parked_free(struct pabal_link *link, struct pabal__parked *parked)
{
	if (parked->large)
		pabal__link_release_large(link, parked->receipt, pabal__link_alone(link));
	pabal__link_close_fds(parked->fds, parked->extra.fd_count);
	free(parked);
}

static int next_parked(const struct pabal_link *link, struct pabal__incoming *ret_incoming)
{
	struct pabal__parked *parked = link->receiving.parked;

	*ret_incoming = (struct pabal__incoming){ .data = parked->data,
						  .size = parked->size,
						  .extra = parked->extra,
						  .large = parked->large,
						  .receipt = parked->receipt,
						  .parked = parked };
	return 0;
}

int pabal__link_next(struct pabal_link *link, struct pabal__incoming *ret_incoming)
{
	if (__builtin_expect(link->receiving.parked != NULL, 0))
		return next_parked(link, ret_incoming);
	for (int i = 0; i < REPLIES_MAX; i++) {
		int r = pabal__link_peek(link, ret_incoming);

		if (__builtin_expect(r != 0 || ret_incoming->extra.what != PABAL__MESSAGE_REPLY, 1))
			return r;
		r = pabal__calls_take_reply(link, ret_incoming);
		if (r < 0)
			return r;
	}
	return PABAL__DOORBELL_WAIT;
}
