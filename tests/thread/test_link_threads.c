/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_threads - threads on both sides of one link, on one mapping, so that ThreadSanitizer sees the races between the sides and between the threads of a side.
 *
 * With an argument: the name of a deliberate fault of memory order, which it must report (tests/thread/test-race).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "support/link_pair.h"

enum { MOST = 3, LARGE = 9000 };

struct game {
	uint32_t flags, threads, messages;
	bool small; /* no large ones: their release would order what a position no longer orders */
	uint64_t memory_max;
};

static struct game game;
static pabal_link *links[2];
static _Atomic unsigned char seen[2][MOST][5000];
static uint32_t numbers[2 * MOST];

static void *send_some(void *data)
{
	uint32_t me = *(uint32_t *)data, side = me & 1;
	uint64_t random = me + 1;
	char *message = malloc(LARGE);

	for (uint32_t i = 0; i < game.messages; i++) {
		size_t size = 16 + next_random(&random) % (i % 16 || game.small ? 100 : LARGE - 16);

		message_fill(message, size, me / 2, i);
		if (i % 3) {
			child_equal(pabal_link_send(links[side], message, size, HANG), 0);
		} else {
			struct pabal_loan loan;

			child_equal(pabal_link_loan(links[side], size, &loan, HANG), 0);
			memcpy(loan.data, message, size);
			child_equal(pabal_link_commit(links[side], &loan, size, HANG), 0);
		}
	}
	free(message);
	return NULL;
}

static void mark(uint32_t side, const void *data, size_t size)
{
	uint32_t from, number;

	child_check(message_read(data, size, &from, &number));
	child_equal(atomic_fetch_add(&seen[side][from][number], 1), 0);
}

static void *receive_some(void *data)
{
	uint32_t side = !(*(uint32_t *)data & 1);
	char *message = malloc(LARGE);

	for (uint32_t i = 0; i < game.messages; i++) {
		struct pabal_message taken;
		size_t size;

		if (i % 3) {
			child_equal(pabal_link_receive(links[side], message, LARGE, &size, HANG), 0);
			mark(side, message, size);
			continue;
		}
		child_equal(pabal_link_take(links[side], NULL, &taken, HANG), 0);
		mark(side, taken.data, taken.size);
		child_equal(pabal_link_release(links[side], &taken), 0);
	}
	free(message);
	return NULL;
}

static void play(struct game given)
{
	pthread_t threads[4 * MOST];
	struct link_pair pair;
	uint32_t count = 0;

	game = given;
	memset(seen, 0, sizeof seen);
	link_pair_make(&pair, game.memory_max, game.memory_max);
	link_pair_shared(&pair, game.flags, links);
	for (uint32_t i = 0; i < (pabal__fault_on ? 1 : 2 * game.threads);
	     i++) { /* both ways at once; with a fault nothing but one way may order anything */
		numbers[i] = i;
		pthread_create(&threads[count++], NULL, send_some, &numbers[i]);
		pthread_create(&threads[count++], NULL, receive_some, &numbers[i]);
	}
	while (count > 0)
		pthread_join(threads[--count], NULL);
	for (int side = 0; side < 2 && !pabal__fault_on; side++) {
		assert_int_equal(link_stats_of(links[side]).sent, (uint64_t)game.threads * game.messages);
		assert_int_equal(link_stats_of(links[side]).received, (uint64_t)game.threads * game.messages);
		assert_int_equal(link_stats_of(links[side]).memory, 0);
	}
	link_pair_close_shared(&pair, links);
}

static void one_thread_a_direction(void **state)
{
	(void)state;
	play((struct game){ .threads = 1, .messages = 3000, .memory_max = 1 << 20, .flags = PABAL_SINGLE_THREAD });
	play((struct game){ .threads = 1, .messages = 3000, .memory_max = 1 << 14, .flags = PABAL_WAIT_BLOCK });
}

static void several_threads_a_direction(void **state)
{
	(void)state;
	play((struct game){ .threads = 3, .messages = 2000, .memory_max = 1 << 20 });
	play((struct game){ .threads = 3, .messages = 1000, .memory_max = 1 << 14, .flags = PABAL_WAIT_BLOCK });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_a_direction),
		cmocka_unit_test(several_threads_a_direction),
	};

	if (argc > 1) {
		pabal__fault_on = strcmp(argv[1], "HEADER_RELAXED") == 0     ? PABAL__FAULT_HEADER_RELAXED
				  : strcmp(argv[1], "POSITION_RELAXED") == 0 ? PABAL__FAULT_POSITION_RELAXED
									     : PABAL__FAULT_RELEASED_RELAXED;
		play((struct game){ .threads = 1,
				    .messages = 5000,
				    .memory_max = 1 << 15,
				    .flags = PABAL_WAIT_SPIN,
				    .small = pabal__fault_on == PABAL__FAULT_POSITION_RELAXED });
		return pabal__fault_hits > 0 ? 0 : 3;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
