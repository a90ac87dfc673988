/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bell - arming and ringing: the word, step by step, and a sleeper in another process.
 */
#include "wait/bell.h"
#include "support/support.h"

#include "platform/futex.h"

static void an_unarmed_bell_is_left_alone(void **state)
{
	pabal__bell bell = 6;

	(void)state;
	pabal__bell_ring(&bell);
	pabal__bell_ring_all(&bell);
	assert_int_equal(bell, 6);
}

static void a_ring_clears_an_armed_bell_once(void **state)
{
	pabal__bell bell = 6;

	(void)state;
	assert_int_equal(pabal__bell_arm(&bell), 7);
	assert_int_equal(pabal__bell_arm(&bell), 7); /* the second sleeper waits for the same ring */
	pabal__bell_ring(&bell);
	assert_int_equal(bell, 8);
	pabal__bell_ring(&bell);
	assert_int_equal(bell, 8);
}

static void who_was_beaten_to_it_does_not_ring(void **state)
{
	pabal__bell bell = 9;

	(void)state;
	pabal__bell_ring_armed(&bell, 7, 1); /* what was seen is not there any more */
	assert_int_equal(bell, 9);
}

static void the_sequence_wraps(void **state)
{
	pabal__bell bell = UINT32_MAX;

	(void)state;
	pabal__bell_ring(&bell);
	assert_int_equal(bell, 0);
}

/* The word that a sleeper armed is another after ring_out(), armed or not. */
static void a_ring_out_changes_the_word(void **state)
{
	pabal__bell bell = 4;
	uint32_t armed;

	(void)state;
	pabal__bell_ring_out(&bell);
	assert_int_equal(bell, 6);
	armed = pabal__bell_arm(&bell);
	pabal__bell_ring_out(&bell);
	assert_int_not_equal(bell, armed);
}

static int sleep_on(void *data)
{
	pabal__bell *bell = data;

	child_equal(pabal__futex_wait(bell, pabal__bell_arm(bell), HANG), 0);
	return 0;
}

static void a_ring_wakes_one_in_another_process(void **state)
{
	pabal__bell *bell = shared_memory(sizeof *bell);
	pid_t pid = child_start(sleep_on, bell);

	(void)state;
	child_await_sleep(pid);
	pabal__bell_ring(bell);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(*bell, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unarmed_bell_is_left_alone),      cmocka_unit_test(a_ring_clears_an_armed_bell_once),
		cmocka_unit_test(who_was_beaten_to_it_does_not_ring), cmocka_unit_test(the_sequence_wraps),
		cmocka_unit_test(a_ring_out_changes_the_word),        cmocka_unit_test(a_ring_wakes_one_in_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
