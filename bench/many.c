/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/many.c - messages per second through one channel, from many senders to many receivers.
 *
 * All run free on two cores and block. Each receiver checks every word of every message, and that the messages of one sender come in order. Fairness is
 * the number of messages of the least served receiver over that of the most served one, over the burst. The processor time per message, of senders and
 * receivers together, is the figure that a busy machine spoils least: it does not count what others take.
 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crowd.h"
#include "stage.h"
#include "tools.h"

enum { SIZE = 64, DEPTH = 1024, SENDER_SHIFT = 48 };

static const int64_t long_ns = 3000000000, long_from_ns = 200000000; /* --quick and tests do without */

struct script {
	struct channel channel;
	uint32_t pairs;
};

static void send_all(struct stage *stage, uint32_t index)
{
	struct script *script = stage->script;
	int r = script->channel.kind->attach(&script->channel);
	uint64_t data[SIZE / 8], number = (uint64_t)index << SENDER_SHIFT;

	stage_ready(stage);
	while (r == 0) {
		payload_write(data, SIZE, ++number);
		r = script->channel.kind->send(&script->channel, data, SIZE);
	}
	stage_fail(stage, r);
}

static void receive_all(struct stage *stage, uint32_t index)
{
	struct script *script = stage->script;
	int r = script->channel.kind->attach(&script->channel);
	uint64_t data[SIZE / 8], last[CROWD_PAIRS_MAX] = { 0 }, count = 0;

	stage_ready(stage);
	while (r == 0) {
		uint64_t sender;

		r = script->channel.kind->receive(&script->channel, data, SIZE);
		sender = data[0] >> SENDER_SHIFT;
		if (r == 0 && (sender >= script->pairs || data[0] <= last[sender] || !payload_check(data, SIZE, data[0])))
			r = -EBADMSG;
		if (r == 0)
			last[sender] = data[0];
		atomic_store_explicit(&stage->lanes[index].count, ++count, memory_order_relaxed); /* alone: a counter */
	}
	stage_fail(stage, r);
}

static int play(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	const struct settings *settings = contest->settings;
	struct script script = { .pairs = contest->pairs };
	struct stage *stage = stage_new(settings->burst_ns, &script);
	int r = channel_create(entry->kind, SIZE, DEPTH, &script.channel);

	if (r < 0)
		return r;
	memcpy(entry->note, script.channel.note, sizeof entry->note);
	for (uint32_t i = 0; r == 0 && i < contest->pairs; i++)
		r = stage_enter(stage, send_all, contest->free ? -1 : settings->first);
	for (uint32_t i = 0; r == 0 && i < contest->pairs; i++)
		r = stage_enter(stage, receive_all, contest->free ? -1 : settings->second);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0) {
		crowd_watch(stage, contest->pairs, ret_burst);
		r = atomic_load(&stage->failed);
		ret_burst->cpu_ns = crowd_end(stage, contest->pairs);
	}
	stage_free(stage);
	script.channel.kind->destroy(&script.channel);
	return r;
}

static void alone(const struct settings *settings)
{
	struct contest contest = { .settings = settings,
				   .section = "one way",
				   .placement = "1x1 pinned to two cores",
				   .unit = "M/s",
				   .play = play,
				   .pairs = 1,
				   .against = "POSIX mq" };

	contest_add(&contest, &channel_pabal_spin, SIZE);
	contest_add(&contest, &channel_pabal_adaptive, SIZE);
	contest_add(&contest, &channel_mq, SIZE);
	contest_add(&contest, &channel_pipe, SIZE);
	contest_run(&contest);
}

static void free_on_two(const struct settings *settings, uint32_t pairs, const char *placement)
{
	struct contest contest = { .settings = settings,
				   .section = "one way",
				   .placement = placement,
				   .unit = "M/s",
				   .play = play,
				   .pairs = pairs,
				   .free = true,
				   .against = "POSIX mq",
				   .goal = pairs == 4 ? 4 : 0,
				   .goal_is_least = true };

	contest_add(&contest, &channel_pabal_adaptive, SIZE);
	contest_add(&contest, &channel_mq, SIZE);
	contest_add(&contest, &channel_pabal_block, SIZE);
	contest_add(&contest, &channel_pipe, SIZE);
	contest_add(&contest, &channel_socket, SIZE);
	contest_run(&contest);
}

/* Fairness needs time: over a short burst, chance decides who ran when. */
static void for_long(const struct settings *settings, uint32_t pairs, const char *placement)
{
	struct settings longer = *settings;
	struct contest contest = { .settings = &longer,
				   .section = "one way",
				   .placement = placement,
				   .unit = "M/s",
				   .play = play,
				   .pairs = pairs,
				   .free = true,
				   .against = "POSIX mq" };

	longer.burst_ns = long_ns;
	longer.bursts = 1;
	contest_add(&contest, &channel_pabal_adaptive, SIZE);
	contest_add(&contest, &channel_mq, SIZE);
	contest_run(&contest);
}

void measure_many(const struct settings *settings)
{
	if (settings->second >= 0)
		alone(settings);
	free_on_two(settings, 1, "1x1 processes free on two cores");
	free_on_two(settings, 2, "2x2");
	free_on_two(settings, 4, "4x4");
	free_on_two(settings, 8, "8x8");
	if (settings->burst_ns >= long_from_ns) {
		for_long(settings, 4, "4x4 for 3 s");
		for_long(settings, 8, "8x8 for 3 s");
	}
}
