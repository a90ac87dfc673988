/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_many - pabal_wait_many(): what ends it, and what does not, for each kind of object.
 *
 * No wait here that is to end has a time limit, the wait slices are endless (noslice), and nothing else happens that could end it: what is lost hangs. That a wait goes on sleeping is seen from outside: its
 * thread sleeps in the kernel, which one that looks again and again never does.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model/descriptor.h"
#include "support/support.h"

#define BOPTS(...) (&(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), __VA_ARGS__ })
#define POPTS(...) (&(struct pabal_process_opts){ .struct_size = sizeof(struct pabal_process_opts), __VA_ARGS__ })

enum kind { MAILBOX, BUFFER, SPSC, LATEST, LINK, PROCESS, KINDS };

/* One object, and the handle that is waited for. */
struct thing {
	enum kind kind;
	void *handle;
	pabal_mailbox *mailbox;
	pabal_buffer *buffer, *other; /* other: who puts, or gets, for SPSC has one of each */
	pabal_process *self;
	pabal_link *link;
	pid_t peer;
};

struct orders {
	_Atomic uint64_t to_send, sent;
};

static struct orders *orders;

static int peer(void *unused)
{
	pabal_process *self;
	pabal_link *link;

	(void)unused;
	child_equal(pabal_process_announce("peer", NULL, &self), 0);
	child_equal(pabal_process_accept(self, &link, PABAL_FOREVER), 0);
	for (uint64_t i = 1; i != 0; i++) { /* until it is killed */
		while (atomic_load(&orders->to_send) < i)
			pause_briefly();
		child_equal(pabal_link_send(link, "x", 1, PABAL_NOWAIT), 0);
		atomic_store(&orders->sent, i);
	}
	return 0;
}

static void make_buffer(struct thing *thing, uint32_t form, uint32_t flags)
{
	assert_int_equal(pabal_buffer_create("o", 1, 2, BOPTS(.flags = form | flags), &thing->buffer), 0);
	assert_int_equal(pabal_buffer_open("o", NULL, &thing->other), 0);
	thing->handle = thing->buffer;
}

static void make(struct thing *thing, enum kind kind, uint32_t flags)
{
	*thing = (struct thing){ .kind = kind };
	switch (kind) {
	case MAILBOX:
		assert_int_equal(pabal_mailbox_create("o", OPTS(.capacity = 2, .flags = flags), &thing->mailbox), 0);
		thing->handle = thing->mailbox;
		return;
	case BUFFER:
		make_buffer(thing, 0, flags);
		return;
	case SPSC:
		make_buffer(thing, PABAL_BUFFER_SPSC, flags);
		return;
	case LATEST:
		make_buffer(thing, PABAL_BUFFER_LATEST, flags);
		return;
	default:
		atomic_store(&orders->to_send, 0);
		atomic_store(&orders->sent, 0);
		thing->peer = child_start(peer, NULL);
		assert_int_equal(pabal_process_announce("me", POPTS(.flags = flags), &thing->self), 0);
		assert_int_equal(pabal_process_link(thing->self, "peer", &thing->link, PABAL_FOREVER), 0);
		thing->handle = kind == LINK ? (void *)thing->link : thing->self;
		return;
	}
}

/* Its end, for those who wait for that. */
static void destroy(struct thing *thing)
{
	if (thing->kind == MAILBOX)
		assert_int_equal(pabal_mailbox_destroy("o"), 0);
	else if (thing->kind < LINK)
		assert_int_equal(pabal_buffer_destroy("o"), 0);
	else
		child_kill(thing->peer);
}

static void close_thing(struct thing *thing)
{
	pabal_mailbox_close(thing->mailbox);
	pabal_buffer_close(thing->buffer);
	pabal_buffer_close(thing->other);
	pabal_process_close(thing->self);
	if (thing->kind >= LINK)
		assert_true(pabal_gc(NULL) >= 0);
}

static void end(struct thing *thing)
{
	destroy(thing);
	close_thing(thing);
}

