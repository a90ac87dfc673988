/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - starting a worker process, and how it ends when a call fails that should not.
 *
 * A worker is a fork, not an exec: it opens the mailbox anew, by name, as any program would. It leaves by _exit(), because what stdio
 * has buffered belongs to the parent. WORKER_SIGNAL is blocked from before the fork until the receiver has its handler.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "report.h"
#include "worker.h"

/* Ctrl-C goes to all processes of the terminal, but only the parent knows what is to be done about it. */
static void settle(pid_t parent)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* it died before the line above */
}

pid_t worker_start(const struct post *post)
{
	pid_t parent = getpid(), pid;
	sigset_t blocked, old;
	int error;

	post->note->text[0] = '\0';
	sigemptyset(&blocked);
	sigaddset(&blocked, WORKER_SIGNAL);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	pid = fork();
	error = errno;
	if (pid != 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		return pid > 0 ? pid : -error;
	}
	settle(parent);
	if (post->role == ROLE_SENDER)
		sender_run(post);
	receiver_run(post);
}

_Noreturn void worker_fail(const struct post *post, const char *what, int error)
{
	snprintf(post->note->text, sizeof(post->note->text), "%s: %s", what, call_detail(error));
	_exit(1);
}
