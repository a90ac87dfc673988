/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals.h - one way to wait: what a child does that waits, and what its parent does before, during and after.
 *
 * Each kind of object has a file signals_KIND.c with a table of the ways to wait on it; test_signals.c goes through the tables. The functions of the child have child_check() and the like,
 * those of the parent cmocka's assertions. There is one object at a time, and an end() leaves nothing of it.
 */
#ifndef PABAL_TESTS_WAKE_SIGNALS_H
#define PABAL_TESTS_WAKE_SIGNALS_H

#include "support/support.h"

struct way {
	const char *name;
	void (*make)(void);          /* the parent, before the child starts; or NULL */
	int (*wait)(uint32_t flags); /* the child: flags are those of its handles; the result is that of the call that waits */
	void (*meet)(void);          /* the parent, after the start; or NULL */
	void (*let_go)(void);        /* the parent: what the child waits for */
	void (*end)(void);           /* the parent, after the child's end */
};

struct ways {
	const struct way *ways;
	size_t count;
};

extern const struct ways mailbox_ways, buffer_ways, region_ways, link_ways, process_ways;

/* A child says it just before the call that waits: what it did up to there is not to be disturbed. */
void about_to_wait(void);

#endif
