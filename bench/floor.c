/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/floor.c - two processes, two cache lines, one each way, and nothing else.
 *
 * Everything that crosses cores is reported beside this figure, taken right before and right after: on a virtual machine the two CPUs may share a
 * cache in one second and lie far apart in the next.
 */
#include "floor.h"

#include <errno.h>
#include <sys/mman.h>

#include "stage.h"
#include "tools.h"

enum { PAGE = 4096 };

/* A line each, on a page each, so that a page can be closed to writing. */
struct floor {
	_Alignas(PAGE) struct lane there;
	_Alignas(PAGE) struct lane back;
	_Alignas(PAGE) bool read_only;
};

enum { PROBE_NS = 6000000, PROBE_MAX_NS = 200000000, SAMPLES_LEAST = 60, TURNS = 200 /* round trips per sample: about 20 microseconds */ };

static void wait_for(struct lane *lane, uint64_t value)
{
	while (atomic_load_explicit(&lane->count, memory_order_acquire) != value) { /* pairs with answer() */
	}
}

static void answer(struct lane *lane, uint64_t value)
{
	atomic_store_explicit(&lane->count, value, memory_order_release); /* pairs with wait_for() */
}

/* Not to be written by this process, if that is asked for. */
static void look_at(struct stage *stage, struct lane *lane)
{
	const struct floor *floor = stage->script;

	if (floor->read_only && mprotect(lane, PAGE, PROT_READ))
		stage_fail(stage, -errno);
}

static void ask(struct stage *stage, uint32_t index)
{
	struct floor *floor = stage->script;
	int64_t start, before;
	uint64_t turn = 0;

	(void)index;
	look_at(stage, &floor->back);
	stage_ready(stage);
	start = before = now_ns();
	/* On a busy machine few samples fit: go on until the slices given to others cannot be the median. */
	while (!stage_over(stage, start) || (stage->sample_count < SAMPLES_LEAST && before - start < PROBE_MAX_NS)) {
		int64_t after;

		for (int i = 0; i < TURNS; i++) {
			answer(&floor->there, ++turn);
			wait_for(&floor->back, turn);
		}
		after = now_ns();
		stage_sample(stage, (double)(after - before) / TURNS);
		before = after;
	}
	stage_done(stage);
}

static void echo(struct stage *stage, uint32_t index)
{
	struct floor *floor = stage->script;

	(void)index;
	look_at(stage, &floor->there);
	stage_ready(stage);
	for (uint64_t turn = 1;; turn++) {
		wait_for(&floor->there, turn);
		answer(&floor->back, turn);
	}
}

static double probe(int first, int second, bool read_only)
{
	struct floor *floor = mmap(NULL, sizeof *floor, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stage *stage;
	double ns;
	int r;

	if (floor == MAP_FAILED)
		die(-errno, "floor probe");
	floor->read_only = read_only;
	stage = stage_new(PROBE_NS, floor);
	r = stage_enter(stage, ask, first);
	if (r == 0)
		r = stage_enter(stage, echo, second);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	if (r < 0)
		die(r, "floor probe");
	ns = stage_median(stage);
	stage_free(stage);
	munmap(floor, sizeof *floor);
	return ns;
}

double floor_probe(int first, int second)
{
	return probe(first, second, false);
}

double floor_probe_read_only(int first, int second)
{
	return probe(first, second, true);
}
