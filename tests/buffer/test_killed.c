/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_killed - a process is killed at instruction k of a call on a buffer, for k = 0, STRIDE, 2 STRIDE ... until the call returns first.
 *
 * The process is stepped through the library as shipped. Afterwards what was in, and what the call put in or left, is there: whole, in order, none lost, none doubled; every block is
 * accounted for, and the buffer is filled to its capacity and drained once more. With an argument: the stride (1: every instruction).
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer/items.h"

enum { CAPACITY = 12, BEFORE = 2, ENDLESS = 400000, MANY = 9 /* enough to be copied by the string instruction */ };

enum call { PUT, PUT_MANY, LOAN_COMMIT, GET, GET_MANY, TAKE_RELEASE, CALLS };

static const char *const names[] = { "put", "put many", "loan and commit", "get", "get many", "take and release" };

struct scene {
	uint32_t form;
	enum call call;
	bool takeover; /* SPSC: the one before died with the role */
};

static uint32_t stride = 53;

static int put(pabal_buffer *buffer, uint64_t first, uint32_t count)
{
	struct item items[CAPACITY];

	for (uint32_t i = 0; i < count; i++)
		items[i] = item_of(first + i);
	return pabal_buffer_put(buffer, items, count, NULL, PABAL_NOWAIT);
}

static void do_call(pabal_buffer *buffer, enum call call)
{
	struct item items[CAPACITY];
	struct pabal_message message;
	struct pabal_loan loan;
	uint32_t count;

	switch (call) {
	case PUT:
		put(buffer, BEFORE + 1, 1);
		break;
	case PUT_MANY:
		put(buffer, BEFORE + 1, MANY);
		break;
	case LOAN_COMMIT:
		if (pabal_buffer_loan(buffer, 1, &loan, PABAL_NOWAIT))
			_exit(96);
		*(struct item *)loan.data = item_of(BEFORE + 1);
		pabal_buffer_commit(buffer, &loan, sizeof(struct item));
		break;
	case GET:
		pabal_buffer_get(buffer, items, 1, NULL, PABAL_NOWAIT);
		break;
	case GET_MANY:
		pabal_buffer_get(buffer, items, 3, &count, PABAL_NOWAIT);
		break;
	default:
		if (pabal_buffer_take(buffer, 1, &message, PABAL_NOWAIT))
			_exit(95);
		pabal_buffer_release(buffer, &message);
	}
}

static bool puts_items(enum call call)
{
	return call <= LOAN_COMMIT;
}

/* The items of before are put by the producer: with SPSC by the victim itself, if it is one. */
static int victim(void *data)
{
	const struct scene *scene = data;
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	if (puts_items(scene->call) && !scene->takeover)
		child_equal(put(buffer, 1, BEFORE), 0);
	child_check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
	do_call(buffer, scene->call);
	raise(SIGSTOP);
	return 0;
}

static int dead_holder(void *data)
{
	const struct scene *scene = data;
	struct pabal_message message;
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	if (puts_items(scene->call))
		child_equal(put(buffer, 1, BEFORE), 0);
	else
		child_equal(pabal_buffer_take(buffer, 1, &message, PABAL_NOWAIT), 0);
	kill(getpid(), SIGKILL);
	return 1;
}

/* Step @steps instructions and kill. true: the call had returned before that. */
static bool step_and_kill(pid_t pid, uint64_t steps)
{
	bool returned = false;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	for (uint64_t i = 0; i < steps && !returned; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
		returned = WSTOPSIG(status) == SIGSTOP;
	}
	child_kill(pid);
	return returned;
}

