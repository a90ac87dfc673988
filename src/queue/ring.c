/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/ring.c - many senders, many receivers, one compare-and-swap each.
 *
 * A slot is `turn:32 | state:2 | owner:10 | block:20`. Position p is slot p mod N at turn p div N. T is the first unfilled position, H the first untaken.
 *
 *   EMPTY(t) --CAS: the send commits--> FULL(t, p, b) --CAS: the take commits--> TAKEN(t, c, b) --store, by c--> EMPTY(t + 1)
 *
 * Every hint, private or shared, is at or before T (senders) or H (receivers), and moves over what it has seen only. So a CAS on EMPTY(t) can succeed at T alone:
 * the filled positions are a prefix, and so are the taken ones, and the order of the commits is the order of the queue.
 *
 * The order that matters: a taker writes its lease into the header of the block *before* its slot lets go. A committed block is at each moment named by a slot or
 * by a header, and whoever looks for a block reads the header first, then the slots.
 *
 * Killed ...                               leaves                        and then
 *   a sender before its CAS                a block OWNED by it, no slot  its undertaker frees the block; the message never was
 *   a sender after its CAS                 FULL                          the message is there
 *   a taker after its CAS                  TAKEN(c), header OWNED(p)     repair: header LEASED(c) by CAS, slot EMPTY by CAS; then c's leases come back
 *   a taker after its header               TAKEN(c), header LEASED(c)    repair: slot EMPTY
 *   a taker after its slot                 LEASED(c)                     its undertaker gives the block back
 *   a repairer anywhere                    one of these states           the next repairer goes on: all its steps are CAS from a state that was read
 *
 * A repairer may have slept since it read the slot: it reads the header, then the slot once more. If that is still the same word, the header belongs to this
 * very take, and since its version is part of the CAS, a header that moved on is left alone.
 *
 * Who has room for @size_max bytes only reads the length before its CAS, and takes what fits. As long as the slot still says FULL after that, the block was in the queue all the
 * while; if it says anything else, what was read may be anything.
 *
 * The slots are packed eight to a cache line, and consecutive positions lie in different lines.
 */
#include "queue/ring.h"

#include "memory/extent.h"

enum {
	PUBLISH = 64,   /* positions between two shared hints: a newcomer walks that far at most; a guess */
	LINE_SHIFT = 3, /* slots in a cache line, as a power of two */
};

/* Test builds start a few turns before the 32 bits of a turn wrap. */
#ifdef PABAL_TEST
static const uint64_t first_turn = 0xfffffffd;
#else
static const uint64_t first_turn = 1;
#endif

static inline uint64_t slot_count(const struct pabal__ring *ring)
{
	return ring->mask + 1;
}

static inline pabal__word *slot_at(const struct pabal__ring *ring, uint64_t position)
{
	uint64_t index = position & ring->mask;

	return &ring->slots[(index & ring->line_mask) << LINE_SHIFT | index >> ring->line_shift];
}

static inline uint32_t turn_of(const struct pabal__ring *ring, uint64_t position)
{
	return (uint32_t)(position >> ring->shift);
}

static inline uint64_t slot_word(uint32_t turn, enum pabal__slot_state state, uint32_t owner, uint32_t block)
{
	return (uint64_t)turn << 32 | (uint64_t)state << 30 | (uint64_t)owner << 20 | block;
}

static inline uint32_t slot_turn(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static inline uint32_t slot_state(uint64_t word)
{
	return word >> 30 & 3;
}

static inline uint32_t slot_owner(uint64_t word)
{
	return word >> 20 & 0x3ff;
}

static inline uint32_t slot_block(uint64_t word)
{
	return word & (PABAL__BLOCKS - 1);
}

/* How many turns the slot is ahead of @position. */
static inline int32_t ahead(const struct pabal__ring *ring, uint64_t word, uint64_t position)
{
	return (int32_t)(slot_turn(word) - turn_of(ring, position));
}

/* T is at least this, says a slot @lead turns ahead of @position. */
static inline uint64_t seen(const struct pabal__ring *ring, uint64_t word, uint64_t position, int32_t lead)
{
	uint64_t filled = position + ((uint64_t)(int64_t)lead << ring->shift);

	return (slot_state(word) == PABAL__EMPTY ? filled - slot_count(ring) : filled) + 1;
}

static inline uint64_t later(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0 ? a : b;
}

static inline uint64_t load(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_acquire); /* pairs with the releases of ring_send(), of takers and of repairers */
}

