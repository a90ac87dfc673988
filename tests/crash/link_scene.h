/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_scene.h - one link, one victim that dies in the middle of a call on it, and the other side, which runs freely and must find everything right.
 *
 * The driver forks both sides. It steps the victim (crash/step.h), and keeps a mapping of both halves of the link's memory: so it knows, at the kill, whether a message was committed, and the other side
 * must receive just that. The other side is asleep in a call of its own, or polls, or looks only afterwards; it sends, calls or serves, too.
 */
#ifndef PABAL_CRASH_LINK_SCENE_H
#define PABAL_CRASH_LINK_SCENE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pabal/pabal.h>

#include "crash/step.h"
#include "queue/stream_reader.h"
#include "support/link_pair.h"

enum {
	LINK_SIZE_MAX = 16384,
	LINK_MEMORY = 65536, /* of each half's arena */
	LINK_PUMP = 124,     /* messages of LINK_PUMP_SIZE after which the next one ends in the slack of the ring */
	LINK_PUMP_SIZE = 1024,
	LINK_SHORT_NS = 300000, /* a victim's wait that ends by itself; nothing is measured by it */
	LINK_FEW = 3,
};

/* How the ring stands that the operation writes, or reads. */
enum link_fill { LINK_EMPTY, LINK_SOME, LINK_FULL, LINK_WRAP, LINK_FILLS };

/* What the other side does when the victim begins. */
enum link_peer {
	LINK_RECEIVES, /* sleeps in a receive */
	LINK_TAKES,    /* sleeps in a take, answers requests, looks at descriptors */
	LINK_POLLS,    /* sleeps in poll on the link's descriptor */
	LINK_SENDS,    /* sends until there is no room, sleeps for it */
	LINK_CALLS,    /* sleeps in the finish of a call */
	LINK_LATE,     /* nothing, until the victim is dead; then receives */
	LINK_WORKS,    /* while the victim is stopped: receives and sends without waiting */
	LINK_PEERS
};

/* What the victim's death, or its end, leaves to be found. */
enum link_effect {
	LINK_COMMITS = 1 << 0,   /* one message more, perhaps */
	LINK_FROM_PEER = 1 << 1, /* it receives: the fill is of the other side's ring */
	LINK_ANSWERS = 1 << 2,   /* it answers the other side's call */
	LINK_CLOSES = 1 << 3,    /* the other side may be told that it closed */
	LINK_WAITS = 1 << 4,     /* it waits in vain: -ETIMEDOUT */
	LINK_ASKS = 1 << 5,      /* it calls, and the other side must answer */
};

/* What the sides and the driver share. */
struct link_shared {
	_Atomic int victim_pid, peer_ready, victim_ready, go, late, work, worked;
	int result;                                         /* the operation's; 1: it has not ended */
	_Atomic uint32_t victim_sent;                       /* committed by the victim before the operation */
	uint32_t victim_received, peer_sent, peer_received; /* committed, received whole and in order */
	int receive_end, send_end, call_end;                /* what the other side was told at last; 1: nothing */
	int fds_before, fds_after;
	_Atomic unsigned long hits; /* of a deliberate fault, by those who came to their end */
	const char *broken;         /* what does not hold, found by a side; a literal, so an address that all share */
	char detail[200];
};

struct link_side {
	struct link_shared *shared;
	pabal_link *link;
	uint32_t next_sent, next_received; /* ids; the first is 1 */
	uint32_t size;
	uint64_t call;
	struct pabal_message request;
	struct pabal_loan loan;
	int fd;          /* to send */
	size_t got_size; /* of what the operation received */
	uint8_t buffer[LINK_SIZE_MAX], reply[LINK_SIZE_MAX];
};

struct link_operation {
	const char *name;
	unsigned effects, peers, fills; /* bits of the enums: what the other side may do meanwhile, how the ring may stand */
	int (*prepare)(struct link_side *victim);
	int (*run)(struct link_side *victim);
};

/* What can be seen from outside when the victim dies: a cell of the census is a set of these. */
enum link_seen {
	LINK_FILLED = 1 << 0,    /* bytes of a message lie where it will be */
	LINK_PUBLISHED = 1 << 1, /* it is committed */
	LINK_RUNG = 1 << 2,      /* the ring word changed: the other side slept, and is to be woken */
	LINK_MOVED = 1 << 3,     /* the position changed: a message was received */
	LINK_RELEASED = 1 << 4,  /* a large message was given back */
	LINK_ARMED = 1 << 5,     /* it has asked to be woken */
	LINK_CLOSED = 1 << 6,
	LINK_CELLS = 1 << 7,
};

struct link_census {
	struct pabal__half *victim; /* the driver's mapping */
	struct pabal__half *shadow; /* of the driver alone: where its reader writes its position */
	struct pabal__reader reader;
	uint64_t position, arm, ring_word;
	uint32_t released[PABAL__STREAM_TICKETS];
	unsigned char ring[PABAL__STREAM_BYTES], arena[LINK_MEMORY];
};

struct link_scene {
	const struct link_operation *operation;
	enum link_peer peer;
	enum link_fill fill;
	uint32_t size;
	bool stop;
	bool patient; /* the victim's message lies apart, as that of one who asks and answers (wait/patience.h) */
	struct link_shared *shared;
	struct link_pair pair;
	struct link_census census;
	pid_t victim, peer_pid;
	bool published; /* when it was killed */
	bool slept;     /* the other side was asleep when it began */
	uint64_t kills[LINK_CELLS], asleep, runs, ended;
	unsigned long hits;
	const char *broken;
	char detail[256];
};

extern const struct link_operation link_operations[];
extern const char *const link_fill_names[LINK_FILLS], *const link_peer_names[LINK_PEERS];
const struct link_operation *link_operation_find(const char *name);

/* Message @id of @size bytes, which is at least 8, and whether @data is it. */
void link_content(uint32_t id, void *data, uint32_t size);
bool link_is_content(uint32_t id, const void *data, size_t size);

/* The next message of this side; the next message to this side, whole and in order, or broken. */
int link_send_next(struct link_side *side, uint32_t size, int64_t timeout_ns);
int link_receive_next(struct link_side *side, int64_t timeout_ns);
/* @data was received. */
void link_received(struct link_side *side, const void *data, size_t size);
void link_side_broken(struct link_side *side, const char *invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));
int link_count_fds(void);

/* Deliberate faults that were executed in this process. */
unsigned long link_fault_hits(void);

/* The two sides, in their processes. */
_Noreturn void link_be_victim(struct link_scene *scene);
_Noreturn void link_be_peer(struct link_scene *scene);
void link_await(const _Atomic int *word);

void link_census_begin(struct link_scene *scene);
unsigned link_census_look(struct link_scene *scene);

/*
 * A whole round. Negative: it could not be set up. 1: the operation ended before @k, or took another way than @trace. 0: killed, or stopped, there. scene->broken: what does
 * not hold. Without a trace it is stepped all the way.
 */
int link_once(struct link_scene *scene, const struct crash_trace *trace, uint32_t k);
/* The same without a kill; the way is recorded. */
int link_measure(struct link_scene *scene, struct crash_trace *trace);

#endif
