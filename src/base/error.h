/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/error.h - what went wrong, for programs and for people.
 *
 * A call that fails returns a negative errno value and leaves one sentence behind, per thread: what failed, on what, what to do next.
 * pabal__fail() is meant to be returned: `return pabal__fail(-ENOENT, "no mailbox named '%s'", name)`. What may happen a million times a second
 * (-EAGAIN, -ETIMEDOUT) uses pabal__fail_with(), which formats nothing.
 */
#ifndef PABAL_SRC_BASE_ERROR_H
#define PABAL_SRC_BASE_ERROR_H

#include <errno.h>

/* Remember a formatted sentence, its control characters and what is no UTF-8 written as \n and \x1b, or a constant one (which is not copied). errno stays. Always 0. */
int pabal__say(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
int pabal__say_constant(const char *sentence);

/* In the header, so that compilers and analysers see that what goes in comes out. */
static inline int pabal__keep(int error, int said)
{
	(void)said;
	return error;
}

/* Remember a sentence; the value is @error. */
#define pabal__fail(error, ...) pabal__keep((error), pabal__say(__VA_ARGS__))
#define pabal__fail_with(error, sentence) pabal__keep((error), pabal__say_constant(sentence))

/* -errno, which is negative whatever a libc may have left there. */
static inline int pabal__errno(void)
{
	return errno > 0 ? -errno : -EIO;
}

#endif
