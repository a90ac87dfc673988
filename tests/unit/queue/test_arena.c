/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_arena - blocks do not overlap, whatever order they come back in, and all of the arena comes back; uses of tickets wrap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue/arena.h"
#include "support/support.h"

enum { MEMORY = 1 << 20, OUT = 64 };

struct fixture {
	struct pabal__arena arena;
	struct pabal__arena_books *books;
	struct pabal__half *peer;
};

static void set_up(struct fixture *fixture, uint64_t memory_max)
{
	fixture->books = calloc(1, sizeof *fixture->books);
	fixture->peer = aligned_alloc(4096, sizeof *fixture->peer);
	memset(fixture->peer, 0, sizeof *fixture->peer);
	pabal__arena_init(&fixture->arena, fixture->books, memory_max, fixture->peer);
}

static void tear_down(struct fixture *fixture)
{
	free(fixture->books);
	free(fixture->peer);
}

/* The list is in order, without holes, with no two free neighbours, and adds up; one block at most is kept. */
static void expect_sound_arena(const struct pabal__arena *arena)
{
	uint64_t offset = 0, used = 0;
	uint32_t kept = PABAL__ARENA_NONE;
	bool free_before = false;

	for (uint32_t node = arena->first, before = PABAL__ARENA_NONE; node != PABAL__ARENA_NONE; node = arena->books->nodes[node].after) {
		const struct pabal__arena_node *block = &arena->books->nodes[node];

		assert_int_equal(block->offset, offset);
		assert_int_equal(block->before, before);
		assert_int_equal(block->offset % 64, 0);
		assert_false(free_before && block->free);
		free_before = block->free;
		if (node == arena->kept)
			kept = node;
		used += free_before || node == kept ? 0 : block->size;
		offset += block->size;
		before = node;
	}
	assert_int_equal(offset, arena->size);
	assert_int_equal(used, pabal__arena_in_use(arena));
	assert_int_equal(kept, arena->kept);
}

static void send_block(struct pabal__arena *arena, uint32_t node, uint64_t size, struct pabal__stream_place *ret_place)
{
	pabal__arena_describe(arena, node, size, ret_place);
	pabal__arena_sent(arena, node);
}

static void any_order(void **state)
{
	struct pabal__stream_place places[OUT];
	uint32_t nodes[OUT], kinds[OUT] = { 0 }; /* 0 free, 1 loaned, 2 sent */
	struct fixture fixture;
	uint64_t random = 11, sent = 0;

	(void)state;
	set_up(&fixture, MEMORY);
	for (int step = 0; step < 40000; step++) {
		uint32_t i = next_random(&random) % OUT, size = 1 + next_random(&random) % (step % 10 ? 5000 : 60000);

		if (kinds[i] == 0) {
			int r = pabal__arena_allocate(&fixture.arena, size, &nodes[i]);

			assert_true(r == 0 || r == 1);
			kinds[i] = r == 0;
		} else if (kinds[i] == 1 && next_random(&random) % 4) {
			send_block(&fixture.arena, nodes[i], fixture.books->nodes[nodes[i]].size, &places[i]);
			assert_true(pabal__arena_holds(MEMORY, &places[i]));
			kinds[i] = 2;
			sent++;
		} else if (kinds[i] == 1) {
			pabal__arena_free(&fixture.arena, nodes[i]);
			kinds[i] = 0;
		} else {
			pabal__arena_release(fixture.peer, places[i].receipt);
			kinds[i] = 0;
		}
		if (step % 64 == 0)
			assert_true((step % 128 ? pabal__arena_reclaim_some(&fixture.arena, 4) : pabal__arena_reclaim(&fixture.arena)) >= 0);
		if (step % 100 == 0)
			expect_sound_arena(&fixture.arena);
	}
	for (int i = 0; i < OUT; i++) {
		if (kinds[i] == 1)
			pabal__arena_free(&fixture.arena, nodes[i]);
		if (kinds[i] == 2)
			pabal__arena_release(fixture.peer, places[i].receipt);
	}
	assert_true(pabal__arena_reclaim(&fixture.arena) >= 0);
	expect_sound_arena(&fixture.arena);
	assert_int_equal(pabal__arena_in_use(&fixture.arena), 0);
	assert_true(sent > 1000);
	assert_int_equal(pabal__arena_allocate(&fixture.arena, MEMORY, &nodes[0]), 0); /* in one piece again */
	tear_down(&fixture);
}

