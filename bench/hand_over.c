/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/hand_over.c - a message handed over in place, there and back: loan and commit, take and release. Nothing is copied.
 *
 * Only the first word is written and checked, so the size must not matter: that is what this shows. Pinned to two cores, spinning.
 */
#include "measure.h"

#include <errno.h>
#include <string.h>

#include "link.h"
#include "stage.h"
#include "tools.h"

enum { SAMPLE_TURNS = 50, WARM_UP = 200, DEPTH = 8 };

struct script {
	struct channel there, back;
	size_t size;
};

static int hand(struct channel *channel, size_t size, uint64_t number)
{
	struct pabal_loan loan;
	int r = pabal_mailbox_loan(channel->mailbox, size, &loan, PABAL_FOREVER);

	if (r < 0)
		return r;
	*(uint64_t *)loan.data = number;
	return pabal_mailbox_commit(channel->mailbox, &loan, size, PABAL_FOREVER);
}

static int fetch(struct channel *channel, size_t size, uint64_t number)
{
	struct pabal_message message;
	int r = pabal_mailbox_take(channel->mailbox, NULL, &message, PABAL_FOREVER);

	if (r < 0)
		return r;
	if (message.size != size || *(const uint64_t *)message.data != number)
		return -EBADMSG;
	return pabal_mailbox_release(channel->mailbox, &message);
}

static int attach(struct script *script)
{
	int r = script->there.kind->attach(&script->there);

	return r < 0 ? r : script->back.kind->attach(&script->back);
}

static int turns(struct script *script, uint64_t *number, int count)
{
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		r = hand(&script->there, script->size, ++*number);
		if (r == 0)
			r = fetch(&script->back, script->size, *number);
	}
	return r;
}

static void ask(struct stage *stage, uint32_t index)
{
	struct script *script = stage->script;
	int r = attach(script);
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
	int r = attach(script);

	(void)index;
	stage_ready(stage);
	for (uint64_t number = 1; r == 0; number++) {
		r = fetch(&script->there, script->size, number);
		if (r == 0)
			r = hand(&script->back, script->size, number);
	}
	stage_fail(stage, r);
}

static int play(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	const struct settings *settings = contest->settings;
	struct script script = { .size = entry->size };
	struct stage *stage;
	int r;

	if (is_link(entry))
		return link_hand_over(contest, entry, ret_burst);
	stage = stage_new(settings->burst_ns, &script);
	r = channel_create(entry->kind, entry->size, DEPTH, &script.there);

	if (r < 0)
		return r;
	r = channel_create(entry->kind, entry->size, DEPTH, &script.back);
	if (r == 0)
		r = stage_enter(stage, ask, settings->first);
	if (r == 0)
		r = stage_enter(stage, echo, settings->second);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	ret_burst->value = stage_median(stage);
	stage_free(stage);
	script.there.kind->destroy(&script.there);
	script.back.kind->destroy(&script.back);
	return r;
}

void measure_hand_over(const struct settings *settings)
{
	struct contest contest = { .settings = settings,
				   .section = "zero-copy hand-over, round trip",
				   .placement = "pinned to two cores, payload not touched",
				   .unit = "ns",
				   .play = play,
				   .pairs = 1,
				   .probed = true };

	if (settings->second < 0)
		return;
	contest_add(&contest, &link_spin, 64);
	contest_add(&contest, &link_spin, 65536);
	contest_add(&contest, &link_spin, 1 << 20);
	contest_add(&contest, &channel_pabal_spin, 64);
	contest_add(&contest, &channel_pabal_spin, 65536);
	contest_add(&contest, &channel_pabal_spin, 1 << 20);
	contest_run(&contest);
}
