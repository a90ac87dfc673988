/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/process.h - the inside of a process handle, for the files of this layer.
 *
 * A handle has a name (memory/holder.h), a door (an epoll of its listener, of those who knock, and of those whom it is asking itself), and a table of parties: one for each link. There is no
 * thread: the door is served inside the calls of the handle and of its links.
 *
 * One private lock guards all of it. It is never held during a sleep or a copy, and never asked for by who holds a lock of a link: a link serves the door without its own locks, and tells
 * of swallowed bytes through an event counter.
 */
#ifndef PABAL_SRC_MODEL_PROCESS_H
#define PABAL_SRC_MODEL_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>

#include <pabal/process.h>

#include "memory/holder.h"
#include "memory/place.h"
#include "memory/telling.h"
#include "model/handshake.h"
#include "model/link.h"
#include "platform/socket.h"

#define PABAL__PROCESS_MAGIC 0x50425052u

enum {
	PABAL__CALLERS = 64,        /* who knocked and has not said HELLO; the oldest makes room. A guess: a flood costs that many descriptors */
	PABAL__ACCEPTS = 16,        /* callers let in a call, so that a flood does not keep the call */
	PABAL__BUCKETS = 128,       /* of the table of parties by name; a guess */
	PABAL__TOMBS = 1024,        /* ends that are still to be told by name; the oldest makes room */
	PABAL__RETRY_NS = 20000000, /* after a refused tie or a full backlog: 20 ms, so that two who keep asking do not burn a core */
	PABAL__WORDS_SIZE = 512,    /* a sentence (base/error.c) */
	PABAL__LOOK_NS = 100000000, /* how often the life of one who does not answer is looked at. Its socket may live on in a child of its */
};

/* One link in the table. The link comes first: a pabal_link handle is the party. */
struct pabal__party {
	struct pabal_link link;
	struct pabal_peer peer;
	unsigned char instance[PABAL__INSTANCE_SIZE];
	pabal_process *process;
	struct pabal__party *next, *previous; /* all, oldest first */
	struct pabal__party *same_bucket;     /* oldest first, too */
	struct pabal__party *next_number;     /* of the same bucket of numbers */
	uint64_t number;                      /* in epoll events */
	int socket, pidfd;                    /* the link's own; for epoll, and to look at */
	uint32_t handles;                     /* times that it was handed out and not closed */
	uint32_t users;                       /* calls by name that are in it, without the lock; they never sleep there */
	uint32_t entry;                       /* in the table that others read */
	bool offered;                         /* opened by the peer, and not handed out yet */
	uint64_t untold;                      /* its number, while no call has used it or handed it out, nor said "not now" since it came; then 0 */
	bool watched;                         /* its socket and pidfd are in the handle's epoll */
	bool drained;                         /* it has ended, and all that was committed is received */
	bool told;                            /* a call by name said that it has ended */
	bool gone;                            /* it has left the table: whoever uses it last ends it. Its neighbours there are not its own any more */
	int end;                              /* drained: why it ended */
};

/* A name that we are asking for a link. */
struct pabal__opening {
	struct pabal__opening *next;
	char peer[PABAL_NAME_SIZE];
	uint64_t number;
	enum { PABAL__ASK_ABSENT, PABAL__ASK_LATER, PABAL__ASK_SENT } state;
	int64_t look_at; /* LATER: ask again; SENT: see whether it still lives */
	int socket;      /* SENT */
	struct pabal__own_memory {
		int fd;
		void *data;
		uint64_t memory_max;
	} memory;                                     /* SENT: what our HELLO carried */
	unsigned char instance[PABAL__INSTANCE_SIZE]; /* SENT: whom we asked */
	uid_t uid;                                    /* whose the name's file is */
	uint32_t users;                               /* calls that wait for it */
	uint32_t entry;
	int error;                     /* what came of it; 0: under way */
	char words[PABAL__WORDS_SIZE]; /* and the sentence of that; empty: that of the code will do */
	uint64_t untold;               /* a number, while no call said "not now" since the error came; else 0 */
};

struct pabal__caller {
	int socket;
	uint64_t number; /* 0: free */
};

/* The end of a link that is gone, still to be told to a call by name; of several links of one name the last end. */
struct pabal__tomb {
	struct pabal__tomb *next;
	uint32_t hash;
	char peer[PABAL_NAME_SIZE];
	int error;
};

struct pabal_process {
	uint32_t magic;
	uint32_t flags;
	uint32_t generation;
	bool has_life; /* the process's life page is wanted by this handle (platform/life.h) */
	pthread_mutex_t lock;
	struct pabal__directory directory;
	struct pabal__holder holder;
	uint64_t memory_max;

