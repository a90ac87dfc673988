/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refusals - what is no mailbox is refused: each case with its own code and a sentence that a person can act on, and nothing is changed by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

/* Where things stand in the first bytes of a file: the ABI. */
enum { AT_MAGIC = 0, AT_VERSION = 8, AT_KIND = 12, AT_FLAGS = 16, AT_CAPACITY = 20, AT_MEMORY = 24 };

static void expect_refused(const char *name, int error, const char *words)
{
	pabal_mailbox *mailbox = (pabal_mailbox *)name;
	int r = pabal_mailbox_open(name, NULL, &mailbox);

	if (r != error || !strstr(pabal_error_detail(), words))
		fail_msg("open '%s': %d, '%s'; not %d, '%s'", name, r, pabal_error_detail(), error, words);
	assert_ptr_equal(mailbox, name); /* results are untouched on failure */
}

static void make(const char *name)
{
	pabal_mailbox *mailbox;

	assert_int_equal(pabal_mailbox_create(name, NULL, &mailbox), 0);
	pabal_mailbox_close(mailbox);
}

static void patch(const char *name, off_t at, const void *bytes, size_t size)
{
	int fd = open(path_of(name), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
	close(fd);
}

static void unknown_name(void **state)
{
	(void)state;
	expect_refused("x", -ENOENT, "no mailbox named 'x'");
	assert_int_equal(pabal_mailbox_destroy("x"), -ENOENT);
	assert_non_null(strstr(pabal_error_detail(), "no mailbox named 'x'"));
	assert_int_equal(pabal_check("x", NULL), -ENOENT);
	assert_non_null(strstr(pabal_error_detail(), "no object named 'x'"));
}

static void names_that_are_none(void **state)
{
	char name[PABAL_NAME_SIZE + 1];
	pabal_mailbox *mailbox;

	(void)state;
	expect_refused("", -EINVAL, "empty");
	expect_refused(".x", -EINVAL, "dot");
	expect_refused("..", -EINVAL, "dot");
	expect_refused("a/b", -EINVAL, "character");
	expect_refused("a b", -EINVAL, "character");
	expect_refused("\xc3\xa9", -EINVAL, "character");
	memset(name, 'n', sizeof name);
	name[PABAL_NAME_SIZE] = 0;
	expect_refused(name, -ENAMETOOLONG, "longer than 127");
	assert_int_equal(pabal_mailbox_open(NULL, NULL, &mailbox), -EINVAL);
	assert_int_equal(pabal_mailbox_create("a", NULL, NULL), -EINVAL);
	assert_int_equal(pabal_mailbox_open("a", NULL, NULL), -EINVAL);
	name[PABAL_NAME_SIZE - 1] = 0;
	make(name);
	assert_int_equal(pabal_mailbox_destroy(name), 0);
}

static void what_is_no_file(void **state)
{
	pabal_mailbox *mailbox;

	(void)state;
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	expect_refused("d", -EBADMSG, "no regular file");
	assert_int_equal(pabal_mailbox_create("d", OPTS(.flags = PABAL_EXIST_OK), &mailbox), -EBADMSG);
	assert_int_equal(pabal_mailbox_destroy("d"), -EBADMSG);
	assert_int_equal(rmdir(path_of("d")), 0);

	assert_int_equal(mkfifo(path_of("f"), 0600), 0);
	expect_refused("f", -EBADMSG, "no regular file");
	assert_int_equal(pabal_mailbox_destroy("f"), -EBADMSG);
	assert_int_equal(unlink(path_of("f")), 0);

	make("real");
	assert_int_equal(symlink("real", path_of("link")), 0);
	expect_refused("link", -EBADMSG, "no regular file");
	assert_int_equal(pabal_mailbox_destroy("link"), -EBADMSG);
	assert_int_equal(unlink(path_of("link")), 0);
	assert_int_equal(pabal_mailbox_destroy("real"), 0);
}

static void a_foreign_file_is_left_alone(void **state)
{
	pabal_mailbox *mailbox;
	struct stat st;
	int fd;

	(void)state;
	fd = open(path_of("notes"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	expect_refused("notes", -EBADMSG, "not a pabal object");
	assert_int_equal(write(fd, "do not lose this", 16), 16);
	assert_int_equal(ftruncate(fd, 100000), 0);
	expect_refused("notes", -EBADMSG, "not a pabal object");
	assert_int_equal(pabal_mailbox_create("notes", NULL, &mailbox), -EEXIST);
	assert_int_equal(pabal_mailbox_destroy("notes"), -EBADMSG);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 100000);
	assert_int_equal(st.st_nlink, 1);
	close(fd);
	assert_int_equal(unlink(path_of("notes")), 0);
}

static void a_truncated_file(void **state)
{
	(void)state;
	make("cut");
	assert_int_equal(truncate(path_of("cut"), 8192), 0);
	expect_refused("cut", -EBADMSG, "cut short");
	assert_int_equal(pabal_check("cut", NULL), -EBADMSG);
	assert_int_equal(truncate(path_of("cut"), 20), 0);
	expect_refused("cut", -EBADMSG, "cut short");
	assert_int_equal(pabal_mailbox_destroy("cut"), 0); /* it bears our mark: it can be removed */
	assert_int_equal(access(path_of("cut"), F_OK), -1);
}

static void another_version(void **state)
{
	uint32_t version = 77;

	(void)state;
	make("new");
	patch("new", AT_VERSION, &version, sizeof version);
	expect_refused("new", -EPROTO, "layout 77");
	assert_int_equal(pabal_check("new", NULL), -EPROTO);
	assert_int_equal(pabal_mailbox_destroy("new"), 0);
	assert_int_equal(access(path_of("new"), F_OK), -1);
}

static void another_kind(void **state)
{
	uint32_t kind = PABAL_KIND_REGION;

	(void)state;
	make("r");
	patch("r", AT_KIND, &kind, sizeof kind);
	expect_refused("r", -EINVAL, "is a region, not a mailbox");
	assert_int_equal(pabal_mailbox_destroy("r"), -EINVAL);
	kind = 12345;
	patch("r", AT_KIND, &kind, sizeof kind);
	expect_refused("r", -EINVAL, "not a mailbox");
	assert_int_equal(unlink(path_of("r")), 0);
}

static void a_shape_that_makes_no_sense(void **state)
{
	const uint32_t none = 0, much = 1u << 20, flag = 1u << 31;
	const uint64_t huge = UINT64_C(1) << 50, other = 12345;
	static const struct {
		off_t at;
		size_t size;
		int which;
	} cases[] = {
		{ AT_CAPACITY, 4, 0 }, { AT_CAPACITY, 4, 1 }, { AT_FLAGS, 4, 2 }, { AT_MEMORY, 8, 3 }, { AT_MEMORY, 8, 4 }, { AT_MAGIC, 4, 0 }
	};
	const void *values[] = { &none, &much, &flag, &huge, &other };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		make("odd");
		patch("odd", cases[i].at, values[cases[i].which], cases[i].size);
		expect_refused("odd", -EBADMSG, "odd");
		unlink(path_of("odd"));
	}
}

static int as_somebody_else(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	become_nobody();
	child_equal(pabal_mailbox_open("private", NULL, &mailbox), -EACCES);
	child_check(strstr(pabal_error_detail(), "no permission to open 'private'"));
	child_equal(pabal_mailbox_destroy("private"), -EACCES);
	child_equal(pabal_mailbox_create("mine", NULL, &mailbox), -EACCES);
	child_equal(pabal_mailbox_open("readable", NULL, &mailbox), -EACCES);
	child_equal(pabal_mailbox_open("readable", OPTS(.flags = PABAL_READ_ONLY), &mailbox), 0);
	pabal_mailbox_close(mailbox);
	child_equal(pabal_mailbox_open("shared", NULL, &mailbox), 0);
	child_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(mailbox);
	child_equal(pabal_gc(NULL), 0);
	return 0;
}

static void somebody_elses_file(void **state)
{
	pabal_mailbox *mailbox;

	(void)state;
	make("private");
	assert_int_equal(pabal_mailbox_create("readable", OPTS(.mode = 0644), &mailbox), 0);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_create("shared", OPTS(.mode = 0666), &mailbox), 0);
	assert_int_equal(chmod(path_of("."), 0755), 0);
	child_run(as_somebody_else, NULL);
	assert_int_equal(stats_of(mailbox).depth, 1);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("private"), 0);
	assert_int_equal(pabal_mailbox_destroy("readable"), 0);
	assert_int_equal(pabal_mailbox_destroy("shared"), 0);
}

