/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_syscalls - a send and a receive that need not wait make no system call.
 *
 * The process runs under ptrace, which counts its system calls. What is expected is the difference between a long run and a short one, memory already grown: 0. Only who looks
 * for the dead makes some, ten times a second at most, however many messages there are.
 */
#include <unistd.h>

#include "support/syscalls.h"

enum { WARM = 5000, SHORT = 1000, LONG = 50000, DEPTH = 16 };

struct way {
	size_t size;
	uint32_t count;
	bool in_place;
};

static void once(pabal_mailbox *a, const struct way *way)
{
	static char data[70000];
	struct pabal_message message;
	struct pabal_loan loan;

	if (!way->in_place) {
		for (int i = 0; i < DEPTH; i++)
			child_equal(pabal_mailbox_send(a, data, way->size, PABAL_FOREVER), 0);
		for (int i = 0; i < DEPTH; i++)
			child_equal(pabal_mailbox_receive(a, data, sizeof data, NULL, PABAL_FOREVER), 0);
		return;
	}
	for (int i = 0; i < DEPTH; i++) {
		child_equal(pabal_mailbox_loan(a, way->size, &loan, PABAL_FOREVER), 0);
		child_equal(pabal_mailbox_commit(a, &loan, way->size, PABAL_FOREVER), 0);
	}
	for (int i = 0; i < DEPTH; i++) {
		child_equal(pabal_mailbox_take(a, NULL, &message, PABAL_FOREVER), 0);
		child_equal(pabal_mailbox_release(a, &message), 0);
	}
}

static int be_traced(void *data)
{
	const struct way *way = data;
	pabal_mailbox *a;

	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	for (int i = 0; i < WARM; i += DEPTH)
		once(a, way);
	syscalls_count_from_here();
	for (uint32_t i = 0; i < way->count; i += DEPTH)
		once(a, way);
	_exit(0);
}

static void no_system_call_a_message(void **state)
{
	static const size_t sizes[] = { 0, 64, 96, 1000, 4000, 60000 };
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (int in_place = 0; in_place < 2; in_place++) {
			struct syscalls few = syscalls_of(be_traced, &(struct way){ sizes[i], SHORT, in_place });
			struct syscalls many = syscalls_of(be_traced, &(struct way){ sizes[i], LONG, in_place });

			syscalls_expect_same(&few, &many, 2);
		}
	}
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_system_call_a_message) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
