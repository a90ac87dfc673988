/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_participants - 1023 handles and no more; slots of those who close and of those who die are used again.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include "support/support.h"

enum { MOST = 1023, DEAD = 50 };

static pabal_mailbox *handles[MOST];

static void the_last_slot_and_the_one_after(void **state)
{
	pabal_mailbox *one_more;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &handles[0]), 0);
	for (int i = 1; i < MOST; i++)
		assert_int_equal(pabal_mailbox_open("a", NULL, &handles[i]), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &one_more), -EUSERS);
	assert_non_null(strstr(pabal_error_detail(), "1023"));
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_READ_ONLY), &one_more), 0); /* takes no slot */
	assert_int_equal(stats_of(one_more).participants, MOST);
	pabal_mailbox_close(one_more);
	/* The highest numbers fit everywhere. */
	assert_int_equal(pabal_mailbox_send(handles[MOST - 1], "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(handles[MOST - 2], &byte, 1, NULL, PABAL_NOWAIT), 0);
	handles[500] = pabal_mailbox_close(handles[500]);
	assert_int_equal(pabal_mailbox_open("a", NULL, &handles[500]), 0);
	for (int i = 0; i < MOST; i++)
		pabal_mailbox_close(handles[i]);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static _Atomic uint64_t *ready;

static int open_take_and_hang(void *data)
{
	struct pabal_message message;
	pabal_mailbox *a;

	(void)data;
	for (int i = 0; i < DEAD; i++) {
		child_equal(pabal_mailbox_open("a", NULL, &a), 0);
		child_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	}
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static int highest_id(const struct pabal_participant_info *info, void *data)
{
	uint32_t *highest = data;

	if (info->id > *highest)
		*highest = info->id;
	return 0;
}

static void slots_of_the_dead_are_used_again(void **state)
{
	struct pabal_message message;
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (int i = 0; i < DEAD; i++)
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
	for (uint32_t round = 1; round <= 30; round++) {
		uint32_t highest = 0;
		pid_t pid;

		atomic_store(ready, 0);
		pid = child_start(open_take_and_hang, NULL);
		assert_true(eventually_at_least(ready, 1));
		child_kill(pid);
		assert_int_equal(pabal_participants("a", highest_id, &highest), DEAD + 1);
		assert_int_equal(highest, DEAD + 1);
	}
	assert_int_equal(pabal_gc(NULL), 0);
	for (int i = 0; i < DEAD; i++) {
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_memory_equal(message.data, &i, sizeof i);
		assert_int_equal(message.delivery_count, 31);
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int raise_limits(void **state)
{
	struct rlimit limit;

	(void)state;
	ready = shared_memory(sizeof *ready);
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	limit.rlim_cur = 4096; /* a descriptor a handle */
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_slot_and_the_one_after),
		cmocka_unit_test(slots_of_the_dead_are_used_again),
	};

	return cmocka_run_group_tests(tests, raise_limits, NULL);
}
