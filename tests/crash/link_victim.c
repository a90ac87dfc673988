/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_victim.c - the calls on a link in the middle of which a process is killed.
 *
 * A victim that slept for ever could not be stepped to a known place: those that wait have a time-out, or the other side answers.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "crash/link_scene.h"

static int run_send(struct link_side *victim)
{
	return pabal_link_send(victim->link, victim->buffer, victim->size, PABAL_NOWAIT);
}

static int run_send_waits(struct link_side *victim)
{
	return pabal_link_send(victim->link, victim->buffer, victim->size, LINK_SHORT_NS);
}

static int run_send_fd(struct link_side *victim)
{
	struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = 7, .fds = &victim->fd, .fd_count = 1 };

	return pabal_link_send_with(victim->link, &opts, victim->buffer, victim->size, PABAL_NOWAIT);
}

/* The message into the loan, which may be longer. */
static int fill_and_commit(struct link_side *victim)
{
	int r;

	memcpy(victim->loan.data, victim->buffer, victim->size);
	r = pabal_link_commit(victim->link, &victim->loan, victim->size, PABAL_NOWAIT);
	if (r < 0)
		pabal_link_cancel(victim->link, &victim->loan);
	return r;
}

static int run_loan_commit(struct link_side *victim)
{
	int r = pabal_link_loan(victim->link, victim->size, &victim->loan, PABAL_NOWAIT);

	return r < 0 ? r : fill_and_commit(victim);
}

/* A loan longer than the message, full of what looks like the header of the message after it. */
static int lend_forged(struct link_side *victim)
{
	enum { MORE = 256 };
	uint64_t forged = (uint64_t)(uint32_t)(victim->link->sending.writer.sequence + 1) << 32 | (uint64_t)PABAL__STREAM_DATA << 28 | 8;
	int r = pabal_link_loan(victim->link, victim->size + MORE, &victim->loan, PABAL_NOWAIT);

	for (size_t i = 0; r == 0 && i < (victim->size + MORE) / sizeof forged; i++)
		((uint64_t *)victim->loan.data)[i] = forged;
	return r;
}

static int run_loan_part(struct link_side *victim)
{
	int r = lend_forged(victim);

	return r < 0 ? r : fill_and_commit(victim);
}

static int run_cancel_send(struct link_side *victim)
{
	int r = lend_forged(victim);

	if (r == 0)
		r = pabal_link_cancel(victim->link, &victim->loan);
	return r < 0 ? r : run_send(victim);
}

static int receive(struct link_side *victim, int64_t timeout_ns)
{
	return pabal_link_receive(victim->link, victim->buffer, sizeof victim->buffer, &victim->got_size, timeout_ns);
}

static int run_receive(struct link_side *victim)
{
	return receive(victim, PABAL_NOWAIT);
}

static int run_receive_waits(struct link_side *victim)
{
	return receive(victim, LINK_SHORT_NS);
}

static int run_take_release(struct link_side *victim)
{
	struct pabal_message message;
	int r = pabal_link_take(victim->link, NULL, &message, PABAL_NOWAIT);

	if (r < 0)
		return r;
	victim->got_size = message.size;
	memcpy(victim->buffer, message.data, message.size);
	return pabal_link_release(victim->link, &message);
}

static int run_call_start(struct link_side *victim)
{
	return pabal_link_call_start(victim->link, victim->buffer, victim->size, &victim->call, PABAL_NOWAIT);
}

static int run_call(struct link_side *victim)
{
	return pabal_link_call(victim->link, victim->buffer, victim->size, victim->reply, sizeof victim->reply, &victim->got_size, PABAL_FOREVER);
}

/* The other side's request is at the head. */
static int prepare_reply(struct link_side *victim)
{
	return pabal_link_take(victim->link, NULL, &victim->request, PABAL_FOREVER);
}

