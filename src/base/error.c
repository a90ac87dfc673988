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

int pabal__say(const char *format, ...)
{
	int saved = errno;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence_buffer, sizeof sentence_buffer, format, arguments);
	va_end(arguments);
	last_sentence = sentence_buffer;
	errno = saved;
	return 0;
}

int pabal__say_constant(const char *sentence)
{
	last_sentence = sentence;
	return 0;
}
