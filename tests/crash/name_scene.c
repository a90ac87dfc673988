/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/name_scene.c - the victim and its calls, and the processes around it.
 */
#include "crash/name_scene.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash/step.h"

#define FROM_VICTIM "from the victim"
#define FROM_NEWCOMER "from the newcomer"

const char *name_victim = "victim";

static const struct pabal_process_opts blocking = { .struct_size = sizeof blocking, .flags = PABAL_WAIT_BLOCK, .memory_max = 65536 };

static int run_announce(struct name_victim *victim)
{
	return pabal_process_announce(name_victim, &blocking, &victim->self);
}

static int run_link(struct name_victim *victim)
{
	return pabal_process_link(victim->self, NAME_OTHER, &victim->link, PABAL_FOREVER);
}

static int run_accept(struct name_victim *victim)
{
	return pabal_process_accept(victim->self, &victim->link, PABAL_FOREVER);
}

static int run_send(struct name_victim *victim)
{
	return pabal_process_send(victim->self, NAME_OTHER, FROM_VICTIM, sizeof FROM_VICTIM, PABAL_FOREVER);
}

static int run_receive(struct name_victim *victim)
{
	return pabal_process_receive(victim->self, NAME_OTHER, NULL, victim->buffer, sizeof victim->buffer, &victim->size, PABAL_FOREVER);
}

static int run_link_close(struct name_victim *victim)
{
	victim->link = pabal_link_close(victim->link);
	return 0;
}

static int run_close(struct name_victim *victim)
{
	victim->self = pabal_process_close(victim->self);
	victim->link = NULL;
	return 0;
}

#define CELL(set) (1u << (set))

static const struct name_operation operations[] = {
	{ "announce", NAME_ANNOUNCES, NAME_ACCEPTS, CELL(0) | CELL(NAME_NAMED), run_announce },
	{ "announce-again", NAME_ANNOUNCES | NAME_OVER_DEAD, NAME_ACCEPTS, CELL(NAME_NAMED), run_announce },
	{ "link", 0, NAME_ACCEPTS, CELL(NAME_NAMED) | CELL(NAME_NAMED | NAME_LINKED), run_link },
	{ "link-crossed", 0, NAME_ASKS, CELL(NAME_NAMED), run_link },
	{ "accept", 0, NAME_ASKS, CELL(NAME_NAMED), run_accept },
	{ "send", 0, NAME_RECEIVES, CELL(NAME_NAMED), run_send },
	{ "receive", 0, NAME_SENDS, CELL(NAME_NAMED), run_receive },
	{ "link-close", NAME_LINKED_BEFORE, NAME_ACCEPTS, CELL(NAME_NAMED | NAME_LINKED | NAME_TALKED), run_link_close },
	{ "close", NAME_LINKED_BEFORE, NAME_ACCEPTS, CELL(NAME_LINKED | NAME_TALKED) | CELL(NAME_NAMED | NAME_LINKED | NAME_TALKED), run_close },
	{ NULL, 0, NAME_ACCEPTS, 0, NULL },
};

const struct name_operation *name_operation_find(const char *name)
{
	for (const struct name_operation *operation = operations; operation->name; operation++)
		if (strcmp(operation->name, name) == 0)
			return operation;
	return NULL;
}

void name_await(const _Atomic int *word)
{
	while (!atomic_load(word))
		usleep(20);
}

void crash_bind_now(char **argv)
{
	if (!getenv("LD_BIND_NOW")) {
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		exit(2);
	}
}

_Noreturn static void fail(struct name_shared *shared, const char *invariant, const char *what, int number)
{
	if (!shared->broken) {
		snprintf(shared->detail, sizeof shared->detail, "%s %d (%.60s)", what, number, number < 0 ? pabal_error_detail() : "");
		shared->broken = invariant;
	}
	_exit(1);
}

/* The operation, then, if it was not killed, an orderly end. */
void name_be_victim(const struct name_operation *operation, struct name_shared *shared)
{
	static struct name_victim victim;
	int r = 0;

	if (!(operation->effects & NAME_ANNOUNCES))
		r = run_announce(&victim);
	if (r == 0 && operation->effects & NAME_LINKED_BEFORE) {
		r = run_link(&victim);
		if (r == 0)
			r = pabal_link_send(victim.link, FROM_VICTIM, sizeof FROM_VICTIM, PABAL_FOREVER);
		name_await(&shared->received);
	}
	if (r < 0)
		_exit(1);
	crash_trace_me();
	crash_begin();
	r = operation->run(&victim);
	crash_end();
	shared->result = r;
	pabal_process_close(victim.self);
}

void name_be_predecessor(const struct name_operation *operation, struct name_shared *shared)
{
	pabal_process *self;

	(void)operation;
	if (pabal_process_announce(name_victim, &blocking, &self) < 0)
		fail(shared, "refused", "the predecessor cannot announce", -1);
	/* It dies as it stands. */
}

void name_be_rival(const struct name_operation *operation, struct name_shared *shared)
{
	pabal_process *self;
	int r = pabal_process_announce(name_victim, &blocking, &self);

	/* Whoever is closing has given the name up already, perhaps. */
	if (r == 0 && operation->run == run_close)
		pabal_process_close(self);
	else if (r != -EADDRINUSE)
		fail(shared, "stolen", "the stopped one has the name; a rival's announce says", r);
}

