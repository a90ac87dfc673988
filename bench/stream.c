/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/stream.c - 64 bytes one way, in place, as fast as they go: a link, and beside it a plain ring that promises nothing.
 *
 * The plain ring is the best that two processes can do: slots of a sequence number and the payload, one after the other, in memory that both may write; no sleep, no end, no death, no size but the
 * one. Both sides write and check every word. Pinned to two cores, spinning.
 */
#include "measure.h"

#include <errno.h>
#include <sys/mman.h>

#include "link.h"
#include "stage.h"
#include "tools.h"

enum { SIZE = 64, SLOTS = 1024, BATCH = 4000 /* messages: several rings */ };

struct slot {
	_Atomic uint64_t sequence;
	uint64_t words[SIZE / 8];
};

struct ring {
	_Alignas(CACHE_LINE) _Atomic uint64_t read;
	_Alignas(CACHE_LINE) struct slot slots[SLOTS];
};

static const struct channel_kind plain_ring = { .name = "plain ring", .waiting = "spin" };

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void write_all(struct stage *stage, uint32_t index)
{
	struct ring *ring = stage->script;
	uint64_t number = 0, read = 0;
	int64_t start, before, after;

	(void)index;
	stage_ready(stage);
	start = before = now_ns();
	while (!stage_over(stage, start)) {
		for (int i = 0; i < BATCH; i++) {
			struct slot *slot = &ring->slots[++number % SLOTS];

			while (number - read > SLOTS) {
				read = atomic_load_explicit(&ring->read, memory_order_acquire); /* pairs with read_all() */
				if (number - read > SLOTS)
					relax();
			}
			payload_write(slot->words, SIZE, number);
			atomic_store_explicit(&slot->sequence, number, memory_order_release); /* pairs with read_all() */
		}
		after = now_ns();
		stage_sample(stage, (double)(after - before) / BATCH);
		before = after;
	}
	stage_done(stage);
}

static void read_all(struct stage *stage, uint32_t index)
{
	struct ring *ring = stage->script;

	(void)index;
	stage_ready(stage);
	for (uint64_t number = 1;; number++) {
		struct slot *slot = &ring->slots[number % SLOTS];

		while (atomic_load_explicit(&slot->sequence, memory_order_acquire) != number) /* pairs with write_all() */
			relax();
		if (!payload_check(slot->words, SIZE, number))
			stage_fail(stage, -EBADMSG);
		atomic_store_explicit(&ring->read, number, memory_order_release); /* pairs with write_all() */
	}
}

static int play_plain(const struct contest *contest, struct burst *ret_burst)
{
	struct ring *ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stage *stage;
	int r;

	if (ring == MAP_FAILED)
		return -errno;
	stage = stage_new(contest->settings->burst_ns, ring);
	r = stage_enter(stage, write_all, contest->settings->first);
	if (r == 0)
		r = stage_enter(stage, read_all, contest->settings->second);
	if (r == 0)
		r = stage_play(stage);
	if (r == 0)
		r = stage_wait_done(stage);
	ret_burst->value = stage_median(stage);
	if (ret_burst->value > 0)
		ret_burst->value = 1e9 / ret_burst->value;
	stage_free(stage);
	munmap(ring, sizeof *ring);
	return r;
}

static int play(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	return is_link(entry) ? link_stream(contest, entry, ret_burst) : play_plain(contest, ret_burst);
}

void measure_stream(const struct settings *settings)
{
	struct contest contest = { .settings = settings,
				   .section = "streaming in place",
				   .placement = "one way, pinned to two cores",
				   .unit = "messages/s",
				   .play = play,
				   .pairs = 1,
				   .against = "plain ring",
				   .goal = 0.6,
				   .goal_is_least = true };

	if (settings->second < 0)
		return;
	contest_add(&contest, &link_spin, SIZE);
	contest_add(&contest, &plain_ring, SIZE);
	contest_run(&contest);
}
