/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/required.h - the cells of the census that the protocol allows: a run that kills in none of them proves nothing about them.
 */
#ifndef PABAL_TESTS_CRASH_REQUIRED_H
#define PABAL_TESTS_CRASH_REQUIRED_H

#include "crash/census.h"

/* Print the cells of the operation in which nobody was killed. true: there is one. @large: all messages were larger than a page. */
bool required_missing(const struct census *census, const char *operation, bool large);

#endif