static void every_ticket_is_out(void **state)
{
	struct pabal__stream_place places[PABAL__STREAM_TICKETS];
	struct fixture fixture;
	uint32_t node;

	(void)state;
	set_up(&fixture, 1 << 20);
	for (int round = 0; round < 6; round++) { /* over the wrap of the uses */
		for (int i = 0; i < PABAL__STREAM_TICKETS; i++) {
			assert_int_equal(pabal__arena_allocate(&fixture.arena, 64, &node), 0);
			send_block(&fixture.arena, node, 64, &places[i]);
		}
		assert_int_equal(pabal__arena_allocate(&fixture.arena, 64, &node), 1);
		for (int i = 0; i < PABAL__STREAM_TICKETS; i++) {
			int k = i * 5 % PABAL__STREAM_TICKETS;

			pabal__arena_release(fixture.peer, places[k].receipt);
		}
		assert_int_equal(pabal__arena_reclaim(&fixture.arena), PABAL__STREAM_TICKETS);
		expect_sound_arena(&fixture.arena);
	}
	tear_down(&fixture);
}

static void nonsense_is_told(void **state)
{
	struct pabal__stream_place place;
	struct fixture fixture;
	uint32_t node;

	(void)state;
	set_up(&fixture, 4096);
	assert_int_equal(pabal__arena_allocate(&fixture.arena, 4096, &node), 0);
	send_block(&fixture.arena, node, 4096, &place);
	assert_int_equal(pabal__arena_reclaim(&fixture.arena), 0);
	assert_int_equal(pabal__arena_allocate(&fixture.arena, 1, &node), 1);
	atomic_store(&fixture.peer->released[pabal__stream_word_of(pabal__stream_ticket(place.receipt))], pabal__stream_use(place.receipt) + 1);
	assert_int_equal(pabal__arena_reclaim(&fixture.arena), -EBADMSG);
	assert_int_equal(pabal__arena_allocate(&fixture.arena, 1, &node), -EBADMSG);
	tear_down(&fixture);
}

/* A message of the peer says what it has released last: of this block and this use, and of no other. Its word is not looked at. */
static void who_is_told_does_not_look(void **state)
{
	struct pabal__stream_place place;
	struct fixture fixture;
	uint32_t node, ticket, use;

	(void)state;
	set_up(&fixture, MEMORY);
	for (int i = 0; i < 8; i++) { /* past the wrap of the uses */
		assert_int_equal(pabal__arena_allocate(&fixture.arena, 5000, &node), 0);
		assert_int_equal(pabal__arena_reclaim(&fixture.arena), 0);
		send_block(&fixture.arena, node, 5000, &place);
		ticket = pabal__stream_ticket(place.receipt);
		use = pabal__stream_use(place.receipt);
		assert_int_equal(ticket, 0);
		atomic_store(&fixture.arena.told, i ? pabal__stream_receipt(ticket, use - 1) : 0);
		assert_int_equal(pabal__arena_reclaim(&fixture.arena), 0);
		atomic_store(&fixture.arena.told, pabal__stream_receipt(ticket + 1, use));
		assert_int_equal(pabal__arena_reclaim(&fixture.arena), 0);
		atomic_store(&fixture.arena.told, place.receipt);
		assert_int_equal(pabal__arena_reclaim(&fixture.arena), use != 0); /* 0 says nothing */
		pabal__arena_release(fixture.peer, place.receipt);                /* said before, in truth */
		assert_int_equal(pabal__arena_reclaim(&fixture.arena), use == 0);
	}
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),
		cmocka_unit_test(every_ticket_is_out),
		cmocka_unit_test(nonsense_is_told),
		cmocka_unit_test(who_is_told_does_not_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
