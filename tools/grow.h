/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grow.h - lists whose length is not known beforehand.
 */
#ifndef PABAL_TOOLS_GROW_H
#define PABAL_TOOLS_GROW_H

#include <stdint.h>
#include <stdlib.h>

/** grow() - an array with room for one more than @count items of @size bytes. Return: it, perhaps moved; NULL: out of memory, and the old one stays as it is. */
static inline void *grow(void *array, uint32_t count, uint32_t *room, size_t size)
{
	uint32_t larger = *room ? 2 * *room : 16;
	void *moved;

	if (count < *room)
		return array;
	moved = realloc(array, larger * size);
	if (moved)
		*room = larger;
	return moved;
}

#endif