/* One more to be received. */
static void put(struct thing *thing)
{
	if (thing->kind == MAILBOX) {
		assert_int_equal(pabal_mailbox_send(thing->mailbox, "x", 1, PABAL_NOWAIT), 0);
	} else if (thing->kind < LINK) {
		assert_int_equal(pabal_buffer_put(thing->other, "x", 1, NULL, PABAL_NOWAIT), 0);
	} else {
		uint64_t count = atomic_fetch_add(&orders->to_send, 1) + 1;

		assert_true(eventually_at_least(&orders->sent, count));
	}
}

static int get(const struct thing *thing, int64_t timeout_ns)
{
	char byte;

	if (thing->kind == MAILBOX)
		return pabal_mailbox_receive(thing->mailbox, &byte, 1, NULL, timeout_ns);
	if (thing->kind < LINK)
		return pabal_buffer_get(thing->buffer, &byte, 1, NULL, timeout_ns);
	if (thing->kind == LINK)
		return pabal_link_receive(thing->link, &byte, 1, NULL, timeout_ns);
	return pabal_process_receive(thing->self, NULL, NULL, &byte, 1, NULL, timeout_ns);
}

/* No assertion: a signal handler calls it. */
static int interrupt(const struct thing *thing)
{
	if (thing->kind == MAILBOX)
		return pabal_mailbox_interrupt(thing->mailbox);
	if (thing->kind < LINK)
		return pabal_buffer_interrupt(thing->buffer);
	return thing->kind == LINK ? pabal_link_interrupt(thing->link) : pabal_process_interrupt(thing->self);
}

static int wait_for(const struct thing *thing, uint32_t events, uint32_t *ret_events, int64_t timeout_ns)
{
	struct pabal_wait item = { .object = thing->handle, .events = events, .ret_events = 77 };
	uint32_t count = 77;
	int r = pabal_wait_many(&item, 1, &count, timeout_ns);

	if (r == 0)
		assert_int_equal(count, 1);
	if (ret_events)
		*ret_events = item.ret_events;
	return r;
}

static int await(const struct thing *thing, int64_t timeout_ns)
{
	return wait_for(thing, PABAL_READABLE, NULL, timeout_ns);
}

static void before_there_is_a_descriptor(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;

		make(&thing, kind, 0);
		assert_int_equal(interrupt(&thing), 0);
		assert_int_equal(await(&thing, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(await(&thing, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(await(&thing, 1000000), -ETIMEDOUT);
		end(&thing);
	}
}

/* A call that does not wait empties the descriptor, and ends no wait: the interrupt is still kept. It ends one wait, of whichever call. */
static void kept_over_calls_that_do_not_wait(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;

		make(&thing, kind, 0);
		assert_int_equal(await(&thing, PABAL_NOWAIT), -EAGAIN);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(interrupt(&thing), 0);
			assert_int_equal(interrupt(&thing), 0);
			assert_int_equal(get(&thing, PABAL_NOWAIT), -EAGAIN);
			assert_int_equal(await(&thing, PABAL_NOWAIT), -EAGAIN);
			if (i == 0)
				assert_int_equal(await(&thing, PABAL_FOREVER), -ECANCELED);
			else
				assert_int_equal(get(&thing, PABAL_FOREVER), -ECANCELED);
			assert_int_equal(get(&thing, 1000000), -ETIMEDOUT);
			assert_int_equal(await(&thing, 1000000), -ETIMEDOUT);
		}
		end(&thing);
	}
}

static void what_is_ready_comes_first(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;

		make(&thing, kind, 0);
		for (int i = 0; i < 2; i++) {
			put(&thing);
			assert_int_equal(interrupt(&thing), 0);
			assert_int_equal(await(&thing, PABAL_FOREVER), 0);
			assert_int_equal(get(&thing, PABAL_FOREVER), 0);
			assert_int_equal(await(&thing, PABAL_FOREVER), -ECANCELED); /* no call has said "not now" */
			assert_int_equal(await(&thing, 1000000), -ETIMEDOUT);
		}
		end(&thing);
	}
}

struct sleeper {
	pthread_t thread;
	const struct thing *thing;
	_Atomic pid_t tid;
	uint32_t events, ret_events; /* events: 0: get() */
	int result;
};

static void *sleep_in_a_thread(void *data)
{
	struct sleeper *sleeper = data;

	atomic_store(&sleeper->tid, (pid_t)syscall(SYS_gettid));
	sleeper->result =
		sleeper->events ? wait_for(sleeper->thing, sleeper->events, &sleeper->ret_events, PABAL_FOREVER) : get(sleeper->thing, PABAL_FOREVER);
	return NULL;
}

