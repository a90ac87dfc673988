/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sockets - what descriptors have in the directory: a socket each, which goes with its handle, its object, or by pabal_gc().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "buffer/described.h"
#include "platform/datagram.h"

static _Atomic uint64_t *ready;

static int have_descriptors_and_hang(void *data)
{
	pabal_buffer *buffer = open_it("b");

	(void)data;
	child_check(pabal_buffer_fd(buffer, PABAL_READABLE) >= 0 && pabal_buffer_fd(buffer, PABAL_WRITABLE) >= 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static pid_t start_holder(void)
{
	pid_t child;

	atomic_store(ready, 0);
	child = child_start(have_descriptors_and_hang, NULL);
	assert_true(eventually_at_least(ready, 1));
	assert_int_equal(sockets_there(), 2);
	return child;
}

/* Whoever ends an object, or leaves one that has ended, is the last who can bury in it. */
static void sockets_of_the_dead_end_with_their_object(void **state)
{
	pabal_buffer *buffer;
	pid_t child;

	(void)state;
	for (int form = 0; form < 3; form++) {
		buffer = make("b", forms[form]);
		child_kill(start_holder());
		assert_int_equal(pabal_buffer_destroy("b"), 0);
		assert_int_equal(sockets_there(), 0);
		pabal_buffer_close(buffer);

		buffer = make("b", forms[form]);
		child = start_holder();
		assert_int_equal(pabal_buffer_destroy("b"), 0);
		assert_int_equal(sockets_there(), 2);
		child_kill(child);
		pabal_buffer_close(buffer);
		assert_int_equal(sockets_there(), 0);

		buffer = make("b", forms[form] | PABAL_EPHEMERAL);
		child_kill(start_holder());
		pabal_buffer_close(buffer);
		assert_int_equal(pabal_buffer_open("b", NULL, &buffer), -ENOENT);
		assert_int_equal(sockets_there(), 0);
	}
}

/* A socket that nobody holds, or a file, of that name. */
static void leave_behind(const char *name, bool is_socket)
{
	int directory = open(objects_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

	assert_true(directory >= 0);
	if (is_socket)
		assert_int_equal(pabal__datagram_open(directory, name, 0600, &fd), 0);
	else
		fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	close(directory);
}

static void remove_left(const char *name)
{
	int directory = open(objects_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(unlinkat(directory, name, 0), 0);
	close(directory);
}

/* The object is gone, and everybody who could bury in it. gc asks who still holds a socket, and removes what nobody does, and nothing else. */
static void gc_removes_the_sockets_that_nobody_holds(void **state)
{
	static const char *const others[] = { ".bell-1-1-1-x", ".bell-1-1-1-rr", ".bell-01-1-1-r", ".bell-1-1-1", ".bell-1-1-1-r.old" };
	pabal_buffer *buffer = make("b", 0);
	pid_t child = start_holder();
	struct item item = item_of(1);
	int fd;

	(void)state;
	assert_int_equal(pabal_buffer_destroy("b"), 0);
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(sockets_there(), 2); /* a handle that lives needs them */
	child_kill(child);
	assert_int_equal(sockets_there(), 2);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(sockets_there(), 0);

	buffer = make("b", 0); /* one that lives is not touched */
	fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	leave_behind(".bell-1-1-1-r", true);
	leave_behind(".bell-1-1-1-w.new", true); /* of one that was killed while it made it */
	leave_behind(".bell-1-1-2-r", false);
	for (uint32_t i = 0; i < 5; i++)
		leave_behind(others[i], true);
	assert_int_equal(sockets_there(), 1 + 3 + 5);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(sockets_there(), 1 + 1 + 5);
	for (uint32_t i = 0; i < 5; i++)
		remove_left(others[i]);
	remove_left(".bell-1-1-2-r");
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	child_run(put_one, as_pointer(1));
	assert_true(is_readable(fd));
	end(buffer, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_of_the_dead_end_with_their_object),
		cmocka_unit_test(gc_removes_the_sockets_that_nobody_holds),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
