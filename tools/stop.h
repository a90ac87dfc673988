/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.h - SIGINT, SIGTERM and SIGHUP as a request to come to an end in good order.
 */
#ifndef PABAL_TOOLS_STOP_H
#define PABAL_TOOLS_STOP_H

#include <signal.h>

#include <pabal/pabal.h>

/**
 * stop_on_signals() - from now on those signals are noted instead of ending the program.
 * @mailbox: its waits are interrupted by them; may be NULL.
 *
 * A signal that was ignored when the program started (as in the background of a script, or under nohup) stays ignored.
 */
void stop_on_signals(pabal_mailbox *mailbox);

/** stop_interrupts() - the waits of these are interrupted, too. Either may be NULL. */
void stop_interrupts(pabal_process *process, pabal_link *link);

/** stop_forget() - what is interrupted is about to be closed: signals are noted, and interrupt nothing. */
void stop_forget(void);

/** stop_requests() - how many of those signals came. */
int stop_requests(void);

/** stop_signal() - the one that came last. */
int stop_signal(void);

/** stop_block(), stop_unblock() - keep those signals off for a moment, for who wants to look and then sleep in ppoll(2) without missing one. */
void stop_block(sigset_t *ret_old);
void stop_unblock(const sigset_t *old);

/** stop_die() - end the program by the signal that came, so that the parent sees it. Call it when everything is tidied up. */
_Noreturn void stop_die(void);

#endif