	int listener;
	ino_t listener_ino; /* by which the handle knows whether its descriptors are its own still */
	int door;           /* epoll: listener, callers, askings, watch */
	int inside;         /* epoll: the door, and sockets and pidfds of parties; what a call of ours sleeps on */
	int outside;        /* epoll: inside and ready; what pabal_process_fd() gave, or -1 */
	int ready;          /* eventfd, outside: there may be something although no socket says so */
	int alarm;          /* eventfd: whoever of us sleeps on inside must look */
	int notify;         /* eventfd, inside: a call on a link swallowed a byte that one of us may wait for */
	int watch;          /* inotify, from the first wait for a name that nobody has until close; or -1 */
	int watched;        /* the number of the directory's watch in it, while somebody is waited for; or -1 */
	int spare;          /* a descriptor to give up for refusing a caller when there is no other, or -1 */
	bool deaf;          /* the listener is not in the door for a while: no descriptors */
	int64_t hear_at;
	int64_t served; /* when the door was last served, coarse */

	uint64_t numbers;
	struct pabal__party *first, *last, *turn; /* turn: where a receive from anyone begins */
	struct pabal__party *buckets[PABAL__BUCKETS], *numbered[PABAL__BUCKETS];
	struct pabal__opening *openings;
	struct pabal__caller callers[PABAL__CALLERS];
	struct pabal__tomb *tombs;
	uint32_t tomb_count;
	uint32_t party_count;
	uint32_t followers; /* threads that sleep on news */
	bool barrier;       /* there is a membarrier here: who sleeps need not look again soon */
	uint64_t crossed;   /* letters that came while our own to the same process was unanswered; for the tests, which must see that it happens */

	_Atomic uint32_t news; /* raised when sleepers of ours must look again; a futex word, private to the process */
	_Atomic bool leading;  /* somebody sleeps on inside; all others sleep on news */
	_Atomic bool has_outside;
	_Atomic uint32_t interrupts, acknowledged;
	struct pabal__nudges nudges; /* who waits for it in pabal_wait_many() */
	struct pabal__spin spin;
};

/* Is the handle fit for use? 0, -EINVAL, -ESTALE. */
int pabal__process_check(const pabal_process *self, int64_t timeout_ns);

/* Does the kernel say that the peer is gone? As far as the link has learned of it. Has it a readable descriptor of its own, which is why it does not count for the handle's? */
static inline bool pabal__link_is_gone(const struct pabal_link *link)
{
	return atomic_load_explicit(&link->bell.hung_up, memory_order_acquire); /* pairs with who set it: the peer's last words are there */
}

/* The lock; true: leave it. */
bool pabal__process_enter(pabal_process *self);
void pabal__process_leave(pabal_process *self, bool entered);

/* All sleepers of this handle are to look again. Takes no lock. */
void pabal__process_stir(pabal_process *self);
/* The same, and tell its descriptor that there may be something. */
void pabal__process_news(pabal_process *self);

/* Make or remove the readiness of the descriptor that does not come from a socket. */
void pabal__process_set_ready(pabal_process *self);
void pabal__process_clear_ready(pabal_process *self);
void pabal__process_clear_alarm(pabal_process *self);
void pabal__process_clear_notify(pabal_process *self);

/* Epoll data: what it is and its number, so that an event of something that is gone by now finds nothing. */
enum pabal__event_kind {
	PABAL__EVENT_LISTENER = 1,
	PABAL__EVENT_CALLER,
	PABAL__EVENT_OPENING,
	PABAL__EVENT_WATCH,
	PABAL__EVENT_DOOR,
	PABAL__EVENT_NOTIFY,
	PABAL__EVENT_INSIDE,
	PABAL__EVENT_READY,
	PABAL__EVENT_PARTY,
};

static inline uint64_t pabal__event(enum pabal__event_kind kind, uint64_t number)
{
	return number << 8 | kind;
}

/* Add to, or remove from, an epoll. */
int pabal__epoll_add(int epoll, int fd, uint64_t event);
void pabal__epoll_remove(int epoll, int fd);

/*
 * Serve the door: let callers in, answer letters, ask again whom it is time to ask. Bounded; never sleeps. The lock is held. Nothing that a stranger sends makes it fail.
 */
void pabal__door_serve(pabal_process *self);
void pabal__door_timers(pabal_process *self);
/* When it wants to be served even if nothing happens; INT64_MAX: never. */
int64_t pabal__door_next(const pabal_process *self);

/* answer.c: the listener is readable; a caller is. */
void pabal__answer_listener(pabal_process *self);
void pabal__answer_caller(pabal_process *self, uint64_t number);

