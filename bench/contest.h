/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/contest.h - ours and theirs in turns, burst by burst, and what is made of the bursts.
 *
 * A figure is the median of several bursts, a ratio the median of the ratios burst by burst, each to something measured right beside it: the floor
 * probe around the burst, or the burst of a peer in the same round. Bursts whose two probes disagree are rejected.
 */
#ifndef PABAL_BENCH_CONTEST_H
#define PABAL_BENCH_CONTEST_H

#include "channel.h"
#include "report.h"

enum { BURSTS_MAX = 32, ENTRIES_MAX = 8 };

struct settings {
	int64_t burst_ns;
	uint32_t bursts;
	int first, second; /* CPUs; second is -1 where there is one only */
	bool quick;
	struct report *report;
};

struct burst {
	double value;    /* ns, or messages per second */
	double fairness; /* least served receiver / most served; 0: not measured */
	double cpu_ns;   /* processor time per message, of all who take part; 0: not measured */
	double floor;    /* mean of the probes before and after */
	bool rejected;   /* they disagree */
};

struct entry {
	const struct channel_kind *kind;
	size_t size; /* bytes of a message */
	char note[64];
	bool absent; /* not to be had here: left out */
	struct burst bursts[BURSTS_MAX];
};

struct contest {
	const struct settings *settings;
	const char *section, *placement, *unit;
	/* One burst of one entry. */
	int (*play)(const struct contest *contest, struct entry *entry, struct burst *ret_burst);
	uint32_t pairs;      /* senders, and as many receivers */
	bool one_core;       /* both on the first CPU, else one on each */
	bool free;           /* not pinned */
	bool hog;            /* a third process on the first CPU never sleeps */
	bool probed;         /* probe the floor around each burst, and reject those whose probes disagree */
	const char *against; /* the name of the peer to whose burst in the same round the ratio is given; NULL: to the floor */
	double goal;         /* of the ratio of our entries; 0: none */
	bool goal_is_least;
	uint32_t entry_count;
	struct entry entries[ENTRIES_MAX];
};

void contest_add(struct contest *contest, const struct channel_kind *kind, size_t size);
void contest_run(struct contest *contest);

#endif
