/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/support.h - what the tests share: children, memory between them, a hang detector, small pieces of pabal.
 *
 * A child is a forked process that runs one function and exits with its result; it must not use cmocka's assertions, which would jump into the parent's
 * list of tests: child_check() is for it. The hang detector (30 s) is no measure of anything; what it ends has hung.
 */
#ifndef PABAL_TESTS_SUPPORT_H
#define PABAL_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <pabal/pabal.h>

#define SECOND INT64_C(1000000000)
#define HANG (30 * SECOND)

/* Opens of the tests: no option but flags. */
#define OPTS(...) (&(struct pabal_mailbox_opts){ .struct_size = sizeof(struct pabal_mailbox_opts), __VA_ARGS__ })

/* For children: say what was wrong, and end. */
#define child_check(condition) ((condition) ? (void)0 : child_failed(#condition, __FILE__, __LINE__))
#define child_equal(got, wanted) child_compare((long long)(got), (long long)(wanted), #got, __FILE__, __LINE__)
_Noreturn void child_failed(const char *what, const char *file, int line);
void child_compare(long long got, long long wanted, const char *what, const char *file, int line);

/* For children that are to be killed. */
_Noreturn void child_wait_for_death(void);

typedef int child_main(void *data);

/* A number to hand to a child or a thread, or to get back from one. */
static inline void *as_pointer(uintptr_t number)
{
	return (void *)number; /* NOLINT(performance-no-int-to-ptr): that is what it is for */
}

/* A text to hand to one. */
#define TEXT(text) ((char[]){ text })

/* Start @body in a process of its own. It dies with its parent. */
pid_t child_start(child_main *body, void *data);
/* Wait for its end: its exit status, or minus the signal that killed it. Fails the test if it hangs. */
int child_end(pid_t pid);
/* SIGKILL, and wait until the kernel has let go of it. */
void child_kill(pid_t pid);
/* Run it to its end and expect 0. */
void child_run(child_main *body, void *data);
/* The letter by which /proc tells what it does: S: it sleeps, Z: it has ended; 0: there is none. */
char process_state(pid_t pid);
/* Wait until the child sleeps in the kernel. */
void child_await_sleep(pid_t pid);

/* Zeroed memory that children share. Lives as long as the test program. */
void *shared_memory(size_t size);

/* Ask again and again until it is true; false: the hang detector struck. */
bool eventually(bool (*is_true)(void *data), void *data);
bool eventually_at_least(const _Atomic uint64_t *value, uint64_t least);
void pause_briefly(void);

/* Give up all privilege for good; ends the process with a message if there was none to give up. */
void become_nobody(void);

/* The directory of objects that this test has for its own. */
const char *objects_directory(void);
/* The path of an object's file. */
const char *path_of(const char *name);
uint64_t bytes_of(const char *name); /* memory that it really uses */
uint32_t sockets_there(void);        /* in the directory of objects: those that sleepers wait at */

/* Expect that pabal_check() finds nothing wrong with it. */
void expect_sound(const char *name, struct pabal_check_result *ret_result);
/* Statistics of a handle. */
struct pabal_mailbox_stats stats_of(pabal_mailbox *mailbox);

/* A message of @size bytes that says who sent it and which it is; every byte follows from these. @size: 16 at least. */
void message_fill(void *data, size_t size, uint32_t sender, uint32_t number);
bool message_read(const void *data, size_t size, uint32_t *ret_sender, uint32_t *ret_number);

/* Numbers that look random, the same in each run. */
uint32_t next_random(uint64_t *state);

#endif
