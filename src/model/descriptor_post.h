/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_post.h - who has a descriptor, and telling them: the shared side of model/descriptor.h.
 *
 * A participant has a word for it. In mailboxes and buffers it is PABAL_READABLE, PABAL_WRITABLE: it has a descriptor for that, and is to be told. In a region it is
 *
 *   arms:32 | end:1 | events:23 | names:8
 *
 * where names says as well which sockets it has (PABAL_READABLE, no other), but the bits above say what it is to be told of: it sleeps, or is about to. Events share these 23 bits; who is told of another than its own looks
 * once for nothing. Arms counts how often bits were set.
 */
#ifndef PABAL_SRC_MODEL_DESCRIPTOR_POST_H
#define PABAL_SRC_MODEL_DESCRIPTOR_POST_H

#include <pabal/base.h>

#include "memory/participant.h"

#define PABAL__TOLD_END (UINT64_C(1) << 31)
#define PABAL__TOLD_ALL UINT64_C(0xffffff00)
#define PABAL__TOLD_ARM (UINT64_C(1) << 32)

static inline uint64_t pabal__told_of(uint32_t index)
{
	return UINT64_C(0x100) << index % 23;
}

/* From now on participant @id, whose process we are, is to be told of @bits. Then look, then sleep. Of a mailbox: before the socket has its name, and before the bell is armed. */
void pabal__descriptor_enroll(const struct pabal__segment *segment, uint32_t id, uint64_t bits);

/* No longer of @bits; the sockets that are among them have no name any more. */
void pabal__descriptor_withdraw(const struct pabal__segment *segment, uint32_t id, uint64_t bits);

/* A byte to the sockets for @event of all who have one of @bits. */
void pabal__descriptor_post(const struct pabal__segment *segment, uint64_t bits, uint32_t event) __attribute__((cold));

/* May there be somebody to be told? If not, the above does nothing. The caller has just done a seq_cst read-modify-write on what they look at. */
static inline bool pabal__descriptor_is_in_use(const struct pabal__segment *segment)
{
	/* seq_cst: after that; pairs with pabal__descriptor_enroll(), after which they look */
	return __builtin_expect(atomic_load_explicit(&segment->header->descriptors, memory_order_seq_cst) & 1, 0);
}

#endif
