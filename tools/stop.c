/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.c - signals as a request to come to an end in good order.
 *
 * The handler does two things, both allowed to a handler: it counts, and it interrupts the wait on the mailbox or the link. The library keeps an
 * interrupt that finds no wait for the next one, so none comes a moment too early.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "stop.h"
#include "verb.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t requests, last_signal;
static bool ignores_pipe; /* whoever started us wants no SIGPIPE */
static _Atomic(pabal_mailbox *) interrupted;
static _Atomic(pabal_buffer *) interrupted_buffer;
static _Atomic(pabal_process *) interrupted_process;
static _Atomic(pabal_link *) interrupted_link;

static void on_signal(int number)
{
	pabal_mailbox *mailbox = atomic_load(&interrupted);
	pabal_buffer *buffer = atomic_load(&interrupted_buffer);
	pabal_process *process = atomic_load(&interrupted_process);
	pabal_link *link = atomic_load(&interrupted_link);

	if (number != SIGPIPE || requests == 0) /* one Ctrl-C ends our reader as well */
		last_signal = number;
	requests = requests + 1;
	if (mailbox)
		(void)pabal_mailbox_interrupt(mailbox);
	if (buffer)
		(void)pabal_buffer_interrupt(buffer);
	if (process)
		(void)pabal_process_interrupt(process);
	if (link)
		(void)pabal_link_interrupt(link);
}

void stop_on_signals(pabal_mailbox *mailbox)
{
	struct sigaction action = { .sa_handler = on_signal }, old;

	atomic_store(&interrupted, mailbox);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

void stop_on_gone_reader(void)
{
	struct sigaction action = { .sa_handler = on_signal }, old;

	sigemptyset(&action.sa_mask);
	ignores_pipe = sigaction(SIGPIPE, &action, &old) == 0 && old.sa_handler == SIG_IGN;
}

void stop_interrupts_buffer(pabal_buffer *buffer)
{
	atomic_store(&interrupted_buffer, buffer);
}

void stop_interrupts(pabal_process *process, pabal_link *link)
{
	atomic_store(&interrupted_process, process);
	atomic_store(&interrupted_link, link);
}

void stop_forget(void)
{
	stop_interrupts(NULL, NULL);
	stop_interrupts_buffer(NULL);
	atomic_store(&interrupted, NULL);
}

int stop_signal(void)
{
	return last_signal;
}

void stop_block(sigset_t *ret_old)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&blocked, signals[i]);
	sigaddset(&blocked, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &blocked, ret_old);
}

void stop_unblock(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

int stop_requests(void)
{
	return requests;
}

bool stop_cuts_short(bool is_done, bool until_interrupted)
{
	return requests > 0 && (last_signal == SIGPIPE ? !is_done : !until_interrupted);
}

_Noreturn void stop_die(void)
{
	if (last_signal == SIGPIPE && ignores_pipe) {
		report("standard output could not be written: %s", strerror(EPIPE));
		_exit(STATUS_FAILED); /* with what stdio has for nobody */
	}
	signal(last_signal, SIG_DFL);
	raise(last_signal);
	abort(); /* the signal was blocked all along */
}
