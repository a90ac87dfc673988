/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/telling.h - the table in the file of an announced process: its links, and what its threads sleep for.
 *
 * For pabal_links() and pabal_waits() alone; nothing else believes it. Its owner writes it by plain atomic stores, before it sleeps and when a link comes or goes; others read copies of it with
 * pread(2), twice, until both are the same.
 */
#ifndef PABAL_SRC_MEMORY_TELLING_H
#define PABAL_SRC_MEMORY_TELLING_H

#include "memory/holder.h"

/* Not told: the table was full, or there was no memory. */
#define PABAL__NOT_TOLD UINT32_MAX

/* Add, change, remove an entry. */
uint32_t pabal__tell_entry(struct pabal__holder *holder, const char *peer);
void pabal__tell_state(struct pabal__holder *holder, uint32_t index, uint32_t state, pid_t pid, uid_t uid);
void pabal__tell_end(struct pabal__holder *holder, uint32_t index);
/* Where a link tells its waits, for a message (0), for room (1), for a reply (2); NULL: nowhere. */
pabal__word *pabal__tell_waits(struct pabal__holder *holder, uint32_t index, int which);

/* Say what this thread is going to sleep for (@what), through whom (@entry, or PABAL__NOT_TOLD) and how long (@waiting, wait/waiting.h); returns what pabal__tell_woke() wants. */
uint32_t pabal__tell_sleep(struct pabal__holder *holder, uint32_t what, uint32_t entry, uint64_t waiting);
void pabal__tell_woke(struct pabal__holder *holder, uint32_t index);

/* For others: entries 0 .. this - 1 may be in use; a copy of one. false: free, or it changes all the time. */
uint32_t pabal__told_entries(int fd);
bool pabal__told_entry(int fd, uint32_t index, struct pabal__holder_entry *ret_entry);
/* A wait of one of its threads. false: there is none at this index. */
bool pabal__told_wait(int fd, uint32_t index, uint32_t *ret_what, uint32_t *ret_entry, uint64_t *ret_waiting);

#endif
