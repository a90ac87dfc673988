/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - bytes that others chose, as text that can be printed. The library does the same with its sentences, and a test holds the two together.
 *
 * Not by libc's mbrtowc(): it needs a locale, which may be missing, and then names would be others in the same JSON; and glibc's takes what lies beyond the last character for one.
 */
#include <stdint.h>
#include <stdio.h>

#include "text.h"

/* How many bytes the character of UTF-8 has that begins here; 0: none does. What is too short, or beyond the last character, is none. */
static int character_bytes(const unsigned char *text)
{
	uint32_t character = text[0];
	int count = character < 0x80                        ? 1
		    : character >= 0xc2 && character < 0xe0 ? 2
		    : (character & 0xf0) == 0xe0            ? 3
		    : character >= 0xf0 && character < 0xf5 ? 4
							    : 0;

	if (count > 1)
		character &= 0x7fu >> count;
	for (int i = 1; i < count; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3fu);
	}
	if ((count == 3 && (character < 0x800 || (character >= 0xd800 && character < 0xe000))) ||
	    (count == 4 && (character < 0x10000 || character > 0x10ffff)))
		return 0;
	return count;
}

/* A control character, or a byte that is no text: what would break the line, or command a terminal. How many bytes it has, or 0. */
static int raw_bytes(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	int count = character_bytes(bytes);

	if (count == 0 || bytes[0] < ' ' || bytes[0] == 0x7f)
		return 1;
	return count == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0 ? 2 : 0;
}

const char *text_printable(char *ret_text, size_t size, const char *text)
{
	size_t at = 0;

	while (*text) {
		int raw = raw_bytes(text), count = raw ? raw : character_bytes((const unsigned char *)text);

		if (at + 4 * (size_t)count >= size)
			break;
		for (; count > 0; count--, text++) {
			if (!raw)
				ret_text[at++] = *text;
			else
				at += (size_t)snprintf(ret_text + at, size - at, *text == '\n' ? "\\n" : "\\x%02x", (unsigned)(unsigned char)*text);
		}
	}
	ret_text[at] = '\0';
	return ret_text;
}