void pabal__ring_init(struct pabal__ring *ring, const struct pabal__segment *segment, uint32_t me)
{
	uint64_t first = first_turn << segment->layout.ring_shift;

	ring->segment = segment;
	ring->slots = pabal__segment_at(segment, segment->layout.ring);
	ring->shift = segment->layout.ring_shift;
	ring->line_shift = ring->shift - LINE_SHIFT;
	ring->mask = segment->layout.ring_slots - 1;
	ring->line_mask = ring->mask >> LINE_SHIFT;
	ring->capacity = segment->layout.capacity;
	ring->me = me;
	ring->tail.position = ring->tail.credit = ring->head.position = first;
}

void pabal__ring_format(const struct pabal__segment *segment)
{
	pabal__word *slots = pabal__segment_at(segment, segment->layout.ring);

	/* relaxed: the file has no name yet */
	for (uint32_t i = 0; i < segment->layout.ring_slots; i++)
		atomic_store_explicit(&slots[i], slot_word((uint32_t)first_turn, PABAL__EMPTY, 0, 0), memory_order_relaxed);
	atomic_store_explicit(&segment->header->tail_hint, first_turn << segment->layout.ring_shift, memory_order_relaxed);
	atomic_store_explicit(&segment->header->head_hint, first_turn << segment->layout.ring_shift, memory_order_relaxed);
}

/* A shared hint is believed only where a slot agrees: the position before it was filled (@taken: and taken). */
static uint64_t adopt_hint(const struct pabal__ring *ring, pabal__word *hint, uint64_t position, bool taken)
{
	uint64_t shared = atomic_load_explicit(hint, memory_order_relaxed), word; /* a hint; the slot decides */
	int32_t lead;

	if ((int64_t)(shared - position) <= 0)
		return position;
	word = load(slot_at(ring, shared - 1));
	lead = ahead(ring, word, shared - 1);
	if (lead > 0 || (lead == 0 && slot_state(word) >= (taken ? PABAL__TAKEN : PABAL__FULL)))
		return shared;
	return position;
}

static void publish_hint(pabal__word *hint, uint64_t position)
{
	/* relaxed: a hint that goes back by a race is only less useful */
	if (position % PUBLISH == 0 && (int64_t)(position - atomic_load_explicit(hint, memory_order_relaxed)) > 0)
		atomic_store_explicit(hint, position, memory_order_relaxed);
}

/* Was the message at @position taken? */
static inline bool is_taken(const struct pabal__ring *ring, uint64_t position)
{
	uint64_t word = load(slot_at(ring, position));
	int32_t lead = ahead(ring, word, position);

	return lead > 0 || (lead == 0 && slot_state(word) == PABAL__TAKEN);
}

/*
 * May position @tail be filled, which is to say: was position tail - capacity taken? Exact: the caller has just seen @tail EMPTY, so it is T, and taken positions
 * are a prefix. To look once in many sends, first ask for a position further on.
 */
static inline bool has_room(struct pabal__ring *ring, uint64_t tail)
{
	uint64_t oldest = tail - ring->capacity, further = oldest + ring->capacity / 4;

	if (PABAL__FAULT(NO_ROOM_CHECK) || (int64_t)(oldest - ring->tail.credit) < 0)
		return true;
	if (is_taken(ring, further)) {
		ring->tail.credit = further + 1;
		return true;
	}
	if (!is_taken(ring, oldest))
		return false;
	ring->tail.credit = oldest + 1;
	return true;
}

enum pabal__ring_result pabal__ring_send(struct pabal__ring *ring, const struct pabal__block *block, uint64_t low, uint64_t *ret_busy)
{
	uint64_t position = ring->tail.position, word = load(slot_at(ring, position));
	enum pabal__ring_result result = PABAL__RING_BUSY;
	bool stale = false;

