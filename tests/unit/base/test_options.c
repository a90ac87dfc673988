/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_options - options structs of every age are read, and what is unknown and set is refused.
 */
#include "base/options.h"
#include "support/support.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

struct known {
	size_t struct_size;
	uint64_t one, two;
};

static void every_age_is_read(void **state)
{
	uint64_t given[6] = { 0, 11, 22, 0, 0, 0 };
	struct known own;

	(void)state;
	assert_int_equal(pabal__options_copy(NULL, &own, sizeof own), 0);
	assert_int_equal(own.struct_size + own.one + own.two, 0);
	for (size_t size = 8; size <= sizeof given; size += 8) {
		given[0] = size;
		memset(&own, 0x55, sizeof own);
		assert_int_equal(pabal__options_copy(given, &own, sizeof own), 0);
		assert_int_equal(own.one, size > 8 ? 11 : 0);
		assert_int_equal(own.two, size > 16 ? 22 : 0);
	}
	given[5] = UINT64_C(1) << 63; /* its very last byte */
	assert_int_equal(pabal__options_copy(given, &own, sizeof own), -E2BIG);
	given[0] = 7;
	assert_int_equal(pabal__options_copy(given, &own, sizeof own), -EINVAL);
	given[0] = 4097;
	assert_int_equal(pabal__options_copy(given, &own, sizeof own), -EINVAL);
}

static void errors_have_words_and_a_sentence(void **state)
{
	static const char *const printed[][2] = {
		{ "caf\u00e9 \u20ac \U0001f600 \U0010ffff", "caf\u00e9 \u20ac \U0001f600 \U0010ffff" },
		{ "\x1b[31m\t\x7f", "\\x1b[31m\\x09\\x7f" },
		{ "\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0" }, /* a control character beyond ASCII, and the first that is none */
		{ "a\xff\x80z", "a\\xff\\x80z" },
		{ "\xc3", "\\xc3" }, /* cut short */
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xc0\x9b\xe0\x82\x9b", "\\xc0\\x9b\\xe0\\x82\\x9b" }, /* longer than it must be */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },                   /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },          /* beyond the last */
	};

	(void)state;
	assert_string_equal(pabal_strerror(0), "success");
	assert_string_equal(pabal_strerror(-EAGAIN), pabal_strerror(EAGAIN));
	assert_string_equal(pabal_strerror(-12345), "unknown error");
	assert_string_not_equal(pabal_strerror(-EBADF), "unknown error");
	assert_string_not_equal(pabal_strerror(-EROFS), "unknown error");
	errno = 5;
	assert_int_equal(pabal__fail(-EBADMSG, "number %d", 7), -EBADMSG);
	assert_string_equal(pabal_error_detail(), "number 7");
	assert_int_equal(errno, 5);
	for (int size = 480; size < 520; size++) { /* what is too long is cut, between two characters */
		assert_int_equal(pabal__fail(-EBADMSG, "%*s\n\x1b\xc2\x9b", size, "end"), -EBADMSG);
		assert_in_range(strlen(pabal_error_detail()), 480, 511);
		assert_null(strchr(pabal_error_detail(), 0xc2));
		assert_null(strchr(pabal_error_detail(), '\n'));
		assert_null(strchr(pabal_error_detail(), 0x1b));
	}
	for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
		assert_int_equal(pabal__fail(-EBADMSG, "%s", printed[i][0]), -EBADMSG);
		assert_string_equal(pabal_error_detail(), printed[i][1]);
	}
	assert_int_equal(pabal__fail_with(-EPIPE, "constant"), -EPIPE);
	assert_string_equal(pabal_error_detail(), "constant");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_age_is_read),
		cmocka_unit_test(errors_have_words_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
