/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process/peers.h - what the tests of talking by name share: processes that announce themselves, and one that sends everything back.
 */
#ifndef PABAL_TESTS_PROCESS_PEERS_H
#define PABAL_TESTS_PROCESS_PEERS_H

#include "support/support.h"

/* How many children have come as far as they are wanted; they count themselves. Shared memory, which main() of a program that starts such children makes. */
extern _Atomic uint64_t *ready;

/* For the test and for its children. */
pabal_process *announce(const char *name, uint32_t flags);

/* A child: under the name @data it sends everything back to whoever sent it, until somebody says quit. */
int echo(void *data);

/* Start @body and wait until it has counted itself. */
pid_t start_ready(child_main *body, void *data);

#endif
