/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/wait_kind.h - what pabal_wait_many() asks of a handle, whatever its kind.
 *
 * Each kind says by which descriptors it tells of something, and, once they did, whether it is so. Interrupts are told by counts, which are compared with what they were when the wait began, and by a nudge.
 */
#ifndef PABAL_SRC_MODEL_WAIT_KIND_H
#define PABAL_SRC_MODEL_WAIT_KIND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "wait/nudge.h"

enum { PABAL__WAIT_END_FDS = 3 };

/* What a wait remembers of a thing that is told by a number (struct pabal__wait_number_calls). */
struct pabal__wait_number {
	uint32_t index, events;
	uint32_t seen; /* when the wait began: what was told last */
	uint32_t now;  /* at the last look */
};

/*
 * Kinds of which something has happened when a number has changed since it was told last: the number is the wait's own, so that all who wait for it are told. What is told is noted by the handle when the call returns it.
 * An object may have many such numbers: which one is meant, the upper half of @events says.
 */
struct pabal__wait_number_calls {
	/* A wait begins. @sleeps: the handle is to be told of it from now on, until the end. 0, or an error, and then it has not begun. */
	int (*begin)(void *object, uint32_t events, bool sleeps, struct pabal__wait_number *ret_number);
	/* Has it changed, or the object ended? @woken: something told that it may be so; @told: it was the descriptor. If not, the wait may sleep. */
	bool (*look)(void *object, struct pabal__wait_number *number, bool told, bool woken);
	/* The call returns, and says so. */
	void (*note)(void *object, const struct pabal__wait_number *number);
	/* Of a wait that was to be told. */
	void (*end)(void *object);
};

struct pabal__wait_calls_of_kind {
	/* The descriptor of PABAL_READABLE or PABAL_WRITABLE, or an error. It is never silent while there is something. */
	int (*fd)(void *object, uint32_t event);
	/* That descriptor was readable: is it so? If not, it is silent now, until it is. NULL: @numbers says. */
	bool (*verify)(void *object, uint32_t event);
	/* What tells of its end, beside the descriptors of @events, which are polled: descriptors, -1 where there is none; and the events of poll to wait for on each. 0 or an error. NULL: it has no end. */
	int (*end_fds)(void *object, uint32_t events, int *ret_fds, short *ret_events);
	/* Has it ended? @told: one of those descriptors was ready; if it has not ended they are silent now. */
	bool (*has_ended)(void *object, bool told);
	/* Did one of the two above see that the program has closed its descriptors? What was polled are others, then. NULL: that is seen by poll alone. */
	bool (*is_lost)(void *object);
	/* NULL: there are none. */
	const struct pabal__wait_number_calls *numbers;
};

/* One handle. */
struct pabal__wait_kind {
	const struct pabal__wait_calls_of_kind *calls;
	uint32_t flags;                     /* PABAL_RESTART */
	const _Atomic uint32_t *interrupts; /* NULL, as the next: it has none */
	_Atomic uint32_t *acknowledged;
	struct pabal__nudges *nudges;
};

/* 0, or -EINVAL: it is no open handle that can be waited for. What is @object has a magic number at its beginning. */
int pabal__wait_kind_of(void *object, struct pabal__wait_kind *ret_kind);

#endif
