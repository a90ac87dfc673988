/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waits.h - who waits for what, and who could end it: the graph that "pabal why" tells about.
 *
 * Parties are processes, waits are what pabal_waits() tells. Two looks are taken, and only waits that are in both are kept: all of them went on at the same moment.
 */
#ifndef PABAL_TOOLS_WAITS_H
#define PABAL_TOOLS_WAITS_H

#include <stdbool.h>

#include <pabal/base.h>

struct wait {
	struct pabal_wait_info info;
	uint32_t party; /* who waits; an index, as are the wakers: those who could end it */
	uint32_t *wakers;
	uint32_t waker_count;
	bool is_open;   /* so could a process that is not here yet: it may open the mailbox, or announce itself */
	bool is_shared; /* others wait for the same thing in the same place */
};

struct party {
	pid_t pid;
	char command[32]; /* as /proc tells it; "" if the process is not visible from here */
	char state;       /* R, S, D, T ... as /proc tells it; 0: not visible */
	uint32_t threads; /* 0: not visible */
	uint32_t waits;   /* how many of them wait for something of pabal's */
	bool is_stuck;    /* nobody who is not stuck could end its waits */
};

struct waits {
	struct wait *waits;
	uint32_t count;
	struct party *parties;
	uint32_t party_count;
};

/** waits_read() - find out. Return: 0, or what a pabal call returned; -ENOMEM. @waits must be freed either way. */
int waits_read(struct waits *waits);

/** waits_free() - free what waits_read() allocated. */
void waits_free(struct waits *waits);

/** waits_party() - the process with that number, added if it is not there. Return: its index; UINT32_MAX: out of memory. */
uint32_t waits_party(struct waits *waits, pid_t pid);

#endif