static bool has_begun(void *data)
{
	return atomic_load(&((struct sleeper *)data)->tid) != 0;
}

/* One after the other, so that what they sleep in is their wait. */
static void begin(struct sleeper *sleeper, const struct thing *thing, uint32_t events)
{
	*sleeper = (struct sleeper){ .thing = thing, .events = events };
	assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_in_a_thread, sleeper), 0);
	assert_true(eventually(has_begun, sleeper));
	child_await_sleep(atomic_load(&sleeper->tid));
}

static int result_of(struct sleeper *sleeper)
{
	assert_int_equal(pthread_join(sleeper->thread, NULL), 0);
	return sleeper->result;
}

static void one_interrupt_ends_all(void **state)
{
	enum { SLEEPERS = 4, ROUNDS = 5 };

	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct sleeper sleepers[SLEEPERS];
		struct thing thing;

		make(&thing, kind, 0);
		for (int round = 0; round < ROUNDS; round++) {
			for (int i = 0; i < SLEEPERS; i++)
				begin(&sleepers[i], &thing, i == round ? 0 : PABAL_READABLE); /* in the last one nobody is in another call */
			assert_int_equal(interrupt(&thing), 0);
			for (int i = 0; i < SLEEPERS; i++)
				assert_int_equal(result_of(&sleepers[i]), -ECANCELED);
			assert_int_equal(await(&thing, 1000000), -ETIMEDOUT);
		}
		end(&thing);
	}
}

struct turns {
	const struct thing *thing;
	_Atomic uint64_t go, ended;
	_Atomic pid_t tid;
	uint64_t count;
};

static void *wait_in_turns(void *data)
{
	struct turns *turns = data;

	atomic_store(&turns->tid, (pid_t)syscall(SYS_gettid));
	for (uint64_t i = 1; i <= turns->count; i++) {
		while (atomic_load(&turns->go) < i)
			sched_yield();
		if (await(turns->thing, PABAL_FOREVER) != -ECANCELED)
			return NULL;
		atomic_fetch_add(&turns->ended, 1);
	}
	return data;
}

static bool waiter_sleeps(void *data)
{
	pid_t tid = atomic_load(&((struct turns *)data)->tid);

	return tid && process_state(tid) == 'S';
}

/* At whatever moment it comes, an interrupt ends one wait, and no more than that: before the wait begins, as it begins, and while it sleeps. */
static void one_interrupt_a_wait(void **state)
{
	enum { TURNS = 300 };

	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct turns turns = { .count = TURNS };
		struct thing thing;
		pthread_t thread;
		void *result;

		make(&thing, kind, 0);
		turns.thing = &thing;
		assert_int_equal(pthread_create(&thread, NULL, wait_in_turns, &turns), 0);
		for (uint64_t i = 1; i <= TURNS; i++) {
			if (i % 3)
				atomic_store(&turns.go, i);
			if (i % 3 == 2)
				assert_true(eventually(waiter_sleeps, &turns));
			assert_int_equal(interrupt(&thing), 0);
			atomic_store(&turns.go, i);
			assert_true(eventually_at_least(&turns.ended, i));
		}
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_ptr_equal(result, &turns);
		assert_int_equal(await(&thing, 1000000), -ETIMEDOUT);
		end(&thing);
	}
}

