/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/round_trip.c - a message there and a message back, through two channels.
 *
 * Both sides write every word and check every word. A sample is the mean of as many round trips as take about 20 microseconds; a burst gives the median
 * of its samples, so that a time slice given to somebody else does not count. With a hog on the core slices are what it is about: samples are longer.
 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "stage.h"
#include "tools.h"

enum { SIZE_MAX_BYTES = 65536, SAMPLE_NS = 20000, HOG_SAMPLE_NS = 40000000, WARM_UP = 200 /* round trips */, DEPTH = 8 };

struct script {
	struct channel there, back;
	size_t size;
	int64_t sample_ns;
};

static int turn(struct script *script, void *data, uint64_t number)
{
	int r;

	payload_write(data, script->size, number);
	r = script->there.kind->send(&script->there, data, script->size);
	if (r == 0)
		r = script->back.kind->receive(&script->back, data, script->size);
	if (r == 0 && !payload_check(data, script->size, ~number))
		r = -EBADMSG;
	return r;
}

static int attach(struct script *script)
{
	int r = script->there.kind->attach(&script->there);

	return r < 0 ? r : script->back.kind->attach(&script->back);
}

/* Round trips until a sample's time is over; returns the mean. */
static double sample(struct script *script, void *data, uint64_t *number, int turns, int *r)
{
	int64_t start = now_ns(), took;
	int count = 0;

	do {
		for (int i = 0; *r == 0 && i < turns; i++)
			*r = turn(script, data, ++*number);
		count += turns;
		took = now_ns() - start;
	} while (*r == 0 && took < script->sample_ns);
	return (double)took / count;
}

static void ask(struct stage *stage, uint32_t index)
{
	static uint64_t data[SIZE_MAX_BYTES / 8];
	struct script *script = stage->script;
	int r = attach(script), turns;
	uint64_t number = 0;
	int64_t start;
	double mean;

	(void)index;
	stage_ready(stage);
	start = now_ns();
	for (int i = 0; r == 0 && i < WARM_UP && !stage_over(stage, start); i++)
		r = turn(script, data, ++number);
	mean = sample(script, data, &number, 1, &r);
	turns = mean < SAMPLE_NS / 4.0 ? (int)(SAMPLE_NS / mean) : 1; /* so that the clock is read seldom */
	start = now_ns();
	while (r == 0 && !stage_over(stage, start))
		stage_sample(stage, sample(script, data, &number, turns, &r));
	if (r < 0)
		stage_fail(stage, r);
	stage_done(stage);
}

static void hog(struct stage *stage, uint32_t index)
{
	(void)index;
	stage_ready(stage);
	for (;;)
		atomic_signal_fence(memory_order_seq_cst); /* a loop that the compiler keeps */
}

static void echo(struct stage *stage, uint32_t index)
{
	static uint64_t data[SIZE_MAX_BYTES / 8];
	struct script *script = stage->script;
	int r = attach(script);

	(void)index;
	stage_ready(stage);
	for (uint64_t number = 1; r == 0; number++) {
		r = script->there.kind->receive(&script->there, data, script->size);
		if (r == 0 && !payload_check(data, script->size, number))
			r = -EBADMSG;
		payload_write(data, script->size, ~number);
		if (r == 0)
			r = script->back.kind->send(&script->back, data, script->size);
	}
	stage_fail(stage, r);
}

static int play(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	const struct settings *settings = contest->settings;
	struct script script = { .size = entry->size, .sample_ns = contest->hog ? HOG_SAMPLE_NS : SAMPLE_NS };
	struct stage *stage;
	int r;

	if (is_link(entry))
		return link_round_trip(contest, entry, ret_burst);
	stage = stage_new(settings->burst_ns, &script);
	r = channel_create(entry->kind, entry->size, DEPTH, &script.there);
	if (r < 0)
		return r;
	r = channel_create(entry->kind, entry->size, DEPTH, &script.back);
	if (r == 0)
		r = stage_enter(stage, ask, settings->first);
	if (r == 0)
		r = stage_enter(stage, echo, contest->one_core ? settings->first : settings->second);
	if (r == 0 && contest->hog)
		r = stage_enter(stage, hog, settings->first);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	ret_burst->value = stage_median(stage);
	stage_free(stage);
	script.there.kind->destroy(&script.there);
	if (script.back.kind)
		script.back.kind->destroy(&script.back);
	return r;
}

static void across(const struct settings *settings, size_t size)
{
	struct contest contest = { .settings = settings,
				   .section = "round trip, spinning",
				   .placement = "pinned to two cores",
				   .unit = "ns",
				   .play = play,
				   .pairs = 1,
				   .probed = true,
				   .goal = size == 64 ? 4 : 0 };

	contest_add(&contest, &link_spin, size);
	contest_add(&contest, &channel_pabal_spin, size);
	contest_add(&contest, &channel_pipe_polled, size);
	contest_add(&contest, &channel_mq_polled, size);
	contest_run(&contest);
}

/* Nothing chosen: whoever waits finds out by itself that the other one has a core of its own. */
static void across_by_default(const struct settings *settings)
{
	struct contest contest = { .settings = settings,
				   .section = "round trip, nothing chosen",
				   .placement = "pinned to two cores",
				   .unit = "ns",
				   .play = play,
				   .pairs = 1,
				   .against = "pipe" };

	contest_add(&contest, &link_adaptive, 64);
	contest_add(&contest, &channel_pabal_adaptive, 64);
	contest_add(&contest, &channel_pipe, 64);
	contest_add(&contest, &channel_mq, 64);
	contest_add(&contest, &channel_socket, 64);
	contest_run(&contest);
}

static void on_one_core(const struct settings *settings, bool with_hog)
{
	struct contest contest = { .settings = settings,
				   .section = "round trip, blocking",
				   .placement = with_hog ? "both on one core, with a third process that never sleeps" : "both on one core",
				   .unit = "ns",
				   .play = play,
				   .pairs = 1,
				   .one_core = true,
				   .hog = with_hog,
				   .against = "pipe" };

	contest_add(&contest, &link_adaptive, 64);
	contest_add(&contest, &link_block, 64);
	contest_add(&contest, &channel_pabal_adaptive, 64);
	contest_add(&contest, &channel_pabal_block, 64);
	contest_add(&contest, &channel_pipe, 64);
	contest_add(&contest, &channel_mq, 64);
	contest_add(&contest, &channel_socket, 64);
	contest_run(&contest);
}

void measure_round_trip(const struct settings *settings)
{
	static const size_t sizes[] = { 8, 64, 1024, 65536 };

	for (size_t i = 0; settings->second >= 0 && i < sizeof sizes / sizeof sizes[0]; i++)
		across(settings, sizes[i]);
	if (settings->second >= 0)
		across_by_default(settings);
	on_one_core(settings, false);
	on_one_core(settings, true);
}
