/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.pml - opening a link (src/model: ask, answer, party): whoever asks first, both at once, dying and coming again, there is one link between two living processes.
 *
 * Two names, 0 the smaller. A process that WANTS a link asks whenever it has none: looks who holds the other name, connects to the socket of that instance, says HELLO, and reads WELCOME or
 * REFUSE. It answers what knocks, at any time. KILLS of them die, at any step; each comes again under its name as another instance (RESTARTS in all). Their locks go first, their sockets
 * at any later time. A link may be closed by its user (CLOSES in all), and is wanted again. A system call is one step.
 *
 * Who was refused asks again when nobody knocks at its own door (in the code, 20 ms later, served meanwhile). What is not modelled: the content of letters, floods, a lack of descriptors.
 *
 * Asserted: never two links between the same two living instances, where a link is what one has made and the other has, or can still read that it has
 *           nobody is refused more than REFUSALS times in a row: each refusal is followed by a link or by the other's end
 *           when nothing can move: nobody waits for an answer; each link is believed by both sides, or its end is there to be seen; if both live and one wants, they are linked
 *
 * Faults, each of which must be refuted: NO_TIE (who asks welcomes who asks: two links), BOTH_TIE (neither gives way), NO_DUPLICATE (who is linked is welcomed again), NO_ANSWER_FIRST
 * (judges a caller before it has read the answer to its own HELLO), NO_INSTANCE (a name is enough to be the same), DEAD_IS_LINKED (a link that has ended still counts), NO_RETRY (who was
 * refused does not ask again). KEEP_MINE holds: closing my own HELLO when I have welcomed the other's is thrift, for what comes of it is refused as a duplicate.
 */
#ifndef WANTS_0
#define WANTS_0 true
#endif
#ifndef WANTS_1
#define WANTS_1 true
#endif
#ifndef AGAIN_0
#define AGAIN_0 WANTS_0 /* when it comes again */
#endif
#ifndef AGAIN_1
#define AGAIN_1 WANTS_1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
#ifndef REFUSALS
#define REFUSALS 2
#endif
#define CONNECTIONS 5
#define NONE 15

#define NOTHING 0 /* letters */
#define UNREAD 1
#define READ 2
#define WELCOME 1
#define REFUSE 2

/* Connections. Side a asked, side b answers. */
typedef connection {
	bit asker;
	byte a, b;          /* instances */
	bool a_open, b_open;
	byte hello, answer;
	bool a_link, b_link /* each side's own view: this is a link of mine */
}
connection at[CONNECTIONS];
bool free[CONNECTIONS] = true;

byte instance[2];      /* who holds the name, or held it last */
bool alive[2];         /* its lock */
byte asking[2] = NONE; /* the connection of its own HELLO */
bool wants[2];
byte closes, restarts;
byte refusals[2];
chan die[2] = [0] of { bit };

#define MINE_A(c) (!free[c] && at[c].asker == me && at[c].a == instance[me] && at[c].a_open)
#define MINE_B(c) (!free[c] && at[c].asker != me && at[c].b == instance[me] && at[c].b_open)
#define MY_LINK(c) ((MINE_A(c) && at[c].a_link) || (MINE_B(c) && at[c].b_link))
#define ENDED(c) (at[c].asker == me -> !at[c].b_open : !at[c].a_open)
#define WHO(c) (at[c].asker == me -> at[c].b : at[c].a)
#ifdef DEAD_IS_LINKED
#define STILL(c) true
#else
#define STILL(c) !ENDED(c)
#endif
#ifdef NO_INSTANCE
#define SAME(one, other) true
#else
#define SAME(one, other) ((one) == (other))
#endif
#define LINKED_WITH(c, who) (MY_LINK(c) && STILL(c) && SAME(WHO(c), who))
#define ANY(what) (what(0) || what(1) || what(2) || what(3) || what(4))
#define IS_LIVE_LINK(c) (MY_LINK(c) && STILL(c))
#define LINKED ANY(IS_LIVE_LINK)
#define KNOCKS(c) (MINE_B(c) && !at[c].b_link && (at[c].hello == UNREAD || !at[c].a_open))
#define free_one(c) free[c]
#define KNOCKING ANY(KNOCKS)
#define FINISHED(c) (MY_LINK(c) && ENDED(c))

/* Whether both living sides have it, or will. */
#define WHOLE(c) (!free[c] && at[c].a_open && at[c].b_open && at[c].b_link && (at[c].a_link || at[c].answer == WELCOME) && \
		  alive[0] && alive[1] && at[c].a == instance[at[c].asker] && at[c].b == instance[1 - at[c].asker])
#define ONE_LINK assert(WHOLE(0) + WHOLE(1) + WHOLE(2) + WHOLE(3) + WHOLE(4) <= 1)

#define PICK(what) if :: what(0) -> c = 0 :: what(1) -> c = 1 :: what(2) -> c = 2 :: what(3) -> c = 3 :: what(4) -> c = 4 fi

inline forget_if_closed(c)
{
	if
	:: !at[c].a_open && !at[c].b_open ->
		free[c] = true;
		at[c].asker = 0; at[c].a = 0; at[c].b = 0; at[c].hello = 0; at[c].answer = 0; at[c].a_link = false; at[c].b_link = false
	:: else
	fi
}

inline close_mine(c)
{
	if
	:: at[c].asker == me -> at[c].a_open = false
	:: else -> at[c].b_open = false
	fi;
	forget_if_closed(c)
}

