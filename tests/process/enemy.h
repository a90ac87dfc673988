/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process/enemy.h - one that speaks the handshake by hand: letters that are right in all but what a test spoils.
 */
#ifndef PABAL_TESTS_ENEMY_H
#define PABAL_TESTS_ENEMY_H

#include "model/process.h"
#include "support/support.h"

enum { ENEMY_MEMORY = 1 << 20 };

/* Of this process; they are to be as many after an attempt as before. */
int open_fds(void);

pabal_process *announce(const char *name);

/* The victim goes about its business: it looks for messages, and there are none. */
void goes_on(pabal_process *victim);

/* What an attempt sends. */
struct attempt {
	struct pabal__letter letter;
	size_t size;
	int fds[PABAL__PACKET_FDS]; /* fds[0]: -1: memory, to be made; -2: none, and no other either */
	uint32_t fd_count;
	uint64_t memory_size;
	int seals;
	bool no_format;
};

/* A right one, but for its descriptors. */
void attempt_begin(struct attempt *attempt, const struct pabal__holder *from, uint32_t kind, const unsigned char *to);
/* One descriptor more, which is the attempt's. */
void attempt_give(struct attempt *attempt, int fd);
int attempt_memory(const struct attempt *attempt);
/* Make the memory, send it, close the descriptors. */
void attempt_send(int socket, struct attempt *attempt);

/* A letter that refuses. */
void attempt_refuse(struct attempt *attempt, uint32_t reason);

#endif
