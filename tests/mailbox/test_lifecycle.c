/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lifecycle - create, open, close, destroy; EXIST_OK, WAIT_EXISTS, EPHEMERAL, READ_ONLY; destroy while others wait.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

static void object_outlives_its_creator(void **state)
{
	pabal_mailbox *mailbox;
	char text[8];
	size_t size;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	assert_int_equal(pabal_mailbox_send(mailbox, "hello", 5, PABAL_NOWAIT), 0);
	assert_null(pabal_mailbox_close(mailbox));
	assert_int_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
	assert_int_equal(pabal_mailbox_receive(mailbox, text, sizeof text, &size, PABAL_NOWAIT), 0);
	assert_int_equal(size, 5);
	assert_memory_equal(text, "hello", 5);
	assert_null(pabal_mailbox_close(mailbox));
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &mailbox), -ENOENT);
	assert_null(pabal_mailbox_close(NULL));
}

static void mode_does_not_obey_the_umask(void **state)
{
	pabal_mailbox *mailbox;
	mode_t mask = umask(077);
	struct stat st;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.mode = 0666), &mailbox), 0);
	umask(mask);
	assert_int_equal(stat(path_of("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void exist_ok_opens_the_same_shape_only(void **state)
{
	pabal_mailbox *one, *other;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 5), &one), 0);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 5), &other), -EEXIST);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 6, .flags = PABAL_EXIST_OK), &other), -EEXIST);
	assert_non_null(strstr(pabal_error_detail(), "capacity 5, not 6"));
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 5, .memory_max = 1 << 20, .flags = PABAL_EXIST_OK), &other), -EEXIST);
	assert_non_null(strstr(pabal_error_detail(), "memory_max"));
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 5, .flags = PABAL_EXIST_OK | PABAL_TIMESTAMPS), &other), -EEXIST);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 5, .flags = PABAL_EXIST_OK), &other), 0);
	assert_int_equal(pabal_mailbox_send(one, "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(other, NULL, 0, NULL, PABAL_NOWAIT), -EMSGSIZE);
	pabal_mailbox_close(one);
	pabal_mailbox_close(other);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

struct race {
	_Atomic uint64_t start, ready, created, opened;
};

static int race_to_create(void *data)
{
	struct race *race = data;
	pabal_mailbox *mailbox;

	atomic_fetch_add(&race->ready, 1);
	while (!atomic_load(&race->start)) {
	}
	/* Who creates without EXIST_OK and succeeds is the creator; there is one. */
	if (pabal_mailbox_create("a", NULL, &mailbox) == 0) {
		atomic_fetch_add(&race->created, 1);
	} else {
		child_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_EXIST_OK), &mailbox), 0);
		atomic_fetch_add(&race->opened, 1);
	}
	child_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(mailbox);
	return 0;
}

static void of_many_who_create_at_once_one_does(void **state)
{
	enum { RACERS = 8, ROUNDS = 20 };
	struct race *race = shared_memory(sizeof *race);
	pabal_mailbox *mailbox;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pids[RACERS];

		memset(race, 0, sizeof *race);
		for (int i = 0; i < RACERS; i++)
			pids[i] = child_start(race_to_create, race);
		assert_true(eventually_at_least(&race->ready, RACERS));
		atomic_store(&race->start, 1);
		for (int i = 0; i < RACERS; i++)
			assert_int_equal(child_end(pids[i]), 0);
		assert_int_equal(race->created, 1);
		assert_int_equal(race->opened, RACERS - 1);
		assert_int_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
		assert_int_equal(stats_of(mailbox).depth, RACERS);
		pabal_mailbox_close(mailbox);
		assert_int_equal(pabal_mailbox_destroy("a"), 0);
	}
}

static int wait_for_it(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	child_equal(pabal_mailbox_open("late", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = HANG), &mailbox), 0);
	child_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(mailbox);
	return 0;
}

static void wait_exists_waits_for_the_creator(void **state)
{
	pabal_mailbox *mailbox;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_mailbox_open("late", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = 1000000), &mailbox), -ETIMEDOUT);
	assert_int_equal(pabal_mailbox_open("late", OPTS(.flags = PABAL_WAIT_EXISTS), &mailbox), -ENOENT);
	pid = child_start(wait_for_it, NULL);
	child_await_sleep(pid);
	assert_int_equal(pabal_mailbox_create("late", NULL, &mailbox), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(stats_of(mailbox).depth, 1);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("late"), 0);
}

static void ephemeral_goes_with_its_last_handle(void **state)
{
	pabal_mailbox *one, *other;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_EPHEMERAL), &one), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &other), 0);
	pabal_mailbox_close(one);
	assert_int_equal(access(path_of("a"), F_OK), 0);
	pabal_mailbox_close(other);
	assert_int_equal(access(path_of("a"), F_OK), -1);
}