/* Who waits for the end alone sleeps, whatever else happens, and is told of it though others empty what tells them. */
static void the_end_alone(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < PROCESS; kind++) {
		struct sleeper first, second, reader;
		struct thing thing;

		make(&thing, kind, 0);
		put(&thing);
		assert_int_equal(wait_for(&thing, PABAL_HANGUP, NULL, PABAL_NOWAIT), -EAGAIN);
		begin(&first, &thing, PABAL_HANGUP);
		begin(&second, &thing, PABAL_HANGUP);
		for (int i = 0; i < 10; i++) {
			assert_int_equal(get(&thing, PABAL_NOWAIT), 0);
			assert_int_equal(get(&thing, PABAL_NOWAIT), -EAGAIN);
			assert_int_equal(await(&thing, PABAL_NOWAIT), -EAGAIN);
			begin(&reader, &thing, PABAL_READABLE | PABAL_HANGUP);
			put(&thing);
			assert_int_equal(result_of(&reader), 0);
			assert_int_equal(reader.ret_events, PABAL_READABLE);
		}
		child_await_sleep(atomic_load(&first.tid));
		child_await_sleep(atomic_load(&second.tid));
		assert_int_equal(interrupt(&thing), 0);
		assert_int_equal(result_of(&first), -ECANCELED);
		assert_int_equal(result_of(&second), -ECANCELED);
		begin(&first, &thing, PABAL_HANGUP);
		begin(&second, &thing, PABAL_HANGUP);
		destroy(&thing);
		assert_int_equal(result_of(&first), 0);
		assert_int_equal(first.ret_events, PABAL_HANGUP);
		assert_int_equal(result_of(&second), 0);
		assert_int_equal(second.ret_events, PABAL_HANGUP);
		assert_int_equal(wait_for(&thing, PABAL_READABLE | PABAL_HANGUP, &first.ret_events, PABAL_FOREVER), 0);
		assert_int_equal(first.ret_events, PABAL_READABLE | PABAL_HANGUP);
		close_thing(&thing);
	}
}

static void *empty_again_and_again(void *data)
{
	const struct thing *thing = data;
	int r;

	do
		r = get(thing, PABAL_NOWAIT);
	while (r == -EAGAIN);
	return as_pointer((uintptr_t)-r);
}

/* The destroy tells once; others who find nothing to read empty the same descriptor meanwhile. */
static void the_end_while_others_empty_it(void **state)
{
	enum { ROUNDS = 100 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct sleeper sleeper = { .events = PABAL_HANGUP };
		struct thing thing;
		pthread_t thread;
		void *result;

		make(&thing, round % 2 ? MAILBOX : BUFFER, 0);
		sleeper.thing = &thing;
		assert_int_equal(pthread_create(&thread, NULL, empty_again_and_again, &thing), 0);
		assert_int_equal(pthread_create(&sleeper.thread, NULL, sleep_in_a_thread, &sleeper), 0);
		if (round % 4 < 2) {
			assert_true(eventually(has_begun, &sleeper));
			child_await_sleep(atomic_load(&sleeper.tid));
		}
		destroy(&thing);
		assert_int_equal(result_of(&sleeper), 0);
		assert_int_equal(sleeper.ret_events, PABAL_HANGUP);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_int_equal((uintptr_t)result, ESHUTDOWN);
		close_thing(&thing);
	}
}

/* It is destroyed between the look and the emptying. */
static bool destroy_after_the_look(pabal_mailbox *mailbox, uint32_t event)
{
	(void)event;
	if (pabal__object_ended(&mailbox->segment))
		return true;
	assert_int_equal(pabal_mailbox_destroy("o"), 0);
	return false;
}

static void who_swallows_the_news_of_the_end_passes_it_on(void **state)
{
	struct pabal__nudge *nudge;
	struct thing thing;

	(void)state;
	make(&thing, MAILBOX, 0);
	assert_true(pabal_mailbox_fd(thing.mailbox, PABAL_READABLE) >= 0);
	assert_int_equal(pabal__nudge_claim(&thing.mailbox->nudges, &nudge), 0);
	assert_true(pabal__descriptor_verify(thing.mailbox, PABAL_READABLE, destroy_after_the_look));
	assert_int_equal(poll(&(struct pollfd){ .fd = nudge->fd, .events = POLLIN }, 1, 0), 1);
	close_thing(&thing);
}

static void the_end_of_a_process_handle_is_refused(void **state)
{
	struct thing thing;

	(void)state;
	make(&thing, PROCESS, 0);
	assert_int_equal(wait_for(&thing, PABAL_HANGUP, NULL, PABAL_FOREVER), -EINVAL);
	assert_int_equal(wait_for(&thing, PABAL_READABLE | PABAL_HANGUP, NULL, PABAL_NOWAIT), -EAGAIN);
	end(&thing);
}