static int run_reply(struct link_side *victim)
{
	int r = pabal_link_reply(victim->link, &victim->request, victim->request.data, victim->request.size, PABAL_NOWAIT);

	return r < 0 ? r : pabal_link_release(victim->link, &victim->request);
}

static int run_serve(struct link_side *victim)
{
	int r = prepare_reply(victim);

	return r < 0 ? r : run_reply(victim);
}

static int run_close(struct link_side *victim)
{
	victim->link = pabal_link_close(victim->link);
	return 0;
}

/* Things of all kinds are out. */
static int prepare_close(struct link_side *victim)
{
	int r = pabal_link_loan(victim->link, victim->size, &victim->loan, PABAL_NOWAIT);

	if (r == 0)
		r = pabal_link_take(victim->link, NULL, &victim->request, PABAL_NOWAIT);
	return r == -EAGAIN ? 0 : r;
}

#define ALL (1u << LINK_RECEIVES | 1u << LINK_TAKES | 1u << LINK_POLLS | 1u << LINK_LATE)
#define SENDER (1u << LINK_SENDS | 1u << LINK_LATE)
#define STATES (1u << LINK_EMPTY | 1u << LINK_SOME | 1u << LINK_WRAP)

const struct link_operation link_operations[] = {
	{ "send", LINK_COMMITS, ALL, STATES | 1u << LINK_FULL, NULL, run_send },
	{ "send-waits", LINK_COMMITS | LINK_WAITS, 1u << LINK_LATE, 1u << LINK_FULL, NULL, run_send_waits },
	{ "send-fd", LINK_COMMITS, 1u << LINK_TAKES | 1u << LINK_LATE, STATES, NULL, run_send_fd },
	{ "loan-commit", LINK_COMMITS, ALL, STATES, NULL, run_loan_commit },
	{ "loan-part", LINK_COMMITS, ALL, STATES, NULL, run_loan_part },
	{ "cancel-send", LINK_COMMITS, ALL, STATES, NULL, run_cancel_send },
	{ "receive", LINK_FROM_PEER, SENDER | 1u << LINK_RECEIVES, STATES | 1u << LINK_FULL, NULL, run_receive },
	{ "receive-waits", LINK_FROM_PEER | LINK_WAITS, 1u << LINK_RECEIVES | 1u << LINK_LATE, 1u << LINK_EMPTY, NULL, run_receive_waits },
	{ "take-release", LINK_FROM_PEER, SENDER | 1u << LINK_POLLS, STATES | 1u << LINK_FULL, NULL, run_take_release },
	{ "call-start", LINK_COMMITS, ALL, STATES, NULL, run_call_start },
	{ "call", LINK_COMMITS | LINK_ASKS, 1u << LINK_TAKES, 1u << LINK_EMPTY | 1u << LINK_WRAP, NULL, run_call },
	{ "reply", LINK_ANSWERS, 1u << LINK_CALLS, 1u << LINK_EMPTY | 1u << LINK_WRAP, prepare_reply, run_reply },
	{ "serve", LINK_ANSWERS, 1u << LINK_CALLS, 1u << LINK_EMPTY | 1u << LINK_WRAP, NULL, run_serve },
	{ "close", LINK_CLOSES, ALL | 1u << LINK_SENDS, STATES | 1u << LINK_FULL, prepare_close, run_close },
	{ NULL, 0, 0, 0, NULL, NULL },
};

const struct link_operation *link_operation_find(const char *name)
{
	for (const struct link_operation *operation = link_operations; operation->name; operation++)
		if (strcmp(operation->name, name) == 0)
			return operation;
	return NULL;
}