static int in_a_directory_of_another(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	/* The default directory of nobody, made by somebody else before nobody did. */
	child_check(mkdir("/dev/shm/pabal-65534", 0777) == 0 || errno == EEXIST);
	unsetenv("PABAL_DIR");
	become_nobody();
	child_equal(pabal_mailbox_create("x", NULL, &mailbox), -EPERM);
	child_check(strstr(pabal_error_detail(), "is not ours alone"));
	child_equal(pabal_mailbox_open("x", NULL, &mailbox), -EPERM);
	return 0;
}

static void a_default_directory_that_is_anothers(void **state)
{
	(void)state;
	child_run(in_a_directory_of_another, NULL);
	assert_int_equal(rmdir("/dev/shm/pabal-65534"), 0);
}

static int not_on_tmpfs(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	setenv("PABAL_DIR", "/proc", 1);
	child_equal(pabal_mailbox_create("x", NULL, &mailbox), -ENOTSUP);
	child_check(strstr(pabal_error_detail(), "not on tmpfs"));
	child_equal(pabal_mailbox_open("x", NULL, &mailbox), -ENOTSUP);
	child_equal(pabal_gc(NULL), -ENOTSUP);
	setenv("PABAL_DIR", "/dev/shm/there/is/no/such", 1);
	child_equal(pabal_mailbox_create("x", NULL, &mailbox), -ENOENT);
	child_equal(pabal_mailbox_open("x", NULL, &mailbox), -ENOENT);
	child_check(strstr(pabal_error_detail(), "no mailbox named 'x'"));
	child_equal(pabal_gc(NULL), -ENOENT); /* it was asked for by name: no empty one */
	return 0;
}

static void a_directory_that_is_not_on_tmpfs_or_missing(void **state)
{
	(void)state;
	child_run(not_on_tmpfs, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_name),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(what_is_no_file),
		cmocka_unit_test(a_foreign_file_is_left_alone),
		cmocka_unit_test(a_truncated_file),
		cmocka_unit_test(another_version),
		cmocka_unit_test(another_kind),
		cmocka_unit_test(a_shape_that_makes_no_sense),
		cmocka_unit_test(somebody_elses_file),
		cmocka_unit_test(a_default_directory_that_is_anothers),
		cmocka_unit_test(a_directory_that_is_not_on_tmpfs_or_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
