/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_peers.h - a parent and a child that know each other by name, "parent" and "child": for the ways to wait on processes and on links.
 */
#ifndef PABAL_TESTS_WAKE_SIGNALS_PEERS_H
#define PABAL_TESTS_WAKE_SIGNALS_PEERS_H

#include "support/support.h"

/* The parent's. Its link is the one with the child, once there is one. */
struct parent {
	pabal_process *process;
	pabal_link *link;
};

extern struct parent parent;

/* For the tables: make, meet and end. */
void make_process(void);
void accept_child(void);
void end_process(void);

/* The child's. */
pabal_process *own_process(uint32_t flags);

/*
 * Another thread of the child waits on the handle already, so that this one will sleep behind it. The signal is not for it, and its wait ends well, or not at all.
 */
void start_follower(int (*wait)(void *handle), void *handle);

#endif
