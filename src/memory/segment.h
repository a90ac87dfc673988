/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/segment.h - the shared memory of one object: its header page, and our private view of it.
 *
 * Everything in struct pabal__header may be changed at any moment by whoever may write the file. Its first two lines are read once, at attach, and checked;
 * after that only the private copies (shape, layout) are believed. The other lines are words to be loaded once, checked and used.
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
#include "memory/place.h"
#include "memory/region_layout.h"

#define PABAL__MAGIC UINT64_C(0x31306c6162617000) /* "\0pabal01" read as a little-endian word */

enum { PABAL__LAYOUT_VERSION = 3 };

typedef _Atomic uint64_t pabal__word;
typedef _Atomic uint32_t pabal__bell_word;

struct pabal__header {
	/* Written by the creator before anybody else can see the file. */
	uint64_t magic;
	uint32_t version, kind;
	struct pabal__shape shape;

	/* Rare events: whoever makes one adds 1, everybody compares with the last number seen. One line that is almost always only read. */
	_Alignas(64) pabal__word notice;
	pabal__word state; /* enum pabal__state: model/object_end.c alone changes it */
	pabal__word
		descriptors; /* whether some handle may have a descriptor for poll(2); who rings a bell sends bytes as well: model/descriptor_post.c alone writes and reads it */

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

/* Does the object live? model/object_end.c says what the states mean. */
enum pabal__state { PABAL__ALIVE = 0, PABAL__ENDING = 1, PABAL__ENDED = 2 };

struct pabal__segment;

/* What this layer must know of a kind of object. */
struct pabal__segment_kind {
	uint32_t number;         /* enum pabal_kind */
	const char *word;        /* for people: "mailbox" */
	const char *memory_word; /* what its users call shape.memory_max */
	uint32_t shape_flags;
	bool (*shape_fits)(const struct pabal__shape *shape); /* may this have been made by us? */
	void (*lay_out)(struct pabal__segment *segment);      /* from segment->shape: its layout, and segment->size */
	int (*back)(struct pabal__segment *segment);          /* a new one: memory for what it needs beyond header and participants */
};

struct pabal__segment {
	struct pabal__header *header; /* the mapping, from its first byte */
	const struct pabal__segment_kind *kind;
	struct pabal__shape shape;
	uint64_t size;                       /* of file and mapping */
	union {                              /* by kind */
		struct pabal__layout layout; /* mailbox, and buffer but for SPSC and LATEST */
		struct pabal__region_layout region;
	};
	int fd;
	dev_t dev;
	ino_t ino;
	uid_t uid;
	mode_t mode;
	bool read_only;
	char name[PABAL_NAME_SIZE];
	struct pabal__place place; /* the directory in which it was made, or opened */
};

/* A new segment of this kind and shape, which has no name yet; only what an empty object needs has memory behind it. */
int pabal__segment_make(const struct pabal__directory *directory, const char *name, const struct pabal__segment_kind *kind,
			const struct pabal__shape *shape, uint32_t mode, struct pabal__segment *ret_segment);

/* Open the file of that name and look at everything before believing any of it. @kinds: those that will do, then NULL. */
int pabal__segment_open(const struct pabal__directory *directory, const char *name, const struct pabal__segment_kind *const *kinds, bool read_only,
			struct pabal__segment *ret_segment);

void pabal__segment_close(struct pabal__segment *segment);

/* Our descriptor of the file, or another one if the program closed ours behind our back. Negative: there is none any more. */
int pabal__segment_fd(struct pabal__segment *segment);

/* The directory that it was made or opened in, whatever the program has done since; as pabal__place_open(). Whoever has a segment asks for no other. */
static inline int pabal__segment_directory(const struct pabal__segment *segment, struct pabal__directory *ret_directory)
{
	return pabal__place_open(&segment->place, ret_directory);
}

/* fallocate, with the sentence for people. */
int pabal__segment_back(struct pabal__segment *segment, uint64_t offset, uint64_t size);

static inline void *pabal__segment_at(const struct pabal__segment *segment, uint64_t offset)
{
	return (char *)segment->header + offset;
}

#endif
