/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_signals - every call that waits, of every kind of object, while a signal comes.
 *
 * A handler that runs while the call sleeps ends it with -EINTR, with SA_RESTART and without; with PABAL_RESTART the call goes on, and ends well when it can. SIGSTOP and SIGCONT run no handler:
 * the call goes on. No wait here has a time limit, and in one of the two libraries slices are endless, since the kernel restarts some sleeps of its own accord only if they have no end.
 * What hangs is ended by the hang detector. Each way to wait is a function for the child, which waits, and one for the parent, who lets it go.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

enum { LARGE = 200000, CAPACITY = 2 };

#define POPTS(...) (&(struct pabal_process_opts){ .struct_size = sizeof(struct pabal_process_opts), __VA_ARGS__ })
#define BOPTS(...) (&(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), __VA_ARGS__ })
#define ROPTS(...) (&(struct pabal_region_opts){ .struct_size = sizeof(struct pabal_region_opts), __VA_ARGS__ })

struct shared {
	_Atomic uint64_t about; /* the child is about to wait */
	_Atomic uint64_t handled;
	_Atomic uint64_t ended;
	_Atomic int64_t result;
	_Atomic uint64_t leave; /* the child may end: until then its peer finds it */
};

static struct shared *shared;
static uint32_t flags;     /* of the child's handles */
static uint32_t form;      /* of the buffer */
static pthread_t follower; /* one more thread of the child, which waits first */

/* The parent's. */
static pabal_mailbox *mailbox;
static pabal_buffer *buffer;
static pabal_region *region;
static pabal_process *process;
static pabal_link *link_;
static struct pabal_loan loan;
static char large[LARGE];

static int about(int r)
{
	atomic_store(&shared->about, 1);
	return r;
}

/* Mailboxes. */

static void make_mailbox(void)
{
	assert_int_equal(pabal_mailbox_create("o", OPTS(.capacity = CAPACITY, .memory_max = 1 << 18), &mailbox), 0);
}

static void make_full_mailbox(void)
{
	make_mailbox();
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
}

static void make_mailbox_without_memory(void)
{
	make_mailbox();
	assert_int_equal(pabal_mailbox_loan(mailbox, LARGE, &loan, PABAL_NOWAIT), 0);
}

static pabal_mailbox *own_mailbox(void)
{
	pabal_mailbox *own = NULL;

	child_equal(pabal_mailbox_open("o", OPTS(.flags = flags), &own), 0);
	return own;
}

static int mailbox_receive(void)
{
	pabal_mailbox *own = own_mailbox();
	char byte;

	return about(0) + pabal_mailbox_receive(own, &byte, 1, NULL, PABAL_FOREVER);
}

static int mailbox_take(void)
{
	pabal_mailbox *own = own_mailbox();
	struct pabal_message message;

	return about(0) + pabal_mailbox_take(own, NULL, &message, PABAL_FOREVER);
}

static int mailbox_send(void)
{
	pabal_mailbox *own = own_mailbox();

	return about(0) + pabal_mailbox_send(own, "y", 1, PABAL_FOREVER);
}

static int mailbox_commit(void)
{
	pabal_mailbox *own = own_mailbox();
	struct pabal_loan own_loan;
	int r;

	child_equal(pabal_mailbox_loan(own, 10, &own_loan, PABAL_NOWAIT), 0);
	r = about(0) + pabal_mailbox_commit(own, &own_loan, 10, PABAL_FOREVER);
	if (r == -EINTR)
		child_equal(pabal_mailbox_cancel(own, &own_loan), 0); /* it stayed */
	return r;
}

static int mailbox_loan(void)
{
	pabal_mailbox *own = own_mailbox();
	struct pabal_loan own_loan;

	return about(0) + pabal_mailbox_loan(own, LARGE, &own_loan, PABAL_FOREVER);
}

static void give_message(void)
{
	assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
}

static void take_message(void)
{
	char byte;

	assert_int_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
}

static void give_memory(void)
{
	assert_int_equal(pabal_mailbox_cancel(mailbox, &loan), 0);
}

static void end_mailbox(void)
{
	mailbox = pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("o"), 0);
}

/* Buffers. */

static void make_buffer(uint32_t of_form)
{
	form = of_form;
	assert_int_equal(pabal_buffer_create("o", 8, CAPACITY, BOPTS(.flags = form), &buffer), 0);
}