static void fill(const struct thing *thing)
{
	static const char large[900];
	int r = 0;

	while (r == 0)
		r = thing->kind == MAILBOX ? pabal_mailbox_send(thing->mailbox, "x", 1, PABAL_NOWAIT)
		    : thing->kind < LINK   ? pabal_buffer_put(thing->buffer, "x", 1, NULL, PABAL_NOWAIT)
					   : pabal_link_send(thing->link, large, sizeof large, PABAL_NOWAIT);
	assert_int_equal(r, -EAGAIN);
}

/* That there is something to read is nothing to who waits for room. */
static void room_or_the_end(void **state)
{
	static const enum kind kinds[] = { MAILBOX, BUFFER, SPSC, LINK };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct sleeper sleeper;
		struct thing thing;

		make(&thing, kinds[i], 0);
		if (kinds[i] == LINK)
			put(&thing);
		fill(&thing);
		begin(&sleeper, &thing, PABAL_WRITABLE | PABAL_HANGUP);
		destroy(&thing);
		assert_int_equal(result_of(&sleeper), 0);
		assert_int_equal(sleeper.ret_events, PABAL_WRITABLE | PABAL_HANGUP);
		close_thing(&thing);
	}
}

static void the_same_one_twice(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;
		struct pabal_wait items[2];
		uint32_t count;

		make(&thing, kind, 0);
		items[0] = items[1] = (struct pabal_wait){ .object = thing.handle, .events = PABAL_READABLE };
		if (kind != PROCESS)
			items[1].events |= PABAL_HANGUP;
		assert_int_equal(interrupt(&thing), 0);
		assert_int_equal(pabal_wait_many(items, 2, &count, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(pabal_wait_many(items, 2, &count, 1000000), -ETIMEDOUT);
		put(&thing);
		assert_int_equal(pabal_wait_many(items, 2, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 2);
		assert_int_equal(items[0].ret_events, PABAL_READABLE);
		assert_int_equal(items[1].ret_events, PABAL_READABLE);
		assert_int_equal(get(&thing, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_wait_many(items, 2, &count, PABAL_NOWAIT), -EAGAIN);
		end(&thing);
	}
}

/* An interrupt is for one handle of an object: a wait on both of them ends, one on the other does not. */
static void both_handles_of_one(void **state)
{
	struct thing thing, other = { .kind = BUFFER };
	struct pabal_wait items[2];

	(void)state;
	make(&thing, BUFFER, 0);
	other.handle = other.buffer = thing.other;
	items[0] = (struct pabal_wait){ .object = thing.buffer, .events = PABAL_READABLE };
	items[1] = (struct pabal_wait){ .object = thing.other, .events = PABAL_READABLE };
	for (int i = 0; i < 2; i++) {
		assert_int_equal(interrupt(i ? &thing : &other), 0);
		assert_int_equal(await(i ? &other : &thing, 1000000), -ETIMEDOUT);
		assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(pabal_wait_many(items, 2, NULL, 1000000), -ETIMEDOUT);
	}
	put(&thing);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
	assert_int_equal(items[0].ret_events, PABAL_READABLE);
	assert_int_equal(items[1].ret_events, PABAL_READABLE);
	end(&thing);
}

/* Each message is told by the link; the process handle tells of what has no descriptor of its own. */
static void a_link_and_its_process(void **state)
{
	struct pabal_wait items[2];
	struct thing thing;

	(void)state;
	make(&thing, LINK, 0);
	items[0] = (struct pabal_wait){ .object = thing.self, .events = PABAL_READABLE };
	items[1] = (struct pabal_wait){ .object = thing.link, .events = PABAL_READABLE | PABAL_HANGUP };
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_NOWAIT), -EAGAIN);
		put(&thing);
		assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
		assert_int_equal(items[0].ret_events, 0);
		assert_int_equal(items[1].ret_events, PABAL_READABLE);
		assert_int_equal(get(&thing, PABAL_NOWAIT), 0);
	}
	assert_int_equal(pabal_process_interrupt(thing.self), 0);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_link_interrupt(thing.link), 0);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_wait_many(items, 2, NULL, 1000000), -ETIMEDOUT);
	destroy(&thing);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
	assert_int_equal(items[0].ret_events, 0);
	assert_int_equal(items[1].ret_events, PABAL_READABLE | PABAL_HANGUP);
	close_thing(&thing);
}

