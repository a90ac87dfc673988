/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/buffer.c - items per second through a buffer, and beside it through a ring that promises nothing (plain.h).
 *
 * One producer and one consumer, pinned to two cores, spinning, 32 items at a time, copied or in place; and four of each on two cores, one item at a time and 32. Every
 * word of every item is written and checked, and the order of each producer.
 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "crowd.h"
#include "plain.h"
#include "tools.h"

enum {
	BATCH = 32,        /* items */
	TIMED = 128,       /* batches between two looks at the clock: several rings */
	ORIGIN_SHIFT = 48, /* of the producer's number in an item's */
};

struct script {
	const struct channel_kind *kind;
	char name[64];
	struct plain_spsc *spsc;
	struct plain_mpmc *mpmc;
	uint32_t batch;
};

/* What one process holds. */
struct end {
	pabal_buffer *buffer;
	struct plain_spsc *spsc;
	struct plain_mpmc *mpmc;
	struct plain_end plain;
	uint64_t number;                /* producer: of the last item */
	uint64_t last[CROWD_PAIRS_MAX]; /* consumer: of each producer */
	uint32_t batch;
};

typedef int (*pass)(struct end *end, uint64_t *ret_count);

static void write_items(struct end *end, plain_item *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		payload_write(items[i], PLAIN_ITEM, ++end->number);
}

static bool check_items(struct end *end, const plain_item *items, uint32_t count)
{
	bool sound = true;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t number = items[i][0], origin = number >> ORIGIN_SHIFT;

		if (origin >= CROWD_PAIRS_MAX)
			return false;
		sound &= number > end->last[origin] && payload_check(items[i], PLAIN_ITEM, number);
		end->last[origin] = number;
	}
	return sound;
}

static int put_copies(struct end *end, uint64_t *ret_count)
{
	plain_item items[BATCH];

	write_items(end, items, end->batch);
	*ret_count = end->batch;
	return pabal_buffer_put(end->buffer, items, end->batch, NULL, PABAL_FOREVER);
}

static int get_copies(struct end *end, uint64_t *ret_count)
{
	plain_item items[BATCH];
	uint32_t count;
	int r = pabal_buffer_get(end->buffer, items, end->batch, &count, PABAL_FOREVER);

	if (r < 0)
		return r;
	*ret_count = count;
	return check_items(end, items, count) ? 0 : -EBADMSG;
}

static int put_in_place(struct end *end, uint64_t *ret_count)
{
	struct pabal_loan loan;
	int r = pabal_buffer_loan(end->buffer, end->batch, &loan, PABAL_FOREVER);

	if (r < 0)
		return r;
	*ret_count = loan.size / PLAIN_ITEM;
	write_items(end, loan.data, (uint32_t)*ret_count);
	return pabal_buffer_commit(end->buffer, &loan, loan.size);
}

static int get_in_place(struct end *end, uint64_t *ret_count)
{
	struct pabal_message items;
	int r = pabal_buffer_take(end->buffer, end->batch, &items, PABAL_FOREVER);

	if (r < 0)
		return r;
	*ret_count = items.size / PLAIN_ITEM;
	if (!check_items(end, items.data, (uint32_t)*ret_count))
		return -EBADMSG;
	return pabal_buffer_release(end->buffer, &items);
}

/* A batch divides the capacity, so that it lies in one piece. */
static int plain_put_copies(struct end *end, uint64_t *ret_count)
{
	plain_item items[BATCH];

	write_items(end, items, BATCH);
	memcpy(plain_spsc_room(end->spsc, &end->plain, BATCH), items, sizeof items);
	plain_spsc_publish(end->spsc, &end->plain, BATCH);
	*ret_count = BATCH;
	return 0;
}

static int plain_get_copies(struct end *end, uint64_t *ret_count)
{
	plain_item items[BATCH];
	uint32_t count = BATCH;
	const plain_item *from = plain_spsc_items(end->spsc, &end->plain, &count);

	memcpy(items, from, count * sizeof *items);
	plain_spsc_let_go(end->spsc, &end->plain, count);
	*ret_count = count;
	return check_items(end, items, count) ? 0 : -EBADMSG;
}

