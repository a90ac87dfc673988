/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/fault.h - deliberate faults: the ways in which the protocols would be wrong.
 *
 * A test build (PABAL_TEST) carries each of these mistakes, switched off. The tests switch one on, see that it was executed, and that the named
 * invariant catches it; so a green test means something. The shipped library contains none of them: PABAL__FAULT() is a constant false there.
 */
#ifndef PABAL_SRC_BASE_FAULT_H
#define PABAL_SRC_BASE_FAULT_H

#include <stdbool.h>

enum pabal__fault {
	PABAL__FAULT_NONE,
	PABAL__FAULT_SLOT_BEFORE_HEADER,    /* a take lets the slot go before the header names the taker */
	PABAL__FAULT_NO_LEASE,              /* a take never writes its lease into the header */
	PABAL__FAULT_HEAD_JUMP,             /* a receiver trusts a later turn and skips a whole lap */
	PABAL__FAULT_NO_REREAD,             /* repair of a slot does not look whether it is still the same */
	PABAL__FAULT_NO_LARGE_REREAD,       /* a receiver believes the size of a message that is not the next any more */
	PABAL__FAULT_NO_SLOT_REPAIR,        /* burial leaves the dead one's slots as they are */
	PABAL__FAULT_NO_LEASE_REPAIR,       /* burial forgets the dead one's leases */
	PABAL__FAULT_NO_OWNED_REPAIR,       /* burial forgets the dead one's uncommitted blocks */
	PABAL__FAULT_RING_BEFORE_SNAPSHOT,  /* burial frees what it saw owned without looking whether a slot names it */
	PABAL__FAULT_NO_EXTENT_REPAIR,      /* burial leaves the dead one's extents homed */
	PABAL__FAULT_NO_COUNT,              /* a delivery is not counted */
	PABAL__FAULT_NO_ROOM_CHECK,         /* a send does not look at the capacity */
	PABAL__FAULT_COMMIT_BEFORE_FILL,    /* a send commits before the payload is there */
	PABAL__FAULT_NO_VERSION,            /* a block's version stands still */
	PABAL__FAULT_PUNCH_UNCHECKED,       /* memory is given back without looking whether a block is in use */
	PABAL__FAULT_NO_INDEX,              /* a message that comes back is not entered in the index */
	PABAL__FAULT_NO_RING,               /* nobody is woken */
	PABAL__FAULT_NO_REARM,              /* a sleeper that was woken does not ask to be woken again */
	PABAL__FAULT_NO_SECOND_LOOK,        /* a sleeper sleeps without looking after it armed */
	PABAL__FAULT_NO_BATON,              /* the woken one does not wake the next */
	PABAL__FAULT_NO_GLANCE,             /* who never sleeps a whole slice never looks for the dead */
	PABAL__FAULT_STALE_HEADER,          /* a link's writer does not look at what lies where the next header will be */
	PABAL__FAULT_STALE_PLACE,           /* what was written of a block for a link's next message counts, though the block was cut anew */
	PABAL__FAULT_STALE_READY,           /* what was made ready for a link's next message counts, though a loan was written over it */
	PABAL__FAULT_OWN_UNREAD,            /* a link's writer makes lines its own before they were read */
	PABAL__FAULT_HEADER_RELAXED,        /* a message of a link is published without release */
	PABAL__FAULT_POSITION_RELAXED,      /* a link's reader gives memory back without release */
	PABAL__FAULT_POSITION_UNCHECKED,    /* a link's writer believes any position */
	PABAL__FAULT_GAP_IGNORED,           /* a link's writer forgets a loan that was overtaken */
	PABAL__FAULT_RELEASED_RELAXED,      /* a large message is released without release order */
	PABAL__FAULT_RELEASED_UNCHECKED,    /* a link's writer takes any word for "not yet released" */
	PABAL__FAULT_NO_LIFE,               /* a send to a link does not look whether the peer lives */
	PABAL__FAULT_MOVED_IS_ALIVE,        /* words of the peer that moved at some time count as life now */
	PABAL__FAULT_LIFE_BELIEVED,         /* a peer's life word is believed for ever */
	PABAL__FAULT_HEADER_UNCHECKED,      /* a link's receiver believes any header */
	PABAL__FAULT_PLACE_UNCHECKED,       /* a link's receiver believes any place of a large message */
	PABAL__FAULT_LET_GO_FIRST,          /* a link's receiver gives a message's place back before it has the copy */
	PABAL__FAULT_END_FIRST,             /* a link's receiver tells the end before it looks into the ring */
	PABAL__FAULT_FDS_LATE,              /* descriptors are sent after the message that they go with */
	PABAL__FAULT_NO_CLOSE_WORD,         /* an orderly end is not said */
	PABAL__FAULT_CALL_REUSED,           /* the number of a call that has ended is used again */
	PABAL__FAULT_NO_COURTESY,           /* a region: nobody lets the one in who has waited long */
	PABAL__FAULT_NO_TAKEOVER,           /* a lock is not taken from a dead holder */
	PABAL__FAULT_NO_INHERITANCE,        /* who takes a lock from a dead holder is not told */
	PABAL__FAULT_NO_LOCK_GENERATION,    /* a lock names its holder by number alone */
	PABAL__FAULT_NO_UNLOCK_RING,        /* an unlock wakes nobody */
	PABAL__FAULT_KEEP_MARK,             /* an unlock leaves the mark of inheritance */
	PABAL__FAULT_NO_LOCK_BURIAL,        /* burial leaves the locks of the dead */
	PABAL__FAULT_NO_LOCK_BATON,         /* who slept for a lock takes it without arming for those who sleep still */
	PABAL__FAULT_NO_LOCK_REARM,         /* a sleeper looks, and then sleeps without having armed */
	PABAL__FAULT_NO_EVENT_RING,         /* a notify counts and wakes nobody */
	PABAL__FAULT_SAME_SEQUENCE,         /* a ring leaves the word on which sleepers are about to sleep */
	PABAL__FAULT_RING_BEFORE_COUNT,     /* a notify wakes before it counts */
	PABAL__FAULT_NO_SEAL_CHECK,         /* a link believes memory that is not sealed */
	PABAL__FAULT_NO_SIZE_CHECK,         /* a link does not look how large the peer's memory is */
	PABAL__FAULT_NO_MAGIC_CHECK,        /* any packet of the right size is a letter */
	PABAL__FAULT_NO_CHANNEL_CHECK,      /* any descriptor is a channel for descriptors */
	PABAL__FAULT_NO_STRANGER_CHECK,     /* who says HELLO is believed to be who it says */
	PABAL__FAULT_NO_INSTANCE_CHECK,     /* who says WELCOME is not compared with whom we asked */
	PABAL__FAULT_NO_TIE,                /* two who ask each other at once both welcome */
	PABAL__FAULT_NO_DUPLICATE,          /* one that is linked already is welcomed once more */
	PABAL__FAULT_NO_ANSWER_FIRST,       /* a HELLO is judged before the answer to our own was read */
	PABAL__FAULT_NO_CALLER_LIMIT,       /* who knocks and says nothing is kept for ever */
	PABAL__FAULT_NO_RESTAT,             /* a dead holder's name is removed without looking whether it still is that file's */
	PABAL__FAULT_SPSC_NO_ROOM_CHECK,    /* the one producer does not look at the consumer's position */
	PABAL__FAULT_SPSC_PUBLISH_FIRST,    /* items are announced before they are written */
	PABAL__FAULT_SPSC_LET_GO_FIRST,     /* items are let go before they were copied out */
	PABAL__FAULT_SPSC_NO_MARK,          /* items that are handed out in place are not marked */
	PABAL__FAULT_ROLE_UNASKED,          /* a role is taken over without asking whether its holder lives */
	PABAL__FAULT_LATEST_NO_PIN,         /* a reader of the newest item does not pin it */
	PABAL__FAULT_LATEST_NO_REREAD,      /* a reader does not look whether what it pinned is still the newest */
	PABAL__FAULT_LATEST_NO_LOOK,        /* a writer does not look at the pins */
	PABAL__FAULT_LATEST_PUBLISH_FIRST,  /* an item is published before it is written */
	PABAL__FAULT_SPSC_RELAXED,          /* a position is stored without release */
	PABAL__FAULT_LATEST_RELAXED,        /* an item is published without release */
	PABAL__FAULT_NO_SOCKET_REARM,       /* a descriptor is emptied and the bell not armed again */
	PABAL__FAULT_DESCRIPTORS_FORGOTTEN, /* who finds nobody with a descriptor says so, whoever has got one meanwhile */
	PABAL__FAULT_CHANGE_UNCOUNTED,      /* who gets a descriptor does not count that as a change */
	PABAL__FAULT_CHANGE_BEFORE_BIT,     /* it counts first, and says then that it has one */
	PABAL__FAULT_POLLER_NOT_ARMED,      /* who sleeps for a region's event in pabal_wait_many() does not say so */
	PABAL__FAULT_POLLERS_UNTOLD,        /* a notify counts and tells nobody there */
	PABAL__FAULT_NEWS_SWALLOWED,        /* a thread that empties the descriptor does not pass it on to the others */
	PABAL__FAULT_TAKEN_BACK_BLINDLY,    /* who has told one takes its bits back, whether it has armed again or not */
	PABAL__FAULT_COUNT,
};

#ifdef PABAL_TEST
extern enum pabal__fault pabal__fault_on;
extern unsigned long pabal__fault_hits;

static inline bool pabal__fault_hit(enum pabal__fault fault)
{
	if (pabal__fault_on != fault)
		return false;
	__atomic_fetch_add(&pabal__fault_hits, 1, __ATOMIC_RELAXED);
	return true;
}
#define PABAL__FAULT(name) pabal__fault_hit(PABAL__FAULT_##name)
#else
#define PABAL__FAULT(name) false
#endif

#endif
