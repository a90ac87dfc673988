/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_told - pabal_waits() while several threads wait for the same thing on one handle: told as long as any of them waits, as the wait of one of them, and not after.
 *
 * For each thing that can be waited for the same: three threads begin, one after the other; the first is ended, then the next, then the last. No wait has a limit that ends it, and after each end the word is looked
 * at when the thread that ended is gone, so nothing here depends on how long anything takes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/support.h"

enum { THREADS = 3 };

struct waits {
	struct pabal_wait_info infos[8];
	uint32_t count;
};

static int note(const struct pabal_wait_info *info, void *data)
{
	struct waits *waits = data;

	if (waits->count < 8 && info->claimed_pid == getpid())
		waits->infos[waits->count++] = *info;
	return 0;
}

static struct waits waits_now(void)
{
	struct waits waits = { .count = 0 };

	assert_true(pabal_waits(note, &waits) >= 0);
	return waits;
}

/* What is waited for, by @waiter in each thread; @end ends the wait that waiter @i, or any one, is in. */
struct case_of {
	const char *name;
	uint32_t kind, what;
	bool indexed; /* the one that is ended is the one meant */
	void (*make)(uint32_t flags);
	int (*wait)(uint32_t i, int64_t timeout_ns);
	void (*end)(uint32_t i);
	void (*close)(void);
};

static pabal_mailbox *mailbox, *other_mailbox;
static pabal_buffer *buffer, *other_buffer;
static pabal_region *region, *other_region;
static pabal_process *self;
static pabal_link *peer_link;
static pid_t peer;

static void make_mailbox(uint32_t flags)
{
	assert_int_equal(pabal_mailbox_create("o", OPTS(.capacity = 1), &other_mailbox), 0);
	assert_int_equal(pabal_mailbox_open("o", OPTS(.flags = flags), &mailbox), 0);
}

static int receive(uint32_t i, int64_t timeout_ns)
{
	char byte;

	(void)i;
	return pabal_mailbox_receive(mailbox, &byte, 1, NULL, timeout_ns);
}

static void send_one(uint32_t i)
{
	(void)i;
	assert_int_equal(pabal_mailbox_send(other_mailbox, "x", 1, PABAL_NOWAIT), 0);
}

static void make_full_mailbox(uint32_t flags)
{
	make_mailbox(flags);
	send_one(0);
}

static int send_more(uint32_t i, int64_t timeout_ns)
{
	(void)i;
	return pabal_mailbox_send(mailbox, "y", 1, timeout_ns);
}

static void receive_one(uint32_t i)
{
	char byte;

	(void)i;
	assert_int_equal(pabal_mailbox_receive(other_mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
}

static void close_mailbox(void)
{
	pabal_mailbox_close(mailbox);
	pabal_mailbox_close(other_mailbox);
	assert_int_equal(pabal_mailbox_destroy("o"), 0);
}

static void make_buffer(uint32_t flags)
{
	struct pabal_buffer_opts opts = { .struct_size = sizeof opts, .flags = flags };

	assert_int_equal(pabal_buffer_create("o", 1, 1, NULL, &other_buffer), 0);
	assert_int_equal(pabal_buffer_open("o", &opts, &buffer), 0);
}

static int get(uint32_t i, int64_t timeout_ns)
{
	char byte;
	uint32_t count;

	(void)i;
	return pabal_buffer_get(buffer, &byte, 1, &count, timeout_ns);
}

static void put_one(uint32_t i)
{
	uint32_t count;

	(void)i;
	assert_int_equal(pabal_buffer_put(other_buffer, "x", 1, &count, PABAL_NOWAIT), 0);
}

static void close_buffer(void)
{
	pabal_buffer_close(buffer);
	pabal_buffer_close(other_buffer);
	assert_int_equal(pabal_buffer_destroy("o"), 0);
}

static void make_region(uint32_t flags)
{
	struct pabal_region_opts opts = { .struct_size = sizeof opts, .locks = THREADS + 1, .events = THREADS + 1 };

	assert_int_equal(pabal_region_create("o", 64, &opts, &other_region), 0);
	opts = (struct pabal_region_opts){ .struct_size = sizeof opts, .flags = flags };
	assert_int_equal(pabal_region_open("o", &opts, &region), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pabal_region_lock(other_region, i + 1, PABAL_NOWAIT), 0);
}

static int lock(uint32_t i, int64_t timeout_ns)
{
	int r = pabal_region_lock(region, i + 1, timeout_ns);

	return r == 0 ? pabal_region_unlock(region, i + 1) : r;
}

static void unlock(uint32_t i)
{
	assert_int_equal(pabal_region_unlock(other_region, i + 1), 0);
}

static int await_event(uint32_t i, int64_t timeout_ns)
{
	return pabal_region_wait(region, i + 1, 0, NULL, timeout_ns);
}

static void notify(uint32_t i)
{
	assert_int_equal(pabal_region_notify(other_region, i + 1, UINT32_MAX), 0);
}

static void close_region(void)
{
	pabal_region_close(region);
	pabal_region_close(other_region);
	assert_int_equal(pabal_region_destroy("o"), 0);
}

/* The peer sends as many bytes as it is sent. */
static int echo(void *data)
{
	char byte;

	(void)data;
	child_equal(pabal_process_announce("peer", NULL, &self), 0);
	child_equal(pabal_process_link(self, "o", &peer_link, PABAL_FOREVER), 0);
	while (pabal_link_receive(peer_link, &byte, 1, NULL, PABAL_FOREVER) == 0)
		child_equal(pabal_link_send(peer_link, &byte, 1, PABAL_FOREVER), 0);
	pabal_link_close(peer_link);
	pabal_process_close(self);
	return 0;
}

static void make_link(uint32_t flags)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .flags = flags };

	peer = child_start(echo, NULL);
	assert_int_equal(pabal_process_announce("o", &opts, &self), 0);
	assert_int_equal(pabal_process_link(self, "peer", &peer_link, PABAL_FOREVER), 0);
}

