/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/stage.h - the processes of one burst, and the shared page in which they report.
 *
 * Those on the stage are forked, say that they are ready, start together, and are killed when the burst is over: nothing needs to be drained, and the
 * objects die with the burst. A fresh process for each part also means that nothing learned in one burst tilts the next.
 */
#ifndef PABAL_BENCH_STAGE_H
#define PABAL_BENCH_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { STAGE_ACTORS = 32, STAGE_SAMPLES = 1 << 15, CACHE_LINE = 128 /* bytes: two lines, as the prefetcher fetches pairs */ };

struct lane {
	_Alignas(CACHE_LINE) _Atomic uint64_t count; /* the one actor of this lane writes it, the director reads */
};

struct stage {
	struct lane lanes[STAGE_ACTORS];
	_Alignas(CACHE_LINE) _Atomic uint32_t ready; /* actors count themselves in */
	_Alignas(CACHE_LINE) _Atomic uint32_t go;    /* the director starts all */
	_Alignas(CACHE_LINE) _Atomic uint32_t done;  /* an actor that measures has finished */
	_Atomic int failed;                          /* what went wrong first, as a negative errno value */
	_Atomic uint32_t sample_count;
	double samples[STAGE_SAMPLES]; /* ns, of the actor that measures */
	/* not shared: */
	int64_t length_ns; /* of the burst */
	void *script;      /* what the actors need */
	uint32_t actors;
	pid_t pids[STAGE_ACTORS];
};

struct stage *stage_new(int64_t length_ns, void *script);
struct stage *stage_free(struct stage *stage);

/* Fork an actor, on one CPU if @cpu is not -1. */
int stage_enter(struct stage *stage, void (*act)(struct stage *stage, uint32_t index), int cpu);

/* All are ready: go. Then wait for @done (the one who measures), with a limit; or just sleep, if nobody does. */
int stage_play(struct stage *stage);
int stage_wait_done(struct stage *stage);
void stage_kill(struct stage *stage);

/* For actors. */
void stage_ready(struct stage *stage); /* and wait for the start */
void stage_fail(struct stage *stage, int error) __attribute__((noreturn));
void stage_done(struct stage *stage);
void stage_sample(struct stage *stage, double ns);
bool stage_over(const struct stage *stage, int64_t start);

/* Median of the samples; 0 if there is none. */
double stage_median(struct stage *stage);

#endif
