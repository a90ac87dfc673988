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

#include "tools.h"

enum { SHORT_RUN = 2000, LONG_RUN = 22000 /* messages; both well past the first turn of the ring */, SIZE = 64 };

typedef int (*operation)(pabal_mailbox *mailbox);

static int send_and_receive(pabal_mailbox *mailbox)
{
	uint64_t data[SIZE / 8] = { 0 };
	int r = pabal_mailbox_send(mailbox, data, SIZE, PABAL_NOWAIT);

	return r < 0 ? r : pabal_mailbox_receive(mailbox, data, SIZE, NULL, PABAL_NOWAIT);
}

static int hand_over(pabal_mailbox *mailbox)
{
	struct pabal_message message;
	struct pabal_loan loan;
	int r = pabal_mailbox_loan(mailbox, SIZE, &loan, PABAL_NOWAIT);

	if (r == 0)
		r = pabal_mailbox_commit(mailbox, &loan, SIZE, PABAL_NOWAIT);
	if (r == 0)
		r = pabal_mailbox_take(mailbox, NULL, &message, PABAL_NOWAIT);
	return r < 0 ? r : pabal_mailbox_release(mailbox, &message);
}

static void traced(const char *name, operation operate, int count)
{
	pabal_mailbox *mailbox;
	int r;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(1);
	raise(SIGSTOP);
	r = pabal_mailbox_open(name, NULL, &mailbox);
	for (int i = 0; r == 0 && i < count; i++)
		r = operate(mailbox);
	pabal_mailbox_close(r == 0 ? mailbox : NULL);
	_exit(r < 0);
}

/* How often the child stopped at a system call, or -1: it may not be traced here, or it failed. */
static long count_stops(const char *name, operation operate, int count)
{
	pid_t pid = fork();
	long stops = 0;
	int status, signal = 0;

	if (pid == 0)
		traced(name, operate, count);
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

static void count_calls(const struct settings *settings, const char *what, operation operate)
{
	struct figure figure = { .section = "system calls per message",
				 .placement = "nobody waits",
				 .name = what,
				 .unit = "calls",
				 .size = SIZE,
				 .bursts = 1,
				 .kept = 1 };
	struct channel channel;
	long few, many;
	int r = channel_create(&channel_pabal_adaptive, SIZE, 1024, &channel);

	if (r < 0)
		die(r, "create a mailbox");
	count_stops(channel.name, operate, SHORT_RUN); /* the first messages make the pool grow */
	few = count_stops(channel.name, operate, SHORT_RUN);
	many = count_stops(channel.name, operate, LONG_RUN);
	channel.kind->destroy(&channel);
	if (few < 0 || many < 0)
		strcpy(figure.note, "NOT MEASURED: no process may be traced here");
	else /* each call stops twice */
		figure.value = (double)(many - few) / 2 / (LONG_RUN - SHORT_RUN);
	report_add(settings->report, &figure);
}

void measure_calls(const struct settings *settings)
{
	report_progress(settings->report, "system calls", NULL, 0, 1);
	count_calls(settings, "send + receive", send_and_receive);
	count_calls(settings, "loan + ... + release", hand_over);
}
