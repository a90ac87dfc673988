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
#include <sys/resource.h>

#include "stage.h"
#include "tools.h"

enum { SIZE = 64, DEPTH = 1024, PAIRS_MAX = 8, WARM_UP_NS = 30000000, SENDER_SHIFT = 48 };

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
	uint64_t data[SIZE / 8], last[PAIRS_MAX] = { 0 }, count = 0;

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

/* Let them run, and count what the receivers received meanwhile. */
static void watch(struct stage *stage, uint32_t pairs, struct burst *ret_burst)
{
	uint64_t counts[PAIRS_MAX], sum = 0, least = UINT64_MAX, most = 0;
	int64_t start;

	nap_ns(WARM_UP_NS);
	start = now_ns();
	for (uint32_t i = 0; i < pairs; i++)
		counts[i] = atomic_load(&stage->lanes[pairs + i].count);
	nap_ns(stage->length_ns);
	for (uint32_t i = 0; i < pairs; i++) {
		counts[i] = atomic_load(&stage->lanes[pairs + i].count) - counts[i];
		sum += counts[i];
		least = counts[i] < least ? counts[i] : least;
		most = counts[i] > most ? counts[i] : most;
	}
	ret_burst->value = (double)sum * 1e9 / (double)(now_ns() - start);
	ret_burst->fairness = pairs > 1 && most ? (double)least / (double)most : 0;
}

/* Processor time of the children that have ended, in ns. */
static double cpu_of_the_dead(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

/* End them all; what they used, by what they received. */
static double end(struct stage *stage, uint32_t pairs)
{
	double before = cpu_of_the_dead();
	uint64_t sum = 0;

	stage_kill(stage);
	for (uint32_t i = 0; i < pairs; i++)
		sum += atomic_load(&stage->lanes[pairs + i].count);
	return sum ? (cpu_of_the_dead() - before) / (double)sum : 0;
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
		watch(stage, contest->pairs, ret_burst);
		r = atomic_load(&stage->failed);
		ret_burst->cpu_ns = end(stage, contest->pairs);
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
