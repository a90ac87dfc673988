/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.pml - src/queue/ring.c, the headers of src/memory/block.h, redelivery and burial (src/model/bury.c), with the death of any party at any step.
 *
 * SENDERS with BLOCKS_EACH blocks of their own send MESSAGES each through a ring of SLOTS slots; RECEIVERS lease TAKES messages each, from the ring or of those
 * that came back, and free them, requeue them, or find their buffer too small (these two CHANGES times in all). KILLS of them are killed, wherever they are
 * (SPARE_SENDERS, SPARE_RECEIVERS: not these). Each has an undertaker, of which UNDERTAKER_KILLS are killed and begun again; a sender that meets the slot of a dead
 * taker repairs it itself, beside the undertaker. REBIRTHS: who was buried, or leaves, may come again with the same number, and knows nothing.
 *
 * Each access to shared memory is one atomic step: one load, one store, or one compare-and-swap. What is not modelled: payload, extents and large blocks (wake-up
 * and waiting for memory have models of their own), the shared hints, the cached room (`credit`; taken is for ever, so looking each time is the same), the index
 * of redeliver.c (any waiting block may be claimed at any time), the wrap of turns and versions, and memory that is weaker than sequentially consistent.
 *
 * A message is known by the position at which it was committed. Asserted:
 *
 *   commits and takes are in the order of the positions, without a gap (a FIFO, and the proof that private positions are at or before T and H)
 *   never more than CAPACITY messages in the ring
 *   what is handed out was committed, and not released before
 *   a message that was handed out before has deliveries > 1, and a taker finds each block that a slot names OWNED
 *   who stores into a header without CAS is its owner, and finds it as it left it; who repairs one finds the slot still TAKEN by the dead one
 *   nobody buries the living
 *   when nothing can move: no slot TAKEN, nobody dead unburied; each block FREE, or OWNED and in the hand of its living sender or named by one slot, or waiting;
 *   each committed message is released, or in the ring, or waiting, once: a last drain gives each exactly once; no sender waits beside room,
 *   no receiver beside a message
 *
 * Faults, each of which must be refuted: SLOT_BEFORE_HEADER, NO_LEASE, HEAD_JUMP, NO_REREAD, NO_SLOT_REPAIR, NO_LEASE_REPAIR, NO_OWNED_REPAIR,
 * RING_BEFORE_SNAPSHOT, NO_ROOM_CHECK, NO_COUNT, NO_VERSION, NO_WORD (a repairer judges the slot as it stands after it asked who lives, not as it stood
 * before), NO_SECOND_WORD (an undertaker does not look whether the one without a lock is still the one that it saw).
 */
#ifndef SENDERS
#define SENDERS 1
#endif
#ifndef RECEIVERS
#define RECEIVERS 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef BLOCKS_EACH
#define BLOCKS_EACH 2
#endif
#ifndef TAKES
#define TAKES 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef UNDERTAKER_KILLS
#define UNDERTAKER_KILLS 1
#endif
#ifndef REBIRTHS
#define REBIRTHS 0
#endif
#define SLOTS 2
#define BLOCKS (SENDERS * BLOCKS_EACH)
#define PEOPLE (SENDERS + RECEIVERS)
#define NONE 255

#define EMPTY 0 /* of a slot */
#define FULL 1
#define TAKEN 2

#define FREE 0 /* of a block */
#define OWNED 1
#define LEASED 2
#define REDELIVER 3

#ifdef NO_VERSION
#define NEXT(version) (version)
#else
#define NEXT(version) ((version) + 1)
#endif
#ifdef NO_COUNT
#define COUNTED(deliveries) (deliveries)
#else
#define COUNTED(deliveries) ((deliveries) + 1)
#endif

/* The slots: turn | state | owner | block. */
byte turn[SLOTS], slot[SLOTS], taker[SLOTS], named[SLOTS];

/* The headers: version | deliveries | owner | state. Beside it the message, by its position. */
byte version[BLOCKS], deliveries[BLOCKS], owner[BLOCKS], block[BLOCKS], message[BLOCKS];

/* The participants, from 1: the word of the slot, and the lock that the kernel lets go of. */
bool used[PEOPLE + 1], lives[PEOPLE + 1];
#if REBIRTHS > 0
byte generation[PEOPLE + 1];
#define GENERATION(id) generation[id]
#define NEW_GENERATION(id) generation[id]++
#else
#define GENERATION(id) 0
#define NEW_GENERATION(id) skip
#endif
byte rebirths;

