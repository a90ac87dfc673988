/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_error - what is printable in a sentence, held against libc's opinion, and against that of the command, which has its own (tools/text.c): the two must not drift apart.
 */
#include "base/error.h"

#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <pabal/base.h>

#include "support/support.h"
#include "text.h"

/* The edges of every range that UTF-8 has for the bytes after the first. */
static const unsigned char edges[] = { 0x01, 0x1f, ' ', 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };

enum { EDGES = sizeof edges };

/* How many bytes the character that begins here has, if it is one, and no control character; else 0. glibc knows characters beyond the last one. */
static size_t printable_bytes(const char *text)
{
	mbstate_t state = { 0 };
	wchar_t wide = 0;
	size_t count = mbrtowc(&wide, text, strlen(text), &state);

	return count > 4 || wide > 0x10ffff || wide < ' ' || (wide >= 0x7f && wide < 0xa0) ? 0 : count;
}

static void expect_alike(const char *text)
{
	char wanted[4 * MB_LEN_MAX + 1], said[sizeof wanted];
	size_t at = 0;

	for (const char *from = text; *from;) {
		size_t count = printable_bytes(from);

		if (count == 0)
			at += (size_t)snprintf(wanted + at, sizeof wanted - at, "\\x%02x", (unsigned)(unsigned char)*from++);
		for (; count > 0; count--)
			wanted[at++] = *from++;
	}
	wanted[at] = 0;
	pabal__say("%s", text);
	assert_string_equal(pabal_error_detail(), wanted);
	assert_string_equal(text_printable(said, sizeof said, text), wanted);
}

static void what_is_no_printable_text_is_escaped(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	for (int first = 1; first < 256; first++) {
		for (int i = 0; i < EDGES * EDGES * EDGES; i++) {
			char text[] = { (char)first, (char)edges[i % EDGES], (char)edges[i / EDGES % EDGES], (char)edges[i / EDGES / EDGES], 0 };

			if (first == '\n') /* which has an escape of its own */
				continue;
			expect_alike(text);
			text[3] = 0; /* cut short */
			expect_alike(text);
		}
	}
}

static void a_line_stays_one(void **state)
{
	char said[16];

	(void)state;
	pabal__say("a\nb");
	assert_string_equal(pabal_error_detail(), "a\\nb");
	assert_string_equal(text_printable(said, sizeof said, "a\nb"), "a\\nb");
	assert_string_equal(text_printable(said, 6, "a\nb"), "a\\n"); /* what does not fit is left out */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_printable_text_is_escaped),
		cmocka_unit_test(a_line_stays_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
