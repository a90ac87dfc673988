/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/link_pair.h - the two sides of a link without the handshake: two memories, two mappings, a few sockets.
 */
#ifndef PABAL_TESTS_LINK_PAIR_H
#define PABAL_TESTS_LINK_PAIR_H

#include "model/link.h"
#include "support/support.h"

struct link_pair {
	struct pabal__link_parts parts[2];
};

/* What both sides need. memory_max: of each side. */
void link_pair_make(struct link_pair *pair, uint64_t max_first, uint64_t max_second);

/* For peer_life: the page of a process that lives, whatever happens. Without one, most short ways are not gone. */
const _Atomic uint64_t *link_pair_life(void);

/* One side, in a process of its own; the other side's things are closed here. @peer: the pid of the other side. */
pabal_link *link_pair_open(struct link_pair *pair, int side, pid_t peer, uint32_t flags);

/* Both sides in this process, each with mappings of its own. */
void link_pair_both(struct link_pair *pair, uint32_t flags, pabal_link *ret_links[2]);

/* Both sides in this process and on one mapping, so that ThreadSanitizer sees the races between them. Closed by link_pair_close_shared(). */
void link_pair_shared(struct link_pair *pair, uint32_t flags, pabal_link *ret_links[2]);
void link_pair_close_shared(struct link_pair *pair, pabal_link *links[2]);

/* Make, and open both sides with 1 MiB each. */
void link_pair_default(uint32_t flags, pabal_link *ret_links[2]);

struct pabal_link_stats link_stats_of(pabal_link *link);

#endif