static void make_buffer_many(void)
{
	make_buffer(0);
}

static void make_buffer_spsc(void)
{
	make_buffer(PABAL_BUFFER_SPSC);
}

static void make_buffer_latest(void)
{
	make_buffer(PABAL_BUFFER_LATEST);
}

static pabal_buffer *own_buffer(bool fill)
{
	uint64_t items[CAPACITY] = { 0 };
	pabal_buffer *own = NULL;
	uint32_t count;

	child_equal(pabal_buffer_open("o", BOPTS(.flags = flags), &own), 0);
	if (fill)
		child_equal(pabal_buffer_put(own, items, CAPACITY, &count, PABAL_NOWAIT), 0);
	return own;
}

static int buffer_get(void)
{
	pabal_buffer *own = own_buffer(false);
	uint64_t item;

	return about(0) + pabal_buffer_get(own, &item, 1, NULL, PABAL_FOREVER);
}

static int buffer_take(void)
{
	pabal_buffer *own = own_buffer(false);
	struct pabal_message items;

	return about(0) + pabal_buffer_take(own, 1, &items, PABAL_FOREVER);
}

static int buffer_put(void)
{
	pabal_buffer *own = own_buffer(true);

	return about(0) + pabal_buffer_put(own, &(uint64_t){ 1 }, 1, NULL, PABAL_FOREVER);
}

static int buffer_loan(void)
{
	pabal_buffer *own = own_buffer(true);
	struct pabal_loan own_loan;

	return about(0) + pabal_buffer_loan(own, 1, &own_loan, PABAL_FOREVER);
}

static int buffer_commit(void)
{
	pabal_buffer *own = own_buffer(false);
	uint64_t items[CAPACITY] = { 0 };
	struct pabal_loan own_loan;
	uint32_t count;

	child_equal(pabal_buffer_loan(own, 1, &own_loan, PABAL_FOREVER), 0);
	child_equal(pabal_buffer_put(own, items, CAPACITY, &count, PABAL_NOWAIT), 0);
	return about(0) + pabal_buffer_commit(own, &own_loan, 8);
}

static void give_item(void)
{
	assert_int_equal(pabal_buffer_put(buffer, &(uint64_t){ 7 }, 1, NULL, PABAL_NOWAIT), 0);
}

static void take_item(void)
{
	uint64_t item;

	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
}

static void end_buffer(void)
{
	buffer = pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("o"), 0);
}

/* Regions. */

static void make_region(void)
{
	assert_int_equal(pabal_region_create("o", 4096, NULL, &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
}

static pabal_region *own_region(void)
{
	pabal_region *own = NULL;

	child_equal(pabal_region_open("o", ROPTS(.flags = flags), &own), 0);
	return own;
}

static int region_lock(void)
{
	pabal_region *own = own_region();
	int r = about(0) + pabal_region_lock(own, 0, PABAL_FOREVER);

	if (r == 0)
		child_equal(pabal_region_unlock(own, 0), 0);
	return r;
}

static int region_wait(void)
{
	pabal_region *own = own_region();
	uint32_t seen;

	child_equal(pabal_region_event(own, 0, &seen), 0);
	return about(0) + pabal_region_wait(own, 0, seen, &seen, PABAL_FOREVER);
}

static void unlock(void)
{
	assert_int_equal(pabal_region_unlock(region, 0), 0);
}

static void notify(void)
{
	assert_int_equal(pabal_region_notify(region, 0, 1), 0);
}

static void end_region(void)
{
	region = pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("o"), 0);
}

/* Processes and links. The parent is "parent", the child "child". */

static void make_process(void)
{
	assert_int_equal(pabal_process_announce("parent", NULL, &process), 0);
}

static void make_nothing(void)
{
}

static void accept_child(void)
{
	assert_int_equal(pabal_process_accept(process, &link_, HANG), 0);
}

static pabal_process *own_process(void)
{
	pabal_process *own = NULL;

	child_equal(pabal_process_announce("child", POPTS(.flags = flags), &own), 0);
	return own;
}

static pabal_link *own_link(void)
{
	pabal_process *own = own_process();
	pabal_link *link = NULL;
	int r;

	do {
		r = pabal_process_link(own, "parent", &link, PABAL_FOREVER);
	} while (r == -EINTR);
	child_equal(r, 0);
	return link;
}

static pid_t follower_id;
static pthread_barrier_t following;

static void *follow_link(void *data)
{
	char byte;

	follower_id = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&following);
	child_equal(pabal_link_receive(data, &byte, 1, NULL, PABAL_FOREVER), 0);
	return NULL;
}

