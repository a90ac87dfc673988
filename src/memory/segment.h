/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/segment.h - the shared memory of one object: its header page, and our private view of it.
 *
 * Everything in struct pabal__header may be changed at any moment by whoever may write the file. Its first line is read once, at attach, and checked;
 * after that only the private copy (struct pabal__layout) is believed. The other lines are words to be loaded once, checked and used.
 */
#ifndef PABAL_SRC_MEMORY_SEGMENT_H
#define PABAL_SRC_MEMORY_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pabal/base.h>

#include "memory/layout.h"
#include "memory/name.h"

#define PABAL__MAGIC UINT64_C(0x31306c6162617000) /* "\0pabal01" read as a little-endian word */

enum { PABAL__LAYOUT_VERSION = 1 };

typedef _Atomic uint64_t pabal__word;
typedef _Atomic uint32_t pabal__bell_word;

struct pabal__header {
	/* Written by the creator before anybody else can see the file. */
	uint64_t magic;
	uint32_t version, kind;
	uint32_t flags, capacity;
	uint64_t memory_max;
	uint64_t reserved[4];

	/* Rare events: whoever makes one adds 1, everybody compares with the last number seen. One line that is almost always only read. */
	_Alignas(64) pabal__word notice;
	pabal__word shutdown; /* destroy: 1 */

	_Alignas(64) pabal__word tail_hint;        /* senders, now and then; receivers and newcomers read */
	_Alignas(64) pabal__word head_hint;        /* receivers, now and then; senders and newcomers read */
	_Alignas(64) pabal__bell_word items_bell;  /* receivers arm, senders ring */
	_Alignas(64) pabal__bell_word room_bell;   /* senders arm, receivers ring */
	_Alignas(64) pabal__bell_word memory_bell; /* senders short of memory arm, who frees a block rings */

	/* Statistics and high-water marks: rarely written. */
	_Alignas(64) pabal__word participants_high; /* slots 1 .. this may be in use */
	pabal__word redelivered, dropped, late_wakes;
	_Alignas(64) pabal__word extents_high[PABAL__CLASSES]; /* extents of the class that were ever used; their words have memory */
};

_Static_assert(sizeof(struct pabal__header) <= PABAL__PAGE, "the header is one page");

struct pabal__segment {
	struct pabal__header *header; /* the mapping, from its first byte */
	struct pabal__layout layout;
	struct pabal__shape shape;
	int fd;
	dev_t dev;
	ino_t ino;
	uid_t uid;
	mode_t mode;
	bool read_only;
	char name[PABAL_NAME_SIZE];
};

/* A new segment of this shape, which has no name yet; only what an empty mailbox needs has memory behind it. */
int pabal__segment_make(const struct pabal__directory *directory, const char *name, const struct pabal__shape *shape, uint32_t mode,
			struct pabal__segment *ret_segment);

/* Open the file of that name and look at everything before believing any of it. @what: the word for the kind in messages. */
int pabal__segment_open(const struct pabal__directory *directory, const char *name, uint32_t kind, bool read_only,
			struct pabal__segment *ret_segment);

void pabal__segment_close(struct pabal__segment *segment);

/* Our descriptor of the file, or another one if the program closed ours behind our back. Negative: there is none any more. */
int pabal__segment_fd(struct pabal__segment *segment);

/* fallocate, with the sentence for people. */
int pabal__segment_back(struct pabal__segment *segment, uint64_t offset, uint64_t size);

static inline void *pabal__segment_at(const struct pabal__segment *segment, uint64_t offset)
{
	return (char *)segment->header + offset;
}

#endif
