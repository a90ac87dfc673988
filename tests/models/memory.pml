/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.pml - waiting for memory: the one who frees does a plain store, and no fence; the one who is about to sleep pays with a membarrier.
 *
 * Each releaser stores FREE into a store buffer (x86: it becomes visible at any later time), then loads the bell. The sleeper arms, lets every processor empty its
 * store buffer (membarrier), looks once more, sleeps. All who sleep are woken. When nothing can move, no sleeper may be asleep beside a free block.
 *
 * Faults, each of which must be refuted: NO_MEMBARRIER, NO_SECOND_LOOK, WAKE_ONE (with waiters of different needs).
 */
#ifndef RELEASERS
#define RELEASERS 2
#endif

byte visible;             /* blocks that are visibly free */
bool buffered[2];         /* a FREE that is still in the store buffer */
bool armed;
byte sequence;
bool asleep[2];           /* one for each sleeper: a wake-up is for those who sleep at that moment, not for who comes later */

proctype releaser(byte me)
{
	byte seen;

	buffered[me] = true;  /* the store */
	if                    /* the load of the bell, not ordered behind it */
	:: armed ->
		seen = sequence;
		atomic {
			if
			:: armed && sequence == seen ->
				armed = false;
				sequence++;
#ifdef WAKE_ONE
				if
				:: asleep[0] -> asleep[0] = false
				:: asleep[1] -> asleep[1] = false
				:: else
				fi
#else
				asleep[0] = false;
				asleep[1] = false
#endif
			:: else
			fi
		}
	:: !armed
	fi
}

/* The processors write their buffers back whenever they like. */
active proctype hardware()
{
	end:
	do
	:: atomic { buffered[0] -> buffered[0] = false; visible++ }
	:: atomic { buffered[1] -> buffered[1] = false; visible++ }
	od
}

/* @needs: blocks that this one must see free; the greedy one may fail where the modest one would succeed. */
proctype sleeper(byte needs)
{
	byte word;
	bool got;

	do
	:: atomic { visible >= needs -> visible = visible - needs; got = true }; break
	:: else ->
		armed = true;
		word = sequence;
#ifndef NO_MEMBARRIER
		atomic {
			if :: buffered[0] -> buffered[0] = false; visible++ :: else fi;
			if :: buffered[1] -> buffered[1] = false; visible++ :: else fi
		}
#endif
#ifndef NO_SECOND_LOOK
		if
		:: atomic { visible >= needs -> visible = visible - needs; got = true }; break
		:: visible < needs
		fi;
#endif
		if
		:: atomic { armed && sequence == word -> asleep[needs - 1] = true }
			!asleep[needs - 1]
		:: !(armed && sequence == word)
		fi
	od
}

init {
	atomic {
		run sleeper(1); run sleeper(2);
		run releaser(0);
#if RELEASERS == 2
		run releaser(1)
#endif
	}
	timeout;
	/* The modest one sleeps beside no free block, the greedy one not beside two. */
	assert(!(asleep[1] && visible == 2));
	assert(!(asleep[0] && visible > 0))
}