static void *follow_process(void *data)
{
	char byte;

	follower_id = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&following);
	child_equal(pabal_process_receive(data, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	return NULL;
}

/* Another thread waits on the handle already, so that this one will sleep behind it. The signal is not for it. */
static void start_follower(void *(*body)(void *), void *handle)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_barrier_init(&following, NULL, 2);
	child_equal(pthread_create(&follower, NULL, body, handle), 0);
	pthread_barrier_wait(&following);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	child_await_sleep(follower_id);
}

static int link_receive(void)
{
	pabal_link *link = own_link();
	char byte;

	return about(0) + pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER);
}

static int link_receive_behind(void)
{
	pabal_link *link = own_link();
	char byte;

	start_follower(follow_link, link);
	return about(0) + pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER);
}

static int link_take(void)
{
	pabal_link *link = own_link();
	struct pabal_message message;

	return about(0) + pabal_link_take(link, NULL, &message, PABAL_FOREVER);
}

static pabal_link *own_full_link(void)
{
	pabal_link *link = own_link();
	int r;

	do {
		r = pabal_link_send(link, large, LARGE, PABAL_NOWAIT);
	} while (r == 0);
	child_equal(r, -EAGAIN);
	return link;
}

static int link_send(void)
{
	pabal_link *link = own_full_link();

	return about(0) + pabal_link_send(link, large, LARGE, PABAL_FOREVER);
}

static int link_loan(void)
{
	pabal_link *link = own_full_link();
	struct pabal_loan own_loan;

	return about(0) + pabal_link_loan(link, LARGE, &own_loan, PABAL_FOREVER);
}

static int link_call(void)
{
	pabal_link *link = own_link();
	char reply[8];
	size_t size;

	return about(0) + pabal_link_call(link, "q", 1, reply, sizeof reply, &size, PABAL_FOREVER);
}

static int link_call_finish(void)
{
	pabal_link *link = own_link();
	char reply[8];
	uint64_t call;
	size_t size;

	child_equal(pabal_link_call_start(link, "q", 1, &call, PABAL_NOWAIT), 0);
	return about(0) + pabal_link_call_finish(link, call, reply, sizeof reply, &size, PABAL_FOREVER);
}

static void link_give(void)
{
	assert_int_equal(pabal_link_send(link_, "x", 1, PABAL_NOWAIT), 0);
}

static void link_give_two(void)
{
	link_give();
	link_give();
}

static void link_take_all(void)
{
	while (pabal_link_receive(link_, large, LARGE, NULL, PABAL_NOWAIT) == 0) {
	}
}

static void link_answer(void)
{
	struct pabal_message request;

	assert_int_equal(pabal_link_take(link_, NULL, &request, HANG), 0);
	assert_int_equal(pabal_link_reply(link_, &request, "a", 1, PABAL_NOWAIT), 0);
	pabal_link_release(link_, &request);
}

static void end_process(void)
{
	link_ = pabal_link_close(link_);
	process = pabal_process_close(process);
	assert_int_equal(pabal_gc(NULL), 0); /* the child closes nothing */
}

static int process_receive(void)
{
	pabal_process *own = own_process();
	char byte;

	return about(0) + pabal_process_receive(own, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER);
}

static int process_receive_behind(void)
{
	pabal_process *own = own_process();
	char byte;

	start_follower(follow_process, own);
	return about(0) + pabal_process_receive(own, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER);
}

static int process_accept(void)
{
	pabal_process *own = own_process();
	pabal_link *link;

	return about(0) + pabal_process_accept(own, &link, PABAL_FOREVER);
}

/* To one who is not there yet. */
static int process_send(void)
{
	pabal_process *own = own_process();

	return about(0) + pabal_process_send(own, "parent", "x", 1, PABAL_FOREVER);
}

static int process_send_full(void)
{
	pabal_process *own = own_process();
	pabal_link *link = NULL;
	int r;

	child_equal(pabal_process_link(own, "parent", &link, PABAL_FOREVER), 0);
	do {
		r = pabal_process_send(own, "parent", large, LARGE, PABAL_NOWAIT);
	} while (r == 0);
	child_equal(r, -EAGAIN);
	return about(0) + pabal_process_send(own, "parent", large, LARGE, PABAL_FOREVER);
}

