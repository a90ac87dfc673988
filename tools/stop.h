/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.h - SIGINT, SIGTERM and SIGHUP as a request to come to an end in good order.
 */
#ifndef PABAL_TOOLS_STOP_H
#define PABAL_TOOLS_STOP_H

#include <pabal/mailbox.h>

/**
 * stop_on_signals() - from now on those signals are noted instead of ending the program.
 * @mailbox: its waits are interrupted by them; may be NULL.
 *
 * A signal that was ignored when the program started (as in the background of a script, or under nohup) stays ignored.
 */
void stop_on_signals(pabal_mailbox *mailbox);

/** stop_forget() - the mailbox is about to be closed: signals are noted, and interrupt nothing. */
void stop_forget(void);

/** stop_requests() - how many of those signals came. */
int stop_requests(void);

/** stop_die() - end the program by the signal that came, so that the parent sees it. Call it when everything is tidied up. */
_Noreturn void stop_die(void);

#endif
