/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refill.h - after a run: the mailbox must hold exactly as many messages as it says, and give them all back in order.
 */
#ifndef PABAL_TOOLS_REFILL_H
#define PABAL_TOOLS_REFILL_H

struct plan;
struct tally;

/** refill_check() - fill the empty mailbox, drain it, and tell the tally what was wrong. */
void refill_check(const char *mailbox, const struct plan *plan, struct tally *tally);

#endif