static int link_and_die(void *unused)
{
	pabal_process *self;
	pabal_link *link;

	(void)unused;
	child_equal(pabal_process_announce(NULL, NULL, &self), 0);
	child_equal(pabal_process_link(self, "me", &link, PABAL_FOREVER), 0);
	kill(getpid(), SIGKILL);
	return 1;
}

/* Who comes is told until pabal_process_accept() says that there is nobody: a send that says "not now", and a message that is received, say nothing about that. */
static void who_links_is_told_until_accept_says_not_now(void **state)
{
	struct thing thing;
	pabal_link *link;

	(void)state;
	make(&thing, PROCESS, 0);
	for (int i = 0; i < 5; i++) {
		pid_t child = child_start(link_and_die, NULL);

		assert_int_equal(await(&thing, PABAL_FOREVER), 0);
		put(&thing);
		assert_int_equal(get(&thing, PABAL_FOREVER), 0);
		assert_int_equal(pabal_process_send(thing.self, "nobody", "x", 1, PABAL_NOWAIT), -ENOENT);
		assert_int_equal(await(&thing, PABAL_FOREVER), 0);
		assert_int_equal(pabal_process_accept(thing.self, &link, PABAL_FOREVER), 0);
		assert_int_equal(child_end(child), -SIGKILL);
		pabal_link_close(link);
		assert_int_equal(await(&thing, PABAL_NOWAIT), -EAGAIN);
	}
	end(&thing);
}

static struct thing *interrupted_by_handler;

static void on_signal(int number)
{
	(void)number;
	interrupt(interrupted_by_handler);
}

static int signal_the_parent(void *unused)
{
	(void)unused;
	child_await_sleep(getppid());
	child_check(kill(getppid(), SIGUSR1) == 0);
	return 0;
}

/* The handler interrupts what its own thread sleeps on; the signal itself is told only where there was no interrupt. */
static void from_a_handler(void **state)
{
	(void)state;
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESTART }, NULL);
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		for (int i = 0; i < 2; i++) {
			struct thing thing;
			pid_t child;

			make(&thing, kind, i ? PABAL_RESTART : 0);
			interrupted_by_handler = &thing;
			child = child_start(signal_the_parent, NULL);
			assert_int_equal(await(&thing, PABAL_FOREVER), -ECANCELED);
			assert_int_equal(child_end(child), 0);
			assert_int_equal(await(&thing, 1000000), -ETIMEDOUT);
			end(&thing);
		}
	}
}

/* A handle whose descriptors the program has closed tells nothing any more: that is said, where it would be looked at for ever. */
static int close_a_descriptor(void *unused)
{
	pabal_buffer *buffer;
	struct pabal_wait item = { .events = PABAL_READABLE };
	int fd;

	(void)unused;
	child_equal(pabal_buffer_create("o", 1, 2, NULL, &buffer), 0);
	item.object = buffer;
	child_equal(pabal_wait_many(&item, 1, NULL, 1000000), -ETIMEDOUT);
	fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	child_check(close(fd) == 0);
	child_equal(pabal_wait_many(&item, 1, NULL, PABAL_FOREVER), -EBADF);
	pabal_buffer_close(buffer);
	child_equal(pabal_buffer_destroy("o"), 0);
	return 0;
}

static void closed_behind_its_back(void **state)
{
	(void)state;
	child_run(close_a_descriptor, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_there_is_a_descriptor),
		cmocka_unit_test(kept_over_calls_that_do_not_wait),
		cmocka_unit_test(what_is_ready_comes_first),
		cmocka_unit_test(one_interrupt_ends_all),
		cmocka_unit_test(one_interrupt_a_wait),
		cmocka_unit_test(the_end_alone),
		cmocka_unit_test(the_end_while_others_empty_it),
		cmocka_unit_test(who_swallows_the_news_of_the_end_passes_it_on),
		cmocka_unit_test(the_end_of_a_process_handle_is_refused),
		cmocka_unit_test(room_or_the_end),
		cmocka_unit_test(the_same_one_twice),
		cmocka_unit_test(both_handles_of_one),
		cmocka_unit_test(a_link_and_its_process),
		cmocka_unit_test(who_links_is_told_until_accept_says_not_now),
		cmocka_unit_test(from_a_handler),
		cmocka_unit_test(closed_behind_its_back),
	};

	orders = shared_memory(sizeof *orders);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
