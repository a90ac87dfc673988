/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/nudge.c - event counters of those who sleep in poll.
 *
 * Sleeper: say that the counter is used; fence; look; sleep. Waker: make it happen; fence; go through the list. So either the look finds it, or the waker finds the counter used. The list only grows, at its
 * head, by CAS: a signal handler that runs in the middle of that goes through the list as it was before or as it is after.
 */
#include "wait/nudge.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct pabal__nudge *first_of(struct pabal__nudges *nudges)
{
	return atomic_load_explicit(&nudges->first, memory_order_acquire); /* pairs with add() */
}

static int add(struct pabal__nudges *nudges, struct pabal__nudge **ret_nudge)
{
	struct pabal__nudge *nudge = malloc(sizeof *nudge);

	if (!nudge)
		return -ENOMEM;
	nudge->fd = pabal__wake_open_known(&nudge->inode);
	if (nudge->fd < 0) {
		int r = nudge->fd;

		free(nudge);
		return r;
	}
	atomic_init(&nudge->used, true);
	nudge->next = atomic_load_explicit(&nudges->first, memory_order_relaxed); /* the CAS looks again */
	/* release: it is whole before it can be found; pairs with first_of() */
	while (!atomic_compare_exchange_weak_explicit(&nudges->first, &nudge->next, nudge, memory_order_release, memory_order_relaxed)) {
	}
	*ret_nudge = nudge;
	return 0;
}

int pabal__nudge_claim(struct pabal__nudges *nudges, struct pabal__nudge **ret_nudge)
{
	struct pabal__nudge *nudge = first_of(nudges);
	int r = 0;

	/* acquire: pairs with pabal__nudge_return() */
	while (nudge && atomic_exchange_explicit(&nudge->used, true, memory_order_acquire))
		nudge = nudge->next;
	if (!nudge)
		r = add(nudges, &nudge);
	else if (!pabal__nudge_is_ours(nudge))
		r = -EBADF;
	if (r == -EBADF)
		pabal__nudge_return(nudge);
	if (r < 0)
		return r;
	atomic_thread_fence(memory_order_seq_cst); /* used, then the caller's look; pairs with the one in pabal__nudge_all() */
	*ret_nudge = nudge;
	return 0;
}

void pabal__nudge_return(struct pabal__nudge *nudge)
{
	atomic_store_explicit(&nudge->used, false, memory_order_release); /* pairs with the next claim */
}

bool pabal__nudge_is_ours(const struct pabal__nudge *nudge)
{
	return pabal__wake_is_known(nudge->fd, &nudge->inode);
}

void pabal__nudge_clear(const struct pabal__nudge *nudge)
{
	if (pabal__nudge_is_ours(nudge)) /* what is left, of more than a sleeper is ever sent, keeps it set */
		pabal__wake_drain(nudge->fd, PABAL__WAKE_MAX);
}

void pabal__nudge_all(struct pabal__nudges *nudges)
{
	atomic_thread_fence(memory_order_seq_cst); /* it has happened, then the look at who sleeps; pairs with the one in pabal__nudge_claim() */
	for (struct pabal__nudge *nudge = first_of(nudges); nudge; nudge = nudge->next)
		if (atomic_load_explicit(&nudge->used, memory_order_relaxed) && pabal__nudge_is_ours(nudge)) /* used: ordered by the fence */
			pabal__wake_send(nudge->fd);
}

void pabal__nudges_close(struct pabal__nudges *nudges)
{
	struct pabal__nudge *nudge = first_of(nudges), *next;

	atomic_store_explicit(&nudges->first, NULL, memory_order_relaxed); /* no other thread uses it any more */
	for (; nudge; nudge = next) {
		next = nudge->next;
		if (pabal__nudge_is_ours(nudge))
			close(nudge->fd);
		free(nudge);
	}
}
