/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_syscalls - a put and a get that need not wait make no system call, in any form, one at a time, in batches and in place.
 *
 * The process runs under ptrace, which counts its system calls. What is expected is the difference between a long run and a short one, memory already grown: 0. Only who looks
 * for the dead makes some, ten times a second at most.
 */
#include <unistd.h>

#include "buffer/items.h"
#include "support/syscalls.h"

enum { WARM = 2000, SHORT = 1000, LONG = 30000, DEPTH = 16 };

struct way {
	uint32_t count;
	bool in_place;
};

static void once(pabal_buffer *buffer, const struct way *way)
{
	static struct item items[DEPTH];
	struct pabal_message message;
	struct pabal_loan loan;
	uint32_t count;

	if (way->in_place) {
		child_equal(pabal_buffer_loan(buffer, 4, &loan, PABAL_FOREVER), 0);
		child_equal(pabal_buffer_commit(buffer, &loan, sizeof(struct item)), 0);
		child_equal(pabal_buffer_take(buffer, 4, &message, PABAL_FOREVER), 0);
		child_equal(pabal_buffer_release(buffer, &message), 0);
		return;
	}
	for (uint32_t i = 1; i <= DEPTH; i *= 4) {
		child_equal(pabal_buffer_put(buffer, items, i, &count, PABAL_FOREVER), 0);
		child_equal(pabal_buffer_get(buffer, items, DEPTH, &count, PABAL_FOREVER), 0);
	}
}

static int be_traced(void *data)
{
	const struct way *way = data;
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	for (int i = 0; i < WARM; i++)
		once(buffer, way);
	syscalls_count_from_here();
	for (uint32_t i = 0; i < way->count; i++)
		once(buffer, way);
	_exit(0);
}

static void no_system_call_an_item(void **state)
{
	static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = NULL;

		assert_int_equal(pabal_buffer_create("b", sizeof(struct item), 50, BOPTS(.flags = forms[form]), &buffer), 0);
		for (int in_place = 0; in_place < 2; in_place++) {
			struct syscalls few = syscalls_of(be_traced, &(struct way){ SHORT, in_place });
			struct syscalls many = syscalls_of(be_traced, &(struct way){ LONG, in_place });

			syscalls_expect_same(&few, &many, 2);
		}
		pabal_buffer_close(buffer);
		assert_int_equal(pabal_buffer_destroy("b"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_system_call_an_item) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
