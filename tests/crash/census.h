/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/census.h - in which states of slot and block header the victims were killed.
 *
 * It looks into the segment through a read-only mapping of its own, with the library's internal headers. What the victim works on is found by
 * comparing: the slots and headers that differ between the beginning of the operation and its end.
 */
#ifndef PABAL_TESTS_CRASH_CENSUS_H
#define PABAL_TESTS_CRASH_CENSUS_H

#include "crash/crash.h"

enum census_slot { CENSUS_NO_SLOT, CENSUS_EMPTY, CENSUS_FULL, CENSUS_TAKEN, CENSUS_NEXT, CENSUS_SLOTS };
enum census_block { CENSUS_NO_BLOCK, CENSUS_FREE, CENSUS_OWNED, CENSUS_LEASED, CENSUS_REDELIVER, CENSUS_BLOCKS };

enum { CENSUS_TRACKED = 16 };

struct census {
	uint64_t kills;
	uint64_t cells[CENSUS_SLOTS][CENSUS_BLOCKS];
	struct {
		uint32_t slot;  /* index + 1; 0: none */
		uint32_t block; /* number + 1; 0: none */
	} tracked[CENSUS_TRACKED];
	uint32_t count;
	bool count_cells;          /* kills count; the steps of the measuring pass do not */
	uint64_t *slots, *headers; /* as they were when the operation began */
	struct census_map *map;
};

/* For struct crash_watch, with a struct census as data. */
void census_begin(void *data, struct crash_scene *scene);
void census_at(void *data, struct crash_scene *scene, uint32_t k);

/* During the measuring pass: track what has changed since the beginning. */
void census_track(void *data, struct crash_scene *scene, uint32_t k);

/* The cell that the first tracked pair is in now: slot * CENSUS_BLOCKS + block. */
uint32_t census_cell(struct census *census);

void census_forget(struct census *census);
void census_free(struct census *census);
void census_print(const struct census *census, const char *title);

extern const char *const census_slot_names[CENSUS_SLOTS], *const census_block_names[CENSUS_BLOCKS];

#endif
