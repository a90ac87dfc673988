/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_elders - a process died and came again under its name, more than once, and nobody has noticed any death yet: what the youngest sent is received all the same.
 *
 * Found by the kills of tests/crash: a receive from anyone looked at as many links as there were, and spent a look on an elder that had nothing but its end to tell. The young one's message was there,
 * and its link armed after it had come: so the receive slept, and nobody woke it.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "model/process.h"
#include "support/support.h"

enum { ELDERS_MAX = 4, TRIES = 20 };

static _Atomic uint64_t *linked;

/* One of those who bear the name: says something if it is the last, then stands until it is killed. */
static int bear_the_name(void *data)
{
	pabal_process *self;
	pabal_link *link;

	child_equal(pabal_process_announce("again", NULL, &self), 0);
	child_equal(pabal_process_link(self, "me", &link, PABAL_FOREVER), 0);
	if (data)
		child_equal(pabal_link_send(link, "young", 5, PABAL_FOREVER), 0);
	atomic_fetch_add(linked, 1);
	child_wait_for_death();
}

/* It knocks, and is let in by a call that finds it at once: such a call looks at no other link. */
static pid_t let_in(pabal_process *self, pabal_link **ret_link, void *data)
{
	uint64_t before = atomic_load(linked);
	pid_t pid = child_start(bear_the_name, data);

	child_await_sleep(pid);
	usleep(10000); /* so that the door is served at the beginning of the call. If it is not, the deaths are noticed, and we try again */
	assert_int_equal(pabal_process_accept(self, ret_link, HANG), 0);
	assert_true(eventually_at_least(linked, before + 1));
	return pid;
}

static bool is_unnoticed(pabal_link *link)
{
	return !atomic_load(&link->bell.hung_up);
}

/* true: nobody had noticed a death before the receive. */
static bool try_with(uint32_t elders)
{
	const struct pabal_process_opts opts = { .struct_size = sizeof opts, .flags = PABAL_WAIT_BLOCK };
	pabal_link *links[ELDERS_MAX + 1];
	bool unnoticed = true;
	char text[8], peer[PABAL_NAME_SIZE];
	pabal_process *self;
	size_t size = 0;
	pid_t pid;

	assert_int_equal(pabal_process_announce("me", &opts, &self), 0);
	for (uint32_t i = 0; i < elders; i++)
		child_kill(let_in(self, &links[i], NULL));
	pid = let_in(self, &links[elders], self);
	for (uint32_t i = 0; i < elders; i++)
		unnoticed &= is_unnoticed(links[i]);
	alarm(30); /* a hang detector, nothing else: with a time-out the receive would look once more at its end, and find it */
	assert_int_equal(pabal_process_receive(self, NULL, peer, text, sizeof text, &size, PABAL_FOREVER), 0);
	alarm(0);
	assert_int_equal(size, 5);
	assert_memory_equal(text, "young", 5);
	assert_string_equal(peer, "again");
	child_kill(pid);
	pabal_process_close(self);
	assert_true(pabal_gc(NULL) >= 0);
	return unnoticed;
}

/* How many looks there are before the sleep is the waiting's affair: hence several numbers of elders. */
static void the_youngest_is_heard(void **state)
{
	(void)state;
	for (uint32_t elders = 1; elders <= ELDERS_MAX; elders++) {
		bool unnoticed = false;

		for (int i = 0; i < TRIES && !unnoticed; i++)
			unnoticed = try_with(elders);
		assert_true(unnoticed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_youngest_is_heard) };

	linked = shared_memory(sizeof *linked);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