	/* Bounded: a hostile peer could keep the slots moving for ever. An honest walk is shorter. */
	for (uint64_t steps = 4 * slot_count(ring); steps; steps--) {
		int32_t lead = ahead(ring, word, position);

		if (lead == 0 && slot_state(word) == PABAL__EMPTY) {
			uint64_t full = slot_word(turn_of(ring, position), PABAL__FULL, ring->me, block->number);

			if (!has_room(ring, position)) {
				result = PABAL__RING_NOT_NOW;
				break;
			}
			pabal__block_set(block, PABAL__WORD_SEQUENCE, (position - (first_turn << ring->shift)) << 16 | low);
			/* release: the block is filled before a slot names it; pairs with load() in ring_take(). acquire: judge what it returned */
			if (atomic_compare_exchange_strong_explicit(slot_at(ring, position), &word, full, memory_order_acq_rel,
								    memory_order_acquire)) {
				ring->tail.position = position + 1;
				publish_hint(&ring->segment->header->tail_hint, position + 1);
				return PABAL__RING_DONE;
			}
			continue;
		}
		if (lead == 0) {
			position++;
		} else if (lead > 0) {
			position = later(position + 1, seen(ring, word, position, lead));
			position = adopt_hint(ring, &ring->segment->header->tail_hint, position, false);
		} else if (lead == -1 && slot_state(word) == PABAL__FULL) {
			result = PABAL__RING_NOT_NOW;
			break;
		} else if (lead == -1 && slot_state(word) == PABAL__TAKEN) {
			*ret_busy = position;
			break;
		} else if (!stale) { /* asleep for 2^31 turns, or lied to: start again from the shared hint, once */
			stale = true;
			position = atomic_load_explicit(&ring->segment->header->tail_hint, memory_order_relaxed);
		} else {
			return PABAL__RING_CORRUPT;
		}
		word = load(slot_at(ring, position));
	}
	ring->tail.position = position;
	if (result == PABAL__RING_BUSY)
		*ret_busy = position;
	return result;
}

/*
 * The slot at @position was seen as @word, FULL: is the message in @block, which may be, really larger than @size_max? Then block->length is its size. A look: nothing is changed, and
 * whoever takes it meanwhile is not held up. A length that its block has no room for is no size: the take finds it corrupt, and lets the slot go.
 */
static bool is_large(const struct pabal__ring *ring, uint64_t position, uint64_t word, uint64_t size_max, struct pabal__block *block)
{
	if (!pabal__extent_find_block(ring->segment, block->number, block)) /* taken, freed and given back since: the CAS fails */
		return false;
	block->length = pabal__block_length(block);
	if (block->length <= size_max || block->length > block->room)
		return false;
	atomic_thread_fence(memory_order_acquire); /* the length was read before the slot is looked at again; pairs with the takers' CAS */
	return PABAL__FAULT(NO_LARGE_REREAD) || atomic_load_explicit(slot_at(ring, position), memory_order_relaxed) == word;
}

/* The slot at @position is TAKEN by us: write the lease, let the slot go. @sound: there is such a block. */
static enum pabal__ring_result finish_take(struct pabal__ring *ring, uint64_t position, uint64_t size_max, bool sound, struct pabal__block *ret_block,
					   uint64_t *ret_header)
{
	uint64_t empty = slot_word(turn_of(ring, position) + 1, PABAL__EMPTY, 0, 0), header, lease;
	pabal__word *slot = slot_at(ring, position);

	if (sound)
		__builtin_prefetch(ret_block->data); /* a large one lies far from its header: so the two lines come at once */
	ring->head.position = position + 1;
	publish_hint(&ring->segment->header->head_hint, position + 1);
	if (PABAL__FAULT(SLOT_BEFORE_HEADER))
		atomic_store_explicit(slot, empty, memory_order_release);
	if (sound) {
		/* relaxed: the acquire of the slot brought it */
		header = atomic_load_explicit(&ret_block->words[PABAL__WORD_HEADER], memory_order_relaxed);
		ret_block->length = pabal__block_length(ret_block); /* read once; what is_large() saw decides nothing more */
		sound = pabal__header_state(header) == PABAL__OWNED && ret_block->length <= ret_block->room && ret_block->length <= size_max;
		lease = pabal__header_lease(header, ring->me);
		/* release: an undertaker that sees the lease sees no older header after it; pairs with its acquire */
		if (sound && !PABAL__FAULT(NO_LEASE))
			atomic_store_explicit(&ret_block->words[PABAL__WORD_HEADER], lease, memory_order_release);
		*ret_header = lease;
	}
	/* release: the lease is written before the slot lets go; pairs with load() in ring_send() and in repair */
	if (!PABAL__FAULT(SLOT_BEFORE_HEADER))
		atomic_store_explicit(slot, empty, memory_order_release);
	return sound ? PABAL__RING_DONE : PABAL__RING_CORRUPT;
}