static int plain_put_in_place(struct end *end, uint64_t *ret_count)
{
	write_items(end, plain_spsc_room(end->spsc, &end->plain, BATCH), BATCH);
	plain_spsc_publish(end->spsc, &end->plain, BATCH);
	*ret_count = BATCH;
	return 0;
}

static int plain_get_in_place(struct end *end, uint64_t *ret_count)
{
	uint32_t count = BATCH;
	bool sound = check_items(end, plain_spsc_items(end->spsc, &end->plain, &count), count);

	plain_spsc_let_go(end->spsc, &end->plain, count);
	*ret_count = count;
	return sound ? 0 : -EBADMSG;
}

static int plain_put_one(struct end *end, uint64_t *ret_count)
{
	plain_item item;

	write_items(end, &item, 1);
	plain_mpmc_put(end->mpmc, &item);
	*ret_count = 1;
	return 0;
}

static int plain_get_one(struct end *end, uint64_t *ret_count)
{
	plain_item item;

	plain_mpmc_get(end->mpmc, &item);
	*ret_count = 1;
	return check_items(end, &item, 1) ? 0 : -EBADMSG;
}

static const struct channel_kind pabal_copies = { .name = "pabal", .waiting = "spin", .flags = PABAL_WAIT_SPIN };
static const struct channel_kind pabal_in_place = { .name = "pabal, in place", .waiting = "spin", .flags = PABAL_WAIT_SPIN };
static const struct channel_kind ring_copies = { .name = "plain ring", .waiting = "spin" };
static const struct channel_kind ring_in_place = { .name = "plain ring, in place", .waiting = "spin" };
static const struct channel_kind pabal_single = { .name = "pabal", .waiting = "adaptive" };
static const struct channel_kind pabal_batch = { .name = "pabal, 32 at a time", .waiting = "adaptive" };
static const struct channel_kind ring_single = { .name = "plain MPMC ring", .waiting = "yield" };

static const struct way {
	const struct channel_kind *kind;
	pass put, get;
	uint32_t batch;
} ways[] = {
	{ &pabal_copies, put_copies, get_copies, BATCH },
	{ &pabal_in_place, put_in_place, get_in_place, BATCH },
	{ &ring_copies, plain_put_copies, plain_get_copies, BATCH },
	{ &ring_in_place, plain_put_in_place, plain_get_in_place, BATCH },
	{ &pabal_single, put_copies, get_copies, 1 },
	{ &pabal_batch, put_copies, get_copies, BATCH },
	{ &ring_single, plain_put_one, plain_get_one, 1 },
};

static const struct way *way_of(const struct channel_kind *kind)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (ways[i].kind == kind)
			return &ways[i];
	return NULL;
}

static int begin(const struct script *script, uint32_t origin, struct end *end)
{
	const struct way *way = way_of(script->kind);

	*end = (struct end){ .spsc = script->spsc, .mpmc = script->mpmc, .number = (uint64_t)origin << ORIGIN_SHIFT, .batch = way->batch };
	return script->spsc ? 0 : buffer_open(script->name, script->kind->flags, &end->buffer);
}

/* Between one and one it is the producer that looks at the clock. */
static void put_timed(struct stage *stage, uint32_t index)
{
	const struct script *script = stage->script;
	pass put = way_of(script->kind)->put;
	struct end end;
	int64_t start, before, after;
	int r = begin(script, index, &end);

	stage_ready(stage);
	start = before = now_ns();
	while (r == 0 && !stage_over(stage, start)) {
		uint64_t sum = 0, count = 0;

		for (int i = 0; r == 0 && i < TIMED; i++, sum += count)
			r = put(&end, &count);
		after = now_ns();
		stage_sample(stage, (double)(after - before) / (double)sum);
		before = after;
	}
	if (r < 0)
		stage_fail(stage, r);
	stage_done(stage);
	for (;;) /* until the burst is over */
		pause();
}

static void put_all(struct stage *stage, uint32_t index)
{
	const struct script *script = stage->script;
	pass put = way_of(script->kind)->put;
	struct end end;
	uint64_t count;
	int r = begin(script, index, &end);

	stage_ready(stage);
	while (r == 0)
		r = put(&end, &count);
	stage_fail(stage, r);
}

