/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.h - SIGINT, SIGTERM and SIGHUP as a request to come to an end in good order; and SIGPIPE, for verbs that write what they must not lose.
 */
#ifndef PABAL_TOOLS_STOP_H
#define PABAL_TOOLS_STOP_H

#include <signal.h>
#include <stdbool.h>

#include <pabal/pabal.h>

/**
 * stop_on_signals() - from now on those signals are noted instead of ending the program.
 * @mailbox: its waits are interrupted by them; may be NULL.
 *
 * A signal that was ignored when the program started (as in the background of a script, or under nohup) stays ignored.
 */
void stop_on_signals(pabal_mailbox *mailbox);

/** stop_on_gone_reader() - SIGPIPE, too: nobody reads standard output any more. reader_watch() tells of that also while nothing is written. */
void stop_on_gone_reader(void);

/** stop_interrupts_buffer() - the waits of this buffer are interrupted, too. May be NULL. */
void stop_interrupts_buffer(pabal_buffer *buffer);

/** stop_interrupts() - the waits of these are interrupted, too. Either may be NULL. */
void stop_interrupts(pabal_process *process, pabal_link *link);

/** stop_forget() - what is interrupted is about to be closed: signals are noted, and interrupt nothing. */
void stop_forget(void);

/** stop_requests() - how many of those signals came. */
int stop_requests(void);

/** stop_signal() - the one that came last. */
int stop_signal(void);

/**
 * stop_cuts_short() - a signal came, and the program is to end by it.
 * @is_done: everything was written that was asked for, so a reader that goes away then is only ahead of us.
 * @until_interrupted: being interrupted is the end that was asked for.
 */
bool stop_cuts_short(bool is_done, bool until_interrupted);

/** stop_block(), stop_unblock() - keep those signals off for a moment, for who wants to look and then sleep in ppoll(2) without missing one. */
void stop_block(sigset_t *ret_old);
void stop_unblock(const sigset_t *old);

/** stop_die() - end the program by the signal that came, so that the parent sees it; where SIGPIPE is ignored, with a sentence and STATUS_FAILED. Call it when everything is tidied up. */
_Noreturn void stop_die(void);

#endif
