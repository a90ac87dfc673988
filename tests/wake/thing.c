/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/thing.c - making, using and ending the objects of wake/thing.h.
 */
#include "wake/thing.h"

#include <sys/syscall.h>
#include <unistd.h>

#define BOPTS(...) (&(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), __VA_ARGS__ })
#define POPTS(...) (&(struct pabal_process_opts){ .struct_size = sizeof(struct pabal_process_opts), __VA_ARGS__ })

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

void thing_make(struct thing *thing, enum kind kind, uint32_t flags)
{
	if (!orders)
		orders = shared_memory(sizeof *orders);
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

void thing_destroy(struct thing *thing)
{
	if (thing->kind == MAILBOX)
		assert_int_equal(pabal_mailbox_destroy("o"), 0);
	else if (thing->kind < LINK)
		assert_int_equal(pabal_buffer_destroy("o"), 0);
	else
		child_kill(thing->peer);
}

void thing_close(struct thing *thing)
{
	pabal_mailbox_close(thing->mailbox);
	pabal_buffer_close(thing->buffer);
	pabal_buffer_close(thing->other);
	pabal_process_close(thing->self);
	if (thing->kind >= LINK)
		assert_true(pabal_gc(NULL) >= 0);
}

void thing_end(struct thing *thing)
{
	thing_destroy(thing);
	thing_close(thing);
}

void thing_put(struct thing *thing)
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

int thing_get(const struct thing *thing, int64_t timeout_ns)
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

int thing_interrupt(const struct thing *thing)
{
	if (thing->kind == MAILBOX)
		return pabal_mailbox_interrupt(thing->mailbox);
	if (thing->kind < LINK)
		return pabal_buffer_interrupt(thing->buffer);
	return thing->kind == LINK ? pabal_link_interrupt(thing->link) : pabal_process_interrupt(thing->self);
}

int thing_wait(const struct thing *thing, uint32_t events, uint32_t *ret_events, int64_t timeout_ns)
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

int thing_await(const struct thing *thing, int64_t timeout_ns)
{
	return thing_wait(thing, PABAL_READABLE, NULL, timeout_ns);
}

void *sleeper_body(void *data)
{
	struct sleeper *sleeper = data;

	atomic_store(&sleeper->tid, (pid_t)syscall(SYS_gettid));
	sleeper->result = sleeper->events ? thing_wait(sleeper->thing, sleeper->events, &sleeper->ret_events, PABAL_FOREVER)
					  : thing_get(sleeper->thing, PABAL_FOREVER);
	return NULL;
}

bool sleeper_has_begun(void *data)
{
	return atomic_load(&((struct sleeper *)data)->tid) != 0;
}

void sleeper_begin(struct sleeper *sleeper, const struct thing *thing, uint32_t events)
{
	*sleeper = (struct sleeper){ .thing = thing, .events = events };
	assert_int_equal(pthread_create(&sleeper->thread, NULL, sleeper_body, sleeper), 0);
	assert_true(eventually(sleeper_has_begun, sleeper));
	child_await_sleep(atomic_load(&sleeper->tid));
}

int sleeper_result(struct sleeper *sleeper)
{
	assert_int_equal(pthread_join(sleeper->thread, NULL), 0);
	return sleeper->result;
}
