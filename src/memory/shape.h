/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/shape.h - what a creator chooses of an object, for every kind; and what lies at the same place in all of them.
 *
 * The shape stands in the first lines of the header. It is read once, at attach, checked by its kind, and kept in private memory; from it each participant computes the
 * layout for itself. A kind uses the members that it needs and leaves the others 0. A new member takes its room from the reserved one, and the layout version goes up.
 */
#ifndef PABAL_SRC_MEMORY_SHAPE_H
#define PABAL_SRC_MEMORY_SHAPE_H

#include <stdint.h>

enum {
	PABAL__PAGE = 4096,         /* ABI: the smallest page of every supported machine; fallocate and punch count in it */
	PABAL__PARTICIPANTS = 1023, /* ABI: 10 bits in a slot of a ring, 0 is nobody */
	PABAL__PARTICIPANT = 64,    /* bytes a participant: a cache line */
	/* Header page, then the participants: so list, gc and liveness need not know the kind. What a kind has of its own begins at _END. */
	PABAL__PARTICIPANTS_AT = PABAL__PAGE,
	PABAL__PARTICIPANTS_END = PABAL__PARTICIPANTS_AT + PABAL__PARTICIPANT * (PABAL__PARTICIPANTS + 1),
};

struct pabal__shape {
	uint32_t flags;         /* those that change the object: PABAL_EPHEMERAL, and what the kind has */
	uint32_t capacity;      /* mailbox: messages; buffer: items */
	uint64_t memory_max;    /* mailbox: payload memory; region: bytes of data */
	uint32_t locks, events; /* region */
	uint64_t item_size;     /* buffer */
	uint32_t on_full;       /* buffer: enum pabal_on_full */
	uint32_t reserved_;     /* 0 */
	uint64_t reserved[9];   /* 0 */
};

_Static_assert(sizeof(struct pabal__shape) == 112, "with magic, version and kind the shape fills two cache lines");
_Static_assert(PABAL__PARTICIPANTS_END % PABAL__PAGE == 0, "whole pages");

#endif