chan die[PEOPLE + PEOPLE + 1] = [0] of { bit }; /* a participant; PEOPLE + id: its undertaker, while there is one */

/* What nobody in the program knows. */
byte T, H;                 /* the first unfilled position, the first untaken */
byte released, handed_out; /* a bit a message */
byte hand[PEOPLE + 1];     /* a sender's block before the commit */
bool waits[PEOPLE + 1];
byte changes;

#define IS(i, t, s) (turn[i] == (t) && slot[i] == (s))
#define HEADER_IS(b, s, o, v, d) (block[b] == (s) && owner[b] == (o) && version[b] == (v) && deliveries[b] == (d))
#define LATER(a, b) ((a) > (b) -> (a) : (b))
#define IS_TAKEN(p) (turn[(p) % SLOTS] > (p) / SLOTS || IS((p) % SLOTS, (p) / SLOTS, TAKEN))

inline set_header(b, s, o, v, d)
{
	block[b] = s;
	owner[b] = o;
	version[b] = v;
	deliveries[b] = d
}

inline read_header(b)
{
	h_state = block[b];
	h_owner = owner[b];
	h_version = version[b];
	h_deliveries = deliveries[b]
}

inline forget_header()
{
	h_state = 0;
	h_owner = 0;
	h_version = 0;
	h_deliveries = 0
}

/* A message is handed to the user of the library. */
inline hand_out(b, d)
{
	assert(message[b] < T && !(released & (1 << message[b])));
	assert(!(handed_out & (1 << message[b])) || d > 1);
	handed_out = handed_out | (1 << message[b])
}

#define SAME(i, dead) (IS(i, w_turn, TAKEN) && taker[i] == dead && named[i] == w_block)
#ifdef NO_REREAD
#define STILL_SAME(i, dead) true
#else
#define STILL_SAME(i, dead) SAME(i, dead)
#endif

/* repair_slot(): slot @i was seen TAKEN by @dead, at w_turn, with w_block. */
inline repair(i, dead)
{
	atomic { read_header(w_block) }
	if
	:: atomic { STILL_SAME(i, dead) && h_state == OWNED ->
			skip }
		atomic {
			if
			:: HEADER_IS(w_block, h_state, h_owner, h_version, h_deliveries) ->
				assert(SAME(i, dead) && !lives[dead]);
				set_header(w_block, LEASED, dead, NEXT(h_version), COUNTED(h_deliveries))
			:: else
			fi;
			forget_header()
		}
		atomic { empty_if_same(i, dead) }
	:: atomic { STILL_SAME(i, dead) && h_state != OWNED ->
			forget_header() }
		atomic { empty_if_same(i, dead) }
	:: atomic { !STILL_SAME(i, dead) ->
			forget_header(); w_turn = 0; w_block = 0 }
	fi
}

inline empty_if_same(i, dead)
{
	if
	:: SAME(i, dead) ->
		assert(!lives[dead] && block[w_block] != OWNED);
		let_go(i)
	:: else
	fi;
	w_turn = 0;
	w_block = 0
}

inline let_go(i)
{
	turn[i]++;
	slot[i] = EMPTY;
	taker[i] = 0;
	named[i] = 0
}

/* Dead: wait for the burial, then perhaps come again. Once alive again, a newcomer. */
#if REBIRTHS > 0
#define COME_AGAIN \
	if \
	:: atomic { !used[me] && rebirths < REBIRTHS -> rebirths++; lives[me] = true } goto newcomer \
	:: skip \
	fi
/* Lock held, word stored, lock let go: leaving. */
#define LEAVE \
	if \
	:: atomic { rebirths < REBIRTHS -> used[me] = false; waits[me] = false; NEW_GENERATION(me) } \
		atomic { lives[me] = false; position = 0 } \
		goto gone \
	:: skip \
	fi
#else
#define COME_AGAIN skip
#define LEAVE skip
#endif

#if BLOCKS_EACH > 1
#define SOME_FREE (block[(me - 1) * BLOCKS_EACH] == FREE || block[(me - 1) * BLOCKS_EACH + 1] == FREE)
#else
#define SOME_FREE (block[(me - 1) * BLOCKS_EACH] == FREE)
#endif

