/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/syscalls.h - count the system calls of a child, under ptrace.
 *
 * Those of a look for the dead are counted apart: they come so many times a second, and not with the messages.
 */
#ifndef PABAL_TESTS_SYSCALLS_H
#define PABAL_TESTS_SYSCALLS_H

#include "support/support.h"

struct syscalls {
	uint64_t looks;   /* questions whether somebody lives */
	uint64_t others;  /* but for those which a question needs */
	uint64_t sockets; /* of these: made, or opened, to tell somebody by */
	int64_t took_ns;
};

/* In the child: from here to its end they are counted. */
void syscalls_count_from_here(void);

/* Start a child that calls the above, and run it to its end, which must be 0. */
struct syscalls syscalls_of(child_main *body, void *data);

/* Expect as many in the long run as in the short one, and no more looks than ten a second, in which each of @participants is asked after. */
void syscalls_expect_same(const struct syscalls *few, const struct syscalls *many, uint32_t participants);

#endif
