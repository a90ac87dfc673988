/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.c - signals as a request to come to an end in good order.
 *
 * The handler does two things, both allowed to a handler: it counts, and it interrupts the wait on the mailbox or the link. The library keeps an
 * interrupt that finds no wait for the next one, so none comes a moment too early.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "stop.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t requests, last_signal;
static _Atomic(pabal_mailbox *) interrupted;
static _Atomic(pabal_process *) interrupted_process;
static _Atomic(pabal_link *) interrupted_link;

static void on_signal(int number)
{
	pabal_mailbox *mailbox = atomic_load(&interrupted);
	pabal_process *process = atomic_load(&interrupted_process);
	pabal_link *link = atomic_load(&interrupted_link);

	requests = requests + 1;
	last_signal = number;
	if (mailbox)
		(void)pabal_mailbox_interrupt(mailbox);
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

void stop_interrupts(pabal_process *process, pabal_link *link)
{
	atomic_store(&interrupted_process, process);
	atomic_store(&interrupted_link, link);
}

void stop_forget(void)
{
	stop_interrupts(NULL, NULL);
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

_Noreturn void stop_die(void)
{
	signal(last_signal, SIG_DFL);
	raise(last_signal);
	abort(); /* the signal was blocked all along */
}
