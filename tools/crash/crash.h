/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crash.h - the crash driver: what it kills, in which state of the queue, and what must hold afterwards.
 *
 * A scene is a small mailbox in a known state. A victim is a child that runs one operation on it and is killed in the middle; the dead may be
 * several, each killed while it repairs what the one before it left. What must hold afterwards is asked through the public interface alone, so
 * this part belongs to the command as well as to the tests; the tests add what can be seen from inside (tests/crash/census.c) through struct
 * crash_watch.
 */
#ifndef PABAL_CRASH_CRASH_H
#define PABAL_CRASH_CRASH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pabal/pabal.h>

#include "crash/step.h"

enum {
	CRASH_CAPACITY = 4,
	CRASH_SIZE_MAX = 16384,
	CRASH_EXPECTED_MAX = 64,
	CRASH_DEATHS = 5,  /* in one scene, at most */
	CRASH_RING = 1024, /* slots of a small mailbox; only where scenes wrap depends on it */
};

/* How many messages wait at first. */
enum crash_fill { CRASH_EMPTY, CRASH_ONE, CRASH_HALF, CRASH_FULL, CRASH_WRAPPED, CRASH_LAST, CRASH_FILLS };

/* What an operation does to the messages, and so what may be found after its death. */
enum crash_effect {
	CRASH_SENDS = 1 << 0,    /* its message may be there, behind all others */
	CRASH_RECEIVES = 1 << 1, /* the first message may be gone: then its copy is whole; or it comes again */
	CRASH_TAKES = 1 << 2,    /* the first message may come again; it may be gone once the victim has begun to release it */
	CRASH_HOLDS = 1 << 3,    /* the first two messages were taken: they come again */
	CRASH_CREATES = 1 << 4,  /* another mailbox may be there, whole, or not at all */
	CRASH_DESTROYS = 1 << 5, /* the mailbox may have ended */
	CRASH_OPENS = 1 << 6,    /* the victim has no handle before */
	CRASH_REPAIRS = 1 << 7,  /* it is meant for a mailbox in which somebody has died */
	CRASH_STUCK = 1 << 8,    /* as CRASH_REPAIRS, and the queue has gone round to where the dead one was */
};

/* What the driver and the victim both see. */
struct crash_shared {
	int ready;          /* what the preparation returned; 1 before that */
	int result;         /* what the operation returned; 1 before that */
	uint32_t releasing; /* the victim has begun to release */
	uint64_t got_size;  /* of the message that it received */
	uint8_t buffer[CRASH_SIZE_MAX];
};

struct crash_victim {
	struct crash_shared *shared;
	const char *name;
	pabal_mailbox *mailbox;
	uint32_t id; /* of the message that it sends */
	uint32_t size;
	int result;
	struct pabal_loan loan;
	struct pabal_message messages[2];
	uint8_t buffer[CRASH_SIZE_MAX];
};

struct crash_operation {
	const char *name;
	unsigned effects;
	int (*prepare)(struct crash_victim *victim); /* not stepped; may be NULL */
	int (*run)(struct crash_victim *victim);
};

/* A message that waits, or may wait. */
struct crash_expected {
	uint32_t id;
	uint32_t deliveries_max; /* of the delivery that finds it */
	bool may_be_gone;        /* a victim has a whole copy of it and had begun to let it go */
	bool may_be_missing;     /* not committed, perhaps */
	bool out_of_order;       /* numbered before, but committed after others, perhaps */
	bool seen;
};

struct crash_scene {
	const char *name;
	enum crash_fill fill;
	uint32_t size; /* of each message */
	uint32_t laps; /* messages that went through before */
	const struct crash_operation *operation;
	struct crash_shared *shared; /* CRASH_DEATHS of them: the last victim's, then those of the dead before */
	pabal_mailbox *mailbox;      /* the driver's own handle */
	pabal_mailbox *sleepy;       /* a handle that has not looked since the beginning */
	uint32_t next_id;
	uint32_t takers; /* victims that took something */
	uint64_t astray; /* victims that did not come to their instruction by the recorded way; in all scenes so far */
	struct crash_expected expected[CRASH_EXPECTED_MAX];
	uint32_t expected_count;
	bool sent; /* the victim's message was found */
	pid_t victim;
	uint32_t activity;  /* what the others do while the victim is stopped: see crash_neighbours() */
	const char *broken; /* the invariant that does not hold, or NULL */
	char detail[256];
};

/* Looks from inside; any may be NULL. */
struct crash_watch {
	void (*begin)(void *data, struct crash_scene *scene);          /* the victim stands before its first instruction */
	void (*at)(void *data, struct crash_scene *scene, uint32_t k); /* it is about to be killed */
	void *data;
	void (*end)(void *data, struct crash_scene *scene); /* a stopped one that went on has come to its end */
};

/* One death: who, and before which of its instructions. */
struct crash_death {
	const struct crash_operation *operation;
	struct crash_trace trace;
	uint32_t k;
};

const struct crash_operation *crash_operation_find(const char *name);
extern const struct crash_operation crash_operations[];
extern const char *const crash_fill_names[CRASH_FILLS];

/* The content of message @id, and whether @data is it. */
void crash_content(uint32_t id, void *data, size_t size);
bool crash_is_content(uint32_t id, const void *data, size_t size);

/* Note that an invariant does not hold; the first one stays. */
void crash_broken(struct crash_scene *scene, const char *invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Make the mailbox and put messages into it: half of them the driver's, half the victim's. */
int crash_scene_build(struct crash_scene *scene);
/* A child with the operation, standing at crash_begin(). Negative: it could not be made. */
pid_t crash_scene_victim(struct crash_scene *scene, const struct crash_operation *operation);
/* What may be there after this operation was begun. */
void crash_scene_expect(struct crash_scene *scene, const struct crash_operation *operation);
/* Messages that nobody is to notice: sent and taken at once. */
void crash_scene_pump(struct crash_scene *scene, uint32_t count);

/* After all deaths: everything that must hold, then remove the mailbox. */
void crash_scene_verify(struct crash_scene *scene);
/* Remove it as it is. */
void crash_scene_drop(struct crash_scene *scene);

/* Take everything out and compare. Fill it to the brim and drain it. Account for every block. */
void crash_drain(struct crash_scene *scene);
void crash_refill(struct crash_scene *scene);
void crash_account(struct crash_scene *scene);

/*
 * Build the scene, let the earlier victims die, then the last; verify. @deaths: at least one. 0, and scene->broken says what does not
 * hold; negative: the scene could not be built. Each of them dies at its instruction of the recorded way: who went astray is tried again.
 */
int crash_once(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch);
/*
 * The same, but the last victim is not killed: it is stopped before its instruction k while the others work, then goes on to its end, and all
 * is verified.
 */
int crash_stop(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch);
/* What the others do meanwhile, chosen by scene->activity: one message, a fill, a drain, two laps; or bury, drain and fill. */
void crash_neighbours(struct crash_scene *scene, const struct crash_operation *operation);
/* The stopped one has ended: now it is known what it did. */
void crash_settle(struct crash_scene *scene, const struct crash_operation *operation);
/* Find what is expected under this number, NULL if nothing is. */
struct crash_expected *crash_find(struct crash_scene *scene, uint32_t id);

/* The same as crash_once(), but the last victim runs to its end while its way is recorded. */
int crash_measure(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch);

#endif
