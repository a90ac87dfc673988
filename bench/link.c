/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/link.c - bursts over a link: there and back copied, there and back in place, and one way in place.
 *
 * As in round_trip.c and hand_over.c; see there for what a sample is. The streaming burst is timed by the sender, in batches longer than the ring, so that it goes no faster than the
 * receiver; the receiver checks every word and the order.
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"
#include "tools.h"

enum { SIZE_MAX_BYTES = 65536, SAMPLE_NS = 20000, WARM_UP = 200, HOG_SAMPLE_NS = 40000000, BATCH = 4000 /* messages: several rings */ };

static const int64_t opening_ns = INT64_C(10000000000);

#define LINK_KIND(how, handle_flags)                                            \
	{                                                                       \
		.name = "pabal link", .waiting = (how), .flags = (handle_flags) \
	}

const struct channel_kind link_spin = LINK_KIND("spin", PABAL_WAIT_SPIN);
const struct channel_kind link_adaptive = LINK_KIND("adaptive", 0);
const struct channel_kind link_block = LINK_KIND("block", PABAL_WAIT_BLOCK);

struct script {
	char first[64], second[64]; /* names */
	size_t size;
	uint32_t flags;
	int64_t sample_ns;
	int (*turn)(pabal_link *link, size_t size, uint64_t number);   /* of who asks */
	int (*answer)(pabal_link *link, size_t size, uint64_t number); /* of the other one; NULL: hog */
};

static uint64_t data[SIZE_MAX_BYTES / 8];

static int announce(const struct script *script, const char *name, pabal_process **ret_self)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .flags = script->flags };

	if (script->size > SIZE_MAX_BYTES)
		opts.memory_max = 64 * (uint64_t)script->size;
	return pabal_process_announce(name, &opts, ret_self);
}

static int copy_turn(pabal_link *link, size_t size, uint64_t number)
{
	int r;

	payload_write(data, size, number);
	r = pabal_link_send(link, data, size, PABAL_FOREVER);
	if (r == 0)
		r = pabal_link_receive(link, data, size, NULL, PABAL_FOREVER);
	return r == 0 && !payload_check(data, size, ~number) ? -EBADMSG : r;
}

static int copy_answer(pabal_link *link, size_t size, uint64_t number)
{
	int r = pabal_link_receive(link, data, size, NULL, PABAL_FOREVER);

	if (r == 0 && !payload_check(data, size, number))
		r = -EBADMSG;
	payload_write(data, size, ~number);
	return r == 0 ? pabal_link_send(link, data, size, PABAL_FOREVER) : r;
}

static int hand(pabal_link *link, size_t size, uint64_t number)
{
	struct pabal_loan loan;
	int r = pabal_link_loan(link, size, &loan, PABAL_FOREVER);

	if (r < 0)
		return r;
	*(uint64_t *)loan.data = number;
	return pabal_link_commit(link, &loan, size, PABAL_FOREVER);
}

static int fetch(pabal_link *link, size_t size, uint64_t number)
{
	struct pabal_message message;
	int r = pabal_link_take(link, NULL, &message, PABAL_FOREVER);

	if (r < 0)
		return r;
	if (message.size != size || *(const uint64_t *)message.data != number)
		return -EBADMSG;
	return pabal_link_release(link, &message);
}

static int hand_turn(pabal_link *link, size_t size, uint64_t number)
{
	int r = hand(link, size, number);

	return r < 0 ? r : fetch(link, size, number);
}

static int hand_answer(pabal_link *link, size_t size, uint64_t number)
{
	int r = fetch(link, size, number);

	return r < 0 ? r : hand(link, size, number);
}

static int stream_turn(pabal_link *link, size_t size, uint64_t number)
{
	struct pabal_loan loan;
	int r = pabal_link_loan(link, size, &loan, PABAL_FOREVER);

	if (r < 0)
		return r;
	payload_write(loan.data, size, number);
	return pabal_link_commit(link, &loan, size, PABAL_FOREVER);
}

static int stream_answer(pabal_link *link, size_t size, uint64_t number)
{
	struct pabal_message message;
	int r = pabal_link_take(link, NULL, &message, PABAL_FOREVER);

	if (r < 0)
		return r;
	if (!payload_check(message.data, size, number))
		return -EBADMSG;
	return pabal_link_release(link, &message);
}

