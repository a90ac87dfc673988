/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_closing - one thread closes the handle of a link while another uses the same link by name.
 *
 * The one who closes does not wait, and the other neither reads what was freed nor waits for what can come no more. Both sides are in this process: who closes is told apart from who is in the link by looking
 * into the handle.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "model/process.h"
#include "support/support.h"

static pabal_process *self, *other;
static pabal_link *near, *far;
static char block[900];

static pabal_process *announce(const char *name)
{
	pabal_process *process;

	assert_int_equal(pabal_process_announce(name, NULL, &process), 0);
	return process;
}

static void open_link(void)
{
	near = far = NULL;
	while (!near || !far) {
		if (!near)
			pabal_process_link(self, "other", &near, PABAL_NOWAIT);
		if (!far)
			pabal_process_accept(other, &far, PABAL_NOWAIT);
	}
}

static void set_up(void)
{
	self = announce("self");
	other = announce("other");
	open_link();
}

static void tear_down(void)
{
	pabal_process_close(self);
	pabal_process_close(other);
}

static struct pabal__party *party_of(pabal_link *link)
{
	return (struct pabal__party *)(void *)link;
}

static bool is_in_table(const struct pabal__party *party)
{
	const struct pabal__party *at = self->first;

	while (at && at != party)
		at = at->next;
	return at;
}

/* Another thread is in the link just now. Whatever it finds there, it is the one that ends it; and nobody else finds the link any more. */
static void whoever_is_in_it_ends_it(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pabal__party *party;

		set_up();
		party = party_of(near);
		pabal__party_use(party);
		pabal__party_use(party);
		assert_int_equal(pabal_link_send(near, "last", 4, PABAL_NOWAIT), 0);
		assert_null(pabal_link_close(near));
		assert_true(party->gone);
		assert_false(is_in_table(party));
		assert_int_equal(pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT), -EAGAIN);
		if (i) /* it found that the peer had ended */
			pabal__party_drained(party, -EPIPE);
		pabal__party_put(party);
		assert_int_equal(pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT), -EAGAIN);
		pabal__party_put(party);
		assert_int_equal(pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT), -EPIPE);
		pabal_link_close(far);
		open_link();
		tear_down();
	}
}

static char *page; /* who writes there stops until it may go on */
static _Atomic bool arrived, may_go_on;

static void on_fault(int number)
{
	(void)number;
	atomic_store(&arrived, true);
	while (!atomic_load(&may_go_on))
		sched_yield();
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void *receive_into_page(void *from)
{
	return as_pointer((uintptr_t)-pabal_process_receive(self, from, NULL, page, 4096, NULL, PABAL_NOWAIT));
}

static bool has_arrived(void *data)
{
	(void)data;
	return atomic_load(&arrived);
}

/* Stopped in the middle of its copy, by name or from anyone, while the link is closed: it has its message, and the link ends after it. */
static void in_the_middle_of_a_receive(void **state)
{
	char *const from[] = { NULL, TEXT("other") };
	struct sigaction action = { .sa_handler = on_fault }, before;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	for (int i = 0; i < 2; i++) {
		set_up();
		page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(page != MAP_FAILED);
		atomic_store(&arrived, false);
		atomic_store(&may_go_on, false);
		assert_int_equal(pabal_link_send(far, "last", 4, PABAL_NOWAIT), 0);
		assert_int_equal(pthread_create(&thread, NULL, receive_into_page, from[i]), 0);
		assert_true(eventually(has_arrived, NULL));
		pabal_link_close(near);
		assert_int_equal(pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT), -EAGAIN);
		atomic_store(&may_go_on, true);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_null(result);
		assert_memory_equal(page, "last", 4);
		assert_int_equal(pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT), -EPIPE);
		munmap(page, 4096);
		tear_down();
	}
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
}

static _Atomic bool stop;

static void *receive_from(void *from)
{
	while (!atomic_load(&stop)) {
		int r = pabal_process_receive(self, from, NULL, block, sizeof block, NULL, PABAL_NOWAIT);

		child_check(r == 0 || r == -EAGAIN || (from && (r == -EPIPE || r == -ENOENT)));
	}
	return NULL;
}

/* The peer has just closed, the other thread finds out, and we close: in any interleaving that comes about, for AddressSanitizer and ThreadSanitizer. */
static void close_beside_a_receive(char *from)
{
	enum { ROUNDS = 300 };
	pthread_t thread;

	set_up();
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, receive_from, from), 0);
	for (int round = 0; round < ROUNDS; round++) {
		pabal_link_send(far, "1", 1, PABAL_NOWAIT);
		pabal_link_close(far);
		if (round % 3 == 0)
			sched_yield();
		pabal_link_close(near);
		open_link();
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	tear_down();
}

static void beside_a_receive_from_anyone(void **state)
{
	(void)state;
	close_beside_a_receive(NULL);
}

static void beside_a_receive_by_name(void **state)
{
	(void)state;
	close_beside_a_receive(TEXT("other"));
}

static void *send_by_name(void *data)
{
	int r;

	(void)data;
	do {
		r = pabal_process_send(self, "other", block, sizeof block, PABAL_FOREVER);
	} while (r == 0 && !atomic_load(&stop));
	return as_pointer((uintptr_t)-r);
}

static int is_for_room(const struct pabal_wait_info *info, void *data)
{
	(void)data;
	return info->what == PABAL_WAITS_ROOM && strcmp(info->name, "self") == 0;
}

static bool waits_for_room(void *data)
{
	return pabal_waits(is_for_room, data) == 1;
}

/* It waits for room in a link that ends under its hands: who closes does not wait for that, and the sender goes on over a new link. */
static void beside_a_sender_that_waits_for_room(void **state)
{
	pthread_t thread;
	void *result;
	int r;

	(void)state;
	set_up();
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, send_by_name, NULL), 0);
	assert_true(eventually(waits_for_room, NULL));
	pabal_link_close(near);
	while ((r = pabal_link_receive(far, block, sizeof block, NULL, HANG)) == 0) {
	}
	assert_int_equal(r, -EPIPE);
	pabal_link_close(far);
	assert_int_equal(pabal_process_accept(other, &far, HANG), 0);
	atomic_store(&stop, true);
	do {
		r = pabal_link_receive(far, block, sizeof block, NULL, PABAL_NOWAIT);
		assert_true(r == 0 || r == -EAGAIN);
	} while (pthread_tryjoin_np(thread, &result) == EBUSY);
	assert_null(result);
	tear_down();
}

/* The same, and the peer ends: another thread is told so first, and nothing of the link is watched any more. */
static void a_sender_that_waits_is_told_of_an_end_that_another_found(void **state)
{
	pthread_t thread;
	void *result;
	int r;

	(void)state;
	set_up();
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, send_by_name, NULL), 0);
	assert_true(eventually(waits_for_room, NULL));
	pabal_link_close(far);
	do {
		r = pabal_process_receive(self, NULL, NULL, block, sizeof block, NULL, PABAL_NOWAIT);
	} while (r == 0);
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal((uintptr_t)result, EPIPE);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_is_in_it_ends_it),
		cmocka_unit_test(in_the_middle_of_a_receive),
		cmocka_unit_test(beside_a_receive_from_anyone),
		cmocka_unit_test(beside_a_receive_by_name),
		cmocka_unit_test(beside_a_sender_that_waits_for_room),
		cmocka_unit_test(a_sender_that_waits_is_told_of_an_end_that_another_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