static int process_link(void)
{
	pabal_process *own = own_process();
	pabal_link *link;

	return about(0) + pabal_process_link(own, "parent", &link, PABAL_FOREVER);
}

static void process_give(void)
{
	assert_int_equal(pabal_process_send(process, "child", "x", 1, HANG), 0);
}

static void process_give_two(void)
{
	process_give();
	process_give();
}

static void process_take_all(void)
{
	while (pabal_process_receive(process, NULL, NULL, large, LARGE, NULL, PABAL_NOWAIT) == 0) {
	}
}

static void process_connect(void)
{
	assert_int_equal(pabal_process_link(process, "child", &link_, HANG), 0);
}

static void process_appear(void)
{
	make_process();
	accept_child();
}

static void process_appear_and_receive(void)
{
	char byte;

	make_process();
	assert_int_equal(pabal_process_receive(process, NULL, NULL, &byte, 1, NULL, HANG), 0);
}

/* Waiting for an object that does not exist yet. */
static int open_when_there(void)
{
	pabal_mailbox *own;

	atomic_store(&shared->about, 1);
	return pabal_mailbox_open("o", OPTS(.flags = flags | PABAL_WAIT_EXISTS, .wait_ns = PABAL_FOREVER), &own);
}

static void end_created(void)
{
	if (!mailbox)
		make_mailbox();
	end_mailbox();
}

struct way {
	const char *name;
	void (*make)(void);   /* the parent, before the child starts */
	int (*wait)(void);    /* the child */
	void (*meet)(void);   /* the parent, after the start; or NULL */
	void (*let_go)(void); /* the parent: what the child waits for */
	void (*end)(void);
};

static const struct way ways[] = {
	{ "mailbox_receive", make_mailbox, mailbox_receive, NULL, give_message, end_mailbox },
	{ "mailbox_take", make_mailbox, mailbox_take, NULL, give_message, end_mailbox },
	{ "mailbox_send", make_full_mailbox, mailbox_send, NULL, take_message, end_mailbox },
	{ "mailbox_commit", make_full_mailbox, mailbox_commit, NULL, take_message, end_mailbox },
	{ "mailbox_loan", make_mailbox_without_memory, mailbox_loan, NULL, give_memory, end_mailbox },
	{ "mailbox_open, PABAL_WAIT_EXISTS", make_nothing, open_when_there, NULL, make_mailbox, end_created },
	{ "buffer_get", make_buffer_many, buffer_get, NULL, give_item, end_buffer },
	{ "buffer_take", make_buffer_many, buffer_take, NULL, give_item, end_buffer },
	{ "buffer_put", make_buffer_many, buffer_put, NULL, take_item, end_buffer },
	{ "buffer_loan", make_buffer_many, buffer_loan, NULL, take_item, end_buffer },
	{ "buffer_commit", make_buffer_many, buffer_commit, NULL, take_item, end_buffer },
	{ "buffer_get, SPSC", make_buffer_spsc, buffer_get, NULL, give_item, end_buffer },
	{ "buffer_take, SPSC", make_buffer_spsc, buffer_take, NULL, give_item, end_buffer },
	{ "buffer_put, SPSC", make_buffer_spsc, buffer_put, NULL, take_item, end_buffer },
	{ "buffer_loan, SPSC", make_buffer_spsc, buffer_loan, NULL, take_item, end_buffer },
	{ "buffer_get, LATEST", make_buffer_latest, buffer_get, NULL, give_item, end_buffer },
	{ "buffer_take, LATEST", make_buffer_latest, buffer_take, NULL, give_item, end_buffer },
	{ "region_lock", make_region, region_lock, NULL, unlock, end_region },
	{ "region_wait", make_region, region_wait, NULL, notify, end_region },
	{ "link_receive", make_process, link_receive, accept_child, link_give, end_process },
	{ "link_receive, behind another thread", make_process, link_receive_behind, accept_child, link_give_two, end_process },
	{ "link_take", make_process, link_take, accept_child, link_give, end_process },
	{ "link_send", make_process, link_send, accept_child, link_take_all, end_process },
	{ "link_loan", make_process, link_loan, accept_child, link_take_all, end_process },
	{ "link_call", make_process, link_call, accept_child, link_answer, end_process },
	{ "link_call_finish", make_process, link_call_finish, accept_child, link_answer, end_process },
	{ "process_receive", make_process, process_receive, NULL, process_give, end_process },
	{ "process_receive, behind another thread", make_process, process_receive_behind, NULL, process_give_two, end_process },
	{ "process_accept", make_process, process_accept, NULL, process_connect, end_process },
	{ "process_send, nobody there", make_nothing, process_send, NULL, process_appear_and_receive, end_process },
	{ "process_send, no room", make_process, process_send_full, accept_child, process_take_all, end_process },
	{ "process_link, nobody there", make_nothing, process_link, NULL, process_appear, end_process },
};