/* Takes the name at once, talks with the other one, goes. */
void name_be_newcomer(const struct name_operation *operation, struct name_shared *shared)
{
	char buffer[64];
	pabal_process *self;
	pabal_link *link;
	size_t size;
	int r;

	(void)operation;
	r = pabal_process_announce(name_victim, &blocking, &self);
	if (r < 0)
		fail(shared, "name_held", "the newcomer cannot announce", r);
	r = pabal_process_link(self, NAME_OTHER, &link, PABAL_FOREVER);
	if (r == 0)
		r = pabal_link_send(link, FROM_NEWCOMER, sizeof FROM_NEWCOMER, PABAL_FOREVER);
	while (r == 0 && (r = pabal_link_receive(link, buffer, sizeof buffer, &size, PABAL_FOREVER)) == 0)
		if (size == sizeof FROM_NEWCOMER && memcmp(buffer, FROM_NEWCOMER, size) == 0)
			break;
	if (r < 0)
		fail(shared, "refused", "the newcomer's link does not work", r);
	pabal_process_close(self);
}

static int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

/* One message on a link, or by name. true: the newcomer's. */
static bool judge(struct name_shared *shared, const char *data, size_t size)
{
	if (size == sizeof FROM_NEWCOMER && memcmp(data, FROM_NEWCOMER, size) == 0)
		return true;
	if (size != sizeof FROM_VICTIM || memcmp(data, FROM_VICTIM, size) != 0)
		fail(shared, "torn", "a message has bytes:", (int)size);
	if (atomic_fetch_add(&shared->received, 1))
		fail(shared, "doubled", "the victim's message came again:", shared->received);
	return false;
}

/* Links with this name, one after the other, until the newcomer has spoken and gone. */
static void serve_links(const struct name_operation *operation, struct name_shared *shared, pabal_process *self)
{
	bool answered = false;

	while (!answered) {
		char buffer[64];
		pabal_link *link;
		size_t size;
		int r = operation->other == NAME_ASKS ? pabal_process_link(self, name_victim, &link, PABAL_FOREVER)
						      : pabal_process_accept(self, &link, PABAL_FOREVER);

		if (r < 0)
			fail(shared, "refused", "no link to be had:", r);
		shared->links++;
		while ((r = pabal_link_receive(link, buffer, sizeof buffer, &size, PABAL_FOREVER)) == 0)
			if (judge(shared, buffer, size)) {
				answered = true;
				r = pabal_link_send(link, buffer, size, PABAL_FOREVER);
				if (r < 0)
					fail(shared, "refused", "no answer to the newcomer:", r);
			}
		if (r != -EOWNERDEAD && r != -EPIPE)
			fail(shared, "wrong_end", "a link ended with", r);
		if (pabal_link_send(link, "", 1, PABAL_FOREVER) != r)
			fail(shared, "wrong_end", "a send does not say", r);
		pabal_link_close(link);
	}
}

static void talk_by_name(const struct name_operation *operation, struct name_shared *shared, pabal_process *self)
{
	char buffer[64], peer[PABAL_NAME_SIZE];
	size_t size;
	int r = operation->other == NAME_SENDS ? pabal_process_send(self, name_victim, "to you", 7, PABAL_FOREVER) : 0;

	if (r < 0 && r != -EOWNERDEAD && r != -EPIPE)
		fail(shared, "wrong_end", "a send by name ended with", r);
	do {
		r = pabal_process_receive(self, NULL, peer, buffer, sizeof buffer, &size, PABAL_FOREVER);
		if (r < 0 || strcmp(peer, name_victim) != 0)
			fail(shared, "refused", "a receive from anyone ended with", r);
	} while (!judge(shared, buffer, size));
	/* An end that was not told yet is told now, once; then it goes to the newcomer. */
	r = pabal_process_send(self, name_victim, buffer, size, PABAL_FOREVER);
	if (r == -EOWNERDEAD || r == -EPIPE)
		r = pabal_process_send(self, name_victim, buffer, size, PABAL_FOREVER);
	if (r < 0)
		fail(shared, "refused", "no answer to the newcomer:", r);
	r = pabal_process_receive(self, name_victim, NULL, buffer, sizeof buffer, &size, PABAL_FOREVER);
	if (r != -EPIPE)
		fail(shared, "wrong_end", "the newcomer closed; a receive by name says", r);
}

void name_be_other(const struct name_operation *operation, struct name_shared *shared)
{
	int before = count_fds(), after, r;
	pabal_process *self;

	r = pabal_process_announce(NAME_OTHER, &blocking, &self);
	if (r < 0)
		fail(shared, "refused", "the other one cannot announce", r);
	shared->ready = 1;
	if (operation->other == NAME_ACCEPTS || operation->other == NAME_ASKS)
		serve_links(operation, shared, self);
	else
		talk_by_name(operation, shared, self);
	pabal_process_close(self);
	after = count_fds();
	if (after != before)
		fail(shared, "leaked", "descriptors more than before:", after - before);
}
