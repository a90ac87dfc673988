/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_directory - a handle stays with the directory in which its object is, whatever its program does after that: another working directory under a relative PABAL_DIR, another PABAL_DIR, another user.
 *
 * Who puts lives until it is told to end, so that its death does not tell of what its put did not; and it has opened the buffer before the descriptor is made silent, since that may be heard, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer/described.h"

enum { OPENED = 1, PUT };

static _Atomic uint64_t *go, *ready;

/* The last part of the path of our directory, and the rest of it the working directory. */
static void be_relative(void)
{
	char path[4096];
	char *slash;

	snprintf(path, sizeof path, "%s", objects_directory());
	slash = strrchr(path, '/');
	child_check(slash && slash > path);
	*slash = 0;
	child_equal(chdir(path), 0);
	child_equal(setenv("PABAL_DIR", slash + 1, 1), 0);
}

static void go_elsewhere(void)
{
	child_equal(chdir("/"), 0);
}

static void name_another(void)
{
	child_equal(setenv("PABAL_DIR", "/dev/shm", 1), 0);
}

static void name_none(void)
{
	child_equal(unsetenv("PABAL_DIR"), 0);
}

static void have_no_descriptor_left(void)
{
	child_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 }), 0);
	child_equal(open("/", O_RDONLY | O_CLOEXEC), -1);
	child_equal(errno, EMFILE);
}

static void lose_the_descriptors(void)
{
	for (int fd = 3; fd < 100; fd++)
		close(fd);
	go_elsewhere();
}

typedef void change(void);

static change *const changes[] = { go_elsewhere, name_another, name_none, become_nobody, have_no_descriptor_left, lose_the_descriptors };

static void await_go(uint64_t least)
{
	while (atomic_load(go) < least)
		pause_briefly();
}

static int change_and_put(void *data)
{
	struct item item = item_of(1);
	pabal_buffer *buffer;

	be_relative();
	buffer = open_it("b");
	atomic_store(ready, OPENED);
	await_go(OPENED);
	changes[(uintptr_t)data]();
	child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	atomic_store(ready, PUT);
	child_wait_for_death();
}

static void who_polls_is_told_by_a_put(uint32_t form, uintptr_t which)
{
	pabal_buffer *buffer = make("b", form);
	int fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	struct item item;
	pid_t child;

	atomic_store(ready, 0);
	atomic_store(go, 0);
	child = child_start(change_and_put, as_pointer(which));
	assert_true(eventually_at_least(ready, OPENED));
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_false(is_readable(fd));
	atomic_store(go, OPENED);
	assert_true(eventually_at_least(ready, PUT));
	assert_true(is_readable(fd));
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(item.id, 1);
	child_kill(child);
	pabal_gc(NULL);
	end(buffer, "b");
}

static void who_polls_is_told_whatever_who_puts_has_become(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++)
		for (uintptr_t i = 0; i < sizeof changes / sizeof *changes; i++)
			who_polls_is_told_by_a_put(forms[form], i);
}

static int change_and_have_a_descriptor(void *data)
{
	pabal_buffer *buffer;
	int fd;

	be_relative();
	buffer = open_it("b");
	changes[(uintptr_t)data]();
	fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	child_check(fd >= 0);
	atomic_store(ready, OPENED);
	while (!is_readable(fd))
		pause_briefly();
	pabal_buffer_close(buffer);
	return 0;
}

/* The other way round: whoever polls has changed, and makes and removes its socket all the same. */
static void who_polls_may_have_moved(void **state)
{
	(void)state;
	for (uintptr_t i = 0; i < 3; i++) {
		pabal_buffer *buffer = make("b", 0);
		struct item item = item_of(1);
		pid_t child;

		atomic_store(ready, 0);
		child = child_start(change_and_have_a_descriptor, as_pointer(i));
		assert_true(eventually_at_least(ready, OPENED));
		assert_int_equal(sockets_there(), 1);
		assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(child_end(child), 0);
		assert_int_equal(sockets_there(), 0);
		end(buffer, "b");
	}
}

static int change_and_close(void *data)
{
	pabal_buffer *buffer;

	be_relative();
	child_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = PABAL_EPHEMERAL), &buffer), 0);
	changes[(uintptr_t)data]();
	pabal_buffer_close(buffer);
	return 0;
}

static void an_ephemeral_one_goes_with_its_last_handle(void **state)
{
	static const uintptr_t which[] = { 0, 1, 2, 5 }; /* those who may still remove the name */

	(void)state;
	for (int i = 0; i < 4; i++) {
		child_run(change_and_close, as_pointer(which[i]));
		assert_int_equal(access(path_of("b"), F_OK), -1);
	}
}

/* Another directory of that path is not the one in which the object is: nothing is made or removed there. */
static int move_the_directory(void *data)
{
	char moved[4200], first[4200];
	pabal_buffer *buffer;

	(void)data;
	snprintf(first, sizeof first, "%s/first", objects_directory());
	snprintf(moved, sizeof moved, "%s/moved", objects_directory());
	child_equal(mkdir(first, 0700), 0);
	child_equal(setenv("PABAL_DIR", first, 1), 0);
	child_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = PABAL_EPHEMERAL), &buffer), 0);
	child_equal(rename(first, moved), 0);
	child_equal(mkdir(first, 0700), 0);
	child_equal(pabal_buffer_fd(buffer, PABAL_READABLE), -ENOENT);
	child_check(strstr(pabal_error_detail(), "directory") != NULL);
	pabal_buffer_close(buffer);
	child_equal(rmdir(first), 0); /* empty */
	child_equal(setenv("PABAL_DIR", moved, 1), 0);
	child_equal(pabal_buffer_destroy("b"), 0);
	child_equal(rmdir(moved), 0);
	return 0;
}

static void another_directory_of_its_path_is_left_alone(void **state)
{
	(void)state;
	child_run(move_the_directory, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_polls_is_told_whatever_who_puts_has_become),
		cmocka_unit_test(who_polls_may_have_moved),
		cmocka_unit_test(an_ephemeral_one_goes_with_its_last_handle),
		cmocka_unit_test(another_directory_of_its_path_is_left_alone),
	};

	go = shared_memory(sizeof *go);
	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
