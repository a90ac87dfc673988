/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_syscalls - a send and a receive that need not wait make no system call.
 *
 * Counted as in tests/mailbox/test_syscalls.c: a long run under ptrace less a short one. A sender that has not seen its peer move for some 20 microseconds asks the kernel whether
 * it lives; that depends on time and is no call a message, so here the clock of that question stands still. That it is asked is for test_link_death.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/link_pair.h"

enum { WARM = 5000, SHORT = 1000, LONG = 50000, DEPTH = 8 };

struct way {
	size_t size;
	uint32_t count;
	bool in_place;
};

static void once(pabal_link *links[2], const struct way *way)
{
	static char data[70000];
	struct pabal_message message;
	struct pabal_loan loan;

	for (int i = 0; i < DEPTH; i++) {
		if (!way->in_place) {
			child_equal(pabal_link_send(links[0], data, way->size, PABAL_FOREVER), 0);
			continue;
		}
		child_equal(pabal_link_loan(links[0], way->size, &loan, PABAL_FOREVER), 0);
		child_equal(pabal_link_commit(links[0], &loan, way->size, PABAL_FOREVER), 0);
	}
	for (int i = 0; i < DEPTH; i++) {
		if (!way->in_place) {
			child_equal(pabal_link_receive(links[1], data, sizeof data, NULL, PABAL_FOREVER), 0);
			continue;
		}
		child_equal(pabal_link_take(links[1], NULL, &message, PABAL_FOREVER), 0);
		child_equal(pabal_link_release(links[1], &message), 0);
	}
}

static int be_traced(void *data)
{
	const struct way *way = data;
	struct link_pair pair;
	pabal_link *links[2];

	link_pair_make(&pair, 1 << 20, 1 << 20);
	link_pair_both(&pair, 0, links);
	links[0]->bell.ticks_5us = links[1]->bell.ticks_5us = UINT64_MAX / 8;
	for (int i = 0; i < WARM; i += DEPTH)
		once(links, way);
	child_check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
	for (uint32_t i = 0; i < way->count; i += DEPTH)
		once(links, way);
	_exit(0);
}

/* System calls between the stop and the end. */
static uint64_t count_calls(struct way way)
{
	uint64_t stops = 0;
	int status;
	pid_t pid = child_start(be_traced, &way);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
		stops++;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(stops > 0); /* its exit, at least */
	return stops;
}

static void no_system_call_a_message(void **state)
{
	static const size_t sizes[] = { 0, 64, 1000, 4000, 60000 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (int in_place = 0; in_place < 2; in_place++) {
			uint64_t few = count_calls((struct way){ sizes[i], SHORT, in_place });
			uint64_t many = count_calls((struct way){ sizes[i], LONG, in_place });

			if (many != few)
				fail_msg("%zu bytes: %llu system calls more in the long run", sizes[i], (unsigned long long)(many - few));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_system_call_a_message) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
