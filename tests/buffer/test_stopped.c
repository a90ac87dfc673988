/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stopped - a reader of the newest item is stopped at every instruction of its take, while many items are published: what it gets is the item that it was told of.
 *
 * The same without the reader's second look (LATEST_NO_REREAD): then there is an instruction after which it gets another one's content, and this test must find it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "buffer/items.h"
#include "support/stopped.h"

enum { PUTS = 12, MOST = 5000 /* instructions of a take; it has some hundred */ };

enum outcome { WHOLE = 0, ANOTHER = 5 };

static _Atomic uint64_t *hits, *returned;

/* In the child: "what was taken is the item of this number, and stays it until release". */
static enum outcome take_one(pabal_buffer *buffer)
{
	struct pabal_message taken;
	const struct item *item;
	enum outcome outcome;

	child_equal(pabal_buffer_take(buffer, 1, &taken, PABAL_NOWAIT), 0);
	atomic_store(returned, 1);
	item = taken.data;
	outcome = item->id == taken.sequence + 1 && item_is_whole(item) ? WHOLE : ANOTHER;
	child_equal(pabal_buffer_release(buffer, &taken), 0);
	return outcome;
}

static _Noreturn void read_under_a_tracer(enum pabal__fault fault)
{
	enum outcome outcome;
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", BOPTS(.flags = PABAL_SINGLE_THREAD), &buffer), 0);
	child_equal(take_one(buffer), WHOLE); /* once before, so that the linker is done */
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	stopped_here();
	outcome = take_one(buffer);
	atomic_fetch_add(hits, pabal__fault_hits);
	pabal_buffer_close(buffer);
	_exit((int)outcome);
}

static void put(pabal_buffer *writer, uint64_t id)
{
	struct item item = item_of(id);

	assert_int_equal(pabal_buffer_put(writer, &item, 1, NULL, PABAL_NOWAIT), 0);
}

/* What a reader gets that is stopped after @steps instructions. */
static enum outcome stop_after(pabal_buffer *writer, enum pabal__fault fault, uint32_t steps, uint64_t *id, bool *ret_returned)
{
	pid_t pid;
	int said;

	put(writer, ++*id);
	pid = fork();
	if (pid == 0)
		read_under_a_tracer(fault);
	assert_true(pid > 0);
	assert_true(WIFSTOPPED(stopped_await(pid)));
	put(writer, ++*id);
	atomic_store(returned, 0);
	stopped_step(pid, steps);
	for (int i = 0; i < PUTS; i++)
		put(writer, ++*id);
	*ret_returned = atomic_load(returned);
	if (*ret_returned) {
		stopped_kill(pid);
		return WHOLE;
	}
	said = stopped_finish(pid);
	assert_true(said == WHOLE || said == ANOTHER);
	return (enum outcome)said;
}

/* Stopped after each number of instructions, until the call has returned. Returns how often it got another's content. */
static uint32_t stop_everywhere(enum pabal__fault fault, uint32_t *ret_stops)
{
	pabal_buffer *writer = NULL;
	uint32_t another = 0, steps = 0;
	bool is_over = false;
	uint64_t id = 0;

	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), 1, BOPTS(.flags = PABAL_BUFFER_LATEST), &writer), 0);
	for (; !is_over; steps++) {
		assert_true(steps < MOST);
		another += stop_after(writer, fault, steps, &id, &is_over) == ANOTHER;
	}
	assert_int_equal(pabal_gc(NULL) < 0, false); /* the last one was killed */
	expect_sound("b", NULL);
	pabal_buffer_close(writer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
	*ret_stops = steps;
	return another;
}

static void a_take_gets_what_it_was_told_of(void **state)
{
	uint32_t stops;

	(void)state;
	assert_int_equal(stop_everywhere(PABAL__FAULT_NONE, &stops), 0);
	assert_true(stops > 100);
}

static void without_the_second_look_it_is_caught(void **state)
{
	uint32_t stops, another;

	(void)state;
	atomic_store(hits, 0);
	another = stop_everywhere(PABAL__FAULT_LATEST_NO_REREAD, &stops);
	assert_true(atomic_load(hits) > 0);
	assert_true(another > 0);
	printf("another's content after %u of %u instructions\n", another, stops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_take_gets_what_it_was_told_of),
		cmocka_unit_test(without_the_second_look_it_is_caught),
	};

	hits = shared_memory(2 * sizeof *hits);
	returned = hits + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