enum pabal__ring_result pabal__ring_take(struct pabal__ring *ring, uint64_t size_max, struct pabal__block *ret_block, uint64_t *ret_header)
{
	uint64_t position = ring->head.position, word = load(slot_at(ring, position));
	bool stale = false;

	for (uint64_t steps = 4 * slot_count(ring); steps; steps--) { /* bounded, as in pabal__ring_send() */
		int32_t lead = ahead(ring, word, position);

		if (lead == 0 && slot_state(word) == PABAL__FULL) {
			uint64_t taken = slot_word(turn_of(ring, position), PABAL__TAKEN, ring->me, slot_block(word));
			bool sound = pabal__block_find(ring->segment, slot_block(word), ret_block);

			if (sound && __builtin_expect(ret_block->room > size_max, 0) && is_large(ring, position, word, size_max, ret_block)) {
				ring->head.position = position;
				return PABAL__RING_LARGE;
			}
			/* acquire: the block as its sender filled it; release: nothing of ours comes before the claim */
			if (atomic_compare_exchange_strong_explicit(slot_at(ring, position), &word, taken, memory_order_acq_rel,
								    memory_order_acquire))
				return finish_take(ring, position, size_max, sound, ret_block, ret_header);
			continue;
		}
		if (lead == 0 && slot_state(word) == PABAL__TAKEN) {
			position++;
		} else if (lead > 0) {
			uint64_t head = seen(ring, word, position, lead) - slot_count(ring);

			position = PABAL__FAULT(HEAD_JUMP) ? head + slot_count(ring) : later(position + 1, head);
			position = adopt_hint(ring, &ring->segment->header->head_hint, position, true);
		} else if (lead == 0 || lead == -1) {
			ring->head.position = position;
			return PABAL__RING_NOT_NOW;
		} else if (!stale) { /* as in pabal__ring_send() */
			stale = true;
			position = atomic_load_explicit(&ring->segment->header->head_hint, memory_order_relaxed);
		} else {
			return PABAL__RING_CORRUPT;
		}
		word = load(slot_at(ring, position));
	}
	ring->head.position = position;
	return PABAL__RING_BUSY;
}

bool pabal__ring_has_message(const struct pabal__ring *ring)
{
	uint64_t position = adopt_hint(ring, &ring->segment->header->head_hint, ring->head.position, true), word;

	for (uint64_t steps = 2 * slot_count(ring); steps; steps--) {
		int32_t lead;

		word = load(slot_at(ring, position));
		lead = ahead(ring, word, position);
		if (lead == 0 && slot_state(word) == PABAL__FULL)
			return true;
		if (lead < 0 || (lead == 0 && slot_state(word) == PABAL__EMPTY))
			return false;
		position = lead > 0 ? later(position + 1, seen(ring, word, position, lead) - slot_count(ring)) : position + 1;
	}
	return true;
}

bool pabal__ring_has_room(const struct pabal__ring *ring)
{
	uint64_t position = adopt_hint(ring, &ring->segment->header->tail_hint, ring->tail.position, false), word;

	for (uint64_t steps = 2 * slot_count(ring); steps; steps--) {
		int32_t lead;

		word = load(slot_at(ring, position));
		lead = ahead(ring, word, position);
		if (lead < 0)
			return slot_state(word) != PABAL__FULL; /* TAKEN counts as room: its taker is about to let go, or is dead and gets repaired */
		if (lead == 0 && slot_state(word) == PABAL__EMPTY)
			return is_taken(ring, position - ring->capacity) || (int64_t)(position - ring->capacity - (first_turn << ring->shift)) < 0;
		position = lead > 0 ? later(position + 1, seen(ring, word, position, lead)) : position + 1;
	}
	return true;
}