proctype sender(byte me)
{
	byte sent, position, number = NONE;
	byte w_turn, w_block, dead, h_state, h_owner, h_version, h_deliveries;

newcomer:
	{
		used[me] = true;
		do
		:: atomic { sent == MESSAGES -> position = 0 }
			goto quit
		:: atomic { sent < MESSAGES && SOME_FREE -> /* a block of our home */
				if
				:: block[(me - 1) * BLOCKS_EACH] == FREE -> number = (me - 1) * BLOCKS_EACH
#if BLOCKS_EACH > 1
				:: else -> number = (me - 1) * BLOCKS_EACH + 1
#endif
				fi;
				h_version = version[number] }
			atomic {
				assert(block[number] == FREE && version[number] == h_version);
				set_header(number, OWNED, me, NEXT(h_version), 0);
				forget_header();
				message[number] = NONE;
				hand[me] = number
			}
look:
			atomic {
				do
				:: IS(position % SLOTS, position / SLOTS, EMPTY) -> goto room
				:: turn[position % SLOTS] == position / SLOTS && slot[position % SLOTS] != EMPTY -> position++; break
				:: turn[position % SLOTS] > position / SLOTS && slot[position % SLOTS] == EMPTY ->
					position = LATER(position + 1, position % SLOTS + (turn[position % SLOTS] - 1) * SLOTS + 1); break
				:: turn[position % SLOTS] > position / SLOTS && slot[position % SLOTS] != EMPTY ->
					position = LATER(position + 1, position % SLOTS + turn[position % SLOTS] * SLOTS + 1); break
				:: IS(position % SLOTS, position / SLOTS - 1, FULL) -> goto filled
				:: IS(position % SLOTS, position / SLOTS - 1, TAKEN) -> goto busy
				:: turn[position % SLOTS] + 1 == position / SLOTS && slot[position % SLOTS] == EMPTY -> assert(false)
				:: turn[position % SLOTS] + 1 < position / SLOTS -> assert(false)
				od
			}
			goto look;
filled:
			waits[me] = true;
			atomic { !IS(position % SLOTS, position / SLOTS - 1, FULL) -> waits[me] = false }
			goto look;
room:
#ifndef NO_ROOM_CHECK
			if
			:: position < CAPACITY || IS_TAKEN(position - CAPACITY) -> skip
			:: atomic { position >= CAPACITY && !IS_TAKEN(position - CAPACITY) -> waits[me] = true }
				atomic { IS_TAKEN(position - CAPACITY) || !IS(position % SLOTS, position / SLOTS, EMPTY) -> waits[me] = false }
				goto look
			fi;
#endif
			atomic { /* the commit */
				if
				:: IS(position % SLOTS, position / SLOTS, EMPTY) ->
					assert(position == T && block[number] == OWNED && owner[number] == me && hand[me] == number);
					slot[position % SLOTS] = FULL;
					taker[position % SLOTS] = me;
					named[position % SLOTS] = number;
					message[number] = position;
					position++;
					T++;
					assert(T - H <= CAPACITY);
					assert((slot[0] == FULL) + (slot[1] == FULL) <= CAPACITY);
					number = NONE;
					hand[me] = NONE;
					sent++
				:: else -> goto look
				fi
			}
			goto next;
busy:
			atomic { /* pabal__ring_taker() */
				if
				:: slot[position % SLOTS] == TAKEN ->
					w_turn = turn[position % SLOTS];
					w_block = named[position % SLOTS];
					dead = taker[position % SLOTS]
				:: else -> goto look
				fi
			}
			if
			:: atomic { lives[dead] -> waits[me] = true }
				atomic { !SAME(position % SLOTS, dead) || !lives[dead] -> waits[me] = false; w_turn = 0; w_block = 0; dead = 0 }
				goto look
			:: !lives[dead] -> skip
			fi;
			if
#ifdef NO_WORD
			:: atomic { slot[position % SLOTS] == TAKEN && taker[position % SLOTS] == dead ->
					w_turn = turn[position % SLOTS];
					w_block = named[position % SLOTS] }
				repair(position % SLOTS, dead)
			:: atomic { slot[position % SLOTS] != TAKEN || taker[position % SLOTS] != dead -> w_turn = 0; w_block = 0 }
#else
			:: repair(position % SLOTS, dead)
#endif
			fi;
			dead = 0;
			goto look;
next:
			LEAVE
		od;
quit:
		skip
	} unless {
		atomic {
			die[me]?_ ->
			lives[me] = false;
			waits[me] = false;
			hand[me] = NONE;
			number = NONE;
			position = 0; w_turn = 0; w_block = 0; dead = 0;
			forget_header();
			goto gone
		}
	};
	goto over;
gone:
	COME_AGAIN;
over:
	skip
}

