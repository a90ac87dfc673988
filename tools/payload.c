/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.c - what the messages of demo and torture contain.
 *
 *   8 bytes  id
 *   4 bytes  size of the whole message
 *   4 bytes  checksum over id, size and all that follows
 *   ...      words that follow from the id, so that no two messages have a stretch in common
 *
 * A message with a byte changed, cut short, or put together from two others does not pass.
 */
#include <string.h>

#include "payload.h"
#include "random.h"

struct header {
	uint64_t id;
	uint32_t size;
	uint32_t checksum;
};

_Static_assert(sizeof(struct header) == PAYLOAD_SIZE_MIN, "the smallest message is a bare header");

static uint64_t word_at(const unsigned char *data, size_t size, size_t at)
{
	uint64_t word = 0;

	memcpy(&word, data + at, size - at < sizeof(word) ? size - at : sizeof(word));
	return word;
}

static uint32_t checksum(const unsigned char *data, size_t size, uint64_t id)
{
	uint64_t sum = random_mix(id ^ size << 32);

	for (size_t at = sizeof(struct header); at < size; at += sizeof(uint64_t))
		sum = (sum ^ word_at(data, size, at)) * UINT64_C(0x9e3779b97f4a7c15) + (sum >> 29);
	return (uint32_t)random_mix(sum);
}

void payload_fill(void *data, size_t size, uint64_t id)
{
	struct header header = { .id = id, .size = (uint32_t)size };
	unsigned char *bytes = data;
	uint64_t word = random_mix(id);

	for (size_t at = sizeof(header); at < size; at += sizeof(word)) {
		word += UINT64_C(0x9e3779b97f4a7c15);
		memcpy(bytes + at, &word, size - at < sizeof(word) ? size - at : sizeof(word));
	}
	header.checksum = checksum(bytes, size, id);
	memcpy(bytes, &header, sizeof(header));
}

bool payload_check(const void *data, size_t size, uint64_t *ret_id)
{
	struct header header;

	*ret_id = 0;
	if (size < sizeof(header))
		return false;
	memcpy(&header, data, sizeof(header));
	*ret_id = header.id;
	return header.size == size && header.checksum == checksum(data, size, header.id);
}
