/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/stopped.h - a child that is stopped after so many instructions. It asks for that itself: PTRACE_TRACEME, then SIGSTOP.
 */
#ifndef PABAL_TESTS_SUPPORT_STOPPED_H
#define PABAL_TESTS_SUPPORT_STOPPED_H

#include <stdint.h>
#include <sys/types.h>

/* The child stops here, and goes on when its parent steps it. */
void stopped_here(void);

/* Wait until it stops or ends: its status, as waitpid() tells it. */
int stopped_await(pid_t pid);

/* Let it execute @steps instructions. */
void stopped_step(pid_t pid, uint32_t steps);

/* Let it go on to its end: what it said with _exit(). */
int stopped_finish(pid_t pid);

/* Kill it where it stands. */
void stopped_kill(pid_t pid);

#endif
