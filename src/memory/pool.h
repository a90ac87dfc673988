/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/pool.h - one participant's way to get blocks.
 *
 * The pool is private: which extents this participant is home to and where it looked last. Small blocks come from the home extent with one load and one plain
 * store; large ones by one compare-and-swap. Nothing here frees: a block is freed by one store to its header, by whoever read it last.
 * Calls are made under the handle's send lock.
 */
#ifndef PABAL_SRC_MEMORY_POOL_H
#define PABAL_SRC_MEMORY_POOL_H

#include "memory/extent.h"

struct pabal__pool {
	struct pabal__segment *segment;
	uint32_t me;
	struct {
		uint32_t extent;   /* index + 1; 0: no home in this class */
		uint32_t cursor;   /* the block in it to look at next */
	} homes[PABAL__SMALL_CLASSES];
	uint32_t probe[PABAL__CLASSES];  /* the extent to look at next */
};

/*
 * A block with room for @size bytes, OWNED by us. The caller has checked @size against the largest class.
 * -EAGAIN: the budget is used up; -ENOSPC: the file system is full.
 */
int pabal__pool_allocate(struct pabal__pool *pool, uint64_t size, struct pabal__block *ret_block);

/* Let the homes float, so that others may use them. */
void pabal__pool_leave(struct pabal__pool *pool);

/* Give back the memory of all that is free. Bytes given back. */
uint64_t pabal__pool_reclaim(struct pabal__segment *segment, uint32_t me);

#endif
