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

/* A control character of ASCII, or the first byte of one in UTF-8 beyond it: what would break the line, or command a terminal. How many bytes it has, or 0. */
static int control_bytes(const char *text)
{
	unsigned char byte = (unsigned char)text[0];

	if (byte < ' ' || byte == 0x7f)
		return 1;
	return byte == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80 ? 2 : 0;
}

/* Names and paths come from whoever calls, and with them any bytes; a sentence is one line that can be printed. */
static void keep_printable(const char *text)
{
	size_t at = 0;

	while (*text && at + sizeof "\\xff\\xff" <= sizeof sentence_buffer) {
		int count = control_bytes(text);

		if (!count)
			sentence_buffer[at++] = *text++;
		for (; count > 0; count--, text++)
			at += (size_t)snprintf(sentence_buffer + at, sizeof sentence_buffer - at, *text == '\n' ? "\\n" : "\\x%02x",
					       (unsigned)(unsigned char)*text);
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
