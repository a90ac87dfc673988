/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake.pml - the sleep protocol of src/wait: nobody sleeps while there is work or room.
 *
 * SENDERS send MESSAGES each into a queue of CAPACITY; RECEIVERS take as many in all. Each waits as pabal__wait() does: attempt, arm, attempt again, sleep; back to
 * arming after any return from sleep; the baton after a success that followed arming. A waiter may give up (time-out) whenever it would sleep or is woken,
 * if GIVE_UP is set. The queue is an abstract counter: the commit and the take are one read-modify-write each, and the bell is looked at after it.
 *
 * When nothing can move any more ("timeout" in Promela), nobody may be asleep on a bell while what it waits for is there.
 *
 * Faults, each of which must be refuted: NO_REARM, NO_SECOND_LOOK, NO_BATON, NO_RING.
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef RECEIVERS
#define RECEIVERS 2
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef TAKES
#define TAKES 9 /* a receiver leaves after so many */
#endif
#define TOTAL (SENDERS * MESSAGES)
#define ITEMS 0
#define ROOM 1

byte queued;           /* messages in the queue */
byte taken;            /* messages taken, so that receivers know when to stop */
byte quitters;         /* who gave up */
bool armed[2];         /* per bell: the low bit of its word ... */
byte sequence[2];      /* ... and the rest of it */
byte asleep[2];        /* sleepers on a bell, whose word was theirs when they went to sleep */
byte wakes[2];         /* wake-ups under way: futex_wake() was called and the sleeper has not run yet */

inline ring(bell)
{
	/* load, then CAS v -> v + 1, then wake one: three steps */
	if
#ifndef NO_RING
	:: armed[bell] ->
		seen = sequence[bell];
		atomic {
			if
			:: armed[bell] && sequence[bell] == seen ->
				armed[bell] = false; sequence[bell] = (sequence[bell] + 1) % 4; won = true
			:: else -> won = false
			fi
		}
		if
		:: won -> atomic { if :: asleep[bell] > wakes[bell] -> wakes[bell]++ :: else fi; won = false; seen = 0 }
		:: else -> seen = 0
		fi
#endif
	:: else
	fi
}

/* One attempt: sets done. */
inline attempt(bell)
{
	atomic {
		if
		:: bell == ITEMS && queued > 0 -> queued--; taken++; done = true
		:: bell == ROOM && queued < CAPACITY -> queued++; done = true
		:: else -> done = false
		fi
	}
	if
	:: done -> ring(1 - bell)
	:: else
	fi
}

inline wait(bell)
{
	done = false;
	attempt(bell);
	first = true;
	do
	:: done -> word = 0; break
	:: gone -> break
	:: !done && !gone ->
#ifdef NO_REARM
		if :: first -> armed[bell] = true :: else fi;
#else
		armed[bell] = true;
#endif
		word = sequence[bell];
		first = false;
#ifndef NO_SECOND_LOOK
		attempt(bell);
#endif
		if
		:: done ->
#ifndef NO_BATON
			if
			:: (bell == ITEMS && queued > 0) || (bell == ROOM && queued < CAPACITY) -> ring(bell)
			:: else
			fi;
#endif
			skip
		:: else ->
			if
			:: atomic { sequence[bell] == word && armed[bell] -> asleep[bell]++ }
				if
				:: atomic { wakes[bell] > 0 -> wakes[bell]--; asleep[bell]-- }
#ifdef GIVE_UP
				:: atomic { quitters < GIVE_UP && asleep[bell] > wakes[bell] -> quitters++; asleep[bell]--; quit = true }
#endif
				fi
			:: !(sequence[bell] == word && armed[bell]) -> skip
			fi;
			word = 0
#ifdef GIVE_UP
			;
			if
			:: quit && !gone -> /* the last look, armed, before it leaves */
				armed[bell] = true;
				attempt(bell);
				gone = !done
				if
				:: done && ((bell == ITEMS && queued > 0) || (bell == ROOM && queued < CAPACITY)) -> ring(bell)
				:: else
				fi
			:: else
			fi
#endif
		fi
	od
}

proctype sender()
{
	byte i, seen, word;
	bool won, done, first, quit, gone;

	do
	:: i < MESSAGES && !gone -> wait(ROOM); i++
	:: else -> break
	od
}

proctype receiver()
{
	byte i, seen, word;
	bool won, done, first, quit, gone;

	do
	:: taken < TOTAL && i < TAKES && !gone -> wait(ITEMS); i++
	:: else -> break
	od
}

init {
	byte i;

	atomic {
		for (i : 1 .. SENDERS) { run sender() }
		for (i : 1 .. RECEIVERS) { run receiver() }
	}
	timeout;
	assert(!(asleep[ITEMS] > 0 && queued > 0));
	assert(!(asleep[ROOM] > 0 && queued < CAPACITY))
}