inline end_use()
{
	forget_header();
	number = 0;
	leased++
}

#if BLOCKS == 1
#define SOME_WAITS (block[0] == REDELIVER)
#elif BLOCKS == 2
#define SOME_WAITS (block[0] == REDELIVER || block[1] == REDELIVER)
#elif BLOCKS == 3
#define SOME_WAITS (block[0] == REDELIVER || block[1] == REDELIVER || block[2] == REDELIVER)
#else
#define SOME_WAITS (block[0] == REDELIVER || block[1] == REDELIVER || block[2] == REDELIVER || block[3] == REDELIVER)
#endif
#ifdef NO_LEASE
#define IS_OURS(number) true
#else
#define IS_OURS(number) HEADER_IS(number, LEASED, me, h_version, h_deliveries)
#endif

proctype receiver(byte me)
{
	byte leased, position, number;
	byte h_state, h_owner, h_version, h_deliveries;

newcomer:
	{
		atomic { used[me] = true; waits[me] = true }
		do
		:: atomic { leased == TAKES -> position = 0; waits[me] = false }
			goto quit
		/* What came back: claim(). */
		:: atomic { leased < TAKES && SOME_WAITS ->
				if
				:: block[0] == REDELIVER -> number = 0
#if BLOCKS > 1
				:: block[1] == REDELIVER -> number = 1
#endif
#if BLOCKS > 2
				:: block[2] == REDELIVER -> number = 2
#endif
#if BLOCKS > 3
				:: block[3] == REDELIVER -> number = 3
#endif
				fi;
				read_header(number) }
			atomic {
				if
				:: HEADER_IS(number, h_state, h_owner, h_version, h_deliveries) ->
					set_header(number, LEASED, me, NEXT(h_version), COUNTED(h_deliveries));
					h_version = NEXT(h_version);
					h_deliveries = COUNTED(h_deliveries);
					h_state = 0;
					goto use
				:: else -> forget_header(); number = 0
				fi
			}
		:: atomic { leased < TAKES && IS(position % SLOTS, position / SLOTS, FULL) -> number = named[position % SLOTS] }
			atomic { /* the take */
				if
				:: IS(position % SLOTS, position / SLOTS, FULL) && named[position % SLOTS] == number ->
					assert(position == H);
					slot[position % SLOTS] = TAKEN;
					taker[position % SLOTS] = me;
					H++
				:: else -> number = 0; goto next
				fi
			}
#ifdef SLOT_BEFORE_HEADER
			atomic { let_go(position % SLOTS) }
#endif
			atomic {
				read_header(number);
				assert(h_state == OWNED && message[number] == position)
			}
			atomic {
#ifndef NO_LEASE
				assert(HEADER_IS(number, h_state, h_owner, h_version, h_deliveries));
				set_header(number, LEASED, me, NEXT(h_version), COUNTED(h_deliveries));
#endif
				h_version = NEXT(h_version);
				h_deliveries = COUNTED(h_deliveries);
				h_owner = 0;
				h_state = 0
			}
			atomic {
#ifndef SLOT_BEFORE_HEADER
				assert(IS(position % SLOTS, position / SLOTS, TAKEN) && taker[position % SLOTS] == me && named[position % SLOTS] == number);
				let_go(position % SLOTS);
#endif
				position++
			}
use:
			if
			/* receive() with room enough, or take() and release() */
			:: atomic { hand_out(number, h_deliveries) }
				atomic {
					assert(IS_OURS(number));
					set_header(number, FREE, 0, NEXT(h_version), 0);
					released = released | (1 << message[number]);
					message[number] = NONE;
					end_use()
				}
			/* take() and requeue() */
			:: atomic { changes < CHANGES -> changes++; hand_out(number, h_deliveries) }
				atomic {
					assert(IS_OURS(number));
					set_header(number, REDELIVER, 0, NEXT(h_version), h_deliveries);
					end_use()
				}
			/* receive() with a buffer that is too small: no delivery */
			:: atomic { changes < CHANGES -> changes++ }
				atomic {
					assert(IS_OURS(number));
					set_header(number, REDELIVER, 0, NEXT(h_version), h_deliveries - 1);
					end_use()
				}
			fi;
			LEAVE;
next:
			skip
		:: atomic { leased < TAKES && IS(position % SLOTS, position / SLOTS, TAKEN) -> position++ }
		:: atomic { leased < TAKES && turn[position % SLOTS] > position / SLOTS ->
#ifdef HEAD_JUMP
				if
				:: slot[position % SLOTS] == EMPTY -> position = position % SLOTS + (turn[position % SLOTS] - 1) * SLOTS + 1
				:: else -> position = position % SLOTS + turn[position % SLOTS] * SLOTS + 1
				fi
#else
				if
				:: slot[position % SLOTS] != EMPTY -> position = LATER(position + 1, position % SLOTS + (turn[position % SLOTS] - 1) * SLOTS + 1)
				:: slot[position % SLOTS] == EMPTY && turn[position % SLOTS] > 1 ->
					position = LATER(position + 1, position % SLOTS + (turn[position % SLOTS] - 2) * SLOTS + 1)
				:: else -> position++
				fi
#endif
			}
		od;
quit:
		skip
	} unless {
		atomic {
			die[me]?_ ->
			lives[me] = false;
			waits[me] = false;
			number = 0; position = 0;
			forget_header();
			goto gone
		}
	};
	goto over;
gone:
	COME_AGAIN;
over:
	skip
}

