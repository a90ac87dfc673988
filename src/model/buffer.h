/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer.h - the inside of a buffer handle, for the files of this layer.
 *
 * The handle of a buffer begins with that of a mailbox: its participant, its two sides, how they wait, and for the default form its ring, pool and what came back.
 * A form (buffer_many.c, buffer_spsc.c, buffer_latest.c) says how items go in and out; buffer_put.c and buffer_get.c are what the forms have in common.
 */
#ifndef PABAL_SRC_MODEL_BUFFER_H
#define PABAL_SRC_MODEL_BUFFER_H

#include <pabal/buffer.h>

#include "model/mailbox.h"
#include "queue/latest.h"
#include "queue/spsc.h"

/* What stands on the memory of a buffer handle's life. */
#define PABAL__BUFFER_MAGIC 0x50424246u

#define PABAL__ITEM_SIZE_MAX (UINT64_C(1) << 32)

enum {
	PABAL__SPSC_CAPACITY_MAX = 1 << 30, /* an index and a count together stay below 2^32 */
	PABAL__SPSC_AT = PABAL__PARTICIPANTS_END,
	PABAL__SPSC_ITEMS_AT = PABAL__SPSC_AT + PABAL__PAGE,
	PABAL__LATEST_AT = PABAL__PARTICIPANTS_END,
	PABAL__LATEST_ITEMS_AT = PABAL__LATEST_AT + (sizeof(struct pabal__latest_shared) + PABAL__PAGE - 1) / PABAL__PAGE * PABAL__PAGE,
};

/* The page of an SPSC buffer. */
struct pabal__buffer_spsc {
	struct pabal__spsc_shared positions;
	/* Who has the place of the producer, and of the consumer: `generation:32 | participant:32` of its slot, 0: nobody. Claimed by CAS; freed by its owner, or its undertaker. */
	_Alignas(64) pabal__word roles[2];
};

_Static_assert(sizeof(struct pabal__buffer_spsc) <= PABAL__PAGE, "it is one page");

enum pabal__role { PABAL__PRODUCER, PABAL__CONSUMER };

struct pabal__buffer_call;

/*
 * How a form does it. put, loan, commit, get and take are attempts: 0, a reason to wait, or a negative error. put and get go as far as they can and count in
 * call->done; put returns 0 when all are in, get when there is one at least.
 */
struct pabal__buffer_form {
	int (*put)(struct pabal__buffer_call *call);
	int (*loan)(struct pabal__buffer_call *call);   /* up to call->count items -> call->loan */
	int (*commit)(struct pabal__buffer_call *call); /* call->count items of call->loan, at least one */
	int (*cancel)(struct pabal__buffer_call *call); /* call->loan */
	int (*get)(struct pabal__buffer_call *call);
	int (*take)(struct pabal__buffer_call *call);    /* up to call->count items -> call->items */
	int (*release)(struct pabal__buffer_call *call); /* call->items */
	bool (*more_room)(pabal_buffer *buffer);         /* for the baton */
	bool (*more_items)(pabal_buffer *buffer);
	void (*leave)(pabal_buffer *buffer); /* close: give everything back, and the slot */
};

/* What stands in the reserved words of a loan and of a message. */
enum pabal__buffer_word {
	PABAL__ITEM_NUMBER, /* of the block, or of the loan or take */
	PABAL__ITEM_HEADER, /* of the block */
	PABAL__ITEM_HANDLE,
	PABAL__ITEM_TIMEOUT,
};

extern const struct pabal__buffer_form pabal__buffer_form_many, pabal__buffer_form_spsc, pabal__buffer_form_latest;

struct pabal_buffer {              /* NOLINT(clang-analyzer-optin.performance.Padding): the padding keeps the two ends on lines of their own */
	struct pabal_mailbox base; /* the first member: the calls that wait know it */
	const struct pabal__buffer_form *form;
	uint64_t item_size;
	/* SPSC */
	struct pabal__buffer_spsc *shared;
	_Alignas(64) struct pabal__spsc_end producer;
	_Alignas(64) struct pabal__spsc_end consumer;
	bool has_role[2]; /* each under the lock of its side */
	/* LATEST */
	struct pabal__latest latest;
	/* SPSC and LATEST: what is out in place, each under the lock of its side. SPSC: how many items; LATEST: block + 1; 0: nothing. The numbers tell an old one apart. */
	uint32_t loaned, taken;
	uint64_t loan_number, take_number;
	bool damaged; /* the default form: an item was corrupt behind good ones; the next get says so */
};