static int create_ephemeral_and_hang(void *data)
{
	pabal_mailbox *mailbox;

	child_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_EPHEMERAL), &mailbox), 0);
	atomic_fetch_add((_Atomic uint64_t *)data, 1);
	child_wait_for_death();
}

static void gc_destroys_an_ephemeral_of_the_dead(void **state)
{
	_Atomic uint64_t *ready = shared_memory(sizeof *ready);
	struct pabal_gc_result result;
	pid_t pid;

	(void)state;
	pid = child_start(create_ephemeral_and_hang, ready);
	assert_true(eventually_at_least(ready, 1));
	assert_int_equal(pabal_gc(&result), 0);
	assert_int_equal(result.destroyed, 0);
	child_kill(pid);
	assert_int_equal(pabal_gc(&result), 0);
	assert_int_equal(result.buried, 1);
	assert_int_equal(result.destroyed, 1);
	assert_int_equal(access(path_of("a"), F_OK), -1);
}

static void read_only_looks_and_does_not_touch(void **state)
{
	struct pabal_loan loan = { .data = NULL };
	struct pabal_message message;
	pabal_mailbox *mailbox, *looker;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_READ_ONLY), &looker), 0);
	assert_int_equal(pabal_mailbox_send(looker, "x", 1, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_mailbox_receive(looker, &byte, 1, NULL, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_mailbox_take(looker, NULL, &message, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_mailbox_loan(looker, 1, &loan, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_mailbox_commit(looker, &loan, 1, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_mailbox_cancel(looker, &loan), -EPERM);
	assert_int_equal(pabal_mailbox_interrupt(looker), -EPERM);
	assert_int_equal(stats_of(looker).depth, 1);
	assert_int_equal(stats_of(looker).participants, 1);
	pabal_mailbox_close(looker);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int wait_to_send(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	child_equal(pabal_mailbox_open("full", NULL, &mailbox), 0);
	child_equal(pabal_mailbox_send(mailbox, "x", 1, HANG), -ESHUTDOWN);
	pabal_mailbox_close(mailbox);
	return 0;
}

static int wait_to_receive(void *data)
{
	pabal_mailbox *mailbox;
	char byte;

	(void)data;
	child_equal(pabal_mailbox_open("empty", NULL, &mailbox), 0);
	child_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, HANG), -ESHUTDOWN);
	pabal_mailbox_close(mailbox);
	return 0;
}

static void destroy_wakes_all_who_wait(void **state)
{
	pabal_mailbox *full, *empty;
	pid_t pids[4];
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("full", OPTS(.capacity = 1), &full), 0);
	assert_int_equal(pabal_mailbox_create("empty", NULL, &empty), 0);
	assert_int_equal(pabal_mailbox_send(full, "x", 1, PABAL_NOWAIT), 0);
	for (int i = 0; i < 4; i++)
		pids[i] = child_start(i < 2 ? wait_to_send : wait_to_receive, NULL);
	for (int i = 0; i < 4; i++)
		child_await_sleep(pids[i]);
	assert_int_equal(pabal_mailbox_destroy("full"), 0);
	assert_int_equal(pabal_mailbox_destroy("empty"), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(child_end(pids[i]), 0);
	/* A receiver drains what is left, then learns of it; a sender learns at once. */
	assert_int_equal(pabal_mailbox_send(full, "x", 1, PABAL_NOWAIT), -ESHUTDOWN);
	assert_int_equal(pabal_mailbox_receive(full, &byte, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(full, &byte, 1, NULL, PABAL_NOWAIT), -ESHUTDOWN);
	pabal_mailbox_close(full);
	pabal_mailbox_close(empty);
}

static void a_new_one_of_the_name_is_another(void **state)
{
	pabal_mailbox *old, *new;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_EPHEMERAL), &old), 0);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	assert_int_equal(pabal_mailbox_create("a", NULL, &new), 0);
	assert_int_equal(pabal_mailbox_send(new, "x", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(old); /* the last handle of an ephemeral one: must not remove the other's name */
	assert_int_equal(access(path_of("a"), F_OK), 0);
	pabal_mailbox_close(new);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(object_outlives_its_creator),          cmocka_unit_test(mode_does_not_obey_the_umask),
		cmocka_unit_test(exist_ok_opens_the_same_shape_only),   cmocka_unit_test(of_many_who_create_at_once_one_does),
		cmocka_unit_test(wait_exists_waits_for_the_creator),    cmocka_unit_test(ephemeral_goes_with_its_last_handle),
		cmocka_unit_test(gc_destroys_an_ephemeral_of_the_dead), cmocka_unit_test(read_only_looks_and_does_not_touch),
		cmocka_unit_test(destroy_wakes_all_who_wait),           cmocka_unit_test(a_new_one_of_the_name_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
