/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/round_trip.c - a message there and a message back, through two channels.
 *
 * Both sides write every word and check every word. A sample is the mean of as many round trips as take about 20 microseconds; a burst gives the median
 * of its samples, so that a time slice given to somebody else does not count.
 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"
#include "tools.h"

enum { SIZE_MAX_BYTES = 65536, SAMPLE_NS = 20000, WARM_UP = 200 /* round trips */, DEPTH = 8 };

struct script {
	struct channel there, back;
	size_t size;
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

static void ask(struct stage *stage, uint32_t index)
{
	static uint64_t data[SIZE_MAX_BYTES / 8];
	struct script *script = stage->script;
	int64_t start, before, after;
	int r = attach(script), turns;
	uint64_t number = 0;

	(void)index;
	stage_ready(stage);
	before = now_ns();
	for (int i = 0; r == 0 && i < WARM_UP; i++)
		r = turn(script, data, ++number);
	start = before = (after = now_ns(), turns = (int)(SAMPLE_NS * WARM_UP / (after - before)), now_ns());
	if (turns < 1)
		turns = 1;
	while (r == 0 && !stage_over(stage, start)) {
		for (int i = 0; r == 0 && i < turns; i++)
			r = turn(script, data, ++number);
		after = now_ns();
		stage_sample(stage, (double)(after - before) / turns);
		before = after;
	}
	if (r < 0)
		stage_fail(stage, r);
	stage_done(stage);
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
	struct script script = { .size = entry->size };
	struct stage *stage = stage_new(settings->burst_ns, &script);
	int r = channel_create(entry->kind, entry->size, DEPTH, &script.there);

	if (r < 0)
		return r;
	r = channel_create(entry->kind, entry->size, DEPTH, &script.back);
	if (r == 0)
		r = stage_enter(stage, ask, settings->first);
	if (r == 0)
		r = stage_enter(stage, echo, contest->one_core ? settings->first : settings->second);
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

	contest_add(&contest, &channel_pabal_spin, size);
	contest_add(&contest, &channel_pipe_polled, size);
	contest_add(&contest, &channel_mq_polled, size);
	contest_run(&contest);
}

void measure_round_trip(const struct settings *settings)
{
	static const size_t sizes[] = { 8, 64, 1024, 65536 };
	struct contest contest = { .settings = settings,
				   .section = "round trip, blocking",
				   .placement = "both on one core",
				   .unit = "ns",
				   .play = play,
				   .pairs = 1,
				   .one_core = true,
				   .against = "pipe" };

	for (size_t i = 0; settings->second >= 0 && i < sizeof sizes / sizeof sizes[0]; i++)
		across(settings, sizes[i]);
	contest_add(&contest, &channel_pabal_adaptive, 64);
	contest_add(&contest, &channel_pabal_block, 64);
	contest_add(&contest, &channel_pipe, 64);
	contest_add(&contest, &channel_mq, 64);
	contest_add(&contest, &channel_socket, 64);
	contest_run(&contest);
}