/* @word: TAKEN by one who was found dead after the slot was seen to hold it. */
static void repair_slot(const struct pabal__ring *ring, pabal__word *slot, uint64_t word)
{
	uint32_t dead = slot_owner(word);
	uint64_t header, again;
	struct pabal__block block;

	/* Another repairer may have been faster, and all that follows from it: the block received, freed, its memory given back. */
	if (pabal__extent_find_block(ring->segment, slot_block(word), &block)) {
		header = atomic_load_explicit(&block.words[PABAL__WORD_HEADER], memory_order_acquire); /* pairs with the taker's release */
		again = load(slot);
		if (again != word && !PABAL__FAULT(NO_REREAD))
			return;
		if (pabal__header_state(header) == PABAL__OWNED) /* acq_rel: pairs with the undertaker's look for leases */
			atomic_compare_exchange_strong_explicit(&block.words[PABAL__WORD_HEADER], &header, pabal__header_lease(header, dead),
								memory_order_acq_rel, memory_order_relaxed);
	}
	/* release: the lease is written before the slot lets go. Failing means that another repairer did it. */
	atomic_compare_exchange_strong_explicit(slot, &word, slot_word(slot_turn(word) + 1, PABAL__EMPTY, 0, 0), memory_order_acq_rel,
						memory_order_relaxed);
}

void pabal__ring_repair(const struct pabal__ring *ring, uint64_t position, uint64_t word)
{
	repair_slot(ring, slot_at(ring, position), word);
}

void pabal__ring_repair_all(const struct pabal__ring *ring, uint32_t dead)
{
	if (PABAL__FAULT(NO_SLOT_REPAIR))
		return;
	for (uint64_t i = 0; i < slot_count(ring); i++) {
		uint64_t word = load(&ring->slots[i]);

		if (slot_state(word) == PABAL__TAKEN && slot_owner(word) == dead)
			repair_slot(ring, &ring->slots[i], word);
	}
}

uint32_t pabal__ring_taker(const struct pabal__ring *ring, uint64_t position, uint64_t *ret_word)
{
	uint64_t word = load(slot_at(ring, position));

	*ret_word = word;
	return slot_state(word) == PABAL__TAKEN ? slot_owner(word) : 0;
}

uint32_t pabal__ring_named(const struct pabal__segment *segment, uint64_t *bits)
{
	pabal__word *slots = pabal__segment_at(segment, segment->layout.ring);
	uint32_t full = 0;

	for (uint32_t i = 0; i < segment->layout.ring_slots; i++) {
		uint64_t word = load(&slots[i]);

		if (slot_state(word) != PABAL__FULL && slot_state(word) != PABAL__TAKEN)
			continue;
		if (bits)
			bits[slot_block(word) / 64] |= UINT64_C(1) << slot_block(word) % 64;
		full += slot_state(word) == PABAL__FULL;
	}
	return full;
}

void pabal__ring_count(const struct pabal__segment *segment, uint64_t *ret_sent, uint64_t *ret_taken)
{
	uint64_t first = first_turn << segment->layout.ring_shift, sent, taken;
	struct pabal__ring ring;

	pabal__ring_init(&ring, segment, 0);
	/* The head first: what is taken meanwhile was sent before, so that there are never more takes than commits. */
	ring.head.position = adopt_hint(&ring, &segment->header->head_hint, first, true);
	for (uint64_t steps = 2 * slot_count(&ring); steps && is_taken(&ring, ring.head.position); steps--)
		ring.head.position++;
	ring.tail.position = adopt_hint(&ring, &segment->header->tail_hint, first, false);
	for (uint64_t steps = 2 * slot_count(&ring); steps; steps--, ring.tail.position++) {
		uint64_t word = load(slot_at(&ring, ring.tail.position));
		int32_t lead = ahead(&ring, word, ring.tail.position);

		if (lead < 0 || (lead == 0 && slot_state(word) == PABAL__EMPTY))
			break;
	}
	sent = ring.tail.position - first;
	taken = ring.head.position - first;
	/* When the last of these was committed, all but a capacity of them were taken. And content that was damaged says nothing impossible. */
	if (sent - taken > ring.capacity)
		taken = sent - ring.capacity;
	*ret_sent = sent;
	*ret_taken = taken;
}
