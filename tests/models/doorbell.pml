/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.pml - how the two sides of a link sleep and wake (src/wait/doorbell): no fence and no system call a message, and nobody sleeps beside what is there for it.
 *
 * Each side sends MESSAGES and receives whatever comes, in any order; it waits for a message, for room (RING messages fit) and memory (MEMORY of them unreleased), or
 * for both at once; may give up any wait (GIVE_UPS in all), hold a message before it releases it, close in order, or be killed at any step (KILLS in all).
 * Each side's words have one writer. A store goes into the side's store buffer (x86: a queue, visible at any later time, in order); a load sees what is visible.
 * A system call that sends a byte, membarrier, close and death empty the buffer; membarrier empties those of both. No sleep has a time-out that could save it.
 *
 * Words of a side: HEAD messages committed, POS messages of the other that it has read, REL those that it has released, ARM {number, wants}, RANG the number of the
 * other's last arm that it rang, CLOSED. What is not modelled: the content of the ring (tests/queue), the arena, several threads of one side, spinning.
 *
 * Asserted: an arm number is rung once (never two bytes for one number)
 *           the end is told after the last committed message was received; "closed" is told of who closed, "dead" only of who died
 *           when nothing can move: nobody sleeps while a message, or room and memory, or the other's end is there for it
 *
 * Faults, each of which must be refuted: NO_MEMBARRIER, NO_SECOND_LOOK, NO_RING, NO_RING_ON_RELEASE, RING_AGAIN (does not remember what it rang), ARM_BEFORE_STORE
 * (the sender looks at the arm before it publishes), SAME_NUMBER (a number that was rung is armed again), BYTE_BEFORE_WORD (the ring word is stored after the byte),
 * DRAIN_LATE (bytes are swallowed between arming and sleeping), NO_SHOW (the position is not shown before sleep), NO_LAST_LOOK (hang-up ends it at once),
 * BARRIER_BEFORE_ARM. FENCE: what a machine without membarrier does, a fence a message; it holds.
 */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef RING
#define RING 2
#endif
#ifndef MEMORY
#define MEMORY 2
#endif
#ifndef LAG
#define LAG 2 /* the position is shown every LAG messages, and before any sleep */
#endif
#ifndef HOLD
#define HOLD 0 /* messages that a side may hold while it waits for the next; fewer than MEMORY */
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef SENDS_0
#define SENDS_0 MESSAGES
#endif
#ifndef SENDS_1
#define SENDS_1 MESSAGES
#endif
#define BUFFER 3 /* stores that a processor holds back */

#define R 1 /* wants: a message */
#define W 2 /* room and memory */

#define HEAD 0
#define POS 1
#define REL 2
#define ARM 3
#define RANG 4
#define CLOSED 5
#define WORDS 6

byte visible[12];               /* side * WORDS + word */
chan buffer_0 = [BUFFER] of { byte, byte };
chan buffer_1 = [BUFFER] of { byte, byte };
byte bytes[2];                  /* in the socket, for this side */
bool hung_up[2];                /* this side's socket is closed */
chan die[2] = [0] of { bit };
byte give_ups;

/* What nobody in the program knows. */
byte sent[2], received[2], released[2];
byte sleeps[2];                 /* what a sleeper waits for */
byte rung[2];                   /* the last number for which this side sent a byte */
bool killed[2], closed[2];

#define MINE(w) visible[me * WORDS + (w)]
#define THEIRS(w) visible[(1 - me) * WORDS + (w)]

inline become_visible(side, channel)
{
	channel?w, v;
	visible[side * WORDS + w] = v;
	w = 0;
	v = 0
}

inline empty_buffer(side, channel)
{
	do
	:: nempty(channel) -> become_visible(side, channel)
	:: empty(channel) -> break
	od
}

inline empty_mine()
{
	if
	:: me == 0 -> empty_buffer(0, buffer_0)
	:: me == 1 -> empty_buffer(1, buffer_1)
	fi
}

inline store(word, value)
{
	if
	:: me == 0 -> buffer_0!word, value
	:: me == 1 -> buffer_1!word, value
	fi
}

/*
 * After something was published: did the other ask to be woken for it? What a side does with its private memory and with its own store buffer between two
 * loads, or a load and a system call, is one step with the load before it: nobody can see the difference.
 */
#ifdef RING_AGAIN
#define RANG_ALREADY false
#else
#define RANG_ALREADY (arm / 4 == rang)
#endif

inline send_byte()
{
	atomic {
		empty_mine();
		assert(rung[me] != arm / 4);
		rung[me] = arm / 4;
		arm = 0;
		if
		:: bytes[1 - me] < 2 -> bytes[1 - me]++
		:: else /* EAGAIN: two stand for many */
		fi
	}
}

inline look_at_arm() { atomic { arm = THEIRS(ARM) } }

inline ring(event)
{
#ifdef FENCE
	atomic { empty_mine() };
#endif
	atomic {
#ifndef ARM_BEFORE_STORE
		arm = THEIRS(ARM);
#endif
		if
		:: (arm % 4 & event) && !RANG_ALREADY ->
			rang = arm / 4;
#ifndef BYTE_BEFORE_WORD
			store(RANG, rang)
#endif
		:: else -> arm = 0
		fi
	};
	if
#ifdef NO_RING
	:: arm -> arm = 0
#else
	:: arm ->
		send_byte();
#endif
#ifdef BYTE_BEFORE_WORD
		atomic { store(RANG, rang) }
#endif
	:: !arm
	fi
}

#ifdef ARM_BEFORE_STORE
#define EARLY_LOOK look_at_arm()
#else
#define EARLY_LOOK skip
#endif

