/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/account.c - the account of all blocks: pabal_check(), and what statistics need of it.
 *
 * Each block that has memory is in exactly one state. Which of the OWNED ones lie in the queue only the ring knows, so the order is the undertaker's: headers,
 * then the ring, then the headers again. A block that changed between the two looks was in use and is filed under its new state; an owner that is neither
 * a living participant nor a dead one to be buried means a lost block, if it is seen in all of a few rounds.
 */
#include "model/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pabal/mailbox.h>

#include "base/error.h"
#include "memory/extent.h"
#include "memory/participant.h"
#include "queue/ring.h"

enum { ROUNDS = 5 }; /* a guess: a passing state does not last that long, a lost block does */

enum life { NOBODY, LIVES, DEAD };

struct account {
	struct pabal__segment *segment;
	struct pabal_check_result *result;
	unsigned char lives[PABAL__PARTICIPANTS + 1]; /* enum life */
	uint64_t *before;                             /* headers at the first look */
	uint64_t *named;                              /* a bit a block */
};

static void ask_who_lives(struct account *account)
{
	uint32_t high = pabal__participants_high(account->segment);

	for (uint32_t id = 1; id <= high; id++) {
		uint64_t word =
			atomic_load_explicit(&pabal__participant_at(account->segment, id)->word, memory_order_acquire); /* pairs with claim() */

		account->lives[id] = NOBODY;
		if (pabal__participant_used(word))
			account->lives[id] = pabal__participant_lives(account->segment, id) == 0 ? DEAD : LIVES;
	}
}

/* OWNED and LEASED blocks belong to somebody. */
static void count_held(struct account *account, uint32_t owner, uint64_t *living)
{
	enum life life = owner <= PABAL__PARTICIPANTS ? account->lives[owner] : NOBODY;

	if (life == LIVES)
		(*living)++;
	else if (life == DEAD)
		account->result->held_by_dead++;
	else
		account->result->lost++;
}

static void count_block(struct account *account, const struct pabal__block *block, uint64_t header)
{
	struct pabal_check_result *result = account->result;
	bool named = account->named[block->number / 64] >> block->number % 64 & 1;

	result->blocks++;
	switch (pabal__header_state(header)) {
	case PABAL__FREE:
		result->free++;
		break;
	case PABAL__OWNED:
		if (named)
			result->queued++;
		else
			count_held(account, pabal__header_owner(header), &result->loaned);
		break;
	case PABAL__LEASED:
		count_held(account, pabal__header_owner(header), &result->leased);
		break;
	case PABAL__REDELIVER:
		result->redeliver++;
		break;
	default:
		result->corrupt++;
	}
}

/* One pass over all blocks with memory. @count: the second look. */
static void pass(struct account *account, bool count)
{
	const struct pabal__segment *segment = account->segment;
	struct pabal__block block;

	for (uint32_t number = 0; number < segment->layout.class_count; number++) {
		const struct pabal__class *class = &segment->layout.classes[number];
		uint32_t high = pabal__extents_high(segment, number);

		for (uint32_t i = 0; i < high << class->shift; i++) {
			/* acquire, both: pair with the releases of the extent's and the block's owners */
			uint64_t word = atomic_load_explicit(pabal__extent_word(segment, class, i >> class->shift), memory_order_acquire), header;

			if (!pabal__extent_has_blocks(word))
				continue;
			pabal__block_at(segment, class, i, &block);
			header = atomic_load_explicit(&block.words[PABAL__WORD_HEADER], memory_order_acquire);
			if (!count)
				account->before[block.number] = header;
			else if (header == account->before[block.number] || pabal__header_state(header) != PABAL__OWNED)
				count_block(account, &block, header);
			else { /* owned anew since the first look: by somebody who is at it right now */
				account->result->blocks++;
				account->result->loaned++;
			}
		}
	}
}

static void round_of(struct account *account)
{
	memset(account->result, 0, sizeof *account->result);
	memset(account->named, 0, PABAL__BLOCKS / 8);
	pass(account, false);
	pabal__ring_named(account->segment, account->named);
	ask_who_lives(account);
	pass(account, true);
}

int pabal__account(struct pabal__segment *segment, struct pabal_check_result *ret_result)
{
	struct account *account = calloc(1, sizeof *account);
	uint64_t charged;
	int r = -ENOMEM;

	if (!account)
		return r;
	account->segment = segment;
	account->result = ret_result;
	account->before = calloc(PABAL__BLOCKS, sizeof *account->before);
	account->named = calloc(PABAL__BLOCKS / 64, sizeof *account->named);
	if (account->before && account->named) {
		r = 0;
		for (int i = 0; i < ROUNDS; i++) {
			round_of(account);
			if (!ret_result->lost && !ret_result->corrupt)
				break;
		}
		pabal__extents_sum(segment, &charged, &ret_result->bytes);
	}
	free(account->before);
	free(account->named);
	free(account);
	return r;
}