static int link_receive(uint32_t i, int64_t timeout_ns)
{
	char byte;

	(void)i;
	return pabal_link_receive(peer_link, &byte, 1, NULL, timeout_ns);
}

static void ask_for_one(uint32_t i)
{
	(void)i;
	assert_int_equal(pabal_link_send(peer_link, "x", 1, PABAL_FOREVER), 0);
}

static void close_link(void)
{
	pabal_link_close(peer_link);
	pabal_process_close(self);
	assert_int_equal(child_end(peer), 0);
}

static const struct case_of cases[] = {
	{ "receive", PABAL_KIND_MAILBOX, PABAL_WAITS_MESSAGE, false, make_mailbox, receive, send_one, close_mailbox },
	{ "send", PABAL_KIND_MAILBOX, PABAL_WAITS_ROOM, false, make_full_mailbox, send_more, receive_one, close_mailbox },
	{ "get", PABAL_KIND_BUFFER, PABAL_WAITS_MESSAGE, false, make_buffer, get, put_one, close_buffer },
	{ "lock", PABAL_KIND_REGION, PABAL_WAITS_LOCK, true, make_region, lock, unlock, close_region },
	{ "event", PABAL_KIND_REGION, PABAL_WAITS_EVENT, true, make_region, await_event, notify, close_region },
	{ "link", PABAL_KIND_PROCESS, PABAL_WAITS_MESSAGE, false, make_link, link_receive, ask_for_one, close_link },
};

struct thread {
	pthread_t thread;
	const struct case_of *of;
	uint32_t i;
	int64_t timeout_ns;
	_Atomic pid_t tid;
	_Atomic int result; /* 1: it waits */
};

static void *body(void *data)
{
	struct thread *thread = data;

	atomic_store(&thread->tid, (pid_t)syscall(SYS_gettid));
	atomic_store(&thread->result, thread->of->wait(thread->i, thread->timeout_ns));
	return NULL;
}

/* A thread whose wait has begun sleeps; until then it does nothing else that sleeps for long: seen so many times in a row, with pauses between, it is its wait. */
static bool sleeps(void *data)
{
	const struct thread *thread = data;
	pid_t tid = atomic_load(&thread->tid);

	for (int i = 0; i < 5; i++) {
		if (!tid || process_state(tid) != 'S')
			return false;
		pause_briefly();
	}
	return true;
}

static void begin(struct thread *thread, const struct case_of *of, uint32_t i, int64_t timeout_ns)
{
	*thread = (struct thread){ .of = of, .i = i, .timeout_ns = timeout_ns, .result = 1 };
	assert_int_equal(pthread_create(&thread->thread, NULL, body, thread), 0);
	assert_true(eventually(sleeps, thread));
}

/* One that has ended, of those that wait. */
static bool one_has_ended(void *data)
{
	struct thread *threads = data;

	for (uint32_t i = 0; i < THREADS; i++)
		if (threads[i].of && atomic_load(&threads[i].result) != 1)
			return true;
	return false;
}

static uint32_t join_one(struct thread *threads)
{
	assert_true(eventually(one_has_ended, threads));
	for (uint32_t i = 0;; i++) {
		if (!threads[i].of || atomic_load(&threads[i].result) == 1)
			continue;
		assert_int_equal(threads[i].result, 0);
		pthread_join(threads[i].thread, NULL);
		threads[i].of = NULL;
		return i;
	}
}

static uint32_t first_that_waits(const struct thread *threads)
{
	uint32_t i = 0;

	while (!threads[i].of)
		i++;
	return i;
}