/* Publishes one word of mine, then rings for it. */
inline publish(word, value, event)
{
	EARLY_LOOK;
	atomic { store(word, value); if :: word == HEAD -> sent[me]++ :: else fi };
	ring(event)
}

inline show_position()
{
	if
	:: shown != received[me] -> shown = received[me]; publish(POS, received[me], W)
	:: shown == received[me]
	fi
}

/* Gives back one message. */
inline release()
{
	released[me]++;
#ifndef NO_RING_ON_RELEASE
	publish(REL, released[me], W)
#else
	atomic { store(REL, released[me]) }
#endif
}

/* One attempt at whatever is wanted; sets done. A message that was received may be held until the next one. */
inline attempt()
{
	if
	:: atomic { (wants & R) && THEIRS(HEAD) > received[me] -> received[me]++; done = true };
		if
		:: received[me] - shown >= LAG -> show_position()
		:: received[me] - shown < LAG
		fi;
		do
		:: released[me] < received[me] -> release()
		:: released[me] + HOLD >= received[me] -> break
		od
	:: atomic { !((wants & R) && THEIRS(HEAD) > received[me]) ->
		if
		:: (wants & W) && sent[me] - THEIRS(POS) < RING -> room = true
		:: else -> room = false
		fi };
		if
		:: atomic { room && sent[me] - THEIRS(REL) < MEMORY -> done = true; room = false };
			publish(HEAD, sent[me] + 1, R)
		:: atomic { !(room && sent[me] - THEIRS(REL) < MEMORY) -> room = false }
		fi
	fi
}

inline barrier()
{
#ifdef NO_MEMBARRIER
	skip
#elif defined(FENCE)
	atomic { empty_mine() }
#else
	atomic {
		empty_buffer(0, buffer_0);
		empty_buffer(1, buffer_1)
	}
#endif
}

#ifdef SAME_NUMBER
#define NEXT_NUMBER number
#else
#define NEXT_NUMBER (number + 1)
#endif

/* Asks to be woken. A barrier is due only if something was stored: the standing arm has had its own. */
inline ask()
{
#ifdef BARRIER_BEFORE_ARM
	barrier();
#endif
	atomic {
		if
		:: THEIRS(RANG) == number -> number = NEXT_NUMBER; armed = wants; stored = true
		:: THEIRS(RANG) != number && (armed & wants) != wants -> armed = wants; stored = true
		:: else
		fi;
		if
		:: stored -> store(ARM, number * 4 + wants)
		:: else
		fi
	};
	if
#ifndef BARRIER_BEFORE_ARM
	:: stored -> stored = false; barrier()
#else
	:: stored -> stored = false
#endif
	:: !stored
	fi
}

inline drain() { bytes[me] = 0 }

/* Until something that is wanted was done, the other's end is found, or it gives up. */
inline wait()
{
	done = false;
	attempt();
	do
	:: done -> break
	:: !done ->
#ifndef NO_SHOW
		show_position();
#endif
		ask();
#ifdef DRAIN_LATE
		drain();
#endif
#ifndef NO_SECOND_LOOK
		attempt();
#endif
		if
		:: done -> break
		:: atomic { !done -> sleeps[me] = wants };
			if
			:: atomic { hung_up[1 - me] -> sleeps[me] = 0 };
#ifndef NO_LAST_LOOK
				attempt();
#endif
				atomic {
					if
					:: !done ->
						assert(!(wants & R) || received[me] == sent[1 - me]);
						assert(THEIRS(CLOSED) || killed[1 - me]);
						assert(!THEIRS(CLOSED) || closed[1 - me]);
						ended = true
					:: else
					fi
				};
				break
			:: atomic { bytes[me] > 0 -> sleeps[me] = 0; drain() }
			:: atomic { give_ups < GIVE_UPS -> give_ups++; sleeps[me] = 0 };
				break
			fi
		fi
	od
}

proctype side(bit me; byte sends)
{
	byte number = 1, armed, rang, shown; /* private memory */
	byte arm, w, v;
	byte wants;
	bool done, ended, stored, room;

	{
		do
		:: !ended && sent[me] < sends -> wants = W; wait()
		:: !ended && sent[me] < sends -> wants = R | W; wait()
		:: wants = R; wait(); if :: ended -> break :: else fi
		:: sent[me] == sends && released[me] < received[me] -> release()
		:: sent[me] == sends -> break
		od;
		atomic { store(CLOSED, 1); closed[me] = true };
		atomic { empty_mine(); hung_up[me] = true }
	} unless {
		atomic { die[me]?_ -> empty_mine(); sleeps[me] = 0; killed[me] = true; hung_up[me] = true }
	}
}

active proctype hardware()
{
	byte w, v;

	end:
	do
	:: atomic { nempty(buffer_0) -> become_visible(0, buffer_0) }
	:: atomic { nempty(buffer_1) -> become_visible(1, buffer_1) }
	od
}

proctype killer()
{
	byte kills;

	do
	:: kills < KILLS -> if :: die[0]!0 :: die[1]!0 :: break fi; kills++
	:: else -> break
	od
}

#define SLEEPS_BESIDE(me) \
	(((sleeps[me] & R) && sent[1 - me] > received[me]) || \
	 ((sleeps[me] & W) && sent[me] - received[1 - me] < RING && sent[me] - released[1 - me] < MEMORY) || (sleeps[me] && hung_up[1 - me]))

init {
	atomic {
		run side(0, SENDS_0); run side(1, SENDS_1);
#if KILLS > 0
		run killer()
#endif
	}
	timeout;
	assert(!SLEEPS_BESIDE(0));
	assert(!SLEEPS_BESIDE(1))
}
