/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/name_scene.h - who takes part when a process with a name is killed: the victim, the other one that runs freely, a newcomer who takes the dead one's name.
 */
#ifndef PABAL_CRASH_NAME_SCENE_H
#define PABAL_CRASH_NAME_SCENE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pabal/pabal.h>

extern const char *name_victim; /* "victim", or a name smaller than the other's: where letters cross, the larger one's is refused */
#define NAME_OTHER "other"

enum name_effect {
	NAME_ANNOUNCES = 1 << 0, /* the victim has no handle before */
	NAME_OVER_DEAD = 1 << 1, /* somebody had the name, and died */
	NAME_LINKED_BEFORE = 1 << 2,
};

/* What the other one does. */
enum name_other { NAME_ACCEPTS, NAME_ASKS, NAME_RECEIVES, NAME_SENDS };

/* What there is when the victim dies; a cell is a set of these. */
enum name_seen {
	NAME_NAMED = 1 << 0,  /* its name is in the directory */
	NAME_LINKED = 1 << 1, /* the other one has a link with it */
	NAME_TALKED = 1 << 2, /* or a message of it */
	NAME_CELLS = 1 << 3,
};

struct name_shared {
	_Atomic int ready, links, received;
	int result;         /* of the operation; 1: it has not ended */
	const char *broken; /* a literal, so an address that all share */
	char detail[96];
};

struct name_victim {
	pabal_process *self;
	pabal_link *link;
	char buffer[64];
	size_t size;
};

struct name_operation {
	const char *name;
	unsigned effects;
	enum name_other other;
	unsigned cells; /* bits: cells that it passes through */
	int (*run)(struct name_victim *victim);
};

const struct name_operation *name_operation_find(const char *name);
void name_await(const _Atomic int *word);
/* Start again with all symbols bound, so that none is looked up on the way. */
void crash_bind_now(char **argv);

/* The parts, each in a process of its own. Whoever finds something wrong says so and ends with 1. */
void name_be_victim(const struct name_operation *operation, struct name_shared *shared);
void name_be_other(const struct name_operation *operation, struct name_shared *shared);
void name_be_predecessor(const struct name_operation *operation, struct name_shared *shared);
void name_be_newcomer(const struct name_operation *operation, struct name_shared *shared);
void name_be_rival(const struct name_operation *operation, struct name_shared *shared); /* the name must not be free */

#endif