/* pabal__bury(), by anybody at any time; killed, another begins again. */
proctype undertaker(byte id)
{
	byte i, own, in_ring;
	byte w_turn, w_block, h_state, h_owner, h_version, h_deliveries;
#if REBIRTHS > 0
	byte w_generation;
#endif

begin:
#if REBIRTHS > 0
	atomic { used[id] -> w_generation = generation[id] }
	if
	:: atomic { lives[id] -> w_generation = 0 }
		goto begin
	:: !lives[id] -> skip
	fi;
#ifndef NO_SECOND_WORD
	if
	:: atomic { !used[id] || generation[id] != w_generation -> w_generation = 0 }
		goto begin
	:: used[id] && generation[id] == w_generation -> skip
	fi;
#endif
	w_generation = 0;
#else
	used[id] && !lives[id];
#endif
	{
#ifndef NO_SLOT_REPAIR
		do
		:: atomic { i < SLOTS && slot[i] == TAKEN && taker[i] == id ->
				assert(!lives[id]);
				w_turn = turn[i];
				w_block = named[i] }
			repair(i, id);
			i++
		:: atomic { i < SLOTS && (slot[i] != TAKEN || taker[i] != id) -> i++ }
		:: atomic { i == SLOTS -> i = 0 }
			break
		od;
#endif
		/* the first look: leases come back, what is owned is noted */
		do
#ifndef NO_LEASE_REPAIR
		:: atomic { i < BLOCKS && block[i] == LEASED && owner[i] == id -> read_header(i) }
			atomic {
				if
				:: HEADER_IS(i, h_state, h_owner, h_version, h_deliveries) ->
					assert(!lives[id]);
					set_header(i, REDELIVER, 0, NEXT(h_version), h_deliveries)
				:: else
				fi;
				forget_header();
				i++
			}
#endif
		:: atomic { i < BLOCKS && block[i] == OWNED && owner[i] == id -> own = own | (1 << i); i++ }
		:: atomic { i < BLOCKS && ((block[i] != LEASED && block[i] != OWNED) || owner[i] != id) -> i++ }
#ifdef NO_LEASE_REPAIR
		:: atomic { i < BLOCKS && block[i] == LEASED && owner[i] == id -> i++ }
#endif
		:: atomic { i == BLOCKS -> i = 0 }
			break
		od;
#ifndef NO_OWNED_REPAIR
		if
		:: own ->
			/* the ring */
			do
#ifndef RING_BEFORE_SNAPSHOT
			:: atomic { i < SLOTS && slot[i] != EMPTY -> in_ring = in_ring | (1 << named[i]); i++ }
			:: atomic { i < SLOTS && slot[i] == EMPTY -> i++ }
#else
			:: atomic { i < SLOTS -> i++ }
#endif
			:: atomic { i == SLOTS -> i = 0; own = own & (255 - in_ring); in_ring = 0 }
				break
			od;
			/* the second look */
			do
			:: atomic { i < BLOCKS && !(own & (1 << i)) -> i++ }
			:: atomic { i < BLOCKS && (own & (1 << i)) && (block[i] != OWNED || owner[i] != id) -> i++ }
			:: atomic { i < BLOCKS && (own & (1 << i)) && block[i] == OWNED && owner[i] == id -> read_header(i) }
				atomic {
					if
					:: HEADER_IS(i, h_state, h_owner, h_version, h_deliveries) ->
						assert(!lives[id]);
						set_header(i, FREE, 0, NEXT(h_version), 0);
						message[i] = NONE
					:: else
					fi;
					forget_header();
					i++
				}
			:: atomic { i == BLOCKS -> i = 0; own = 0 }
				break
			od
		:: else
		fi;
#endif
		atomic {
			assert(!lives[id]);
			used[id] = false;
			NEW_GENERATION(id);
			own = 0
		}
		goto begin
	} unless {
		atomic {
			die[PEOPLE + id]?_ ->
			i = 0; own = 0; in_ring = 0; w_turn = 0; w_block = 0;
			forget_header();
			goto begin
		}
	}
}

