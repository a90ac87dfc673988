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

/* Remember a formatted sentence and return @error unchanged. */
int pabal__fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* Remember a constant sentence (not copied) and return @error unchanged. */
int pabal__fail_with(int error, const char *sentence);

#endif