/* The one that has waited longest is told, whole. */
static void expect_told(const struct case_of *of, const struct thread *threads)
{
	struct waits waits = waits_now();
	uint32_t first = first_that_waits(threads);

	assert_int_equal(waits.count, 1);
	assert_string_equal(waits.infos[0].name, "o");
	assert_int_equal(waits.infos[0].kind, of->kind);
	assert_int_equal(waits.infos[0].what, of->what);
	assert_int_equal(waits.infos[0].index, of->indexed ? first + 1 : 0);
	if (threads[first].timeout_ns == PABAL_FOREVER)
		assert_int_equal(waits.infos[0].deadline_ns, INT64_MAX);
	else
		assert_true(waits.infos[0].deadline_ns < INT64_MAX);
}

/* The time-outs differ, so that what is told is one's own. */
static void run(const struct case_of *of, uint32_t flags, const uint32_t *order)
{
	struct thread threads[THREADS] = { 0 };

	of->make(flags);
	for (uint32_t i = 0; i < THREADS; i++)
		begin(&threads[i], of, i, i == 1 ? 1000 * SECOND : PABAL_FOREVER);
	for (uint32_t i = 0; i < THREADS; i++) {
		uint32_t ended;

		expect_told(of, threads);
		of->end(order[i]);
		ended = join_one(threads);
		if (of->indexed)
			assert_int_equal(ended, order[i]);
	}
	assert_int_equal(waits_now().count, 0);
	of->close();
}

static void as_long_as_any_of_them_waits(void **state)
{
	static const uint32_t orders[][THREADS] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 } };
	static const uint32_t modes[] = { 0, PABAL_WAIT_BLOCK };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t j = 0; j < 4; j++)
			run(&cases[i], modes[j % 2], orders[j]);
}

/* A time-out and an interrupt end a wait as well, one of them while another goes on. */
static void a_wait_that_gives_up_leaves_the_others_told(void **state)
{
	struct thread threads[THREADS] = { 0 };

	(void)state;
	make_mailbox(0);
	begin(&threads[0], &cases[0], 0, PABAL_FOREVER);
	assert_int_equal(receive(0, 1000000), -ETIMEDOUT);
	expect_told(&cases[0], threads);
	assert_int_equal(receive(0, PABAL_NOWAIT), -EAGAIN);
	expect_told(&cases[0], threads);
	assert_int_equal(pabal_mailbox_interrupt(mailbox), 0);
	pthread_join(threads[0].thread, NULL);
	assert_int_equal(threads[0].result, -ECANCELED);
	assert_int_equal(waits_now().count, 0);
	close_mailbox();
}

static int try_parents_handle(void *data)
{
	(void)data;
	child_equal(receive(0, PABAL_FOREVER), -ESTALE);
	child_check(!pabal_mailbox_close(mailbox));
	return 0;
}

/* A child has none of those threads: it says nothing of them, and takes nothing back. */
static void a_fork_child_takes_nothing_back(void **state)
{
	struct thread threads[THREADS] = { 0 };

	(void)state;
	make_mailbox(0);
	for (uint32_t i = 0; i < 2; i++)
		begin(&threads[i], &cases[0], i, PABAL_FOREVER);
	child_run(try_parents_handle, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		expect_told(&cases[0], threads);
		send_one(0);
		join_one(threads);
	}
	assert_int_equal(waits_now().count, 0);
	close_mailbox();
}

static void *come_and_go(void *data)
{
	_Atomic uint32_t *wrong = data;

	for (uint32_t i = 0; i < 3000; i++)
		if (receive(0, 1 + i % 3 * 20000) != -ETIMEDOUT)
			atomic_fetch_add(wrong, 1);
	return NULL;
}

/* They cross, coming and going; whoever stays is told all the time, and when nobody is there nothing is. */
static void those_who_come_and_go_change_nothing(void **state)
{
	struct thread threads[THREADS] = { 0 };
	_Atomic uint32_t wrong = 0;
	pthread_t crossing[2];

	(void)state;
	make_mailbox(PABAL_WAIT_BLOCK);
	for (int round = 0; round < 2; round++) {
		if (round == 0)
			begin(&threads[0], &cases[0], 0, PABAL_FOREVER);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&crossing[i], NULL, come_and_go, &wrong), 0);
		for (int i = 0; round == 0 && i < 300; i++)
			expect_told(&cases[0], threads);
		for (int i = 0; i < 2; i++)
			pthread_join(crossing[i], NULL);
		assert_int_equal(wrong, 0);
		if (round == 0) {
			expect_told(&cases[0], threads);
			send_one(0);
			join_one(threads);
		}
		assert_int_equal(waits_now().count, 0);
	}
	close_mailbox();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_long_as_any_of_them_waits),
		cmocka_unit_test(a_wait_that_gives_up_leaves_the_others_told),
		cmocka_unit_test(a_fork_child_takes_nothing_back),
		cmocka_unit_test(those_who_come_and_go_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