/* They kill as long as there is somebody to kill; that fewer die is another configuration. */
proctype killer()
{
	byte i;

	do
	:: i == KILLS -> break
	:: else ->
		if
#ifndef SPARE_SENDERS
		:: die[1]!0
#if SENDERS > 1
		:: die[2]!0
#endif
#endif
#ifndef SPARE_RECEIVERS
		:: die[SENDERS + 1]!0
#if RECEIVERS > 1
		:: die[SENDERS + 2]!0
#endif
#endif
		fi;
		i++
	od
}

proctype killer_of_undertakers()
{
	byte i;

	do
	:: i == UNDERTAKER_KILLS -> break
	:: else ->
		if
#ifndef SPARE_SENDERS
		:: die[PEOPLE + 1]!0
#if SENDERS > 1
		:: die[PEOPLE + 2]!0
#endif
#endif
#ifndef SPARE_RECEIVERS
		:: die[PEOPLE + SENDERS + 1]!0
#if RECEIVERS > 1
		:: die[PEOPLE + SENDERS + 2]!0
#endif
#endif
		fi;
		i++
	od
}

init {
	byte i, in_ring, kept;

	atomic {
		for (i : 0 .. BLOCKS - 1) { message[i] = NONE }
		for (i : 1 .. PEOPLE) { used[i] = true; lives[i] = true; hand[i] = NONE }
		for (i : 1 .. SENDERS) { run sender(i) }
		for (i : SENDERS + 1 .. PEOPLE) { run receiver(i) }
#if KILLS > 0 || REBIRTHS > 0
		for (i : 1 .. PEOPLE) {
			if
#ifdef SPARE_SENDERS
			:: i <= SENDERS -> skip
#endif
#ifdef SPARE_RECEIVERS
			:: i > SENDERS -> skip
#endif
			:: else -> run undertaker(i)
			fi
		}
		run killer();
		run killer_of_undertakers();
#endif
		i = 0
	}
	timeout;
	d_step {
		for (i : 1 .. PEOPLE) {
			assert(lives[i] || !used[i])
			assert(!waits[i] || i > SENDERS || T - H == CAPACITY);
			assert(!waits[i] || i <= SENDERS || (T == H && !SOME_WAITS))
		}
		for (i : 0 .. SLOTS - 1) {
			assert(slot[i] != TAKEN);
			if
			:: slot[i] == FULL ->
				assert(block[named[i]] == OWNED && !(in_ring & (1 << named[i])));
				assert(message[named[i]] < T && !((released | kept) & (1 << message[named[i]])));
				in_ring = in_ring | (1 << named[i]);
				kept = kept | (1 << message[named[i]])
			:: else
			fi
		}
		for (i : 0 .. BLOCKS - 1) {
			assert(block[i] != LEASED);
			assert(block[i] != FREE || !(in_ring & (1 << i)));
			assert(block[i] != OWNED || (hand[owner[i]] == i && lives[owner[i]]) != ((in_ring & (1 << i)) != 0));
			if
			:: block[i] == REDELIVER ->
				assert(message[i] < T && !((released | kept) & (1 << message[i])) && !(in_ring & (1 << i)));
				kept = kept | (1 << message[i])
			:: else
			fi
		}
		assert((released | kept) == (1 << T) - 1)
	}
}
