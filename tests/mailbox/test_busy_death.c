/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_busy_death - a taker is killed where nobody sleeps a whole wait slice: what it had taken comes back all the same.
 *
 * Slices look for the dead, and end only where nothing happens. Here the queue is never empty, or whoever finds it empty polls, or each wait is short. What is counted is messages, and
 * calls: a look is due ten times a second, and so many of them take longer than that by far. With the deliberate fault nobody looks, and nothing comes back.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/fault.h"
#include "model/mailbox.h"
#include "support/support.h"

enum {
	DEPTH = 8,
	BEFORE = 100000,     /* messages before the death: the looks have become seldom */
	MOST = 50000000,     /* messages or calls; seconds */
	FAULTY = 4000000,    /* with the fault on; some tenths of a second, so that looks are due */
	MOST_WAITS = 500000, /* round trips, each of a few microseconds */
};

static _Atomic uint64_t *ready;

static int take_and_hang(void *data)
{
	struct pabal_message message;
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	atomic_store(ready, 1);
	child_wait_for_death();
}

static int take_item_and_hang(void *data)
{
	struct pabal_message items;
	pabal_buffer *a;

	(void)data;
	child_equal(pabal_buffer_open("a", NULL, &a), 0);
	child_equal(pabal_buffer_take(a, 1, &items, PABAL_NOWAIT), 0);
	atomic_store(ready, 1);
	child_wait_for_death();
}

static pid_t start_taker(child_main *body)
{
	pid_t pid;

	atomic_store(ready, 0);
	pid = child_start(body, NULL);
	assert_true(eventually_at_least(ready, 1));
	return pid;
}

/* One in, one out, and the queue never empty. How many until one was delivered for the second time? */
static int pump(pabal_mailbox *a, int most)
{
	struct pabal_message message;
	uint32_t deliveries;

	for (int i = 0; i < most; i++) {
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		deliveries = message.delivery_count;
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
		if (deliveries == 2)
			return i;
	}
	return most;
}

/* The same, until the item is there that is not 0. */
static int pump_items(pabal_buffer *a, int most)
{
	const uint32_t zeros[2] = { 0 };
	struct pabal_message items;
	uint32_t count, got, taken;

	for (int i = 0; i < most; i++) {
		assert_int_equal(pabal_buffer_put(a, zeros, 2, &count, PABAL_NOWAIT), 0);
		assert_int_equal(count, 2);
		assert_int_equal(pabal_buffer_get(a, &got, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_take(a, 1, &items, PABAL_NOWAIT), 0);
		taken = *(const uint32_t *)items.data;
		assert_int_equal(pabal_buffer_release(a, &items), 0);
		if (got || taken)
			return i;
	}
	return most;
}

static int poll_empty(pabal_mailbox *a, int most)
{
	int r = -EAGAIN;

	for (int i = 0; i < most; i++) {
		r = pabal_mailbox_receive(a, &(int){ 0 }, sizeof(int), NULL, PABAL_NOWAIT);
		if (r == 0)
			return i;
		assert_int_equal(r, -EAGAIN);
	}
	return most;
}

static pabal_mailbox *make(int messages)
{
	pabal_mailbox *a;

	pabal__fault_on = PABAL__FAULT_NONE;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (int i = 0; i < messages; i++)
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
	return a;
}

static void done_with(pabal_mailbox *a)
{
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/*
 * Looks are switched off: nothing comes back, though looks were due. How many calls that takes is for the clock to say, so it goes on until some were.
 * A macro: what is pumped differs.
 */
enum { HITS = 3 };
#define EXPECT_NOTHING(pump, object)                                    \
	do {                                                            \
		do                                                      \
			assert_int_equal(pump(object, FAULTY), FAULTY); \
		while (pabal__fault_hits < HITS);                       \
		pabal__fault_on = PABAL__FAULT_NONE;                    \
	} while (0)

static void begin_fault(void)
{
	pabal__fault_hits = 0;
	pabal__fault_on = PABAL__FAULT_NO_GLANCE;
}

static void a_queue_that_is_never_empty(void **state)
{
	pabal_mailbox *a = make(DEPTH);
	pid_t pid = start_taker(take_and_hang);
	int count;

	(void)state;
	assert_int_equal(pump(a, BEFORE), BEFORE);
	begin_fault();
	child_kill(pid);
	EXPECT_NOTHING(pump, a);
	count = pump(a, MOST);
	printf("the dead one's message came back after %d messages\n", count);
	assert_true(count < MOST);
	done_with(a);
}

static void a_buffer_that_is_never_empty(void **state)
{
	uint32_t items[DEPTH] = { 1 }, put;
	pabal_buffer *a;
	int count;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_buffer_create("a", sizeof *items, 64, NULL, &a), 0);
	assert_int_equal(pabal_buffer_put(a, items, DEPTH, &put, PABAL_NOWAIT), 0);
	pid = start_taker(take_item_and_hang);
	assert_int_equal(pump_items(a, BEFORE), BEFORE);
	begin_fault();
	child_kill(pid);
	EXPECT_NOTHING(pump_items, a);
	count = pump_items(a, MOST);
	printf("the dead one's item came back after %d rounds\n", count);
	assert_true(count < MOST);
	pabal_buffer_close(a);
	assert_int_equal(pabal_buffer_destroy("a"), 0);
}

static void receivers_that_poll(void **state)
{
	pabal_mailbox *a = make(1);
	pid_t pid = start_taker(take_and_hang);
	int count;

	(void)state;
	assert_int_equal(poll_empty(a, BEFORE), BEFORE);
	begin_fault();
	child_kill(pid);
	EXPECT_NOTHING(poll_empty, a);
	count = poll_empty(a, MOST);
	printf("the dead one's message came back after %d calls\n", count);
	assert_true(count < MOST);
	done_with(a);
}

static int answer(void *data)
{
	pabal_mailbox *a, *b;
	int value;

	(void)data;
	child_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_BLOCK), &a), 0);
	child_equal(pabal_mailbox_open("b", OPTS(.flags = PABAL_WAIT_BLOCK), &b), 0);
	for (;;) {
		child_equal(pabal_mailbox_receive(b, &value, sizeof value, NULL, PABAL_FOREVER), 0);
		if (value < 0)
			break;
		child_equal(pabal_mailbox_send(a, &value, sizeof value, PABAL_FOREVER), 0);
	}
	pabal_mailbox_close(a);
	pabal_mailbox_close(b);
	return 0;
}