/* Take all that there is. Returns the first id; they must follow each other. */
static uint64_t drain(pabal_buffer *buffer, uint64_t *ret_last)
{
	struct pabal_message items;
	uint64_t first = 0, last = 0;
	int r;

	while ((r = pabal_buffer_take(buffer, CAPACITY, &items, PABAL_NOWAIT)) == 0) {
		for (size_t i = 0; i < items.size / sizeof(struct item); i++) {
			const struct item *item = (const struct item *)items.data + i;

			assert_true(item_is_whole(item));
			if (!first)
				first = item->id;
			else
				assert_int_equal(item->id, last + 1);
			last = item->id;
		}
		assert_int_equal(pabal_buffer_release(buffer, &items), 0);
	}
	assert_int_equal(r, -EAGAIN);
	*ret_last = last;
	return first;
}

static void verify(const struct scene *scene, pabal_buffer *buffer, bool returned)
{
	uint64_t last, first, most = scene->call == PUT_MANY ? BEFORE + MANY : BEFORE + 1;
	struct pabal_check_result account;
	bool latest = scene->form == PABAL_BUFFER_LATEST;

	assert_int_equal(pabal_gc(NULL), 0); /* else what came back would be found in the middle of the draining, when it is looked for */
	first = drain(buffer, &last);
	if (puts_items(scene->call)) {
		assert_in_range(last, returned ? most : BEFORE, most);
		assert_int_equal(first, latest ? last : 1);
	} else if (latest) {
		assert_int_equal(first, 5);
	} else {
		assert_int_equal(last, 5);
		assert_in_range(first, returned ? (scene->call == GET_MANY ? 4 : 2) : 1, scene->call == GET_MANY ? 4 : 2);
	}
	for (int round = 0; round < 2; round++) {
		assert_int_equal(put(buffer, 10, CAPACITY), 0);
		if (!latest)
			assert_int_equal(put(buffer, 99, 1), -EAGAIN);
		first = drain(buffer, &last);
		assert_int_equal(last, 10 + CAPACITY - 1);
		assert_int_equal(first, latest ? last : 10);
	}
	assert_int_equal(pabal_gc(NULL), 0);
	expect_sound("b", &account);
	assert_int_equal(account.held_by_dead + account.loaned + account.leased + account.redeliver, 0);
}

static void play(const struct scene *scene)
{
	uint64_t kills = 0;

	for (uint64_t steps = 0; steps < ENDLESS; steps += stride) {
		pabal_buffer *buffer = NULL;
		bool returned;

		assert_int_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = scene->form), &buffer), 0);
		if (!puts_items(scene->call))
			assert_int_equal(put(buffer, 1, 5), 0);
		if (scene->takeover)
			assert_int_equal(child_end(child_start(dead_holder, as_pointer((uintptr_t)scene))), -SIGKILL);
		returned = step_and_kill(child_start(victim, as_pointer((uintptr_t)scene)), steps);
		verify(scene, buffer, returned);
		pabal_buffer_close(buffer);
		assert_int_equal(pabal_buffer_destroy("b"), 0);
		if (returned) {
			print_message("%s, form 0x%x%s: %llu kills in %llu instructions\n", names[scene->call], scene->form,
				      scene->takeover ? ", taking over" : "", (unsigned long long)kills, (unsigned long long)steps);
			assert_true(kills > 3);
			return;
		}
		kills++;
	}
	fail_msg("the call does not return");
}

static void each_call_of_each_form(void **state)
{
	static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

	(void)state;
	for (int form = 0; form < 3; form++)
		for (int call = 0; call < CALLS; call++)
			play(&(struct scene){ .form = forms[form], .call = (enum call)call });
}

/* An open buries the dead first, so the role is free for the victim: what is left of taking over. The burial itself is stepped in the crash tests. */
static void a_role_that_the_dead_had(void **state)
{
	(void)state;
	for (int call = 0; call < CALLS; call++)
		play(&(struct scene){ .form = PABAL_BUFFER_SPSC, .call = (enum call)call, .takeover = true });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_of_each_form),
		cmocka_unit_test(a_role_that_the_dead_had),
	};

	if (argc > 1)
		stride = (uint32_t)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
