/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wait_many - pabal_wait_many() over every kind of object at once, while those who make something happen are killed before they told anybody.
 *
 * Nothing here waits with a limit, the wait slices are endless (noslice), and each time one thing happens, in one of the objects: if that is lost, the test hangs.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "buffer/items.h"

enum { ROUNDS = 60, CAPACITY = 4 };

/* What happens. The last three are told by a death alone. */
enum what { SENT, PUT, PUT_SPSC, PUT_LATEST, NOTIFIED, SENT_BY_LINK, TAKEN_BY_THE_DEAD, LINK_ENDS, KINDS };

enum place { MAILBOX, BUFFERS, PROCESS = BUFFERS + 3, IDLE_LINK, REGION, LINK, PLACES };

enum { EVENT = 7, EVENTS = 9 };

struct set {
	pabal_mailbox *mailbox;
	pabal_buffer *buffers[3];
	pabal_region *region;
	uint32_t notified; /* the number of the event that was seen */
	pabal_process *self;
	pabal_link *idle, *link;
	bool heard; /* the message of the link */
	pid_t idler;
	struct pabal_wait waits[PLACES];
	uint32_t count;
};

struct deed {
	enum what what;
	uint64_t id;
};

static const char *const names[3] = { "b", "spsc", "latest" };
static _Atomic uint64_t *ready, *unrung;

/* A peer that never says anything. */
static int idle(void *unused)
{
	pabal_process *self;
	pabal_link *link;

	(void)unused;
	child_equal(pabal_process_announce("idle", NULL, &self), 0);
	child_equal(pabal_process_accept(self, &link, PABAL_FOREVER), 0);
	child_wait_for_death();
}

static void set_up(struct set *set)
{
	static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

	*set = (struct set){ .idler = child_start(idle, NULL), .count = LINK };
	assert_int_equal(pabal_mailbox_create("m", NULL, &set->mailbox), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pabal_buffer_create(names[i], sizeof(struct item), CAPACITY, BOPTS(.flags = forms[i]), &set->buffers[i]), 0);
	assert_int_equal(pabal_region_create("r", sizeof(uint64_t),
					     &(struct pabal_region_opts){ .struct_size = sizeof(struct pabal_region_opts), .events = EVENTS },
					     &set->region),
			 0);
	assert_int_equal(pabal_process_announce("waiter", NULL, &set->self), 0);
	assert_int_equal(pabal_process_link(set->self, "idle", &set->idle, PABAL_FOREVER), 0);
	set->waits[MAILBOX] = (struct pabal_wait){ .object = set->mailbox, .events = PABAL_READABLE };
	for (int i = 0; i < 3; i++)
		set->waits[BUFFERS + i] = (struct pabal_wait){ .object = set->buffers[i], .events = PABAL_READABLE };
	set->waits[PROCESS] = (struct pabal_wait){ .object = set->self, .events = PABAL_READABLE };
	set->waits[REGION] = (struct pabal_wait){ .object = set->region, .events = PABAL_READABLE | PABAL_HANGUP | PABAL_EVENT(EVENT) };
	set->waits[IDLE_LINK] = (struct pabal_wait){ .object = set->idle, .events = PABAL_READABLE | PABAL_HANGUP };
}

static void tear_down(struct set *set)
{
	child_kill(set->idler);
	pabal_process_close(set->self);
	assert_int_equal(pabal_gc(NULL) < 0, false);
	expect_sound("m", NULL);
	expect_sound("r", NULL);
	pabal_region_close(set->region);
	assert_int_equal(pabal_region_destroy("r"), 0);
	pabal_mailbox_close(set->mailbox);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
	for (int i = 0; i < 3; i++) {
		expect_sound(names[i], NULL);
		pabal_buffer_close(set->buffers[i]);
		assert_int_equal(pabal_buffer_destroy(names[i]), 0);
	}
}

static void put_into(const char *name, uint64_t id)
{
	struct item item = item_of(id);
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open(name, NULL, &buffer), 0);
	pabal__fault_on = PABAL__FAULT_NO_RING;
	child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
}

static void notify(uint64_t id)
{
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	*(uint64_t *)pabal_region_data(region) = id;
	pabal__fault_on = PABAL__FAULT_POLLERS_UNTOLD;
	child_equal(pabal_region_notify(region, EVENT, UINT32_MAX), 0);
}

static void use_mailbox(const struct deed *deed)
{
	struct pabal_message message;
	pabal_mailbox *mailbox;

	child_equal(pabal_mailbox_open("m", NULL, &mailbox), 0);
	pabal__fault_on = PABAL__FAULT_NO_RING;
	if (deed->what == SENT)
		child_equal(pabal_mailbox_send(mailbox, &deed->id, sizeof deed->id, PABAL_NOWAIT), 0);
	else
		child_equal(pabal_mailbox_take(mailbox, NULL, &message, PABAL_NOWAIT), 0);
}

static void use_link(const struct deed *deed)
{
	pabal_process *self;
	pabal_link *link;

	child_equal(pabal_process_announce(NULL, NULL, &self), 0);
	child_equal(pabal_process_link(self, "waiter", &link, PABAL_FOREVER), 0);
	pabal__fault_on = PABAL__FAULT_NO_RING;
	if (deed->what == SENT_BY_LINK)
		child_equal(pabal_link_send(link, &deed->id, sizeof deed->id, PABAL_NOWAIT), 0);
}

