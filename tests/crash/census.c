/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/census.c - the table of kills. It reads what the library writes, and writes nothing.
 */
#include "crash/census.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/extent.h"
#include "memory/layout.h"
#include "queue/ring.h"

const char *const census_slot_names[CENSUS_SLOTS] = { "-", "EMPTY", "FULL", "TAKEN", "NEXT" };
const char *const census_block_names[CENSUS_BLOCKS] = { "-", "FREE", "OWNED", "LEASED", "REDELIVER" };

struct census_map {
	struct pabal__segment segment;
};

static void unmap(struct census *census)
{
	if (census->map && census->map->segment.header)
		munmap(census->map->segment.header, census->map->segment.layout.size);
	free(census->map);
	census->map = NULL;
}

static bool map(struct census *census, const char *name)
{
	char path[512];
	struct pabal__header header;
	void *base = MAP_FAILED;
	int fd;

	unmap(census);
	census->map = calloc(1, sizeof *census->map);
	snprintf(path, sizeof path, "%s/%s", getenv("PABAL_DIR"), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!census->map || fd < 0)
		return false;
	if (pread(fd, &header, sizeof header, 0) == sizeof header) {
		pabal__layout_compute(&header.shape, &census->map->segment.layout);
		base = mmap(NULL, census->map->segment.layout.size, PROT_READ, MAP_SHARED, fd, 0);
	}
	close(fd);
	if (base == MAP_FAILED)
		return false;
	census->map->segment.header = base;
	return true;
}

static uint64_t slot_word(const struct census *census, uint32_t index)
{
	const struct pabal__segment *segment = &census->map->segment;

	return atomic_load((pabal__word *)pabal__segment_at(segment, segment->layout.ring) + index);
}

static uint32_t extents_high(const struct census *census, uint32_t number)
{
	return (uint32_t)atomic_load(&census->map->segment.header->extents_high[number]);
}

/* The header of a block, or all ones where the block has no memory. */
static uint64_t header_word(const struct census *census, uint32_t number)
{
	const struct pabal__segment *segment = &census->map->segment;
	const struct pabal__class *class = &segment->layout.classes[pabal__layout_class(&segment->layout, number)];
	uint32_t index = (number - class->first_block) >> class->shift;
	struct pabal__block block;

	if (index >= extents_high(census, (uint32_t)(class - segment->layout.classes)) ||
	    !pabal__extent_has_blocks(atomic_load(pabal__extent_word(segment, class, index))))
		return UINT64_MAX;
	pabal__block_find(segment, number, &block);
	return atomic_load(&block.words[PABAL__WORD_HEADER]);
}

/* Only the blocks of extents that were ever used, and one extent more a class: an operation adds no more than that. */
static void each_block(struct census *census, void (*each)(struct census *census, uint32_t number))
{
	const struct pabal__layout *layout = &census->map->segment.layout;

	for (uint32_t i = 0; i < layout->class_count; i++) {
		const struct pabal__class *class = &layout->classes[i];
		uint32_t end = class->first_block + ((extents_high(census, i) + 1) << class->shift);

		for (uint32_t number = class->first_block; number < end && number < class->block_end; number++)
			each(census, number);
	}
}

static void remember(struct census *census, uint32_t number)
{
	census->headers[number] = header_word(census, number);
}

void census_begin(void *data, struct crash_scene *scene)
{
	struct census *census = data;
	const struct pabal__layout *layout;

	if (!map(census, scene->name)) {
		fprintf(stderr, "census: cannot map %s\n", scene->name);
		exit(2);
	}
	layout = &census->map->segment.layout;
	if (!census->slots) {
		census->slots = calloc(layout->ring_slots, sizeof *census->slots);
		census->headers = calloc(PABAL__BLOCKS, sizeof *census->headers);
	}
	if (!census->slots || !census->headers)
		exit(2);
	for (uint32_t i = 0; i < layout->ring_slots; i++)
		census->slots[i] = slot_word(census, i);
	each_block(census, remember);
}