/* ask.c: an opening of this name, new or under way; what happens to it; our memory for a link. */
int pabal__ask_begin(pabal_process *self, const char *peer, bool waits, struct pabal__opening **ret_opening);
void pabal__ask_end(pabal_process *self, struct pabal__opening *opening); /* this caller waits no more */
void pabal__ask_event(pabal_process *self, uint64_t number);
void pabal__ask_timers(pabal_process *self, int64_t now);
void pabal__ask_names_changed(pabal_process *self);
void pabal__ask_settle(pabal_process *self, const char *peer); /* there is a link now, however it came */
struct pabal__opening *pabal__ask_find(pabal_process *self, const char *peer);
void pabal__ask_progress(pabal_process *self, struct pabal__opening *opening);
void pabal__ask_drop(pabal_process *self, struct pabal__opening *opening);
void pabal__asks_close(pabal_process *self, bool left);
int pabal__own_memory_make(uint64_t memory_max, struct pabal__own_memory *ret_memory);
void pabal__own_memory_free(struct pabal__own_memory *memory);

/* party.c: what a handshake has in hand becomes a link, or is closed. */
struct pabal__introduction {
	const char *peer;
	const unsigned char *instance;
	int socket, channel;
	struct pabal__own_memory *memory;
	int peer_memory, peer_life; /* peer_life: or -1 */
	uint64_t peer_memory_max;
	uint32_t entry; /* of the opening, or PABAL__NOT_TOLD */
	bool by_peer;
};

/* Check the peer's memory, ask the kernel who it is. Takes all of @introduction on success, nothing of it on failure. -EBADMSG: its memory is not what it must be. */
int pabal__party_add(pabal_process *self, const struct pabal__introduction *introduction, struct pabal__party **ret_party);
struct pabal__party *pabal__party_first(const pabal_process *self, const char *peer); /* the oldest of that name; then same_name() */
struct pabal__party *pabal__party_same_name(const struct pabal__party *party);
struct pabal__party *pabal__party_numbered(const pabal_process *self, uint64_t number); /* NULL: it is gone */
bool pabal__party_has_ended(const struct pabal__party *party);                          /* asks the kernel */
int pabal__party_watch(struct pabal__party *party, bool watched);                       /* in the handle's epoll: 0, -EMFILE, -ENOMEM */
/* While a call by name uses its link without the lock. It may have gone meanwhile. */
void pabal__party_use(struct pabal__party *party);
void pabal__party_put(struct pabal__party *party);
/* All is received: it goes, unless somebody has its handle or uses it. @error: what is to be told by name. */
void pabal__party_drained(struct pabal__party *party, int error);
void pabal__party_remove(struct pabal__party *party); /* out of the table; it ends now, or when the last of those who use it is done */
void pabal__parties_close(pabal_process *self, bool left);
/* The untold end of a link with @peer that is gone: its error, once; 0: there is none. */
int pabal__tomb_open(pabal_process *self, const char *peer);
void pabal__tombs_close(pabal_process *self);

/* talk.c, talk_wait.c: one call by name. */
struct pabal__talk {
	pabal_process *self;
	int (*attempt)(struct pabal__talk *talk); /* 0, negative: final; PABAL__TALK_WAIT */
	const char *peer;                         /* or NULL */
	struct pabal__opening *opening;
	uint64_t room_of; /* a send waits for room in the party of this number, or 0 */
	bool reads;       /* waits for messages */
	bool waits;       /* may sleep */
	bool entered;     /* has the lock */
	bool ended;       /* the link that was looked at last has ended */
	uint64_t numbers; /* the handle's when the call began: what has a higher one came since */
	uint32_t what;    /* enum pabal_wait_what */
	void *data;
	const void *const_data;
	size_t size, *ret_size;
	char *ret_peer;
	pabal_link **ret_link;
};

enum { PABAL__TALK_WAIT = 1 };

uint32_t pabal__talk_entry(const struct pabal__talk *talk); /* whom it waits for, as it is told to others */
int pabal__talk_end(struct pabal__talk *talk, int r);       /* let go of everything; r, or what it means, with its sentence */
/* One attempt of a receive: it leaves nothing behind that could be received, since a sleep may follow. */
int pabal__talk_receive(struct pabal__talk *talk);
int pabal__talk_run(struct pabal__talk *talk, int64_t timeout_ns);
/* See to what happened inside: serve the door, swallow bytes, learn of ends. The lock is held. */
void pabal__process_look_inside(pabal_process *self);

/* outside.c; the lock is held but in the last one. Let the descriptor for others be unreadable: nothing is there. true: a message is, after all. */
bool pabal__outside_settle(pabal_process *self);
/* Is there a link, or the failure of one, that no call has told of yet? */
bool pabal__outside_untold(const pabal_process *self);
/* A receive or an accept said "not now"; when it began the handle's numbers were these: what came before is told. */
void pabal__outside_told(pabal_process *self, uint64_t numbers);
/* For pabal_wait_many(): the descriptor, which there is, was readable: is there something? If not, it is silent again. */
bool pabal__process_verify(pabal_process *self);

#endif
