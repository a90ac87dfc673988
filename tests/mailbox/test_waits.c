/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_waits - pabal_waits(): who waits for what and until when; the dead and those who do not wait are not told.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/support.h"

#define MILLISECOND INT64_C(1000000)

struct waits {
	struct pabal_wait_info infos[8];
	uint32_t count;
};

static int note(const struct pabal_wait_info *info, void *data)
{
	struct waits *waits = data;

	if (waits->count < 8)
		waits->infos[waits->count] = *info;
	waits->count++;
	return 0;
}

static struct waits waits_now(void)
{
	struct waits waits = { .count = 0 };
	int told = pabal_waits(note, &waits);

	assert_int_equal(told, waits.count);
	return waits;
}

static bool somebody_waits(void *data)
{
	(void)data;
	return waits_now().count > 0;
}

static bool nobody_waits(void *data)
{
	(void)data;
	return waits_now().count == 0;
}

struct plan {
	uint32_t flags;
	int64_t timeout_ns;
	bool sends;
};

static int wait_in_a(void *data)
{
	const struct plan *plan = data;
	pabal_mailbox *a;
	char byte;
	int r;

	child_equal(pabal_mailbox_open("a", OPTS(.flags = plan->flags), &a), 0);
	r = plan->sends ? pabal_mailbox_send(a, "x", 1, plan->timeout_ns) : pabal_mailbox_receive(a, &byte, 1, NULL, plan->timeout_ns);
	child_equal(r, 0);
	pabal_mailbox_close(a);
	return 0;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static struct waits wait_seen(pid_t pid, uint32_t what)
{
	struct waits waits;

	assert_true(eventually(somebody_waits, NULL));
	waits = waits_now();
	assert_int_equal(waits.count, 1);
	assert_string_equal(waits.infos[0].name, "a");
	assert_string_equal(waits.infos[0].peer, "");
	assert_int_equal(waits.infos[0].kind, PABAL_KIND_MAILBOX);
	assert_int_equal(waits.infos[0].what, what);
	assert_int_equal(waits.infos[0].claimed_pid, pid);
	assert_int_equal(waits.infos[0].claimed_uid, getuid());
	assert_int_equal(waits.infos[0].waker_pid, 0);
	return waits;
}

static const uint32_t modes[] = { 0, PABAL_WAIT_BLOCK, PABAL_WAIT_SPIN };

static void a_receiver_waits_for_a_message(void **state)
{
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	assert_true(nobody_waits(NULL));
	for (int i = 0; i < 3; i++) {
		struct plan plan = { .flags = modes[i], .timeout_ns = PABAL_FOREVER };
		pid_t pid = child_start(wait_in_a, &plan);

		assert_int_equal(wait_seen(pid, PABAL_WAITS_MESSAGE).infos[0].deadline_ns, INT64_MAX);
		assert_int_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), 0);
		assert_int_equal(child_end(pid), 0);
		assert_true(nobody_waits(NULL));
	}
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void a_sender_waits_for_room_until_a_moment(void **state)
{
	struct plan plan = { .timeout_ns = 100 * SECOND, .sends = true };
	int64_t begin = now(), deadline;
	pabal_mailbox *a;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 1), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), 0);
	pid = child_start(wait_in_a, &plan);
	deadline = wait_seen(pid, PABAL_WAITS_ROOM).infos[0].deadline_ns;
	assert_in_range(deadline, begin + plan.timeout_ns - MILLISECOND, now() + plan.timeout_ns + MILLISECOND);
	assert_int_equal(wait_seen(pid, PABAL_WAITS_ROOM).infos[0].since_ns, wait_seen(pid, PABAL_WAITS_ROOM).infos[0].since_ns);
	assert_in_range(wait_seen(pid, PABAL_WAITS_ROOM).infos[0].since_ns, begin - MILLISECOND, now());
	assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(pid), 0);
	assert_true(nobody_waits(NULL));
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/* The dead wait no more, though what they wrote still stands there; whoever gets their slot does not inherit it. */
static void the_dead_do_not_wait(void **state)
{
	struct plan plan = { .timeout_ns = PABAL_FOREVER };
	pabal_mailbox *a, *b;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	pid = child_start(wait_in_a, &plan);
	wait_seen(pid, PABAL_WAITS_MESSAGE);
	child_kill(pid);
	assert_true(nobody_waits(NULL));
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
	assert_true(nobody_waits(NULL));
	pabal_mailbox_close(b);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int stop_at_once(const struct pabal_wait_info *info, void *data)
{
	(void)info;
	(void)data;
	return 7;
}

static void the_caller_ends_it(void **state)
{
	struct plan plan = { .timeout_ns = PABAL_FOREVER };
	pabal_mailbox *a;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_waits(NULL, NULL), -EINVAL);
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	pid = child_start(wait_in_a, &plan);
	wait_seen(pid, PABAL_WAITS_MESSAGE);
	assert_int_equal(pabal_waits(stop_at_once, NULL), 7);
	assert_int_equal(pabal_mailbox_interrupt(a), 0); /* that is ours: the child's handle is another */
	assert_int_equal(waits_now().count, 1);
	child_kill(pid);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_waits_for_a_message),
		cmocka_unit_test(a_sender_waits_for_room_until_a_moment),
		cmocka_unit_test(the_dead_do_not_wait),
		cmocka_unit_test(the_caller_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