/* Each receive sleeps, for microseconds. */
static void waits_that_are_short(void **state)
{
	struct pabal_message message;
	pabal_mailbox *first = make(1), *a, *b;
	pid_t pid = start_taker(take_and_hang), peer;
	int count, end = -1;
	bool back = false;

	(void)state;
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_BLOCK), &a), 0);
	assert_int_equal(pabal_mailbox_create("b", NULL, &b), 0);
	peer = child_start(answer, NULL);
	for (count = 0; count < MOST_WAITS && !back; count++) {
		if (count == 1000)
			child_kill(pid);
		assert_int_equal(pabal_mailbox_send(b, &count, sizeof count, PABAL_FOREVER), 0);
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, HANG), 0);
		back = message.delivery_count == 2;
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	printf("the dead one's message came back after %d round trips\n", count - 1000);
	assert_true(back);
	assert_int_equal(pabal_mailbox_send(b, &end, sizeof end, PABAL_FOREVER), 0);
	assert_int_equal(child_end(peer), 0);
	pabal_mailbox_close(a);
	pabal_mailbox_close(b);
	assert_int_equal(pabal_mailbox_destroy("b"), 0);
	done_with(first);
}

static void looks_are_seldom_where_messages_are_many_and_the_reverse(void **state)
{
	const int64_t ms = 1000000;
	uint32_t stride = PABAL__LOOK_FIRST;

	(void)state;
	for (int i = 0; i < 20; i++)
		stride = pabal__mailbox_stride(stride, (int64_t)stride * 50); /* 20 million a second */
	assert_int_equal(stride, PABAL__LOOK_SELDOM);
	assert_int_equal(pabal__mailbox_stride(64, 50 * ms), 64);
	assert_int_equal(pabal__mailbox_stride(64, 400 * ms), 16);
	for (int i = 0; i < 20; i++)
		stride = pabal__mailbox_stride(stride, (int64_t)stride * 20 * ms); /* fifty a second: 100 ms are 5 of them */
	assert_in_range(stride, 2, 5);
	for (int i = 0; i < 20; i++)
		stride = pabal__mailbox_stride(stride, (int64_t)stride * 1000 * ms);
	assert_int_equal(stride, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_that_is_never_empty),
		cmocka_unit_test(a_buffer_that_is_never_empty),
		cmocka_unit_test(receivers_that_poll),
		cmocka_unit_test(waits_that_are_short),
		cmocka_unit_test(looks_are_seldom_where_messages_are_many_and_the_reverse),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
