/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_threads - threads on one handle, and several handles on one mapping, so that ThreadSanitizer sees the races between participants.
 *
 * It understands atomic operations and locks. It does not understand atomic_thread_fence() and membarrier(): where the library relies on one of these the
 * words themselves are atomic, so it reports nothing, and proves nothing either; the tests without wait slices (tests/wake) are for that.
 * The threads use what is meant for children: an assertion of cmocka belongs to the thread that runs the tests.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "model/attach.h"
#include "support/support.h"

enum { THREADS = 4, LARGE = 9000 };

struct game {
	bool one_handle;
	uint32_t flags, capacity, messages;
	uint64_t memory_max;
};

static struct game game;
static pabal_mailbox *shared;
static _Atomic uint64_t received, opened;
static _Atomic unsigned char seen[THREADS][20000];

static pabal_mailbox *join(void)
{
	pabal_mailbox *own = shared;

	if (!game.one_handle)
		child_equal(pabal__mailbox_attach_shared(shared, game.flags, &own), 0);
	/* Who closes first would give memory back and end slots; not before all are there. */
	atomic_fetch_add(&opened, 1);
	child_check(eventually_at_least(&opened, UINT64_C(2) * THREADS));
	return own;
}

static void leave(pabal_mailbox *own)
{
	if (own != shared)
		pabal__mailbox_detach_shared(own);
}

static void *send_some(void *data)
{
	uint32_t me = *(uint32_t *)data;
	uint64_t random = me + 1;
	char *message = malloc(LARGE);
	pabal_mailbox *own = join();

	for (uint32_t i = 0; i < game.messages; i++) {
		size_t size = 16 + next_random(&random) % (i % 16 ? 100 : LARGE - 16);

		message_fill(message, size, me, i);
		if (i % 3) {
			child_equal(pabal_mailbox_send(own, message, size, HANG), 0);
		} else {
			struct pabal_loan loan;

			child_equal(pabal_mailbox_loan(own, size, &loan, HANG), 0);
			memcpy(loan.data, message, size);
			child_equal(pabal_mailbox_commit(own, &loan, size, HANG), 0);
		}
	}
	free(message);
	leave(own);
	return NULL;
}

static void mark(const void *data, size_t size)
{
	uint32_t from, number;

	child_check(message_read(data, size, &from, &number));
	child_equal(atomic_fetch_add(&seen[from][number], 1), 0);
	atomic_fetch_add(&received, 1);
}

static void *receive_some(void *data)
{
	char *message = malloc(LARGE);
	pabal_mailbox *own = join();

	for (uint32_t i = 0; i < game.messages;) {
		struct pabal_message taken;
		size_t size;

		if (i % 3) {
			child_equal(pabal_mailbox_receive(own, message, LARGE, &size, HANG), 0);
			mark(message, size);
			i++;
			continue;
		}
		child_equal(pabal_mailbox_take(own, NULL, &taken, HANG), 0);
		if (taken.delivery_count == 1 && i % 9 == 0) {
			child_equal(pabal_mailbox_requeue(own, &taken), 0);
			continue;
		}
		mark(taken.data, taken.size);
		child_equal(pabal_mailbox_release(own, &taken), 0);
		i++;
	}
	free(message);
	leave(own);
	(void)data;
	return NULL;
}

static _Atomic int stop;

static void *look_on(void *data)
{
	(void)data;
	while (!atomic_load(&stop)) {
		struct pabal_mailbox_stats stats = { .struct_size = sizeof stats };

		child_equal(pabal_mailbox_stat(shared, &stats), 0);
		/* What was requeued comes on top: it was there before, or is there twice while the count goes on. */
		child_check(stats.depth <= stats.capacity + 1000);
		child_check(stats.received <= stats.sent);
		pause_briefly();
	}
	return NULL;
}

static void play(struct game given)
{
	static uint32_t numbers[THREADS];
	pthread_t threads[2 * THREADS], looker;

	game = given;
	memset(seen, 0, sizeof seen);
	received = opened = 0;
	stop = 0;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = game.flags, .capacity = game.capacity, .memory_max = game.memory_max), &shared), 0);
	pthread_create(&looker, NULL, look_on, NULL);
	for (size_t i = 0; i < THREADS; i++) {
		numbers[i] = (uint32_t)i;
		pthread_create(&threads[2 * i], NULL, send_some, &numbers[i]);
		pthread_create(&threads[2 * i + 1], NULL, receive_some, &numbers[i]);
	}
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	stop = 1;
	pthread_join(looker, NULL);
	assert_int_equal(received, (uint64_t)THREADS * game.messages);
	assert_int_equal(stats_of(shared).depth, 0);
	expect_sound("a", NULL);
	pabal_mailbox_close(shared);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void many_threads_on_one_handle(void **state)
{
	(void)state;
	play((struct game){ .one_handle = true, .capacity = 100, .messages = 2000, .memory_max = 1 << 20 });
	play((struct game){ .one_handle = true, .capacity = 2, .messages = 1000, .memory_max = 1 << 20, .flags = PABAL_WAIT_BLOCK });
	play((struct game){ .one_handle = true, .capacity = 100, .messages = 1000, .memory_max = 1 << 14, .flags = PABAL_WAIT_BLOCK });
}

static void many_participants_on_one_mapping(void **state)
{
	(void)state;
	play((struct game){ .capacity = 100, .messages = 2000, .memory_max = 1 << 20 });
	play((struct game){ .capacity = 1, .messages = 1000, .memory_max = 1 << 20, .flags = PABAL_WAIT_BLOCK });
	play((struct game){ .capacity = 3, .messages = 1000, .memory_max = 1 << 20, .flags = PABAL_SINGLE_THREAD });
	play((struct game){ .capacity = 100, .messages = 1000, .memory_max = 1 << 15, .flags = PABAL_WAIT_BLOCK });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads_on_one_handle),
		cmocka_unit_test(many_participants_on_one_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
