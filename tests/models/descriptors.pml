/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptors.pml - the word by which src/model/descriptor_post.c says that somebody may have a descriptor: it is never taken back from one who has.
 *
 * GETTERS get a descriptor and give it back, ROUNDS times each, and may die at any step, if DEATHS allows; then the bit is cleared by an undertaker, whenever it likes. LOOKERS look at all bits, one at a time, and
 * take the word back if they find none. Whoever has armed its bell, after its three steps, must find the word in use for as long as it has its bit.
 *
 * Faults, each of which must be refuted: FORGET (no CAS), UNCOUNTED, BIT_LAST.
 */
#ifndef GETTERS
#define GETTERS 2
#endif
#ifndef LOOKERS
#define LOOKERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef LOOKS
#define LOOKS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

byte changes;        /* the word: how often somebody has counted ... */
bool in_use;         /* ... and its low bit */
bool has[GETTERS];   /* its bit */
byte deaths;

inline die()
{
	if
	:: atomic { deaths < DEATHS -> deaths++ }; has[me] = false; goto dead
	:: true
	fi
}

proctype getter(byte me)
{
	byte round;

	do
	:: round < ROUNDS ->
		round++;
#ifndef BIT_LAST
		has[me] = true;
#endif
		die();
#ifndef UNCOUNTED
		changes++;
#endif
		die();
		in_use = true;
#ifdef BIT_LAST
		die();
		has[me] = true;
#endif
		assert(in_use);
		die();
		assert(in_use); /* a ring now would look at the bits */
		has[me] = false /* closed */
	:: else -> break
	od;
dead:
	skip
}

proctype looker()
{
	byte look, i, seen;
	bool anybody;

	do
	:: look < LOOKS ->
		look++;
		if
		:: atomic { in_use -> seen = changes }
			anybody = false;
			i = 0;
			do
			:: i < GETTERS -> anybody = anybody || has[i]; i++
			:: else -> break
			od;
			if
			:: !anybody ->
				atomic {
					if
#ifdef FORGET
					:: in_use = false
#else
					:: in_use && changes == seen -> in_use = false
					:: else
#endif
					fi
				}
			:: else
			fi
		:: else
		fi
	:: else -> break
	od
}

init {
	byte i;

	in_use = true; /* left by somebody who has gone */
	atomic {
		for (i : 0 .. GETTERS - 1) { run getter(i) }
		for (i : 0 .. LOOKERS - 1) { run looker() }
	}
}
