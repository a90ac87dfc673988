/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/thing.h - one object of each kind that pabal_wait_many() waits for, and what can be done with it, alike for all; and threads that sleep on it.
 */
#ifndef PABAL_TESTS_WAKE_THING_H
#define PABAL_TESTS_WAKE_THING_H

#include <pthread.h>
#include <stdatomic.h>

#include "support/support.h"

enum kind { MAILBOX, BUFFER, SPSC, LATEST, LINK, PROCESS, KINDS };

/* One object, and the handle that is waited for. */
struct thing {
	enum kind kind;
	void *handle;
	pabal_mailbox *mailbox;
	pabal_buffer *buffer, *other; /* other: who puts, or gets, for SPSC has one of each */
	pabal_process *self;
	pabal_link *link;
	pid_t peer;
};

/* Make it, "o" or a link with "peer", which is a process of its own. @flags: of the handle. */
void thing_make(struct thing *thing, enum kind kind, uint32_t flags);
/* Its end, for those who wait for that. */
void thing_destroy(struct thing *thing);
void thing_close(struct thing *thing);
/* Both. */
void thing_end(struct thing *thing);

/* One more to be received. */
void thing_put(struct thing *thing);
int thing_get(const struct thing *thing, int64_t timeout_ns);
/* No assertion: a signal handler calls it. */
int thing_interrupt(const struct thing *thing);

/* pabal_wait_many() for it alone. */
int thing_wait(const struct thing *thing, uint32_t events, uint32_t *ret_events, int64_t timeout_ns);
int thing_await(const struct thing *thing, int64_t timeout_ns); /* for PABAL_READABLE */

struct sleeper {
	pthread_t thread;
	const struct thing *thing;
	_Atomic pid_t tid;
	uint32_t events, ret_events; /* events: 0: thing_get() */
	int result;
};

/* A thread that waits without a limit; when this returns it sleeps. One after the other, so that what they sleep in is their wait. */
void sleeper_begin(struct sleeper *sleeper, const struct thing *thing, uint32_t events);
/* Its end. */
int sleeper_result(struct sleeper *sleeper);
/* For who starts it himself. */
void *sleeper_body(void *data);
bool sleeper_has_begun(void *data);

#endif
