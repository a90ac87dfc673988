/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiter.c - a process that waits as it is told, for test-why: each argument is a deed, done in order.
 *
 *   open=NAME      open a mailbox, and keep it open
 *   seconds=N      the waits that come give up after so long
 *   thread         start a thread that waits for nothing of pabal's
 *   receive=NAME   wait for a message in a mailbox that was opened
 *   also=NAME      start a thread that does so, once
 *   send=NAME      wait for room in one
 *   lock=REGION    take its lock 0, and keep it
 *   announce=NAME  be this process, from now on
 *   link=PEER      have the link with this one; a wait until it is there
 *   from=PEER      wait for a message from it, by its name
 *   take=PEER      the same, on the link
 *   call=PEER      wait for its reply
 *   fill=PEER      wait for room on the link
 *   anyone         wait for a message from any process
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pabal/pabal.h>

static struct {
	const char *name;
	pabal_mailbox *mailbox;
} opened[16];
static unsigned opened_count;
static int64_t timeout_ns = PABAL_FOREVER;
static pabal_process *self;
static pabal_link *peer_link;

static pabal_mailbox *find(const char *name)
{
	for (unsigned i = 0; i < opened_count; i++)
		if (strcmp(opened[i].name, name) == 0)
			return opened[i].mailbox;
	fprintf(stderr, "waiter: open=%s comes first\n", name);
	exit(2);
}

static int open_mailbox(const char *name)
{
	opened[opened_count].name = name;
	return pabal_mailbox_open(name, NULL, &opened[opened_count++].mailbox);
}

static void *idle(void *data)
{
	for (;;)
		pause();
	return data;
}

static int start_thread(void)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, idle, NULL);
}

static void *receive_one(void *data)
{
	char byte;

	pabal_mailbox_receive(data, &byte, 1, NULL, PABAL_FOREVER);
	return idle(NULL);
}

static int receive_also(pabal_mailbox *mailbox)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, receive_one, mailbox);
}

static int fill(pabal_mailbox *mailbox)
{
	int r = 0;

	while (r == 0)
		r = pabal_mailbox_send(mailbox, "x", 1, timeout_ns);
	return r;
}

static int lock(const char *name)
{
	static pabal_region *region; /* kept open until the end */
	int r = pabal_region_open(name, NULL, &region);

	return r < 0 ? r : pabal_region_lock(region, 0, timeout_ns);
}

static int fill_link(void)
{
	static char block[65536];
	int r = 0;

	while (r == 0)
		r = pabal_link_send(peer_link, block, sizeof(block), timeout_ns);
	return r;
}

static int act_as_process(const char *word, const char *value)
{
	char byte;

	if (strncmp(word, "announce=", 9) == 0)
		return pabal_process_announce(value, NULL, &self);
	if (strncmp(word, "link=", 5) == 0)
		return pabal_process_link(self, value, &peer_link, timeout_ns);
	if (strncmp(word, "from=", 5) == 0)
		return pabal_process_receive(self, value, NULL, &byte, 1, NULL, timeout_ns);
	if (strncmp(word, "take=", 5) == 0)
		return pabal_link_receive(peer_link, &byte, 1, NULL, timeout_ns);
	if (strncmp(word, "call=", 5) == 0)
		return pabal_link_call(peer_link, "x", 1, &byte, 1, NULL, timeout_ns);
	if (strncmp(word, "fill=", 5) == 0)
		return fill_link();
	return strcmp(word, "anyone") == 0 ? pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, timeout_ns) : -1;
}

static int act(const char *word)
{
	const char *value = strchr(word, '=');
	char byte;

	value = value ? value + 1 : "";
	if (strncmp(word, "open=", 5) == 0)
		return open_mailbox(value);
	if (strncmp(word, "receive=", 8) == 0)
		return pabal_mailbox_receive(find(value), &byte, 1, NULL, timeout_ns);
	if (strncmp(word, "also=", 5) == 0)
		return receive_also(find(value));
	if (strncmp(word, "send=", 5) == 0)
		return fill(find(value));
	if (strncmp(word, "lock=", 5) == 0)
		return lock(value);
	if (strncmp(word, "seconds=", 8) == 0) {
		timeout_ns = strtoll(value, NULL, 10) * 1000000000;
		return 0;
	}
	return strcmp(word, "thread") == 0 ? start_thread() : act_as_process(word, value);
}

int main(int argc, char **argv)
{
	int r = 0;

	for (int i = 1; i < argc && r == 0; i++)
		r = act(argv[i]);
	if (r < 0)
		fprintf(stderr, "waiter: %s\n", pabal_error_detail());
	return r < 0;
}
