/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_name - which names are names, and which directories hold objects.
 */
#include "memory/name.h"
#include "support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void names_are_letters_digits_dot_underscore_dash(void **state)
{
	static const char *const good[] = { "a", "A.b_c-9", "0", "-", "_", "a.." };
	static const char *const bad[] = { "", ".", "..", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "a:b", "/a" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(pabal__name_check(good[i]), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(pabal__name_check(bad[i]), -EINVAL);
	assert_int_equal(pabal__name_check(NULL), -EINVAL);
}

static void a_name_has_up_to_127_bytes(void **state)
{
	char name[PABAL_NAME_SIZE + 1];

	(void)state;
	memset(name, 'n', sizeof name);
	name[PABAL_NAME_SIZE - 1] = 0;
	assert_int_equal(pabal__name_check(name), 0);
	name[PABAL_NAME_SIZE - 1] = 'n';
	name[PABAL_NAME_SIZE] = 0;
	assert_int_equal(pabal__name_check(name), -ENAMETOOLONG);
	name[PABAL_NAME_SIZE - 1] = '/'; /* not a name at all: that is the better answer */
	name[3] = '/';
	assert_int_equal(pabal__name_check(name), -EINVAL);
}

static int open_with(const char *path, struct pabal__directory *ret_directory)
{
	assert_int_equal(setenv("PABAL_DIR", path, 1), 0);
	return pabal__directory_open(true, ret_directory);
}

static void a_directory_is_on_tmpfs(void **state)
{
	struct pabal__directory directory = { .fd = -1 };
	const char *given = getenv("PABAL_DIR");
	char own[4096], file[4200], missing[4200];
	FILE *made;

	(void)state;
	assert_non_null(given);
	snprintf(own, sizeof own, "%s", given ? given : "");
	assert_int_equal(open_with(own, &directory), 0);
	assert_false(directory.private_to_us); /* file modes alone decide in an explicit one */
	pabal__directory_close(&directory);
	assert_int_equal(directory.fd, -1);
	assert_int_equal(open_with("/", &directory), -ENOTSUP);
	snprintf(missing, sizeof missing, "%s/missing", own);
	assert_int_equal(open_with(missing, &directory), -ENOENT); /* only the default one is made */
	snprintf(file, sizeof file, "%s/.file", own);
	made = fopen(file, "w");
	assert_non_null(made);
	if (made)
		fclose(made);
	assert_int_equal(open_with(file, &directory), -EINVAL);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(directory.fd, -1); /* untouched by failures */
	assert_int_equal(setenv("PABAL_DIR", own, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_letters_digits_dot_underscore_dash),
		cmocka_unit_test(a_name_has_up_to_127_bytes),
		cmocka_unit_test(a_directory_is_on_tmpfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