/* It does its deed, rings nobody, and dies. */
static int act(void *data)
{
	const struct deed *deed = data;

	pabal__fault_hits = 0;
	switch (deed->what) {
	case PUT:
	case PUT_SPSC:
	case PUT_LATEST:
		put_into(names[deed->what - PUT], deed->id);
		break;
	case NOTIFIED:
		notify(deed->id);
		break;
	case SENT:
	case TAKEN_BY_THE_DEAD:
		use_mailbox(deed);
		break;
	default:
		use_link(deed);
		break;
	}
	atomic_fetch_add(unrung, pabal__fault_hits > 0);
	atomic_fetch_add(ready, 1);
	kill(getpid(), SIGKILL);
	return 1;
}

static bool look_into_mailbox(const struct set *set, const struct deed *deed)
{
	struct pabal_message message;
	bool came = false;
	int r;

	while ((r = pabal_mailbox_take(set->mailbox, NULL, &message, PABAL_NOWAIT)) == 0) {
		assert_true(deed->what == SENT || deed->what == TAKEN_BY_THE_DEAD);
		assert_int_equal(*(const uint64_t *)message.data, deed->id);
		assert_int_equal(message.delivery_count, deed->what == SENT ? 1 : 2);
		assert_int_equal(pabal_mailbox_release(set->mailbox, &message), 0);
		assert_false(came);
		came = true;
	}
	assert_int_equal(r, -EAGAIN);
	return came;
}

static bool look_into_buffer(const struct set *set, int form, const struct deed *deed)
{
	struct item item;
	bool came = false;
	int r;

	while ((r = pabal_buffer_get(set->buffers[form], &item, 1, NULL, PABAL_NOWAIT)) == 0) {
		assert_int_equal(deed->what, PUT + (enum what)form);
		assert_int_equal(item.id, deed->id);
		assert_true(item_is_whole(&item));
		assert_false(came);
		came = true;
	}
	assert_int_equal(r, -EAGAIN);
	return came;
}

static bool look_into_region(struct set *set, const struct deed *deed)
{
	uint32_t now;

	assert_int_equal(set->waits[REGION].ret_events, PABAL_READABLE); /* it has not ended */
	assert_int_equal(pabal_region_event(set->region, EVENT, &now), 0);
	assert_int_equal(now, ++set->notified);
	assert_int_equal(deed->what, NOTIFIED);
	assert_int_equal(*(const uint64_t *)pabal_region_data(set->region), deed->id);
	return true;
}

static void accept_links(struct set *set, const struct deed *deed)
{
	int r;

	while ((r = pabal_process_accept(set->self, &set->link, PABAL_NOWAIT)) == 0) {
		assert_true(deed->what == SENT_BY_LINK || deed->what == LINK_ENDS);
		assert_int_equal(set->count, LINK);
		set->waits[set->count++] = (struct pabal_wait){ .object = set->link, .events = PABAL_READABLE | PABAL_HANGUP };
		set->heard = false;
	}
	assert_int_equal(r, -EAGAIN);
}

/* What it sent comes first, then its end. */
static bool look_into_link(struct set *set, const struct deed *deed)
{
	uint64_t id;
	int r;

	while ((r = pabal_link_receive(set->link, &id, sizeof id, NULL, PABAL_NOWAIT)) == 0) {
		assert_int_equal(deed->what, SENT_BY_LINK);
		assert_int_equal(id, deed->id);
		assert_false(set->heard);
		set->heard = true;
	}
	if (r == -EAGAIN)
		return false;
	assert_int_equal(r, -EOWNERDEAD);
	assert_int_equal(set->heard, deed->what == SENT_BY_LINK);
	pabal_link_close(set->link);
	set->count = LINK;
	return true;
}

/* Look where something is said to have happened, and nowhere else. */
static bool look(struct set *set, const struct deed *deed)
{
	bool came = false;

	assert_int_equal(set->waits[IDLE_LINK].ret_events & PABAL_HANGUP, 0);
	if (set->waits[MAILBOX].ret_events)
		came |= look_into_mailbox(set, deed);
	for (int i = 0; i < 3; i++)
		if (set->waits[BUFFERS + i].ret_events)
			came |= look_into_buffer(set, i, deed);
	if (set->waits[REGION].ret_events)
		came |= look_into_region(set, deed);
	if (set->count > LINK && set->waits[LINK].ret_events)
		came |= look_into_link(set, deed);
	if (set->waits[PROCESS].ret_events)
		accept_links(set, deed);
	return came;
}

static void nothing_of_the_dead_is_lost(void **state)
{
	struct set set;

	(void)state;
	set_up(&set);
	for (uint64_t i = 0; i < (uint64_t)ROUNDS * KINDS; i++) {
		struct deed deed = { .what = (enum what)(i % KINDS), .id = i + 1 };
		uint64_t before = atomic_load(ready);
		pid_t child;

		if (deed.what == TAKEN_BY_THE_DEAD)
			assert_int_equal(pabal_mailbox_send(set.mailbox, &deed.id, sizeof deed.id, PABAL_NOWAIT), 0);
		child = child_start(act, &deed);
		if (deed.what == TAKEN_BY_THE_DEAD) /* or it would be found before it was taken */
			assert_true(eventually_at_least(ready, before + 1));
		do
			assert_int_equal(pabal_wait_many(set.waits, set.count, NULL, PABAL_FOREVER), 0);
		while (!look(&set, &deed));
		assert_int_equal(child_end(child), -SIGKILL);
	}
	assert_int_equal(atomic_load(ready), ROUNDS * KINDS);
	assert_true(atomic_load(unrung) > 0); /* some rang nobody who slept */
	tear_down(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_of_the_dead_is_lost),
	};

	ready = shared_memory(2 * sizeof *ready);
	unrung = ready + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
