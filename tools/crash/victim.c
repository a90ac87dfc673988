/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/victim.c - the operations in the middle of which a process is killed. Each is one call, or two that belong together.
 *
 * None of them waits: a victim that slept could not be stepped to a known place.
 */
#include "crash/crash.h"

#include <errno.h>
#include <string.h>

static struct pabal_message_opts tagged(uint32_t id)
{
	return (struct pabal_message_opts){ .struct_size = sizeof(struct pabal_message_opts), .tag = id };
}

static int run_send(struct crash_victim *victim)
{
	struct pabal_message_opts opts = tagged(victim->id);

	return pabal_mailbox_send_with(victim->mailbox, &opts, victim->buffer, victim->size, PABAL_NOWAIT);
}

static int run_loan_commit(struct crash_victim *victim)
{
	struct pabal_message_opts opts = tagged(victim->id);
	int r = pabal_mailbox_loan(victim->mailbox, victim->size, &victim->loan, PABAL_NOWAIT);

	if (r < 0)
		return r;
	memcpy(victim->loan.data, victim->buffer, victim->size);
	r = pabal_mailbox_commit_with(victim->mailbox, &opts, &victim->loan, victim->size, PABAL_NOWAIT);
	if (r < 0)
		pabal_mailbox_cancel(victim->mailbox, &victim->loan);
	return r;
}

static int run_loan_cancel(struct crash_victim *victim)
{
	int r = pabal_mailbox_loan(victim->mailbox, victim->size, &victim->loan, PABAL_NOWAIT);

	return r < 0 ? r : pabal_mailbox_cancel(victim->mailbox, &victim->loan);
}

static int run_receive(struct crash_victim *victim)
{
	size_t size = 0;
	int r = pabal_mailbox_receive(victim->mailbox, victim->shared->buffer, CRASH_SIZE_MAX, &size, PABAL_NOWAIT);

	victim->shared->got_size = size;
	return r;
}

/* With a buffer that is too small by a byte: nothing may change. */
static int run_receive_small(struct crash_victim *victim)
{
	size_t size = 0;
	int r = pabal_mailbox_receive(victim->mailbox, victim->shared->buffer, victim->size - 1, &size, PABAL_NOWAIT);

	return r == -EMSGSIZE && size == victim->size ? 0 : r == -EAGAIN ? r : -EPROTO;
}

static int run_take_release(struct crash_victim *victim)
{
	int r = pabal_mailbox_take(victim->mailbox, NULL, victim->messages, PABAL_NOWAIT);

	if (r < 0)
		return r;
	memcpy(victim->shared->buffer, victim->messages->data, victim->messages->size);
	victim->shared->got_size = victim->messages->size;
	victim->shared->releasing = 1;
	return pabal_mailbox_release(victim->mailbox, victim->messages);
}

static int run_requeue(struct crash_victim *victim)
{
	int r = pabal_mailbox_take(victim->mailbox, NULL, victim->messages, PABAL_NOWAIT);

	return r < 0 ? r : pabal_mailbox_requeue(victim->mailbox, victim->messages);
}

static int run_open(struct crash_victim *victim)
{
	return pabal_mailbox_open(victim->name, NULL, &victim->mailbox);
}

/* Two leases and a loan; fewer, if there is not enough. */
static int prepare_close(struct crash_victim *victim)
{
	for (int i = 0; i < 2; i++) {
		int r = pabal_mailbox_take(victim->mailbox, NULL, &victim->messages[i], PABAL_NOWAIT);

		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return pabal_mailbox_loan(victim->mailbox, victim->size, &victim->loan, PABAL_NOWAIT);
}

static int run_close(struct crash_victim *victim)
{
	victim->mailbox = pabal_mailbox_close(victim->mailbox);
	return 0;
}

static const struct pabal_mailbox_opts create_opts = {
	.struct_size = sizeof create_opts, .flags = PABAL_EXIST_OK, .capacity = CRASH_CAPACITY, .memory_max = 1 << 20
};

static int run_create(struct crash_victim *victim)
{
	return pabal_mailbox_create("crash-new", &create_opts, &victim->mailbox);
}

static int run_create_exists(struct crash_victim *victim)
{
	return pabal_mailbox_create(victim->name, &create_opts, &victim->mailbox);
}

static int run_destroy(struct crash_victim *victim)
{
	return pabal_mailbox_destroy(victim->name);
}

static int run_gc(struct crash_victim *victim)
{
	(void)victim;
	return pabal_gc(NULL);
}

const struct crash_operation crash_operations[] = {
	{ "send", CRASH_SENDS, NULL, run_send },
	{ "loan-commit", CRASH_SENDS, NULL, run_loan_commit },
	{ "loan-cancel", 0, NULL, run_loan_cancel },
	{ "receive", CRASH_RECEIVES, NULL, run_receive },
	{ "receive-small", 0, NULL, run_receive_small },
	{ "take-release", CRASH_TAKES, NULL, run_take_release },
	{ "take-requeue", CRASH_HOLDS, NULL, run_requeue },
	{ "open", CRASH_OPENS, NULL, run_open },
	{ "close", CRASH_HOLDS, prepare_close, run_close },
	{ "create", CRASH_OPENS | CRASH_CREATES, NULL, run_create },
	{ "create-exists", CRASH_OPENS, NULL, run_create_exists },
	{ "destroy", CRASH_OPENS | CRASH_DESTROYS, NULL, run_destroy },
	{ "gc", CRASH_OPENS, NULL, run_gc },
	{ "gc-repairs", CRASH_OPENS | CRASH_REPAIRS, NULL, run_gc },
	{ "open-repairs", CRASH_OPENS | CRASH_REPAIRS, NULL, run_open },
	{ "receive-repairs", CRASH_RECEIVES | CRASH_REPAIRS, NULL, run_receive },
	{ "send-repairs", CRASH_SENDS | CRASH_STUCK | CRASH_REPAIRS, NULL, run_send },
	{ NULL, 0, NULL, NULL },
};

const struct crash_operation *crash_operation_find(const char *name)
{
	for (const struct crash_operation *operation = crash_operations; operation->name; operation++)
		if (strcmp(operation->name, name) == 0)
			return operation;
	return NULL;
}
