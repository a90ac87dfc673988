/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_copy.h - small payloads into a ring and out of it.
 *
 * Into it from the end to the beginning: the first bytes share a cache line with the header, which is written right after them, so that this line goes to the reader once and as a whole.
 */
#ifndef PABAL_SRC_MODEL_LINK_COPY_H
#define PABAL_SRC_MODEL_LINK_COPY_H

#include <stddef.h>
#include <string.h>

enum { PABAL__COPY_SMALL = 128 /* measured: from here on the call of memcpy() is worth it */ };

/* Less than 16 bytes: two pieces that overlap. */
static inline void pabal__copy_tiny(unsigned char *to, const unsigned char *from, size_t size)
{
	if (size & 8) {
		memcpy(to + size - 8, from + size - 8, 8);
		memcpy(to, from, 8);
	} else if (size & 4) {
		memcpy(to + size - 4, from + size - 4, 4);
		memcpy(to, from, 4);
	} else if (size) {
		to[size - 1] = from[size - 1];
		to[size / 2] = from[size / 2];
		to[0] = from[0];
	}
}

static inline void pabal__copy_16(unsigned char *to, const unsigned char *from, size_t at)
{
	memcpy(to + at, from + at, 16);
}

/* In pieces of 16, of which two in the middle may overlap: the last half from its end, then the first one from its end. */
static inline void pabal__copy_in(unsigned char *to, const unsigned char *from, size_t size)
{
	if (size < 16) {
		pabal__copy_tiny(to, from, size);
		return;
	}
	if (size > PABAL__COPY_SMALL) {
		memcpy(to, from, size);
		return;
	}
	pabal__copy_16(to, from, size - 16);
	if (size > 32) {
		pabal__copy_16(to, from, size - 32);
		if (size > 64) {
			pabal__copy_16(to, from, size - 48);
			pabal__copy_16(to, from, size - 64);
			pabal__copy_16(to, from, 48);
			pabal__copy_16(to, from, 32);
		}
		pabal__copy_16(to, from, 16);
	}
	pabal__copy_16(to, from, 0);
}

static inline void pabal__copy_out(unsigned char *to, const unsigned char *from, size_t size)
{
	if (size < 16) {
		pabal__copy_tiny(to, from, size);
		return;
	}
	if (size > PABAL__COPY_SMALL) {
		memcpy(to, from, size);
		return;
	}
	pabal__copy_16(to, from, 0);
	if (size > 32) {
		pabal__copy_16(to, from, 16);
		if (size > 64) {
			pabal__copy_16(to, from, 32);
			pabal__copy_16(to, from, 48);
			pabal__copy_16(to, from, size - 64);
			pabal__copy_16(to, from, size - 48);
		}
		pabal__copy_16(to, from, size - 32);
	}
	pabal__copy_16(to, from, size - 16);
}

#endif