/* Reads the answer to my own HELLO, if it is there; one packet is one system call. */
inline progress()
{
	atomic {
		if
		:: asking[me] != NONE && at[asking[me]].answer == WELCOME ->
			at[asking[me]].a_link = true;
			at[asking[me]].answer = NOTHING;
			asking[me] = NONE;
			refusals[me] = 0;
			ONE_LINK
		:: asking[me] != NONE && at[asking[me]].answer == REFUSE ->
			refusals[me]++;
			assert(refusals[me] <= REFUSALS);
			close_mine(asking[me]);
			asking[me] = NONE
		:: asking[me] != NONE && at[asking[me]].answer == NOTHING && !at[asking[me]].b_open ->
			close_mine(asking[me]);
			asking[me] = NONE;
			refusals[me] = 0
		:: else
		fi
	}
}

#ifdef NO_TIE
#define SMALLER false
#else
#ifdef BOTH_TIE
#define SMALLER true
#else
#define SMALLER (me == 0)
#endif
#endif

inline refuse(c)
{
	atomic {
		at[c].answer = REFUSE;
		close_mine(c)
	}
}

inline give_up_mine()
{
#ifdef KEEP_MINE
	skip
#else
	atomic {
		if
		:: asking[me] != NONE -> close_mine(asking[me]); asking[me] = NONE; refusals[me] = 0
		:: else
		fi
	}
#endif
}

inline welcome(c)
{
	at[c].b_link = true;
	atomic {
		if
		:: at[c].a_open -> at[c].answer = WELCOME
		:: else
		fi;
		ONE_LINK
	};
	give_up_mine()
}

#define LINKED_WITH_CALLER(d) LINKED_WITH(d, at[c].a)

inline answer_caller()
{
	if
	:: atomic { at[c].hello == UNREAD -> at[c].hello = READ };
#ifndef NO_ANSWER_FIRST
		progress();
#endif
		if
		:: !(alive[1 - me] && instance[1 - me] == at[c].a) -> refuse(c) /* a stranger: this is not who has the name */
		:: else ->
			if
#ifndef NO_DUPLICATE
			:: ANY(LINKED_WITH_CALLER) -> refuse(c)
#endif
			:: else ->
				if
				:: asking[me] != NONE && SAME(at[asking[me]].b, at[c].a) && SMALLER -> refuse(c)
				:: else -> welcome(c)
				fi
			fi
		fi
	:: atomic { at[c].hello != UNREAD -> close_mine(c) }
	fi
}

inline ask()
{
	if
	:: atomic { alive[1 - me] -> target = instance[1 - me] };
		if
		:: atomic {
			ANY(free_one) ->
			PICK(free_one);
			free[c] = false;
			at[c].asker = me; at[c].a = instance[me]; at[c].b = target; at[c].a_open = true;
			at[c].b_open = true;
			asking[me] = c };
			at[c].hello = UNREAD
		:: !(alive[1 - me] && instance[1 - me] == target) /* its socket is gone already */
		fi
	:: !alive[1 - me]
	fi
}

#ifdef NO_RETRY
#define MAY_RETRY (refusals[me] == 0)
#else
#define MAY_RETRY true
#endif

proctype party(bit me)
{
	byte c, target;

	{
		do
		:: atomic { KNOCKING -> PICK(KNOCKS) };
			answer_caller()
		:: asking[me] != NONE && (at[asking[me]].answer || !at[asking[me]].b_open) -> progress()
		:: wants[me] && MAY_RETRY && asking[me] == NONE && !LINKED && !KNOCKING && !ANY(FINISHED) && alive[1 - me] -> ask()
		:: atomic { ANY(FINISHED) -> PICK(FINISHED); close_mine(c) }
		:: atomic { closes < CLOSES && LINKED -> closes++; PICK(IS_LIVE_LINK); close_mine(c) }
		od
	} unless {
		atomic { die[me]?_ -> alive[me] = false; asking[me] = NONE; refusals[me] = 0 }
	}
}

/* The kernel closes what the dead had open, at its leisure. */
#define DEAD(side, who) (!alive[side] || instance[side] != who)
#define LEFT_A(c) (!free[c] && at[c].a_open && DEAD(at[c].asker, at[c].a))
#define LEFT_B(c) (!free[c] && at[c].b_open && DEAD(1 - at[c].asker, at[c].b))

active proctype kernel()
{
	byte c;

	end:
	do
	:: atomic { ANY(LEFT_A) -> PICK(LEFT_A); at[c].a_open = false; forget_if_closed(c); c = 0 }
	:: atomic { ANY(LEFT_B) -> PICK(LEFT_B); at[c].b_open = false; forget_if_closed(c); c = 0 }
	od
}

proctype fate()
{
	byte kills;

	do
	:: kills < KILLS -> if :: die[0]!0 :: die[1]!0 :: break fi; kills++
	:: atomic { restarts < RESTARTS && !alive[0] -> restarts++; instance[0]++; alive[0] = true; wants[0] = AGAIN_0; run party(0) }
	:: atomic { restarts < RESTARTS && !alive[1] -> restarts++; instance[1]++; alive[1] = true; wants[1] = AGAIN_1; run party(1) }
	:: break
	od
}

#define BELIEVED(c) (free[c] || !at[c].a_open || !at[c].b_open || at[c].a_link == at[c].b_link)

init {
	atomic {
		alive[0] = true;
		alive[1] = true;
		wants[0] = WANTS_0;
		wants[1] = WANTS_1;
		run party(0);
		run party(1);
		run fate()
	}
	timeout;
	assert(asking[0] == NONE && asking[1] == NONE);
	assert(BELIEVED(0) && BELIEVED(1) && BELIEVED(2) && BELIEVED(3) && BELIEVED(4));
	assert(!(alive[0] && alive[1] && (wants[0] || wants[1])) || WHOLE(0) + WHOLE(1) + WHOLE(2) + WHOLE(3) + WHOLE(4) == 1)
}