static void handler(int number)
{
	(void)number;
	atomic_fetch_add(&shared->handled, 1);
}

static int handler_flags;

static int be_child(void *data)
{
	const struct way *way = data;
	struct sigaction action = { .sa_handler = handler, .sa_flags = handler_flags };

	child_equal(sigaction(SIGUSR1, &action, NULL), 0);
	atomic_store(&shared->result, way->wait());
	atomic_store(&shared->ended, 1);
	child_check(eventually_at_least(&shared->leave, 1));
	_exit(0); /* another thread may wait still */
}

static void stop_and_continue(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(pid, SIGCONT), 0);
}

enum disturbance { HANDLER, STOP };
enum { PAUSES_A_SIGNAL = 100, SIGNALS_MAX = 100 * PAUSES_A_SIGNAL };

/* Let a child wait, disturb it, and see what its call says. */
static void disturb(const struct way *way, enum disturbance what, int wanted)
{
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	way->make();
	pid = child_start(be_child, (void *)way);
	if (way->meet)
		way->meet();
	assert_true(eventually_at_least(&shared->about, 1));
	child_await_sleep(pid);
	if (what == STOP) {
		stop_and_continue(pid);
	} else {
		assert_int_equal(kill(pid, SIGUSR1), 0);
		assert_true(eventually_at_least(&shared->handled, 1));
		/* A handler that runs in the moment between two slices is not seen, as the headers say: so it runs again, and again. */
		for (int i = 1; wanted == -EINTR && !atomic_load(&shared->ended) && i < SIGNALS_MAX; i++) {
			pause_briefly();
			if (i % PAUSES_A_SIGNAL == 0)
				kill(pid, SIGUSR1);
		}
	}
	if (wanted == 0) {
		child_await_sleep(pid); /* it goes on */
		if (atomic_load(&shared->ended))
			fail_msg("%s: it ended with %lld, though nothing had come", way->name, (long long)atomic_load(&shared->result));
		way->let_go();
	}
	if (!eventually_at_least(&shared->ended, 1))
		fail_msg("%s hangs (handler %d, sa_flags %x, flags %x)", way->name, what == HANDLER, handler_flags, flags);
	if (atomic_load(&shared->result) != wanted)
		fail_msg("%s said %lld, not %d (handler %d, sa_flags %x, flags %x)", way->name, (long long)atomic_load(&shared->result), wanted,
			 what == HANDLER, handler_flags, flags);
	atomic_store(&shared->leave, 1);
	assert_int_equal(child_end(pid), 0);
	way->end();
}

static void each(enum disturbance what, int sa_flags, uint32_t of_flags, int wanted)
{
	handler_flags = sa_flags;
	flags = of_flags;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		disturb(&ways[i], what, wanted);
}

static void a_handler_ends_the_wait(void **state)
{
	(void)state;
	each(HANDLER, 0, 0, -EINTR);
}

static void with_sa_restart_as_well(void **state)
{
	(void)state;
	each(HANDLER, SA_RESTART, 0, -EINTR);
}

static void with_pabal_restart_it_goes_on(void **state)
{
	(void)state;
	each(HANDLER, 0, PABAL_RESTART, 0);
	each(HANDLER, SA_RESTART, PABAL_RESTART, 0);
}

static void a_stop_is_no_signal(void **state)
{
	(void)state;
	each(STOP, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handler_ends_the_wait),
		cmocka_unit_test(with_sa_restart_as_well),
		cmocka_unit_test(with_pabal_restart_it_goes_on),
		cmocka_unit_test(a_stop_is_no_signal),
	};

	shared = shared_memory(sizeof *shared);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
