/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_end - how an object ends, whoever dies in the middle of that, and whoever opens it meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

#include "model/attach.h"

static pabal__word *state_word(pabal_mailbox *mailbox)
{
	return &pabal__mailbox_segment(mailbox)->header->state;
}

static void killed_before_the_name_is_removed_it_lives(void **state)
{
	pabal_mailbox *one, *other;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &one), 0);
	atomic_store(state_word(one), PABAL__ENDING);
	assert_int_equal(pabal_mailbox_send(one, "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(atomic_load(state_word(one)), PABAL__ALIVE);
	atomic_store(state_word(one), PABAL__ENDING);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_READ_ONLY), &other), 0);
	assert_int_equal(atomic_load(state_word(one)), PABAL__ENDING); /* who only looks changes nothing */
	pabal_mailbox_close(other);
	assert_int_equal(pabal_mailbox_open("a", NULL, &other), 0);
	assert_int_equal(atomic_load(state_word(one)), PABAL__ALIVE);
	pabal_mailbox_close(other);
	pabal_mailbox_close(one);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int receive_nothing(void *data)
{
	pabal_mailbox *mailbox;
	char byte;

	child_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
	atomic_fetch_add((_Atomic uint64_t *)data, 1);
	child_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, HANG), -ESHUTDOWN);
	pabal_mailbox_close(mailbox);
	return 0;
}

static void killed_after_the_name_was_removed_it_has_ended(void **state)
{
	_Atomic uint64_t *ready = shared_memory(sizeof *ready);
	pabal_mailbox *one;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &one), 0);
	pid = child_start(receive_nothing, ready);
	assert_true(eventually_at_least(ready, 1));
	child_await_sleep(pid);
	atomic_store(state_word(one), PABAL__ENDING); /* and dead, so that nobody is woken: the sleeper finds it when its slice ends */
	assert_int_equal(unlink(path_of("a")), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(pabal_mailbox_send(one, "x", 1, PABAL_NOWAIT), -ESHUTDOWN);
	assert_int_equal(atomic_load(state_word(one)), PABAL__ENDED);
	pabal_mailbox_close(one);
	assert_int_equal(pabal_mailbox_destroy("a"), -ENOENT);
}

static int destroy_without_permission(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	become_nobody();
	child_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
	child_equal(pabal_mailbox_destroy("a"), -EACCES);
	child_check(strstr(pabal_error_detail(), "nothing was changed") != NULL);
	child_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(mailbox);
	return 0;
}

static void who_may_not_remove_the_name_changes_nothing(void **state)
{
	const char *directory = objects_directory();
	struct stat st;
	pabal_mailbox *one, *other;

	(void)state;
	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.mode = 0666), &one), 0);
	child_run(destroy_without_permission, NULL);
	assert_int_equal(atomic_load(state_word(one)), PABAL__ALIVE);
	assert_int_equal(pabal_mailbox_open("a", NULL, &other), 0);
	pabal_mailbox_close(other);
	pabal_mailbox_close(one);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	assert_int_equal(chmod(directory, st.st_mode & 07777), 0);
}

struct race {
	_Atomic uint64_t start, opened, gone, done;
};

/* Whoever got a handle has a living object, and it has its name for as long as the handle is open. */
static int open_again_and_again(void *data)
{
	struct race *race = data;
	pabal_mailbox *mailbox;

	while (!atomic_load(&race->done)) {
		int r = pabal_mailbox_open("a", NULL, &mailbox);

		if (r == -ENOENT) {
			atomic_fetch_add(&race->gone, 1);
			continue;
		}
		child_equal(r, 0);
		child_equal(access(path_of("a"), F_OK), 0);
		child_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
		pabal_mailbox_close(mailbox);
		atomic_fetch_add(&race->opened, 1);
	}
	return 0;
}

static bool both_happened(void *data)
{
	struct race *race = data;
	pabal_mailbox *mailbox;

	if (pabal_mailbox_create("a", OPTS(.flags = PABAL_EPHEMERAL | PABAL_EXIST_OK), &mailbox) != 0)
		fail_msg("%s", pabal_error_detail());
	/* Close it at about the moment when another comes or goes. */
	for (uint64_t before = race->opened, i = 0; race->opened == before && i < 200000; i++) {
	}
	pabal_mailbox_close(mailbox);
	return race->opened > 40 && race->gone > 40;
}

static void the_last_to_close_and_the_next_to_open_agree(void **state)
{
	struct race *race = shared_memory(sizeof *race);
	pid_t pids[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		pids[i] = child_start(open_again_and_again, race);
	assert_true(eventually(both_happened, race));
	atomic_store(&race->done, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(pids[i]), 0);
	assert_int_equal(access(path_of("a"), F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_before_the_name_is_removed_it_lives),
		cmocka_unit_test(killed_after_the_name_was_removed_it_has_ended),
		cmocka_unit_test(who_may_not_remove_the_name_changes_nothing),
		cmocka_unit_test(the_last_to_close_and_the_next_to_open_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
