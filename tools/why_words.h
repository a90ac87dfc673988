/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why_words.h - the sentences of "pabal why": who waits for what, and through whom.
 */
#ifndef PABAL_TOOLS_WHY_WORDS_H
#define PABAL_TOOLS_WHY_WORDS_H

#include <stdio.h>

#include "waits.h"

/** print_wait() - what is waited for and who could end it, without who waits: "for a message in mailbox 'm', which only 123 could send to". */
void print_wait(FILE *stream, const struct waits *waits, const struct wait *wait);

/** print_times() - since when, and how long still: ", for 12 s now". */
void print_times(FILE *stream, const struct wait *wait);

/** what_word(), state_word() - one word for scripts. */
const char *what_word(uint32_t what);
const char *state_word(const struct party *party);

#endif