/* Turns until a sample's time is over, in batches; the mean. */
static double sample(pabal_link *link, const struct script *script, uint64_t *number, int turns, int *r)
{
	int64_t start = now_ns(), took;
	int count = 0;

	do {
		for (int i = 0; *r == 0 && i < turns; i++)
			*r = script->turn(link, script->size, ++*number);
		count += turns;
		took = now_ns() - start;
	} while (*r == 0 && took < script->sample_ns);
	return (double)took / count;
}

static void ask(struct stage *stage, uint32_t index)
{
	const struct script *script = stage->script;
	pabal_process *self;
	pabal_link *link = NULL;
	uint64_t number = 0;
	int64_t start;
	int turns = BATCH, r = announce(script, script->first, &self);

	(void)index;
	if (r == 0)
		r = pabal_process_link(self, script->second, &link, opening_ns);
	if (r < 0)
		stage_fail(stage, r);
	stage_ready(stage);
	start = now_ns();
	for (int i = 0; r == 0 && i < WARM_UP && !stage_over(stage, start); i++)
		r = script->turn(link, script->size, ++number);
	if (script->sample_ns) {
		double mean = sample(link, script, &number, 1, &r);

		turns = mean < SAMPLE_NS / 4.0 ? (int)(SAMPLE_NS / mean) : 1; /* so that the clock is read seldom */
	}
	start = now_ns();
	while (r == 0 && !stage_over(stage, start))
		stage_sample(stage, sample(link, script, &number, turns, &r));
	if (r < 0)
		stage_fail(stage, r);
	stage_done(stage);
	for (;;) /* an end of ours would be told to the other one, and be its failure */
		pause();
}

static void answer(struct stage *stage, uint32_t index)
{
	const struct script *script = stage->script;
	pabal_process *self;
	pabal_link *link = NULL;
	int r = announce(script, script->second, &self);

	(void)index;
	if (r == 0)
		r = pabal_process_accept(self, &link, opening_ns);
	if (r < 0)
		stage_fail(stage, r);
	stage_ready(stage);
	for (uint64_t number = 1; r == 0; number++)
		r = script->answer(link, script->size, number);
	stage_fail(stage, r);
}

static void hog(struct stage *stage, uint32_t index)
{
	(void)index;
	stage_ready(stage);
	for (;;)
		atomic_signal_fence(memory_order_seq_cst); /* a loop that the compiler keeps */
}

void link_sweep(void)
{
	pabal_gc(NULL);
}

static int play(const struct contest *contest, struct script *script, struct burst *ret_burst)
{
	const struct settings *settings = contest->settings;
	struct stage *stage = stage_new(settings->burst_ns, script);
	static unsigned count;
	int r;

	snprintf(script->first, sizeof script->first, "bench-%d-%u-a", (int)getpid(), count);
	snprintf(script->second, sizeof script->second, "bench-%d-%u-b", (int)getpid(), count++);
	r = stage_enter(stage, ask, settings->first);
	if (r == 0)
		r = stage_enter(stage, answer, contest->one_core ? settings->first : settings->second);
	if (r == 0 && contest->hog)
		r = stage_enter(stage, hog, settings->first);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	ret_burst->value = stage_median(stage);
	stage_free(stage);
	link_sweep();
	return r;
}

int link_round_trip(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	struct script script = { .size = entry->size,
				 .flags = entry->kind->flags,
				 .sample_ns = contest->hog ? HOG_SAMPLE_NS : SAMPLE_NS,
				 .turn = copy_turn,
				 .answer = copy_answer };

	return play(contest, &script, ret_burst);
}

int link_hand_over(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	struct script script = { .size = entry->size, .flags = entry->kind->flags, .sample_ns = SAMPLE_NS, .turn = hand_turn, .answer = hand_answer };

	return play(contest, &script, ret_burst);
}

int link_stream(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	struct script script = { .size = entry->size, .flags = entry->kind->flags, .turn = stream_turn, .answer = stream_answer };
	int r = play(contest, &script, ret_burst);

	if (ret_burst->value > 0)
		ret_burst->value = 1e9 / ret_burst->value;
	return r;
}