static void get_all(struct stage *stage, uint32_t index)
{
	const struct script *script = stage->script;
	pass get = way_of(script->kind)->get;
	struct end end;
	uint64_t count, sum = 0;
	int r = begin(script, 0, &end);

	stage_ready(stage);
	while (r == 0) {
		r = get(&end, &count);
		sum += count;
		atomic_store_explicit(&stage->lanes[index].count, sum, memory_order_relaxed); /* alone: a counter */
	}
	stage_fail(stage, r);
}

/* Buffers get a name; plain rings some memory. One mapping holds either ring. */
static int make(const struct contest *contest, struct script *script)
{
	bool plain = script->kind == &ring_copies || script->kind == &ring_in_place || script->kind == &ring_single;
	void *memory;

	if (!plain)
		return buffer_create(PLAIN_ITEM, PLAIN_CAPACITY, contest->pairs == 1 ? PABAL_BUFFER_SPSC : 0, script->name);
	memory = mmap(NULL, sizeof *script->spsc + sizeof *script->mpmc, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	script->spsc = memory;
	script->mpmc = (struct plain_mpmc *)(script->spsc + 1);
	plain_mpmc_format(script->mpmc);
	return 0;
}

static void unmake(struct script *script)
{
	if (script->spsc)
		munmap(script->spsc, sizeof *script->spsc + sizeof *script->mpmc);
	else
		pabal_buffer_destroy(script->name);
}

static int play_one(const struct contest *contest, struct stage *stage, struct burst *ret_burst)
{
	int r = stage_enter(stage, put_timed, contest->settings->first);

	if (r == 0)
		r = stage_enter(stage, get_all, contest->settings->second);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	ret_burst->value = stage_median(stage);
	if (ret_burst->value > 0)
		ret_burst->value = 1e9 / ret_burst->value;
	return r;
}

static int play_many(const struct contest *contest, struct stage *stage, struct burst *ret_burst)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < contest->pairs; i++)
		r = stage_enter(stage, put_all, -1);
	for (uint32_t i = 0; r == 0 && i < contest->pairs; i++)
		r = stage_enter(stage, get_all, -1);
	if (r == 0)
		r = stage_play(stage);
	if (r < 0)
		return r;
	crowd_watch(stage, contest->pairs, ret_burst);
	r = atomic_load(&stage->failed);
	ret_burst->cpu_ns = crowd_end(stage, contest->pairs);
	return r;
}

static int play(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	struct script script = { .kind = entry->kind };
	struct stage *stage;
	int r = make(contest, &script);

	if (r < 0)
		return r;
	stage = stage_new(contest->settings->burst_ns, &script);
	r = contest->pairs == 1 ? play_one(contest, stage, ret_burst) : play_many(contest, stage, ret_burst);
	stage_free(stage);
	unmake(&script);
	return r;
}

static void one_and_one(const struct settings *settings)
{
	struct contest contest = { .settings = settings,
				   .section = "buffer",
				   .placement = "one producer, one consumer, pinned to two cores, 32 items at a time",
				   .unit = "M/s",
				   .play = play,
				   .pairs = 1,
				   .probed = true,
				   .against = "plain ring",
				   .goal = 0.6,
				   .goal_is_least = true };

	contest_add(&contest, &pabal_copies, PLAIN_ITEM);
	contest_add(&contest, &ring_copies, PLAIN_ITEM);
	contest_add(&contest, &pabal_in_place, PLAIN_ITEM);
	contest_add(&contest, &ring_in_place, PLAIN_ITEM);
	contest_run(&contest);
}

static void four_and_four(const struct settings *settings)
{
	struct contest contest = { .settings = settings,
				   .section = "buffer",
				   .placement = "4x4 processes free on two cores",
				   .unit = "M/s",
				   .play = play,
				   .pairs = 4,
				   .free = true,
				   .probed = settings->second >= 0,
				   .against = "plain MPMC ring",
				   .goal = 0.5,
				   .goal_is_least = true };

	contest_add(&contest, &pabal_single, PLAIN_ITEM);
	contest_add(&contest, &ring_single, PLAIN_ITEM);
	contest_add(&contest, &pabal_batch, PLAIN_ITEM);
	contest_run(&contest);
}

void measure_buffer(const struct settings *settings)
{
	if (settings->second >= 0)
		one_and_one(settings);
	four_and_four(settings);
	if (settings->second >= 0)
		buffer_hand_over(settings);
}
