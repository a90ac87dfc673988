/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/required.c - which cells each operation passes through.
 */
#include "crash/required.h"

#include <stdio.h>
#include <string.h>

struct cell {
	enum census_slot slot;
	enum census_block block;
};

static const struct {
	const char *operation;
	struct cell cells[6]; /* up to the first of two zeroes */
} required[] = {
	{ "send", { { CENSUS_EMPTY, CENSUS_FREE }, { CENSUS_EMPTY, CENSUS_OWNED }, { CENSUS_FULL, CENSUS_OWNED } } },
	{ "loan-commit", { { CENSUS_EMPTY, CENSUS_FREE }, { CENSUS_EMPTY, CENSUS_OWNED }, { CENSUS_FULL, CENSUS_OWNED } } },
	{ "loan-cancel", { { CENSUS_NO_SLOT, CENSUS_FREE }, { CENSUS_NO_SLOT, CENSUS_OWNED } } },
	{ "receive",
	  { { CENSUS_FULL, CENSUS_OWNED },
	    { CENSUS_TAKEN, CENSUS_OWNED },
	    { CENSUS_TAKEN, CENSUS_LEASED },
	    { CENSUS_NEXT, CENSUS_LEASED },
	    { CENSUS_NEXT, CENSUS_FREE } } },
	{ "take-release",
	  { { CENSUS_FULL, CENSUS_OWNED },
	    { CENSUS_TAKEN, CENSUS_OWNED },
	    { CENSUS_TAKEN, CENSUS_LEASED },
	    { CENSUS_NEXT, CENSUS_LEASED },
	    { CENSUS_NEXT, CENSUS_FREE } } },
	{ "take-requeue",
	  { { CENSUS_FULL, CENSUS_OWNED },
	    { CENSUS_TAKEN, CENSUS_OWNED },
	    { CENSUS_TAKEN, CENSUS_LEASED },
	    { CENSUS_NEXT, CENSUS_LEASED },
	    { CENSUS_NEXT, CENSUS_REDELIVER } } },
	{ "close",
	  { { CENSUS_NO_SLOT, CENSUS_LEASED },
	    { CENSUS_NO_SLOT, CENSUS_REDELIVER },
	    { CENSUS_NO_SLOT, CENSUS_OWNED },
	    { CENSUS_NO_SLOT, CENSUS_FREE } } },
};

bool required_missing(const struct census *census, const char *operation, bool large)
{
	bool missing = false;

	for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
		if (strcmp(required[i].operation, operation) != 0)
			continue;
		for (const struct cell *cell = required[i].cells; cell < required[i].cells + 6 && (cell->slot || cell->block); cell++) {
			if (census->cells[cell->slot][cell->block])
				continue;
			if (large && cell->slot <= CENSUS_EMPTY && cell->block == CENSUS_FREE)
				continue; /* a large block is owned first, and then gets the memory in which its header is seen */
			fprintf(stderr, "%s: nobody was killed with the slot %s and the block %s\n", operation, census_slot_names[cell->slot],
				census_block_names[cell->block]);
			missing = true;
		}
	}
	return missing;
}
