/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/calls.c - system calls per message when nobody has to wait, counted and not guessed.
 *
 * A child is traced and stopped at each of its system calls. A long run minus a short run leaves those that belong to the messages.
 */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "tools.h"

enum { SHORT_RUN = 2000, LONG_RUN = 22000 /* messages; both well past the first turn of the ring */, SIZE = 64, DEPTH = 1024 };

/* What is done to an object again and again. */
struct work {
	const char *what;
	uint32_t flags; /* of a buffer */
	bool is_buffer;
	int (*operate)(void *object);
};

static int send_and_receive(void *object)
{
	pabal_mailbox *mailbox = object;
	uint64_t data[SIZE / 8] = { 0 };
	int r = pabal_mailbox_send(mailbox, data, SIZE, PABAL_NOWAIT);

	return r < 0 ? r : pabal_mailbox_receive(mailbox, data, SIZE, NULL, PABAL_NOWAIT);
}

static int hand_over(void *object)
{
	pabal_mailbox *mailbox = object;
	struct pabal_message message;
	struct pabal_loan loan;
	int r = pabal_mailbox_loan(mailbox, SIZE, &loan, PABAL_NOWAIT);

	if (r == 0)
		r = pabal_mailbox_commit(mailbox, &loan, SIZE, PABAL_NOWAIT);
	if (r == 0)
		r = pabal_mailbox_take(mailbox, NULL, &message, PABAL_NOWAIT);
	return r < 0 ? r : pabal_mailbox_release(mailbox, &message);
}

static int put_and_get(void *object)
{
	uint64_t data[SIZE / 8] = { 0 };
	int r = pabal_buffer_put(object, data, 1, NULL, PABAL_NOWAIT);

	return r < 0 ? r : pabal_buffer_get(object, data, 1, NULL, PABAL_NOWAIT);
}

static int open_one(const struct work *work, const char *name, void **ret_object)
{
	return work->is_buffer ? buffer_open(name, 0, (pabal_buffer **)ret_object) : pabal_mailbox_open(name, NULL, (pabal_mailbox **)ret_object);
}

static void traced(const char *name, const struct work *work, int count)
{
	void *object = NULL;
	int r;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(1);
	raise(SIGSTOP);
	r = open_one(work, name, &object);
	for (int i = 0; r == 0 && i < count; i++)
		r = work->operate(object);
	if (work->is_buffer)
		pabal_buffer_close(object);
	else
		pabal_mailbox_close(object);
	_exit(r < 0);
}

/* How often the child stopped at a system call, or -1: it may not be traced here, or it failed. */
static long count_stops(const char *name, const struct work *work, int count)
{
	pid_t pid = fork();
	long stops = 0;
	int status, signal = 0;

	if (pid == 0)
		traced(name, work, count);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_TRACESYSGOOD);
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal) < 0 || waitpid(pid, &status, 0) < 0)
			return -1;
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? stops : -1;
		signal = WSTOPSIG(status);
		if (signal == (SIGTRAP | 0x80)) {
			stops++;
			signal = 0;
		}
	}
}

static int create_one(const struct work *work, char ret_name[64])
{
	struct channel channel;
	int r;

	if (work->is_buffer)
		return buffer_create(SIZE, DEPTH, work->flags, ret_name);
	r = channel_create(&channel_pabal_adaptive, SIZE, DEPTH, &channel);
	memcpy(ret_name, channel.name, 64);
	return r;
}

static void count_calls(const struct settings *settings, const struct work *work)
{
	struct figure figure = { .section = "system calls per message",
				 .placement = "nobody waits",
				 .name = work->what,
				 .unit = "calls",
				 .size = SIZE,
				 .bursts = 1,
				 .kept = 1 };
	char name[64];
	long few, many;
	int r = create_one(work, name);

	if (r < 0)
		die(r, "create an object");
	count_stops(name, work, SHORT_RUN); /* the first messages make the pool grow */
	few = count_stops(name, work, SHORT_RUN);
	many = count_stops(name, work, LONG_RUN);
	if (work->is_buffer)
		pabal_buffer_destroy(name);
	else
		pabal_mailbox_destroy(name);
	if (few < 0 || many < 0)
		strcpy(figure.note, "NOT MEASURED: no process may be traced here");
	else /* each call stops twice */
		figure.value = (double)(many - few) / 2 / (LONG_RUN - SHORT_RUN);
	report_add(settings->report, &figure);
}

void measure_calls(const struct settings *settings)
{
	static const struct work works[] = {
		{ .what = "send + receive", .operate = send_and_receive },
		{ .what = "loan + ... + release", .operate = hand_over },
		{ .what = "buffer: put + get", .is_buffer = true, .operate = put_and_get },
		{ .what = "SPSC: put + get", .is_buffer = true, .flags = PABAL_BUFFER_SPSC, .operate = put_and_get },
		{ .what = "newest: put + get", .is_buffer = true, .flags = PABAL_BUFFER_LATEST, .operate = put_and_get },
	};

	report_progress(settings->report, "system calls", NULL, 0, 1);
	for (size_t i = 0; i < sizeof works / sizeof *works; i++)
		count_calls(settings, &works[i]);
}
