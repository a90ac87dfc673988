/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/link.h - a link between two processes, in the places where other channels are measured.
 *
 * A link carries messages both ways and belongs to two processes that have names, so it does not fit behind the calls of channel.h; its bursts are played by these.
 */
#ifndef PABAL_BENCH_LINK_H
#define PABAL_BENCH_LINK_H

#include "contest.h"

extern const struct channel_kind link_spin, link_adaptive, link_block;

static inline bool is_link(const struct entry *entry)
{
	return entry->kind == &link_spin || entry->kind == &link_adaptive || entry->kind == &link_block;
}

int link_round_trip(const struct contest *contest, struct entry *entry, struct burst *ret_burst);
int link_hand_over(const struct contest *contest, struct entry *entry, struct burst *ret_burst);
int link_stream(const struct contest *contest, struct entry *entry, struct burst *ret_burst);

/* Tell gc of the names that the dead left. */
void link_sweep(void);

#endif