static void track(struct census *census, uint32_t slot, uint32_t block)
{
	for (uint32_t i = 0; i < census->count; i++) {
		if ((block && census->tracked[i].block == block) || (slot && census->tracked[i].slot == slot && !census->tracked[i].block)) {
			census->tracked[i].block = block ? block : census->tracked[i].block;
			census->tracked[i].slot = slot ? slot : census->tracked[i].slot;
			return;
		}
		if (slot && block == 0 && census->tracked[i].slot == slot)
			return;
	}
	if (census->count < CENSUS_TRACKED) {
		census->tracked[census->count].slot = slot;
		census->tracked[census->count++].block = block;
	}
}

static void track_block(struct census *census, uint32_t number)
{
	uint64_t now = header_word(census, number), was = census->headers[number];

	/* An extent that gets or loses its memory changes all its headers; what is worked on is held by somebody. */
	if (now != was &&
	    (now == UINT64_MAX || pabal__header_state(now) != PABAL__FREE || (was != UINT64_MAX && pabal__header_state(was) != PABAL__FREE)))
		if (!(now == UINT64_MAX && pabal__header_state(was) == PABAL__FREE))
			track(census, 0, number + 1);
}

void census_track(void *data, struct crash_scene *scene, uint32_t k)
{
	struct census *census = data;

	(void)scene;
	if (k % 8) /* each change lasts longer than that */
		return;
	for (uint32_t i = 0; i < census->map->segment.layout.ring_slots; i++) {
		uint64_t now = slot_word(census, i);

		if (now == census->slots[i])
			continue;
		if ((now >> 30 & 3) != PABAL__EMPTY)
			track(census, i + 1, (uint32_t)(now & (PABAL__BLOCKS - 1)) + 1);
		else if ((census->slots[i] >> 30 & 3) != PABAL__EMPTY)
			track(census, i + 1, (uint32_t)(census->slots[i] & (PABAL__BLOCKS - 1)) + 1);
	}
	each_block(census, track_block);
}

static enum census_slot slot_state(const struct census *census, uint32_t index)
{
	uint64_t now = slot_word(census, index), was = census->slots[index];

	switch (now >> 30 & 3) {
	case PABAL__FULL:
		return CENSUS_FULL;
	case PABAL__TAKEN:
		return CENSUS_TAKEN;
	default:
		return (now ^ was) >> 32 ? CENSUS_NEXT : CENSUS_EMPTY;
	}
}

static uint32_t cell_of(const struct census *census, uint32_t i)
{
	uint32_t slot = census->tracked[i].slot, block = census->tracked[i].block;
	uint64_t header = block ? header_word(census, block - 1) : UINT64_MAX;
	uint32_t in_slot = slot ? slot_state(census, slot - 1) : CENSUS_NO_SLOT;

	return in_slot * CENSUS_BLOCKS + (header == UINT64_MAX ? CENSUS_NO_BLOCK : pabal__header_state(header) + 1);
}

uint32_t census_cell(struct census *census)
{
	return census->count ? cell_of(census, 0) : 0;
}

void census_at(void *data, struct crash_scene *scene, uint32_t k)
{
	struct census *census = data;

	(void)scene;
	(void)k;
	census->kills++;
	for (uint32_t i = 0; i < census->count; i++) {
		uint32_t cell = cell_of(census, i);

		census->cells[cell / CENSUS_BLOCKS][cell % CENSUS_BLOCKS]++;
	}
	if (!census->count)
		census->cells[0][0]++;
}

void census_forget(struct census *census)
{
	census->count = 0;
}

void census_free(struct census *census)
{
	unmap(census);
	free(census->slots);
	free(census->headers);
	memset(census, 0, sizeof *census);
}

void census_print(const struct census *census, const char *title)
{
	printf("%-16s killed at %8" PRIu64 " instructions;", title, census->kills);
	for (uint32_t slot = 0; slot < CENSUS_SLOTS; slot++)
		for (uint32_t block = 0; block < CENSUS_BLOCKS; block++)
			if (census->cells[slot][block])
				printf(" %s/%s %" PRIu64, census_slot_names[slot], census_block_names[block], census->cells[slot][block]);
	printf("\n");
}