/* The first member of whatever a buffer's call hands to pabal__wait(). */
struct pabal__buffer_call {
	struct pabal__call call;
	pabal_buffer *buffer;
	int (*attempt)(struct pabal__buffer_call *call);
	const uint8_t *from;
	uint8_t *to;
	uint32_t count, done;
	bool has_block; /* the default form: a block that is filled and not in yet */
	struct pabal__block block;
	struct pabal_loan *loan;
	struct pabal_message *items;
};

int pabal__buffer_refuse(const pabal_buffer *buffer, bool write) __attribute__((cold));

/* Is this handle fit for use? As pabal__mailbox_check(). */
static inline int pabal__buffer_check(const pabal_buffer *buffer, bool write, int64_t timeout_ns)
{
	if (__builtin_expect(buffer && buffer->base.magic == PABAL__BUFFER_MAGIC && buffer->base.generation == pabal__fork_generation() &&
				     !(write && (buffer->base.flags & PABAL_READ_ONLY)) && timeout_ns >= PABAL_FOREVER,
			     1))
		return 0;
	return pabal__buffer_refuse(buffer, write);
}

/* The sentence for an error that is no mistake of the caller, in a call on that side. Returns @error. */
int pabal__buffer_say(int error, const pabal_buffer *buffer, const struct pabal__side *side) __attribute__((cold));

/* Attempt, and wait if need be. */
int pabal__buffer_do(struct pabal__buffer_call *call, struct pabal__side *side, int64_t timeout_ns);

extern const struct pabal__wait_calls pabal__put_calls, pabal__get_calls;

/* Something happened by a plain store; wakes all. */
static inline void pabal__buffer_ring_items(const pabal_buffer *buffer)
{
	if (__builtin_expect(pabal__bell_ring_all(&buffer->base.segment.header->items_bell), 0))
		pabal__mailbox_post(&buffer->base.segment, PABAL_READABLE);
}

static inline void pabal__buffer_ring_room(const pabal_buffer *buffer)
{
	if (__builtin_expect(pabal__bell_ring_all(&buffer->base.segment.header->room_bell), 0))
		pabal__mailbox_post(&buffer->base.segment, PABAL_WRITABLE);
}

/* buffer_role.c: the places of an SPSC buffer. */
int pabal__role_claim(pabal_buffer *buffer, enum pabal__role role);
void pabal__role_free(struct pabal__segment *segment, uint32_t id, uint64_t generation, struct pabal__burial *burial);
uint32_t pabal__role_holder(const struct pabal__segment *segment, enum pabal__role role);

/* How a segment stands, whatever its form. */
struct pabal__buffer_counts {
	uint64_t put, got, depth, memory, memory_max;
	uint64_t in_hand, back; /* SPSC, parts of the depth: what its consumer holds in place; what one before it held, and nobody does now */
	bool sound;
};

void pabal__buffer_count(struct pabal__segment *segment, struct pabal__buffer_counts *ret_counts);

/* LATEST: bytes from block to block. */
static inline uint64_t pabal__buffer_stride(const struct pabal__shape *shape)
{
	return (shape->item_size + PABAL__LATEST_STRIDE - 1) / PABAL__LATEST_STRIDE * PABAL__LATEST_STRIDE;
}

/* The view of a segment that has this form. */
static inline struct pabal__buffer_spsc *pabal__buffer_spsc_of(const struct pabal__segment *segment)
{
	return pabal__segment_at(segment, PABAL__SPSC_AT);
}

static inline struct pabal__latest pabal__buffer_latest_of(const struct pabal__segment *segment, uint32_t me)
{
	return (struct pabal__latest){
		.segment = segment,
		.shared = pabal__segment_at(segment, PABAL__LATEST_AT),
		.items = pabal__segment_at(segment, PABAL__LATEST_ITEMS_AT),
		.stride = pabal__buffer_stride(&segment->shape),
		.me = me,
	};
}

#endif
