/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_many_ends - pabal_wait_many() and PABAL_HANGUP: the end of each kind of object, and nothing else.
 *
 * No wait here that is to end has a time limit, the wait slices are endless (noslice), and nothing else happens that could end it: what is lost hangs. That a wait goes on sleeping is seen from outside: its
 * thread sleeps in the kernel, which one that looks again and again never does.
 */
#include <errno.h>
#include <poll.h>

#include "model/descriptor.h"
#include "wake/thing.h"

/* Who waits for the end alone sleeps, whatever else happens, and is told of it though others empty what tells them. */
static void the_end_alone(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < PROCESS; kind++) {
		struct sleeper first, second, reader;
		struct thing thing;

		thing_make(&thing, kind, 0);
		thing_put(&thing);
		assert_int_equal(thing_wait(&thing, PABAL_HANGUP, NULL, PABAL_NOWAIT), -EAGAIN);
		sleeper_begin(&first, &thing, PABAL_HANGUP);
		sleeper_begin(&second, &thing, PABAL_HANGUP);
		for (int i = 0; i < 10; i++) {
			assert_int_equal(thing_get(&thing, PABAL_NOWAIT), 0);
			assert_int_equal(thing_get(&thing, PABAL_NOWAIT), -EAGAIN);
			assert_int_equal(thing_await(&thing, PABAL_NOWAIT), -EAGAIN);
			sleeper_begin(&reader, &thing, PABAL_READABLE | PABAL_HANGUP);
			thing_put(&thing);
			assert_int_equal(sleeper_result(&reader), 0);
			assert_int_equal(reader.ret_events, PABAL_READABLE);
		}
		child_await_sleep(atomic_load(&first.tid));
		child_await_sleep(atomic_load(&second.tid));
		assert_int_equal(thing_interrupt(&thing), 0);
		assert_int_equal(sleeper_result(&first), -ECANCELED);
		assert_int_equal(sleeper_result(&second), -ECANCELED);
		sleeper_begin(&first, &thing, PABAL_HANGUP);
		sleeper_begin(&second, &thing, PABAL_HANGUP);
		thing_destroy(&thing);
		assert_int_equal(sleeper_result(&first), 0);
		assert_int_equal(first.ret_events, PABAL_HANGUP);
		assert_int_equal(sleeper_result(&second), 0);
		assert_int_equal(second.ret_events, PABAL_HANGUP);
		assert_int_equal(thing_wait(&thing, PABAL_READABLE | PABAL_HANGUP, &first.ret_events, PABAL_FOREVER), 0);
		assert_int_equal(first.ret_events, PABAL_READABLE | PABAL_HANGUP);
		thing_close(&thing);
	}
}

static void *empty_again_and_again(void *data)
{
	const struct thing *thing = data;
	int r;

	do
		r = thing_get(thing, PABAL_NOWAIT);
	while (r == -EAGAIN);
	return as_pointer((uintptr_t)-r);
}

/* The destroy tells once; others who find nothing to read empty the same descriptor meanwhile. */
static void the_end_while_others_empty_it(void **state)
{
	enum { ROUNDS = 100 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct sleeper sleeper = { .events = PABAL_HANGUP };
		struct thing thing;
		pthread_t thread;
		void *result;

		thing_make(&thing, round % 2 ? MAILBOX : BUFFER, 0);
		sleeper.thing = &thing;
		assert_int_equal(pthread_create(&thread, NULL, empty_again_and_again, &thing), 0);
		assert_int_equal(pthread_create(&sleeper.thread, NULL, sleeper_body, &sleeper), 0);
		if (round % 4 < 2) {
			assert_true(eventually(sleeper_has_begun, &sleeper));
			child_await_sleep(atomic_load(&sleeper.tid));
		}
		thing_destroy(&thing);
		assert_int_equal(sleeper_result(&sleeper), 0);
		assert_int_equal(sleeper.ret_events, PABAL_HANGUP);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_int_equal((uintptr_t)result, ESHUTDOWN);
		thing_close(&thing);
	}
}

/* It is destroyed between the look and the emptying. */
static bool destroy_after_the_look(pabal_mailbox *mailbox, uint32_t event)
{
	(void)event;
	if (pabal__object_ended(&mailbox->segment))
		return true;
	assert_int_equal(pabal_mailbox_destroy("o"), 0);
	return false;
}

static void who_swallows_the_news_of_the_end_passes_it_on(void **state)
{
	struct pabal__nudge *nudge;
	struct thing thing;

	(void)state;
	thing_make(&thing, MAILBOX, 0);
	assert_true(pabal_mailbox_fd(thing.mailbox, PABAL_READABLE) >= 0);
	assert_int_equal(pabal__nudge_claim(&thing.mailbox->nudges, &nudge), 0);
	assert_true(pabal__descriptor_verify(thing.mailbox, PABAL_READABLE, destroy_after_the_look));
	assert_int_equal(poll(&(struct pollfd){ .fd = nudge->fd, .events = POLLIN }, 1, 0), 1);
	thing_close(&thing);
}

static void the_end_of_a_process_handle_is_refused(void **state)
{
	struct thing thing;

	(void)state;
	thing_make(&thing, PROCESS, 0);
	assert_int_equal(thing_wait(&thing, PABAL_HANGUP, NULL, PABAL_FOREVER), -EINVAL);
	assert_int_equal(thing_wait(&thing, PABAL_READABLE | PABAL_HANGUP, NULL, PABAL_NOWAIT), -EAGAIN);
	thing_end(&thing);
}

static void fill(const struct thing *thing)
{
	static const char large[900];
	int r = 0;

	while (r == 0)
		r = thing->kind == MAILBOX ? pabal_mailbox_send(thing->mailbox, "x", 1, PABAL_NOWAIT)
		    : thing->kind < LINK   ? pabal_buffer_put(thing->buffer, "x", 1, NULL, PABAL_NOWAIT)
					   : pabal_link_send(thing->link, large, sizeof large, PABAL_NOWAIT);
	assert_int_equal(r, -EAGAIN);
}

/* That there is something to read is nothing to who waits for room. */
static void room_or_the_end(void **state)
{
	static const enum kind kinds[] = { MAILBOX, BUFFER, SPSC, LINK };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct sleeper sleeper;
		struct thing thing;

		thing_make(&thing, kinds[i], 0);
		if (kinds[i] == LINK)
			thing_put(&thing);
		fill(&thing);
		sleeper_begin(&sleeper, &thing, PABAL_WRITABLE | PABAL_HANGUP);
		thing_destroy(&thing);
		assert_int_equal(sleeper_result(&sleeper), 0);
		assert_int_equal(sleeper.ret_events, PABAL_WRITABLE | PABAL_HANGUP);
		thing_close(&thing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_alone),
		cmocka_unit_test(the_end_while_others_empty_it),
		cmocka_unit_test(who_swallows_the_news_of_the_end_passes_it_on),
		cmocka_unit_test(the_end_of_a_process_handle_is_refused),
		cmocka_unit_test(room_or_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
