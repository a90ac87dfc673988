/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/handshake.h - the letters that two processes exchange before they have a link: HELLO, and WELCOME or REFUSE.
 *
 * One packet each, of a fixed size, with descriptors. HELLO carries the sender's memory; WELCOME the answerer's, and one end of the socket pair on which descriptors will travel; both the page that tells
 * whether the sender lives (platform/life.h), if it has one. Here stands what a
 * letter is and whether one can be believed as far as it goes; who answers what stands in model/answer.c and model/ask.c.
 */
#ifndef PABAL_SRC_MODEL_HANDSHAKE_H
#define PABAL_SRC_MODEL_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include <pabal/base.h>

#include "memory/holder.h"

enum {
	PABAL__LINK_VERSION = 1, /* of the letters and of what lies in the memory of a link */
	PABAL__LETTER_FDS = 3,   /* the most descriptors a letter carries: memory, the channel, the life page */
};

enum pabal__letter_kind { PABAL__HELLO = 1, PABAL__WELCOME = 2, PABAL__REFUSE = 3 };

enum pabal__refusal {
	PABAL__REFUSE_DUPLICATE = 1, /* we are linked: use that */
	PABAL__REFUSE_TIE = 2,       /* I am asking you at this moment, and my name is the smaller: wait for my letter */
	PABAL__REFUSE_FULL = 3,      /* no descriptors or no memory left here */
	PABAL__REFUSE_VERSION = 4,
	PABAL__REFUSE_STRANGER = 5, /* you are not the process that has this name */
	PABAL__REFUSE_NONSENSE = 6, /* what you sent makes no sense */
};

struct pabal__letter {
	uint64_t magic;
	uint32_t kind, reason; /* reason: of a REFUSE */
	uint32_t version_min, version_max;
	uint64_t memory_max;                      /* of the sender's memory */
	unsigned char from[PABAL__INSTANCE_SIZE]; /* the sender's instance */
	unsigned char to[PABAL__INSTANCE_SIZE];   /* whom it means */
	char name[PABAL_NAME_SIZE];               /* the sender's */
};

_Static_assert(sizeof(struct pabal__letter) == 192, "the letters have a fixed size");

/* A letter that was received, its descriptors included: whoever has it closes them, or takes them out and puts -1. */
struct pabal__post {
	struct pabal__letter letter;
	int fds[PABAL__LETTER_FDS]; /* memory; channel, with a WELCOME; life page, or not */
	uint32_t fd_count;
};

/* @to: NULL when it does not matter. 0, -EPIPE, -EAGAIN, -EMFILE ... */
int pabal__letter_send(int socket, uint32_t kind, uint32_t reason, const struct pabal__holder *self, uint64_t memory_max, const unsigned char *to,
		       const int *fds, uint32_t fd_count);

/*
 * The next letter, if it is whole, of a known kind and version, from a valid name, and has just the descriptors that its kind has. On failure all descriptors are closed.
 * -EAGAIN: none yet; -EPIPE: the other side has hung up; -EBADMSG: nonsense; -EPROTO: another version (the letter is filled in); -EMFILE: its descriptors were lost, no number was free.
 */
int pabal__letter_receive(int socket, struct pabal__post *ret_post);

void pabal__post_close(struct pabal__post *post);

#endif
