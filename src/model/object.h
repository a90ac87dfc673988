/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/object.h - what every kind of object has in common: making, opening, leaving, destroying, and a table of what differs.
 *
 * A kind is a struct pabal__object_kind in a file of its own (mailbox_kind.c), one line in object_kind.c, and its calls. Its handle fills a struct
 * pabal__object_request from the caller's options, gets a struct pabal__seat, and keeps the seat's parts where its calls want them.
 */
#ifndef PABAL_SRC_MODEL_OBJECT_H
#define PABAL_SRC_MODEL_OBJECT_H

#include <pabal/base.h>

#include "memory/participant.h"
#include "model/bury.h"

struct pabal__object_kind {
	struct pabal__segment_kind segment; /* the first member: a segment names its kind by a pointer to it */
	/* A new segment, which nobody else sees yet: fill in what is not 0. May be NULL. */
	void (*format)(const struct pabal__segment *segment);
	/* Repair all that the dead @id left, in steps that may be killed and begun again. Negative: not now; it stays unburied. */
	int (*bury)(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial);
	/* A rare event has happened (destroy, burial): everybody who waits looks again. */
	void (*notify)(const struct pabal__segment *segment);
	/* Give unused memory back; returns bytes. May be NULL. */
	uint64_t (*reclaim)(struct pabal__segment *segment, uint32_t me);
	/* Account for everything that could be wrong. -ENOMEM. */
	int (*account)(struct pabal__segment *segment, struct pabal_check_result *ret_result);
	/* A wait of @participant, for pabal_waits(): what it is for, where that is not a message or room. NULL: it is. */
	void (*tell_wait)(const struct pabal__segment *segment, const struct pabal__participant *participant, struct pabal_wait_info *info);
	/* Depth, capacity, memory and memory_max for pabal_list(). */
	void (*describe)(struct pabal__segment *segment, struct pabal_object_info *info);
};

extern const struct pabal__object_kind pabal__buffer_kind, pabal__mailbox_kind, pabal__region_kind;

/* All kinds that have a segment, then NULL. */
extern const struct pabal__segment_kind *const pabal__object_kinds[];

static inline const struct pabal__object_kind *pabal__object_kind(const struct pabal__segment *segment)
{
	return (const struct pabal__object_kind *)segment->kind;
}

/* What create and open of any kind are asked for. */
struct pabal__object_request {
	const struct pabal__object_kind *kind;
	const char *name;
	uint32_t flags, mode; /* mode 0: the default */
	int64_t wait_ns;
	struct pabal__shape shape; /* create */
};

/* A segment, and our part in it. */
struct pabal__seat {
	struct pabal__segment segment;
	uint32_t id; /* participant; 0: we only look */
	void *hold;
};

/* Errors as the public calls document them, each with its sentence. */
int pabal__object_create(const struct pabal__object_request *request, struct pabal__seat *ret_seat);
int pabal__object_open(const struct pabal__object_request *request, struct pabal__seat *ret_seat);
int pabal__object_destroy(const struct pabal__object_kind *kind, const char *name);

/* Give up our slot, which holds nothing any more; who is the last ends an ephemeral object. The segment stays mapped. */
void pabal__object_leave(struct pabal__segment *segment, uint32_t id, void *hold);

/* Open the named object of one of these kinds to look at it; takes no slot. */
int pabal__object_look_at(const char *name, const struct pabal__segment_kind *const *kinds, struct pabal__segment *ret_segment);

/* Participants whose process lives, and all that have a slot. */
uint32_t pabal__object_living(struct pabal__segment *segment, uint32_t *ret_used);

static inline void pabal__object_notify(const struct pabal__segment *segment)
{
	pabal__object_kind(segment)->notify(segment);
}

/* object_end.c: the end of an object. */

/* End it and remove its name, or change nothing. -ENOENT: the name is not its own any more. */
int pabal__object_end(const struct pabal__directory *directory, struct pabal__segment *segment);
/* The same if no living participant is left; true: it was ended. */
bool pabal__object_end_unused(struct pabal__segment *segment);
/* We have just joined: is it still there? 0; -ENOENT: it has ended; -EAGAIN: somebody who does not get on is ending it. */
int pabal__object_admit(struct pabal__segment *segment);
/* The state is not ALIVE: has it ended? */
bool pabal__object_settle(const struct pabal__segment *segment) __attribute__((cold));

/* 0: it was not destroyed. One load of a line that is almost always only read. */
static inline uint64_t pabal__object_state(const struct pabal__segment *segment)
{
	_Static_assert(PABAL__ALIVE == 0, "whatever is not 0 is looked at more closely");
	return atomic_load_explicit(&segment->header->state, memory_order_acquire); /* pairs with set_state() */
}

static inline bool pabal__object_may_have_ended(const struct pabal__segment *segment)
{
	return __builtin_expect(pabal__object_state(segment) != PABAL__ALIVE, 0);
}

/* Was it destroyed? */
static inline bool pabal__object_ended(const struct pabal__segment *segment)
{
	return pabal__object_may_have_ended(segment) && pabal__object_settle(segment);
}

#endif
