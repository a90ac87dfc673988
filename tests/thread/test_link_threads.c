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

/* Of one side: ask and wait for the answer, or the reverse. All sizes, copied and in place. */
static void *talk(void *data)
{
	uint32_t side = *(uint32_t *)data;
	uint64_t random = 5; /* the same for both */
	char *message = malloc(LARGE);

	for (uint32_t i = 0; i < 2 * game.messages; i++) {
		size_t size = 16 + next_random(&random) % (i % 16 ? 200 : LARGE - 16), got;
		struct pabal_message taken;
		uint32_t from, number;

		if (i % 2 == side) {
			message_fill(message, size, side, i);
			child_equal(pabal_link_send(links[side], message, size, HANG), 0);
		} else if (i % 3) {
			child_equal(pabal_link_receive(links[side], message, LARGE, &got, HANG), 0);
			child_check(got == size && message_read(message, size, &from, &number) && number == i);
		} else {
			child_equal(pabal_link_take(links[side], NULL, &taken, HANG), 0);
			child_check(taken.size == size && message_read(taken.data, size, &from, &number) && number == i);
			child_equal(pabal_link_release(links[side], &taken), 0);
		}
	}
	free(message);
	return NULL;
}

/* Who asks and answers, and is patient from the beginning: its messages lie apart, and lines are fetched for what comes next. */
static void patient_ones(void **state)
{
	static uint32_t sides[2] = { 0, 1 };
	pthread_t threads[2];
	struct link_pair pair;

	(void)state;
	game = (struct game){ .messages = 4000 };
	link_pair_make(&pair, 1 << 20, 1 << 20);
	pair.parts[0].patient = true;
	link_pair_shared(&pair, PABAL_SINGLE_THREAD, links);
	links[0]->receiving.patience.delay = 2;
	atomic_store(&links[0]->mine->delay, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, talk, &sides[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(link_stats_of(links[0]).sent, game.messages);
	assert_int_equal(link_stats_of(links[1]).sent, game.messages);
	link_pair_close_shared(&pair, links);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_a_direction),
		cmocka_unit_test(several_threads_a_direction),
		cmocka_unit_test(patient_ones),
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
