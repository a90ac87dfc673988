/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_names - announcing: who gets a name, who does not, and what is left of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

enum { RIVALS = 6, RACES = 60 };

static _Atomic uint64_t *ready;

static int entries_left(void)
{
	DIR *listing = opendir(path_of("."));
	struct dirent *entry;
	int count = 0;

	assert_non_null(listing);
	while ((entry = readdir(listing)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(listing);
	return count;
}

static void names_of_any_length_and_no_other(void **state)
{
	char longest[PABAL_NAME_SIZE], longer[PABAL_NAME_SIZE + 1];
	pabal_process *self = NULL;

	(void)state;
	memset(longest, 'n', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	memset(longer, 'n', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	assert_int_equal(pabal_process_announce(longest, NULL, &self), 0);
	assert_string_equal(pabal_process_name(self), longest);
	assert_int_equal(pabal_process_close(self) == NULL, 1);
	assert_int_equal(pabal_process_announce(longer, NULL, &self), -ENAMETOOLONG);
	assert_int_equal(pabal_process_announce("", NULL, &self), -EINVAL);
	assert_int_equal(pabal_process_announce(".hidden", NULL, &self), -EINVAL);
	assert_int_equal(pabal_process_announce("a/b", NULL, &self), -EINVAL);
	assert_int_equal(pabal_process_announce("a b", NULL, &self), -EINVAL);
	assert_int_equal(pabal_process_announce("a", NULL, NULL), -EINVAL);
	assert_null(pabal_process_name(NULL));
	assert_int_equal(entries_left(), 0);
}

static void without_a_name_one_is_made(void **state)
{
	pabal_process *one, *other;

	(void)state;
	assert_int_equal(pabal_process_announce(NULL, NULL, &one), 0);
	assert_int_equal(pabal_process_announce(NULL, NULL, &other), 0);
	assert_int_equal(strlen(pabal_process_name(one)), strlen("anon-") + 16);
	assert_memory_equal(pabal_process_name(one), "anon-", 5);
	assert_int_equal(strspn(pabal_process_name(one) + 5, "0123456789abcdef"), 16);
	assert_string_not_equal(pabal_process_name(one), pabal_process_name(other));
	pabal_process_close(one);
	pabal_process_close(other);
	assert_int_equal(entries_left(), 0);
}

static void options_are_looked_at(void **state)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts };
	pabal_process *self = NULL;

	(void)state;
	opts.flags = PABAL_READ_ONLY;
	assert_int_equal(pabal_process_announce("a", &opts, &self), -EINVAL);
	opts.flags = PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK;
	assert_int_equal(pabal_process_announce("a", &opts, &self), -EINVAL);
	opts.flags = 0;
	opts.mode = 010000;
	assert_int_equal(pabal_process_announce("a", &opts, &self), -EINVAL);
	opts.mode = 0;
	opts.memory_max = UINT64_MAX;
	assert_int_equal(pabal_process_announce("a", &opts, &self), -EINVAL);
	opts.memory_max = 0;
	opts.struct_size = 0;
	assert_int_equal(pabal_process_announce("a", &opts, &self), -EINVAL);
	assert_null(self);
	assert_int_equal(entries_left(), 0);
}

/* The file that others read is never writable for them: who may write it could truncate it under its owner. */
static void the_mode_is_for_connecting(void **state)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .mode = 0666 };
	pabal_process *self;
	struct stat st;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(pabal_process_announce("a", &opts, &self), 0);
	assert_int_equal(stat(path_of("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	pabal_process_close(self);
	assert_int_equal(pabal_process_announce("a", NULL, &self), 0);
	assert_int_equal(stat(path_of("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	pabal_process_close(self);
	umask(old);
}

static int announce_and_hang(void *data)
{
	pabal_process *self;

	child_equal(pabal_process_announce(data, NULL, &self), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static int announce_in_vain(void *data)
{
	pabal_process *self = NULL;

	child_equal(pabal_process_announce(data, NULL, &self), -EADDRINUSE);
	child_check(self == NULL);
	return 0;
}

static void a_living_holder_keeps_its_name(void **state)
{
	pabal_process *self, *second = NULL;

	(void)state;
	assert_int_equal(pabal_process_announce("a", NULL, &self), 0);
	assert_int_equal(pabal_process_announce("a", NULL, &second), -EADDRINUSE); /* not in the same process either */
	child_run(announce_in_vain, TEXT("a"));
	assert_int_equal(pabal_gc(NULL), 0); /* and nobody takes it away */
	child_run(announce_in_vain, TEXT("a"));
	pabal_process_close(self);
	assert_int_equal(pabal_process_announce("a", NULL, &self), 0);
	pabal_process_close(self);
}

static void a_dead_holders_name_is_free_at_once(void **state)
{
	pabal_process *self;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint64_t before = atomic_load(ready);

		pid = child_start(announce_and_hang, TEXT("a"));
		assert_true(eventually_at_least(ready, before + 1));
		child_run(announce_in_vain, TEXT("a"));
		child_kill(pid);
		assert_int_equal(pabal_process_announce("a", NULL, &self), 0);
		child_run(announce_in_vain, TEXT("a"));
		pabal_process_close(self);
		assert_int_equal(entries_left(), 0); /* nor is the dead one's socket left */
	}
}

static int look(const struct pabal_object_info *info, void *data)
{
	*(struct pabal_object_info *)data = *info;
	return 0;
}

static void listing_and_gc_know_processes(void **state)
{
	struct pabal_list_opts only = { .struct_size = sizeof only, .kinds = 1u << PABAL_KIND_PROCESS };
	struct pabal_list_opts mailboxes = { .struct_size = sizeof mailboxes, .kinds = 1u << PABAL_KIND_MAILBOX };
	struct pabal_object_info info;
	struct pabal_gc_result result;
	uint64_t before = atomic_load(ready);
	pid_t pid = child_start(announce_and_hang, TEXT("a"));

	(void)state;
	assert_true(eventually_at_least(ready, before + 1));
	assert_int_equal(pabal_list(&mailboxes, look, &info), 0);
	assert_int_equal(pabal_list(&only, look, &info), 1);
	assert_string_equal(info.name, "a");
	assert_int_equal(info.kind, PABAL_KIND_PROCESS);
	assert_int_equal(info.error, 0);
	assert_int_equal(info.participants, 1);
	assert_int_equal(info.alive, 1);
	assert_int_equal(info.memory_max, 16 << 20);
	assert_int_equal(info.uid, geteuid());
	assert_int_equal(info.mode, 0600);
	child_kill(pid);
	assert_int_equal(pabal_list(NULL, look, &info), 1);
	assert_int_equal(info.alive, 0);
	assert_int_equal(pabal_gc(&result), 0);
	assert_int_equal(result.objects, 1);
	assert_true(result.buried > 0);
	assert_int_equal(entries_left(), 0);
}

static void one_name_space_for_all_kinds(void **state)
{
	pabal_process *self = NULL;
	pabal_mailbox *mailbox = NULL;
	int fd;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	assert_int_equal(pabal_process_announce("a", NULL, &self), -EEXIST);
	assert_int_equal(pabal_process_announce("b", NULL, &self), 0);
	assert_int_equal(pabal_process_send(self, "a", "x", 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_links("a", NULL, NULL), -EINVAL);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_create("b", NULL, &mailbox), -EEXIST);
	assert_int_equal(pabal_mailbox_open("b", NULL, &mailbox), -EINVAL);
	assert_int_equal(pabal_mailbox_destroy("b"), -EINVAL);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	pabal_process_close(self);
	/* What is no object at all stays. */
	fd = open(path_of("c"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pabal_process_announce("c", NULL, &self), -EEXIST);
	assert_int_equal(unlink(path_of("c")), 0);
	assert_int_equal(mkdir(path_of("c"), 0700), 0);
	assert_true(pabal_process_announce("c", NULL, &self) < 0);
	assert_int_equal(rmdir(path_of("c")), 0);
	assert_int_equal(symlink("/etc/passwd", path_of("c")), 0);
	assert_true(pabal_process_announce("c", NULL, &self) < 0);
	assert_int_equal(unlink(path_of("c")), 0);
	assert_int_equal(entries_left(), 0);
}

static _Atomic uint64_t *winners, *gate;

static int rush(void *data)
{
	pabal_process *self = NULL;
	int r;

	(void)data;
	atomic_fetch_add(ready, 1);
	while (!atomic_load(gate)) {
	}
	r = pabal_process_announce("prize", NULL, &self);
	if (r == 0) {
		atomic_fetch_add(winners, 1);
		child_wait_for_death();
	}
	child_equal(r, -EADDRINUSE);
	return 0;
}

/* Several take the name of a dead one at once: one gets it, whoever buries. */
static void of_several_at_once_one_gets_it(void **state)
{
	pid_t holder = 0, pids[RIVALS];

	(void)state;
	for (int race = 0; race < RACES; race++) {
		atomic_store(ready, 0);
		atomic_store(gate, 0);
		atomic_store(winners, 0);
		for (int i = 0; i < RIVALS; i++)
			pids[i] = child_start(rush, NULL);
		assert_true(eventually_at_least(ready, RIVALS));
		atomic_store(gate, 1);
		assert_true(eventually_at_least(winners, 1));
		for (int i = 0, ended = 0; ended < RIVALS - 1; i = (i + 1) % RIVALS) {
			/* All but the winner end by themselves. */
			int status;

			if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
				pids[i] = 0;
				ended++;
			}
		}
		for (int i = 0; i < RIVALS; i++)
			if (pids[i])
				holder = pids[i];
		assert_int_equal(atomic_load(winners), 1);
		child_kill(holder);
	}
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(entries_left(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_any_length_and_no_other),
		cmocka_unit_test(without_a_name_one_is_made),
		cmocka_unit_test(options_are_looked_at),
		cmocka_unit_test(the_mode_is_for_connecting),
		cmocka_unit_test(a_living_holder_keeps_its_name),
		cmocka_unit_test(a_dead_holders_name_is_free_at_once),
		cmocka_unit_test(listing_and_gc_know_processes),
		cmocka_unit_test(one_name_space_for_all_kinds),
		cmocka_unit_test(of_several_at_once_one_gets_it),
	};

	ready = shared_memory(sizeof *ready);
	winners = shared_memory(sizeof *winners);
	gate = shared_memory(sizeof *gate);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
