/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/futex.c - the futex system call, which libc does not wrap.
 */
#include "platform/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/*
 * Without a time-out the kernel would begin the sleep anew after a handler with SA_RESTART, and nobody would hear of the signal: so for ever is 30 years. With
 * one it says EINTR whenever a handler ran, and goes on after SIGSTOP and SIGCONT with the time left.
 */
#define FOR_EVER (INT64_C(1000000000) * 1000000000)

int pabal__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t duration_ns)
{
	int64_t sleep_ns = duration_ns < FOR_EVER ? duration_ns : FOR_EVER;
	struct timespec duration = { .tv_sec = sleep_ns / 1000000000, .tv_nsec = sleep_ns % 1000000000 };
	long r = syscall(SYS_futex, word, FUTEX_WAIT, expected, &duration, NULL, 0);

	if (r == 0 || errno == EAGAIN)
		return 0;
	return errno == ETIMEDOUT || errno == EINTR ? pabal__errno() : 0;
}

int pabal__futex_wake(_Atomic uint32_t *word, int count_max)
{
	int saved = errno;
	long woken = syscall(SYS_futex, word, FUTEX_WAKE, count_max, NULL, NULL, 0);

	errno = saved;
	return woken > 0 ? (int)woken : 0;
}
