/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.c - signals as a request to come to an end in good order.
 *
 * The handler does two things, both allowed to a handler: it counts, and it interrupts the wait on the mailbox. The library keeps an
 * interrupt that finds no wait for the next one, so none comes a moment too early.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "stop.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t requests, last_signal;
static _Atomic(pabal_mailbox *) interrupted;

static void on_signal(int number)
{
	pabal_mailbox *mailbox = atomic_load(&interrupted);

	requests = requests + 1;
	last_signal = number;
	if (mailbox)
		(void)pabal_mailbox_interrupt(mailbox);
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

void stop_forget(void)
{
	atomic_store(&interrupted, NULL);
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
