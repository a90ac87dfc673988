/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_death - a participant of a buffer is killed, or stopped: what it held comes again, what it had not put in never was, and its place is taken over when it is
 * dead, not before.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer/items.h"

enum { CAPACITY = 10, HELD = 4 };

static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC };
static _Atomic uint64_t *ready;

static pabal_buffer *make(uint32_t flags)
{
	pabal_buffer *buffer = NULL;

	atomic_store(ready, 0);
	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = flags), &buffer), 0);
	return buffer;
}

static void end(pabal_buffer *buffer)
{
	struct pabal_check_result account;

	expect_sound("b", &account);
	assert_int_equal(account.held_by_dead, 0);
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static void put(pabal_buffer *buffer, uint64_t first, uint32_t count)
{
	struct item items[CAPACITY];
	uint32_t in;

	for (uint32_t i = 0; i < count; i++)
		items[i] = item_of(first + i);
	assert_int_equal(pabal_buffer_put(buffer, items, count, &in, PABAL_NOWAIT), 0);
	assert_int_equal(in, count);
}

static pabal_buffer *open_it(void)
{
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	return buffer;
}

static int take_and_hang(void *data)
{
	pabal_buffer *buffer = open_it();
	struct pabal_message items;
	uint64_t held = 0;

	(void)data;
	while (held < HELD) {
		child_equal(pabal_buffer_take(buffer, (uint32_t)(HELD - held), &items, PABAL_NOWAIT), 0);
		held += items.size / sizeof(struct item);
	}
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static void what_the_dead_had_taken_comes_first_and_is_marked(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form]);
		struct pabal_check_result account;
		struct pabal_message items;
		uint64_t next = 1;
		pid_t child;

		put(buffer, 1, CAPACITY);
		child = child_start(take_and_hang, NULL);
		assert_true(eventually_at_least(ready, 1));
		expect_sound("b", &account);
		assert_int_equal(account.leased, HELD);
		child_kill(child);
		expect_sound("b", &account);
		assert_int_equal(account.held_by_dead, HELD);
		assert_int_equal(pabal_gc(NULL), 0);
		assert_int_equal(buffer_stats(buffer).redelivered, HELD);
		assert_int_equal(buffer_stats(buffer).depth, CAPACITY);
		while (next <= CAPACITY) {
			assert_int_equal(pabal_buffer_take(buffer, CAPACITY, &items, PABAL_NOWAIT), 0);
			assert_int_equal(items.delivery_count, next <= HELD ? 2 : 1);
			for (uint64_t i = 0; i < items.size / sizeof(struct item); i++, next++) {
				assert_int_equal(((const struct item *)items.data)[i].id, next);
				assert_int_equal(items.delivery_count, next <= HELD ? 2 : 1);
			}
			assert_int_equal(pabal_buffer_release(buffer, &items), 0);
		}
		end(buffer);
	}
}

static int get_one_and_hang(void *data)
{
	pabal_buffer *buffer = open_it();
	struct item item;

	(void)data;
	child_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* It takes over from a dead one that held some, copies one of them, and dies: nothing that it held comes back, since it held nothing. */
static void who_only_copied_brings_nothing_back(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC);
	struct pabal_check_result account;
	pid_t child;

	(void)state;
	put(buffer, 1, CAPACITY);
	child = child_start(take_and_hang, NULL);
	assert_true(eventually_at_least(ready, 1));
	child_kill(child);
	for (uint64_t i = 2; i < 5; i++) {
		child = child_start(get_one_and_hang, NULL);
		assert_true(eventually_at_least(ready, i));
		assert_int_equal(buffer_stats(buffer).leases, 0);
		child_kill(child);
		expect_sound("b", &account);
		assert_int_equal(account.held_by_dead, 0);
		assert_int_equal(account.redeliver, HELD - (i - 1));
		assert_int_equal(pabal_gc(NULL), 0);
		assert_int_equal(buffer_stats(buffer).redelivered, HELD);
	}
	end(buffer);
}

/* Nobody but the call that waits finds out. */
static void a_sleeper_finds_what_came_back(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form]);
		struct item item;
		pid_t child;

		put(buffer, 1, HELD);
		child = child_start(take_and_hang, NULL);
		assert_true(eventually_at_least(ready, 1));
		if (form == 0) /* SPSC: the place is taken */
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
		else
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, HANG), -EBUSY);
		child_kill(child);
		for (uint64_t i = 1; i <= HELD; i++) {
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, HANG), 0);
			assert_int_equal(item.id, i);
		}
		end(buffer);
	}
}

