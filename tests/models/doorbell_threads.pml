/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell_threads.pml - two threads of one process wait on a link, one for messages, one for room: they share one arm and one socket (src/wait/doorbell.c).
 *
 * One of them polls, the other follows it: sleeps on turns, a word of this process. Whoever polled swallows a byte, goes on with turns and wakes the follower, whoever the byte was meant for. The other
 * side of the link publishes up to EVENTS of each kind, in any order, through a store buffer, and rings as in doorbell.pml. Each thread may give up (GIVE_UPS in all).
 * The lock of the doorbell empties the store buffers of its threads; so only the other side's is modelled.
 *
 * Asserted: when nothing can move, no thread sleeps, in poll or as a follower, while what it waits for is there.
 *
 * Faults, each of which must be refuted: NO_WAKE (the follower is not woken), NO_TURN (turns does not go on), OWN_WANTS (the arm says what this thread wants, not what all want), FOLLOW_UNSEEN (sleeps
 * without looking whether turns went on since it armed), NO_MEMBARRIER, SAME_NUMBER.
 */
#ifndef EVENTS
#define EVENTS 1
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 1
#endif

#define THERE 0 /* and 1: how many of each event there were */
#define RANG 2

byte visible[3];              /* the other side's words */
chan buffer = [3] of { byte, byte };
byte arm_number, arm_wants;   /* ours, one word */
byte bytes;                   /* in the socket */
byte give_ups;

/* Private to the process: the doorbell. */
bool locked, polling, barrier_done;
byte number = 1, wants, turns;
byte waiting[2];

/* What nobody in the program knows. */
byte made[2], taken[2];
byte asleep[2];               /* 1: in poll, 2: a follower */

#define LOCK() atomic { !locked -> locked = true }
#define UNLOCK() locked = false

inline empty_buffer()
{
	do
	:: nempty(buffer) -> buffer?w, v; visible[w] = v
	:: empty(buffer) -> break
	od;
	w = 0;
	v = 0
}

#ifdef OWN_WANTS
#define WANTED (me + 1)
#else
#define WANTED ((waiting[0] > 0) + 2 * (waiting[1] > 0))
#endif
#ifdef SAME_NUMBER
#define NEXT number
#else
#define NEXT (number + 1)
#endif

inline arm()
{
	atomic {
		if
		:: visible[RANG] == number -> number = NEXT; stored = true
		:: visible[RANG] != number && !((wants & WANTED) == WANTED && barrier_done) -> stored = true
		:: else
		fi;
		if
		:: stored -> wants = WANTED; arm_number = number; arm_wants = wants; barrier_done = false
		:: else
		fi
	};
	if
	:: atomic { stored ->
#ifndef NO_MEMBARRIER
			empty_buffer();
#endif
			barrier_done = true; stored = false }
	:: !stored
	fi
}

inline attempt()
{
	atomic {
		if
		:: visible[me] > taken[me] -> taken[me]++; done = true
		:: else -> done = false
		fi
	}
}

inline wake_follower()
{
#ifndef NO_WAKE
	atomic {
		if
		:: waiting[0] + waiting[1] > 1 ->
			if :: asleep[0] == 2 -> asleep[0] = 0 :: else fi;
			if :: asleep[1] == 2 -> asleep[1] = 0 :: else fi
		:: else
		fi
	}
#else
	skip
#endif
}

#ifdef NO_TURN
#define TURN() skip
#else
#define TURN() turns = (turns + 1) % 32
#endif

/* Give up a sleep in which it is woken by its time-out. */
#define MAY_GIVE_UP (give_ups < GIVE_UPS)

inline sleep()
{
	LOCK();
	if
#ifndef FOLLOW_UNSEEN
	:: atomic { turns != seen -> UNLOCK() }
	:: atomic { turns == seen -> follow = polling; polling = true; UNLOCK() };
#else
	:: atomic { true -> follow = polling; polling = true; seen = turns; UNLOCK() };
#endif
		if
		:: follow ->
			if
			:: atomic { turns == seen -> asleep[me] = 2 };
				if
				:: asleep[me] == 0
				:: atomic { MAY_GIVE_UP && asleep[me] == 2 -> give_ups++; asleep[me] = 0; gone = true }
				fi
			:: turns != seen
			fi
		:: !follow ->
			asleep[me] = 1;
			if
			:: atomic { bytes > 0 -> asleep[me] = 0; got = true }
			:: atomic { MAY_GIVE_UP -> give_ups++; asleep[me] = 0; gone = true }
			fi;
			LOCK();
			atomic {
				if :: got && bytes > 0 -> bytes-- :: else fi;
				got = false;
				polling = false;
				TURN();
				UNLOCK()
			};
			wake_follower()
		fi
	fi;
	follow = false
}

proctype thread(bit me)
{
	byte seen, w, v;
	bool done, gone, follow, got, stored;

	do
	:: taken[me] < EVENTS && !gone ->
		attempt();
		if
		:: done
		:: !done ->
			LOCK();
			waiting[me]++;
			do
			:: arm();
				atomic { seen = turns; UNLOCK() };
				attempt();
				if
				:: done || gone -> break
				:: !done && !gone -> sleep()
				fi;
				if
				:: gone -> break
				:: !gone -> LOCK()
				fi
			od;
			LOCK();
			atomic { waiting[me]--; UNLOCK() }
		fi
	:: !(taken[me] < EVENTS && !gone) -> break
	od
}

/* The other side. */
proctype other()
{
	byte rang, seen_number, seen_wants, kind;

	do
	:: made[0] + made[1] < 2 * EVENTS ->
		atomic {
			if
			:: made[0] < EVENTS -> kind = 0
			:: made[1] < EVENTS -> kind = 1
			fi;
			buffer!kind, made[kind] + 1;
			made[kind]++
		};
		atomic {
			seen_number = arm_number;
			seen_wants = arm_wants;
			if
			:: (seen_wants & (kind + 1)) && seen_number != rang -> rang = seen_number; buffer!RANG, rang
			:: else -> seen_number = 0
			fi;
			seen_wants = 0
		};
		if
		:: seen_number ->
			atomic { /* a system call */
				do
				:: nempty(buffer) -> buffer?kind, seen_wants; visible[kind] = seen_wants
				:: empty(buffer) -> break
				od;
				if :: bytes < 3 -> bytes++ :: else fi;
				seen_number = 0;
				seen_wants = 0
			}
		:: !seen_number
		fi;
		kind = 0
	:: break /* it does no more, and lives */
	od
}

active proctype hardware()
{
	byte w, v;

	end:
	do
	:: atomic { buffer?w, v -> visible[w] = v; w = 0; v = 0 }
	od
}

init {
	atomic { run thread(0); run thread(1); run other() }
	timeout;
	assert(!(asleep[0] && made[0] > taken[0]));
	assert(!(asleep[1] && made[1] > taken[1]))
}
