/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/error.c - the sentence of this thread's last failure, and a few words for each error code.
 *
 * The codes come from one table, so that each has one meaning everywhere. The sentence lives in thread-local memory: no allocation, no lock, and
 * no other thread can change it under the reader.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <pabal/base.h>

static __thread char sentence_buffer[512];
static __thread const char *last_sentence;

/* clang-format off */
#define PABAL_ERRORS(X)                                                    \
	X(EAGAIN, "not now: it would have to wait")                        \
	X(ETIMEDOUT, "the time is up")                                     \
	X(EINTR, "a signal handler ran")                                   \
	X(ECANCELED, "the wait was interrupted")                           \
	X(EMSGSIZE, "the message does not fit")                            \
	X(ENOENT, "no such object")                                        \
	X(EEXIST, "an object of that name exists")                         \
	X(EADDRINUSE, "the name is announced by a living process")         \
	X(EBUSY, "the role is taken")                                      \
	X(EUSERS, "no participant slot is left")                           \
	X(EACCES, "permission denied")                                     \
	X(EPERM, "not permitted")                                          \
	X(ENOSPC, "the file system is full")                               \
	X(ENOMEM, "out of memory")                                         \
	X(EBADF, "the program closed a descriptor that is needed")         \
	X(EROFS, "the file system is read-only")                           \
	X(EMFILE, "too many open descriptors")                             \
	X(ENAMETOOLONG, "the name is too long")                            \
	X(EPIPE, "the peer has closed")                                    \
	X(EOWNERDEAD, "the peer has died")                                 \
	X(ESHUTDOWN, "the object was destroyed")                           \
	X(EPROTO, "made by an incompatible version of pabal")              \
	X(EBADMSG, "the shared content is corrupt")                        \
	X(ESTALE, "the handle is from before a fork, or was buried")       \
	X(EDEADLK, "this thread holds that lock already")                  \
	X(EINVAL, "the caller's mistake")                                  \
	X(E2BIG, "an option that this version does not know")              \
	X(ENOTSUP, "not supported")
/* clang-format on */

const char *pabal_strerror(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return "success";
#define X(code, words) \
	case code:     \
		return words;
		PABAL_ERRORS(X)
#undef X
	default:
		return "unknown error";
	}
}

const char *pabal_error_detail(void)
{
	return last_sentence ? last_sentence : "";
}

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

/* Names and paths come from whoever calls, and with them any bytes; a sentence is one line that can be printed. */
static void keep_printable(const char *text)
{
	size_t at = 0;

	while (*text) {
		int raw = raw_bytes(text), count = raw ? raw : character_bytes((const unsigned char *)text);

		if (at + 4 * (size_t)count >= sizeof sentence_buffer)
			break;
		for (; count > 0; count--, text++) {
			if (!raw)
				sentence_buffer[at++] = *text;
			else
				at += (size_t)snprintf(sentence_buffer + at, sizeof sentence_buffer - at, *text == '\n' ? "\\n" : "\\x%02x",
						       (unsigned)(unsigned char)*text);
		}
	}
	sentence_buffer[at] = 0;
}

int pabal__say(const char *format, ...)
{
	int saved = errno;
	char text[sizeof sentence_buffer];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	keep_printable(text);
	last_sentence = sentence_buffer;
	errno = saved;
	return 0;
}

int pabal__say_constant(const char *sentence)
{
	last_sentence = sentence;
	return 0;
}
