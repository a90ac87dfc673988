/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_version - the version as text is the version in the header.
 *
 * The expected text is put together by printf here, by the preprocessor there, so that a mistake in one shows. The number is checked
 * against its parts too: programs compare it with < and >.
 */
#include <pabal/base.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void text_is_the_numbers_of_the_header(void **state)
{
	char expected[64];

	(void)state;
	snprintf(expected, sizeof(expected), "%d.%d.%d", PABAL_VERSION_MAJOR, PABAL_VERSION_MINOR, PABAL_VERSION_PATCH);
	assert_string_equal(pabal_version(), expected);
}

static void number_can_be_taken_apart(void **state)
{
	(void)state;
	assert_int_equal(PABAL_VERSION_NUMBER / 1000000, PABAL_VERSION_MAJOR);
	assert_int_equal(PABAL_VERSION_NUMBER / 1000 % 1000, PABAL_VERSION_MINOR);
	assert_int_equal(PABAL_VERSION_NUMBER % 1000, PABAL_VERSION_PATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_the_numbers_of_the_header),
		cmocka_unit_test(number_can_be_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