/* How the victim's own ring stands. */
static int fill(struct link_scene *scene, struct link_side *victim)
{
	int r = 0;

	if (scene->operation->effects & LINK_FROM_PEER)
		return 0;
	if (scene->fill == LINK_WRAP)
		for (int i = 0; r == 0 && i < LINK_PUMP; i++)
			r = link_send_next(victim, LINK_PUMP_SIZE, PABAL_FOREVER);
	if (scene->fill == LINK_SOME)
		for (int i = 0; r == 0 && i < LINK_FEW; i++)
			r = link_send_next(victim, victim->size, PABAL_NOWAIT);
	if (scene->fill == LINK_FULL) {
		while (r == 0)
			r = link_send_next(victim, victim->size, PABAL_NOWAIT);
		r = r == -EAGAIN ? 0 : r;
	}
	return r;
}

/* What the operation received is whole. */
static void look_at_result(const struct link_scene *scene, struct link_side *victim)
{
	if (scene->operation->effects & LINK_FROM_PEER)
		link_received(victim, victim->buffer, victim->got_size);
	if (scene->operation->effects & LINK_ASKS && !link_is_content(victim->next_sent, victim->reply, victim->got_size))
		link_side_broken(victim, "torn", "the reply is not the request");
	if (scene->operation->effects & LINK_COMMITS)
		victim->next_sent++;
	if (scene->operation->effects & LINK_ANSWERS)
		victim->next_received++; /* the request */
}

/* It was not killed: what is there for it, a last message, an orderly end. */
static void go_on(struct link_scene *scene, struct link_side *victim)
{
	int r;

	if (!victim->link)
		return;
	while ((r = link_receive_next(victim, PABAL_NOWAIT)) == 0)
		;
	if (r != -EAGAIN)
		link_side_broken(victim, "refused", "the victim lives, its receive says %s", pabal_error_detail());
	if (scene->stop && link_send_next(victim, 64, PABAL_FOREVER) < 0)
		link_side_broken(victim, "refused", "the victim lives, its send says %s", pabal_error_detail());
	victim->shared->victim_received = victim->next_received - 1;
	if (scene->stop)
		pabal_link_close(victim->link);
}

/* As after many messages that were asked and answered: the next one answers, and is as long as the last one was. */
static void be_patient(pabal_link *link, size_t size)
{
	link->flags |= PABAL_SINGLE_THREAD; /* whatever the driver was before it forked */
	link->bell.peer_life = link_pair_life();
	link->sending.delay = 1;
	link->sending.answered = link->receiving.reader.sequence - 1;
	link->sending.ask_at = link->sending.writer.sequence + 2; /* the peer's life word is believed once more */
	pabal__writer_prepare(&link->sending.writer, size <= PABAL_LINK_INLINE_MAX ? size : (size_t)PABAL__LINK_ENTRY);
}

_Noreturn void link_be_victim(struct link_scene *scene)
{
	static struct link_side victim;
	int r;

	victim = (struct link_side){ .shared = scene->shared, .next_sent = 1, .next_received = 1, .size = scene->size };
	victim.link = link_pair_open(&scene->pair, 0, scene->peer_pid, PABAL_WAIT_BLOCK);
	victim.fd = STDIN_FILENO;
	if (scene->operation->effects & LINK_FROM_PEER && scene->fill == LINK_WRAP)
		for (int i = 0; i < LINK_PUMP; i++)
			link_receive_next(&victim, PABAL_FOREVER);
	r = fill(scene, &victim);
	link_await(&scene->shared->peer_ready);
	if (r == 0 && scene->operation->prepare)
		r = scene->operation->prepare(&victim);
	if (scene->patient)
		be_patient(victim.link, victim.size);
	scene->shared->victim_sent = victim.next_sent - 1;
	link_content(victim.next_sent, victim.buffer, victim.size);
	scene->shared->victim_ready = r < 0 ? r : 1;
	if (r < 0)
		_exit(1);
	crash_trace_me();
	crash_begin();
	r = scene->operation->run(&victim);
	crash_end();
	scene->shared->result = r;
	if (r == 0)
		look_at_result(scene, &victim);
	go_on(scene, &victim);
	scene->shared->hits += link_fault_hits();
	_exit(0);
}
