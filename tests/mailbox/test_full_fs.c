/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_full_fs - the file system is full: -ENOSPC at once, with the figures; nothing half-made, nothing lost; and what needs no memory goes on.
 *
 * On a small tmpfs of its own, so it has to be root. The mount is made in a mount namespace of its own and goes with the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "support/support.h"

enum { SIZE = 1 << 20 };

static char directory[4096];

/* Leave @left bytes. */
static void use_up(uint64_t left)
{
	struct statvfs fs;
	char path[5000];
	int fd;

	snprintf(path, sizeof path, "%s/ballast", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fstatvfs(fd, &fs), 0);
	assert_int_equal(posix_fallocate(fd, 0, (off_t)(fs.f_bavail * fs.f_frsize - left)), 0);
	close(fd);
}

static void free_again(void)
{
	char path[5000];

	snprintf(path, sizeof path, "%s/ballast", directory);
	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "%s", getenv("PABAL_DIR"));
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("pabal-test", directory, "tmpfs", 0, "size=1m")) {
		fprintf(stderr, "cannot mount a small tmpfs: %s; run this test as root\n", strerror(errno));
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return umount(directory);
}

static void create_makes_nothing_by_half(void **state)
{
	pabal_mailbox *a;

	(void)state;
	for (uint64_t left = 0; left < 36 << 10; left += 4096) {
		struct statvfs before, after;

		use_up(left);
		assert_int_equal(statvfs(directory, &before), 0);
		assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 4096), &a), -ENOSPC);
		assert_non_null(strstr(pabal_error_detail(), "asked for"));
		assert_non_null(strstr(pabal_error_detail(), "left"));
		assert_int_equal(pabal_mailbox_open("a", NULL, &a), -ENOENT);
		assert_int_equal(statvfs(directory, &after), 0);
		assert_int_equal(before.f_bavail, after.f_bavail);
		assert_int_equal(before.f_ffree, after.f_ffree);
	}
	free_again();
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 4096), &a), 0);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/* It used to make a new one first, which takes memory, to find then that there is one. */
static void what_exists_can_be_opened_on_a_full_file_system(void **state)
{
	pabal_mailbox *a, *b;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	use_up(0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
	pabal_mailbox_close(b);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_EXIST_OK), &b), 0);
	pabal_mailbox_close(b);
	pabal_mailbox_close(a);
	free_again();
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void send_says_so_and_loses_nothing(void **state)
{
	static const size_t sizes[] = { 10, 100, 3000, 5000, 50000, 400000 };
	char *data = calloc(1, SIZE), *got = calloc(1, SIZE);
	pabal_mailbox *a;
	size_t size;

	(void)state;
	memset(data, 'd', SIZE);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t count = 0;
		struct pabal_loan loan;
		int r;

		assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 10000, .memory_max = UINT64_C(1) << 30), &a), 0);
		while ((r = pabal_mailbox_send(a, data, sizes[i], HANG)) == 0)
			count++;
		assert_int_equal(r, -ENOSPC); /* at once, though there was time to wait */
		assert_non_null(strstr(pabal_error_detail(), "asked for"));
		assert_int_equal(pabal_mailbox_loan(a, sizes[i], &loan, HANG), -ENOSPC);
		assert_true(count > 0 && stats_of(a).depth == count);
		expect_sound("a", NULL);
		/* One out, one in. */
		for (uint32_t j = 0; j < count + 5; j++) {
			assert_int_equal(pabal_mailbox_receive(a, got, SIZE, &size, PABAL_NOWAIT), 0);
			assert_int_equal(size, sizes[i]);
			assert_memory_equal(got, data, size);
			r = pabal_mailbox_send(a, data, sizes[i], PABAL_NOWAIT);
			if (sizes[i] >= 4096)
				assert_int_equal(r, 0);
			else if (r < 0) { /* a small block that is free, but beyond the extents at hand */
				assert_int_equal(r, -ENOSPC);
				if (stats_of(a).depth == 0)
					break;
			}
		}
		expect_sound("a", NULL);
		pabal_mailbox_close(a);
		assert_int_equal(pabal_mailbox_destroy("a"), 0);
	}
	free(data);
	free(got);
}

/*
 * A handle that knows messages that came back, of which others have received all by now; and copies of messages and loans that are done. Their blocks' memory was given
 * back: to read the headers gave it to the hole again, behind the back of every account, and was SIGBUS here.
 */
static void what_was_given_back_is_not_looked_into(bool full)
{
	enum { COUNT = 64, BYTES = 900, LOANS = 8192 / 1024 + 1 }; /* more loans than an extent has blocks: the first extent is let go */
	struct pabal_message messages[COUNT], copy;
	static char data[BYTES];
	struct pabal_loan loans[LOANS], loan_copy;
	pabal_mailbox *a, *b, *c;
	uint64_t before;

	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &c), 0);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_send(c, data, BYTES, PABAL_NOWAIT), 0);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_take(b, NULL, &messages[i], PABAL_NOWAIT), 0);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_requeue(b, &messages[i]), 0);
	assert_int_equal(pabal_mailbox_take(a, NULL, &messages[0], PABAL_NOWAIT), 0); /* and knows the others */
	copy = messages[0];
	assert_int_equal(pabal_mailbox_release(a, &messages[0]), 0);
	for (int i = 1; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_receive(b, data, BYTES, NULL, PABAL_NOWAIT), 0);
	pabal_mailbox_close(c); /* its extents float */
	for (int i = 0; i < LOANS; i++)
		assert_int_equal(pabal_mailbox_loan(b, BYTES, &loans[i], PABAL_NOWAIT), 0);
	loan_copy = loans[0];
	for (int i = 0; i < LOANS; i++)
		assert_int_equal(pabal_mailbox_cancel(b, &loans[i]), 0);
	assert_int_equal(pabal_gc(NULL), 0);
	if (full)
		use_up(0);
	before = bytes_of("a");
	assert_int_equal(pabal_mailbox_receive(a, data, BYTES, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_mailbox_release(a, &copy), -EINVAL);
	assert_int_equal(pabal_mailbox_requeue(a, &copy), -EINVAL);
	assert_int_equal(pabal_mailbox_commit(b, &loan_copy, BYTES, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_cancel(b, &loan_copy), -EINVAL);
	assert_int_equal(bytes_of("a"), before);
	if (full)
		free_again();
	pabal_mailbox_close(a);
	pabal_mailbox_close(b);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void memory_that_was_given_back_stays_so(void **state)
{
	(void)state;
	what_was_given_back_is_not_looked_into(false);
}

static void what_has_no_memory_is_no_sigbus(void **state)
{
	(void)state;
	what_was_given_back_is_not_looked_into(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_makes_nothing_by_half),    cmocka_unit_test(what_exists_can_be_opened_on_a_full_file_system),
		cmocka_unit_test(send_says_so_and_loses_nothing),  cmocka_unit_test(memory_that_was_given_back_stays_so),
		cmocka_unit_test(what_has_no_memory_is_no_sigbus),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