static int loan_and_hang(void *data)
{
	pabal_buffer *buffer = open_it();
	struct pabal_loan loan;

	(void)data;
	child_equal(pabal_buffer_loan(buffer, 3, &loan, PABAL_NOWAIT), 0);
	memset(loan.data, 0xee, loan.size);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static void what_the_dead_had_not_committed_never_was(void **state)
{
	static const uint32_t all[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make(all[form]);
		struct item items[CAPACITY];
		uint32_t got;
		pid_t child = child_start(loan_and_hang, NULL);

		assert_true(eventually_at_least(ready, 1));
		child_kill(child);
		assert_int_equal(pabal_buffer_get(buffer, items, 1, NULL, PABAL_NOWAIT), -EAGAIN);
		put(buffer, 1, CAPACITY);
		assert_int_equal(pabal_buffer_get(buffer, items, CAPACITY, &got, PABAL_NOWAIT), 0);
		assert_int_equal(got, form == 2 ? 1 : CAPACITY);
		for (uint32_t i = 0; i < got; i++)
			assert_true(item_is_whole(&items[i]));
		assert_int_equal(pabal_gc(NULL), 0);
		end(buffer);
	}
}

static int produce_and_hang(void *data)
{
	pabal_buffer *buffer = open_it();
	struct item item = item_of(1);

	(void)data;
	child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* A stopped producer is alive, however long it is stopped: its place is not taken over. When it is dead it is, by the very call that finds it so. */
static void a_place_is_taken_over_from_the_dead_alone(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC);
	pid_t child = child_start(produce_and_hang, NULL);
	struct item item = item_of(2), got;
	uint32_t old;

	(void)state;
	assert_true(eventually_at_least(ready, 1));
	old = buffer_stats(buffer).producer;
	kill(child, SIGSTOP);
	for (int i = 0; i < 100; i++)
		assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_FOREVER), -EBUSY);
	assert_int_equal(buffer_stats(buffer).producer, old);
	child_kill(child);
	assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_not_equal(buffer_stats(buffer).producer, old);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_int_equal(pabal_buffer_get(buffer, &got, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(got.id, i);
	}
	end(buffer);
}

/* One pins, one writes in place; both are stopped, then killed. Writers and readers go on all the while. */
static void latest_goes_on_whoever_is_stopped_or_dead(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_LATEST);
	struct item item;
	pid_t reader, writer;
	uint64_t memory = 0;

	(void)state;
	put(buffer, 1, 1);
	reader = child_start(produce_and_hang, NULL);
	assert_true(eventually_at_least(ready, 1));
	child_kill(reader);
	writer = child_start(loan_and_hang, NULL);
	assert_true(eventually_at_least(ready, 2));
	kill(writer, SIGSTOP);
	for (uint64_t i = 10; i < 3000; i++) {
		put(buffer, i, 1);
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(item.id, i);
		if (i == 1000)
			child_kill(writer);
		if (i == 1500)
			assert_int_equal(pabal_gc(NULL), 0);
		if (i == 20)
			memory = buffer_stats(buffer).memory;
	}
	assert_int_equal(buffer_stats(buffer).memory, memory); /* nothing is withheld for each item */
	end(buffer);
}

static int pin_and_hang(void *data)
{
	pabal_buffer *buffer = open_it();
	struct pabal_message item;

	(void)data;
	child_equal(pabal_buffer_take(buffer, 1, &item, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* Each dead reader withholds one block until it is buried, and an opener buries. */
static void pins_of_the_dead_come_back(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_LATEST);

	(void)state;
	for (uint64_t i = 1; i <= 30; i++) {
		pid_t child;

		put(buffer, i, 1);
		child = child_start(pin_and_hang, NULL);
		assert_true(eventually_at_least(ready, i));
		put(buffer, i, 1);
		child_kill(child);
	}
	assert_in_range(buffer_stats(buffer).memory, 1, 6 * 64);
	assert_int_equal(pabal_gc(NULL), 0);
	end(buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_dead_had_taken_comes_first_and_is_marked),
		cmocka_unit_test(a_sleeper_finds_what_came_back),
		cmocka_unit_test(what_the_dead_had_not_committed_never_was),
		cmocka_unit_test(a_place_is_taken_over_from_the_dead_alone),
		cmocka_unit_test(who_only_copied_brings_nothing_back),
		cmocka_unit_test(latest_goes_on_whoever_is_stopped_or_dead),
		cmocka_unit_test(pins_of_the_dead_come_back),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
