/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/buffer_hand_over.c - an item of a buffer handed over in place, there and back: 1 MiB beside 64 bytes, in turns.
 *
 * As in hand_over.c, only the first word is written and checked. Pinned to two cores, spinning.
 */
#include "buffer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "stage.h"
#include "tools.h"

enum { SAMPLE_TURNS = 50, WARM_UP = 200, CAPACITY = 8 };

struct script {
	char there[64], back[64];
	pabal_buffer *out, *in; /* of the process that opened */
};

int buffer_create(size_t item_size, uint32_t capacity, uint32_t flags, char ret_name[64])
{
	struct pabal_buffer_opts opts = { .struct_size = sizeof opts, .flags = flags };
	static unsigned count;
	pabal_buffer *buffer;
	int r;

	snprintf(ret_name, 64, "bench-%d-buffer-%u", (int)getpid(), count++);
	r = pabal_buffer_create(ret_name, item_size, capacity, &opts, &buffer);
	if (r == 0)
		pabal_buffer_close(buffer);
	return r;
}

int buffer_open(const char *name, uint32_t flags, pabal_buffer **ret_buffer)
{
	return pabal_buffer_open(name, &(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), .flags = flags }, ret_buffer);
}

static int hand(pabal_buffer *buffer, uint64_t number)
{
	struct pabal_loan loan;
	int r = pabal_buffer_loan(buffer, 1, &loan, PABAL_FOREVER);

	if (r < 0)
		return r;
	*(uint64_t *)loan.data = number;
	return pabal_buffer_commit(buffer, &loan, loan.size);
}

static int fetch(pabal_buffer *buffer, uint64_t number)
{
	struct pabal_message item;
	int r = pabal_buffer_take(buffer, 1, &item, PABAL_FOREVER);

	if (r < 0)
		return r;
	if (*(const uint64_t *)item.data != number)
		return -EBADMSG;
	return pabal_buffer_release(buffer, &item);
}

static int attach(struct script *script, const char *out, const char *in)
{
	int r = buffer_open(out, PABAL_WAIT_SPIN, &script->out);

	return r < 0 ? r : buffer_open(in, PABAL_WAIT_SPIN, &script->in);
}

static int turns(struct script *script, uint64_t *number, int count)
{
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		r = hand(script->out, ++*number);
		if (r == 0)
			r = fetch(script->in, *number);
	}
	return r;
}

static void ask(struct stage *stage, uint32_t index)
{
	struct script *script = stage->script;
	int r = attach(script, script->there, script->back);
	uint64_t number = 0;
	int64_t start, before, after;

	(void)index;
	stage_ready(stage);
	if (r == 0)
		r = turns(script, &number, WARM_UP);
	start = before = now_ns();
	while (r == 0 && !stage_over(stage, start)) {
		r = turns(script, &number, SAMPLE_TURNS);
		after = now_ns();
		stage_sample(stage, (double)(after - before) / SAMPLE_TURNS);
		before = after;
	}
	if (r < 0)
		stage_fail(stage, r);
	stage_done(stage);
}

static void echo(struct stage *stage, uint32_t index)
{
	struct script *script = stage->script;
	int r = attach(script, script->back, script->there);

	(void)index;
	stage_ready(stage);
	for (uint64_t number = 1; r == 0; number++) {
		r = fetch(script->in, number);
		if (r == 0)
			r = hand(script->out, number);
	}
	stage_fail(stage, r);
}

static int play(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	const struct settings *settings = contest->settings;
	struct script script = { 0 };
	struct stage *stage;
	int r = buffer_create(entry->size, CAPACITY, entry->kind->flags, script.there);

	if (r == 0)
		r = buffer_create(entry->size, CAPACITY, entry->kind->flags, script.back);
	if (r < 0)
		return r;
	stage = stage_new(settings->burst_ns, &script);
	r = stage_enter(stage, ask, settings->first);
	if (r == 0)
		r = stage_enter(stage, echo, settings->second);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	ret_burst->value = stage_median(stage);
	stage_free(stage);
	pabal_buffer_destroy(script.there);
	pabal_buffer_destroy(script.back);
	return r;
}

static void one_form(const struct settings *settings, const char *placement, uint32_t flags)
{
	struct channel_kind small = { .name = "pabal, 64 B", .waiting = "spin", .flags = flags };
	struct channel_kind large = { .name = "pabal", .waiting = "spin", .flags = flags };
	struct contest contest = { .settings = settings,
				   .section = "buffer, an item handed over in place, round trip, payload not touched",
				   .placement = placement,
				   .unit = "ns",
				   .play = play,
				   .pairs = 1,
				   .probed = true,
				   .against = small.name,
				   .goal = 1.25 /* "the same", on machines that drift */ };

	contest_add(&contest, &small, 64);
	contest_add(&contest, &large, 1 << 20);
	contest_run(&contest);
}

void buffer_hand_over(const struct settings *settings)
{
	one_form(settings, "one producer, one consumer", PABAL_BUFFER_SPSC);
	one_form(settings, "many to many", 0);
}
