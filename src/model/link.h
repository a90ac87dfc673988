/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link.h - the inside of a link handle, for the files of this layer.
 *
 * A link is two directions, each with a lock of its own, private to the process; they share the doorbell, and no cache line that either writes. It is made of what a finished
 * handshake has in hand, and knows nothing of names: process and handshake know it, not the reverse.
 */
#ifndef PABAL_SRC_MODEL_LINK_H
#define PABAL_SRC_MODEL_LINK_H

#include <pthread.h>
#include <string.h>

#include <pabal/process.h>

#include "base/error.h"
#include "model/link_slots.h"
#include "platform/fork.h"
#include "queue/arena.h"
#include "queue/stream_reader.h"
#include "wait/doorbell_wait.h"
#include "wait/patience.h"
#include "wait/trim.h"

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define PABAL__LINK_SINGLE_THREADED __libc_single_threaded
#else
#define PABAL__LINK_SINGLE_THREADED 0
#endif

#define PABAL__LINK_MAGIC 0x50424c4bu

/* What a finished handshake has in hand; all of it passes to the link. */
struct pabal__link_parts {
	int socket;          /* SOCK_SEQPACKET, connected: wake bytes and hang-up */
	int fds_out, fds_in; /* sockets for descriptors, or -1; they may be the same one */
	int pidfd;           /* of the peer, or -1 */
	int memory;          /* our memfd: large messages get real memory when the arena grows */
	void *mine;          /* our half, mapped read-write; formatted, and all before the arena backed */
	uint64_t mine_max;   /* its memory_max */
	const void *peer;    /* the peer's half, mapped read-only */
	uint64_t peer_max;
	bool patient; /* of the two sides, this one finds out how patient both should be (wait/patience.h): who opened the link */
	const _Atomic uint64_t *peer_life; /* what tells that the peer lives (platform/life.h), mapped; NULL: nothing does */
};

/* What a message is, in struct pabal__stream_extra. */
enum pabal__message_what { PABAL__MESSAGE_PLAIN, PABAL__MESSAGE_CALL, PABAL__MESSAGE_REPLY };

/* A message that was taken out of the ring before its turn, or a reply that waits for its caller. */
struct pabal__parked {
	struct pabal__parked *next;
	struct pabal__stream_extra extra;
	bool large;
	uint64_t receipt; /* of a large one */
	uint64_t size;
	const unsigned char *data; /* into the arena, or the bytes behind this struct */
	int *fds;                  /* extra.fd_count of them, or NULL */
};

/* A call under way, or a free place in the table. */
struct pabal__call_state {
	uint32_t generation;
	bool open;
	uint32_t next_free;
	struct pabal__parked *reply;
};

struct pabal__calls {
	struct pabal__call_state *table;
	uint32_t count, free, open;
	uint32_t replied; /* calls whose reply waits for its caller */
	bool fresh;       /* one of these replies came since a receive said that there is nothing */
};

/* A loan that lies in the ring: at the next position, or in a gap that later messages left. There is one at most. */
enum pabal__ring_loan { PABAL__RING_LOAN_NONE, PABAL__RING_LOAN_NEXT, PABAL__RING_LOAN_GAP };

/* All of it in one word, `mark:32 | cells:30 | state:2`, so that it is written at once: which use of that place it is, and how long it is in bytes, if it is out. */
static inline uint64_t pabal__ring_loan_pack(uint32_t mark, uint64_t cells, enum pabal__ring_loan state)
{
	return (uint64_t)mark << 32 | cells << 2 | state;
}

static inline enum pabal__ring_loan pabal__ring_loan_state(uint64_t loan)
{
	return (enum pabal__ring_loan)(loan & 3);
}

static inline uint64_t pabal__ring_loan_cells(uint64_t loan)
{
	return (uint32_t)loan >> 2;
}

static inline uint32_t pabal__ring_loan_mark(uint64_t loan)
{
	return (uint32_t)(loan >> 32);
}

static inline uint64_t pabal__ring_loan_become(uint64_t loan, enum pabal__ring_loan state)
{
	return (loan & ~UINT64_C(3)) | state;
}

struct pabal__link_sending {
	_Alignas(128) pthread_mutex_t lock;
	struct pabal__writer writer;
	struct pabal__life life;
	struct pabal__doorbell_spin spin;
	_Atomic uint32_t delay; /* before a look for an answer; while there is one, answers lie apart. Written by who receives: a hint */
	uint64_t answered;      /* the peer's messages that were received before the last one that lies apart: their sequence */
	uint64_t ask_at;        /* up to this sequence number the peer's life word is believed */
	uint32_t fd_lots;       /* sent so far */
	uint64_t ring_loan;     /* pabal__ring_loan_pack() */
	struct pabal__slots loans;
	struct pabal__arena arena;
	uint64_t backed;     /* bytes of the arena that have real memory */
	bool memory_refused; /* somebody found no memory in the arena, and was not told of any since */
};

/* A large message that was received. */
struct pabal__recent {
	const unsigned char *data;
	uint64_t receipt;
};

struct pabal__link_receiving { /* NOLINT(clang-analyzer-optin.performance.Padding): it begins on a pair of lines of its own, and ends with one */
	_Alignas(128) pthread_mutex_t lock;
	struct pabal__reader reader;
	struct pabal__life life;
	struct pabal__doorbell_spin spin;
	uint32_t believed; /* times that the peer's life word was believed, or asked about */
	uint32_t fd_lots;
	struct pabal__slots leases;
	struct pabal__recent recent[2]; /* the last two large messages: the next one probably lies where the one before the last did */
	_Atomic uint64_t release;       /* the receipt given back last: the next large message says so. 0: it is not known which was the last */
	uint64_t owned;                 /* recent[0].receipt when the line of the word for recent[1] was made ours */
	struct pabal__parked *parked, **parked_end; /* messages that arrived while somebody waited for a reply */
	uint64_t parked_count, parked_bytes;
	bool parked_full; /* somebody waits for a reply and could park no more */
	struct pabal__calls calls;
	uint64_t calls_begun, late_replies;
	uint64_t asked; /* our own messages when an answer was waited for last: their sequence */
	bool patient;   /* this side finds out for both */
	struct pabal__patience patience;
	struct pabal__trim trim;
};

struct pabal_link { /* NOLINT(clang-analyzer-optin.performance.Padding): the padding keeps the two directions on lines of their own */
	uint32_t magic, flags;
	uint32_t generation; /* of the process that opened it (platform/fork.h) */
	_Atomic bool broken; /* the peer's memory made no sense: the link is finished */
	struct pabal__half *mine;
	const struct pabal__half *peer;
	uint64_t mine_max, peer_max;
	int fds_out, fds_in, memory;
	struct pabal_peer identity;
	int ready[PABAL__DOORBELL_EVENTS]; /* descriptors for poll, or -1 */
	pthread_mutex_t ready_lock;

	/* For who handed the link out: what close does instead of ending it. May be NULL. */
	void (*on_close)(void *owner, struct pabal_link *link);
	void *owner;

	struct pabal__link_sending sending;
	struct pabal__link_receiving receiving;
	_Alignas(128) struct pabal__doorbell bell;
};

/* Make a link of its parts; on failure they are the caller's still. @flags: PABAL_WAIT_..., PABAL_SINGLE_THREAD, PABAL_RESTART. 0, -ENOMEM, -EMFILE. */
int pabal__link_init(struct pabal_link *link, const struct pabal__link_parts *parts, uint32_t flags);
/* Tell the peer that we are done, and give everything back; in a fork child, without telling. */
void pabal__link_deinit(struct pabal_link *link);

/* For who serves many links. Is a message there, or the end known? No system call. */
bool pabal__link_has(struct pabal_link *link);
/* Has a reply come to its call that its caller does not know of? @told: he does from now on. */
bool pabal__link_reply_came(struct pabal_link *link, bool told);
/* pabal_link_receive() without waiting; no sentence is left. */
int pabal__link_receive_now(struct pabal_link *link, void *data, size_t size_max, size_t *ret_size);
/* Arm for these events, of PABAL_READABLE and PABAL_WRITABLE. 1: something is there already; 0: sleep, by polling bell.socket and bell.pidfd. */
int pabal__link_ask(struct pabal_link *link, uint32_t wants);
/* For pabal_wait_many(): the descriptor for @event, which there is, was readable: is it so? If not, it is silent again. */
bool pabal__link_verify(struct pabal_link *link, uint32_t event);
/* poll said readable: swallow the bytes, and learn of the end. */
void pabal__link_wake_read(struct pabal_link *link);

/* Why pabal__link_check() refuses. */
int pabal__link_refuse(const struct pabal_link *link) __attribute__((cold));
/* The sentence for an error that came without one. @event: what was waited for, as in pabal__link_wait(). Formats nothing where it may happen often. */
int pabal__link_words(int error, uint32_t event) __attribute__((cold));

/* The same; the value is @error. In the header, so that compilers and analysers see it. */
static inline int pabal__link_say(int error, uint32_t event)
{
	return pabal__keep(error, pabal__link_words(error, event));
}

/* Is this handle fit for use? */
static inline bool pabal__link_is_fit(const struct pabal_link *link, int64_t timeout_ns)
{
	return link && link->magic == PABAL__LINK_MAGIC && link->generation == pabal__fork_generation() && timeout_ns >= PABAL_FOREVER;
}

/* The same: 0, -EINVAL, -ESTALE. */
static inline int pabal__link_check(const struct pabal_link *link, int64_t timeout_ns)
{
	if (__builtin_expect(pabal__link_is_fit(link, timeout_ns), 1))
		return 0;
	return pabal__link_refuse(link) == -ESTALE ? -ESTALE : -EINVAL;
}

/* The long way of a call whose short way stands in the same file: were it inlined there, the short one would save registers for it. */
#define PABAL__LONG_WAY __attribute__((noinline))
#define PABAL__SHORT_WAY __attribute__((always_inline))

/* Is there no other thread to keep out? */
static inline bool pabal__link_alone(const struct pabal_link *link)
{
	return PABAL__LINK_SINGLE_THREADED || (link->flags & PABAL_SINGLE_THREAD);
}

/* Exclude other threads from one direction; true: leave again. */
static inline bool pabal__link_enter(const struct pabal_link *link, pthread_mutex_t *lock)
{
	if (pabal__link_alone(link))
		return false;
	pthread_mutex_lock(lock);
	return true;
}

static inline void pabal__link_leave(pthread_mutex_t *lock, bool entered)
{
	if (entered)
		pthread_mutex_unlock(lock);
}

/* Nobody has the other end of a channel for descriptors any more: why nothing can be sent. */
int pabal__link_channel_end(struct pabal_link *link) __attribute__((cold));

/* The peer's memory made no sense. */
int pabal__link_break(struct pabal_link *link) __attribute__((cold));

static inline bool pabal__link_broken(const struct pabal_link *link)
{
	return atomic_load_explicit(&link->broken, memory_order_relaxed); /* alone: whoever breaks it says so himself */
}

/*
 * Wait for @event until @attempt succeeds; the caller has tried once in vain. With PABAL_NOWAIT: let the descriptor for poll be unreadable, try once more, and say -EAGAIN or
 * the peer's end.
 */
int pabal__link_wait(struct pabal_link *link, int (*attempt)(void *object), void *object, uint32_t event, int64_t timeout_ns);

/* Was a message sent since the last wait for an answer? Where one thread receives, and one sends: the same one, or it is not much of a question. */
static inline bool pabal__link_expects(const struct pabal_link *link)
{
	return link->receiving.asked != pabal__writer_sequence(&link->sending.writer);
}

/* It was, and now an answer is waited for, before any look for it: be patient. The header of the next message, as pabal__reader_look() says it. Where no other thread receives. */
uint32_t pabal__link_await(struct pabal_link *link);

/* Does the peer live? Asks the kernel at most once in a while. */
bool pabal__link_lives(struct pabal_link *link);

/* Why nothing can be written or read any more, or 0. Messages that were committed before can be seen after this. */
static inline int pabal__link_end(const struct pabal_link *link)
{
	return __builtin_expect(pabal__link_broken(link), 0) ? -EBADMSG : pabal__doorbell_end(&link->bell);
}

/* May anything be committed? Under the lock. */
int pabal__link_check_peer(struct pabal_link *link);

/*
 * The same, short, and no more than a few loads. false: ask the long way.
 *
 * What is usual is done without a single call (the short ways in link_send.c, link_loan.c and link_receive.c): a function that calls none saves no registers, and what counts in a stream of messages is
 * how many words are stored for each: a processor keeps some dozens of stores waiting for their lines, and when these are the stores of two messages then it waits for two lines at a time. Measured
 * where the processor fetches no line for writing that it has for reading (AMD's Zen).
 */
static inline bool pabal__link_may_commit(const struct pabal_link *link)
{
	return pabal__link_end(link) == 0 && pabal__life_beats(link->bell.peer_life) &&
	       link->sending.ask_at > pabal__writer_sequence(&link->sending.writer);
}

/* Are so many cells there, and nothing of the ring is lent out? */
static inline bool pabal__link_has_cells(const struct pabal_link *link, uint64_t cells)
{
	const struct pabal__link_sending *sending = &link->sending;

	return pabal__ring_loan_state(sending->ring_loan) == PABAL__RING_LOAN_NONE &&
	       pabal__stream_after(sending->writer.next, cells) <= sending->writer.limit;
}

/* How a message lies in the ring: right behind the one before it, or apart, should that be better: for who asks and answers. The latter where no other thread sends. */
enum pabal__link_layout { PABAL__LINK_DENSE, PABAL__LINK_APART };

static inline enum pabal__link_layout pabal__link_layout(const struct pabal_link *link)
{
	return pabal__link_alone(link) ? PABAL__LINK_APART : PABAL__LINK_DENSE;
}

/* Are the two patient, and was something received since the last one that lies apart? */
static inline bool pabal__link_goes_apart(const struct pabal_link *link)
{
	bool patient = __builtin_expect(atomic_load_explicit(&link->sending.delay, memory_order_relaxed) != 0, 0); /* alone: tuning only */

	return patient && link->sending.answered != pabal__reader_sequence(&link->receiving.reader);
}

/* Where the next message goes. */
static inline PABAL__SHORT_WAY struct pabal__spot pabal__link_spot(const struct pabal_link *link, uint64_t length, enum pabal__link_layout layout)
{
	if (layout == PABAL__LINK_APART && pabal__link_goes_apart(link))
		return pabal__writer_spot_apart(&link->sending.writer, length);
	return pabal__writer_spot(&link->sending.writer, length);
}

/* The same, if there is room for it and nothing of the ring is lent out. false: do it the long way. */
static inline PABAL__SHORT_WAY bool pabal__link_find_spot(const struct pabal_link *link, uint64_t length, enum pabal__link_layout layout,
							  struct pabal__spot *ret_spot)
{
	if (__builtin_expect(pabal__ring_loan_state(link->sending.ring_loan) != PABAL__RING_LOAN_NONE, 0))
		return false;
	*ret_spot = pabal__link_spot(link, length, layout);
	return ret_spot->alone || ret_spot->after <= link->sending.writer.limit; /* one that lies apart has room */
}

/* After a message that lies apart: make ready for the next one, and ring. 0. */
int pabal__link_answered(struct pabal_link *link, uint64_t length);

/* The commit of the message that lies at @spot, and a ring for the peer if it sleeps. 0: who ends with it saves no registers for what comes after the commit. */
static inline PABAL__SHORT_WAY int pabal__link_publish(struct pabal_link *link, const struct pabal__spot *spot, enum pabal__stream_kind kind)
{
	if (__builtin_expect(spot->alone, 0)) {
		pabal__writer_commit(&link->sending.writer, spot, kind);
		return pabal__link_answered(link, spot->length);
	}
	pabal__writer_publish(&link->sending.writer, spot, kind);
	return pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_MESSAGE);
}

/* The short way of an answer: where it goes, if that is known already and the peer lives. NULL: do it the long way. Where no other thread sends. */
static inline PABAL__SHORT_WAY const struct pabal__spot *pabal__link_ready(const struct pabal_link *link, uint64_t length)
{
	return __builtin_expect(pabal__link_may_commit(link), 1) ? pabal__writer_ready(&link->sending.writer, length) : NULL;
}

/* Bytes in the ring that tell of a large message. */
enum { PABAL__LINK_ENTRY = sizeof(struct pabal__stream_extra) + sizeof(struct pabal__stream_place) };

/* link_send.c: a message with what goes with it. No check of the handle, no sentence. */
struct pabal__link_send {
	struct pabal_link *link;
	const void *data;
	size_t size;
	struct pabal__stream_extra extra; /* all zero: none */
	const int *fds;
	uint32_t node; /* of the arena, or PABAL__ARENA_NONE */
	bool filled;
	bool only_memory; /* a loan: no commit yet */
};

/* Can such a message be sent? 0, -EMSGSIZE, -EINVAL, with the sentence. */
int pabal__link_check_message(const struct pabal_link *link, const void *data, size_t size);
int pabal__link_send_message(struct pabal__link_send *send, int64_t timeout_ns);
/* One attempt, under the lock: of a message that lies at send->data, or in send->node. */
int pabal__link_try_send(struct pabal__link_send *send, bool *entered);
int pabal__link_try_memory(struct pabal__link_send *send);
/* A block that was not sent is free again; who was refused memory meanwhile is to look. Under the lock. */
void pabal__link_free_memory(struct pabal_link *link, uint32_t node);
/* After a large message of @size bytes was published, which lies apart or not: ring, take some of those back that the peer has released, and make the next one ready, while nobody waits for us. Under the lock. 0. */
int pabal__link_sent_large(struct pabal_link *link, uint64_t size, bool alone);

/* link_incoming.c */

/* A message, as it lies in the ring or parked. */
struct pabal__incoming {
	const unsigned char *data;
	uint64_t size;
	struct pabal__stream_extra extra;
	uint64_t receipt, released; /* of a large one; the latter is what it says of those that went the other way */
	uint32_t header;            /* of the ring */
	bool large;
	struct pabal__parked *parked; /* or NULL */
	int *fds;                     /* after accept */
};

/* The next message that is no reply; replies on the way go to their callers. 0, PABAL__DOORBELL_WAIT, or the end. Under the lock. */
int pabal__link_next(struct pabal_link *link, struct pabal__incoming *ret_incoming);
/* It is taken: the ring goes on, and the message's descriptors are fetched. Its data in the ring are not ours any more. */
int pabal__link_accept(struct pabal_link *link, struct pabal__incoming *incoming);
/* Move what lies in the ring into memory of its own. NULL: no memory. It is accepted. */
struct pabal__parked *pabal__link_park(struct pabal_link *link, struct pabal__incoming *incoming);
void pabal__parked_free(struct pabal_link *link, struct pabal__parked *parked);
/* The one message that lies next in the ring, whatever it is. */
int pabal__link_peek(struct pabal_link *link, struct pabal__incoming *ret_incoming);
void pabal__link_close_fds(int *fds, uint32_t count);

/* Is it the header of a plain message in the ring, and nothing is to be done before it? Under the lock. */
static inline bool pabal__link_is_plain(const struct pabal_link *link, uint32_t header)
{
	_Static_assert(PABAL__STREAM_DATA == 1, "kind and length are checked in one comparison");
	return (header & ~PABAL__STREAM_APART_MASK) - (1u << 28) <= PABAL__STREAM_INLINE_MAX && !link->receiving.parked && !pabal__link_broken(link);
}

/* The usual case, short: the header of the next message, if it is such a one; else 0, and pabal__link_next() tells. */
static inline uint32_t pabal__link_plain(const struct pabal_link *link)
{
	uint32_t header = pabal__reader_look(&link->receiving.reader);

	return __builtin_expect(pabal__link_is_plain(link, header), 1) ? header : 0;
}

/* How many messages were received, taken, or handed to their calls: those that are put aside are not. Under the lock. */
static inline uint64_t pabal__link_received(const struct pabal_link *link)
{
	return pabal__reader_messages(&link->receiving.reader) - link->receiving.parked_count;
}

/* Was a message awaited (pabal__link_await()), or just looked for? */
enum pabal__link_look { PABAL__LINK_LOOKED, PABAL__LINK_AWAITED };

static inline PABAL__SHORT_WAY void pabal__link_consume(struct pabal_link *link, uint32_t header, enum pabal__link_look look)
{
	if (look == PABAL__LINK_AWAITED)
		pabal__reader_consume_foreseen(&link->receiving.reader, header);
	else
		pabal__reader_consume(&link->receiving.reader, header);
}

/* Done with a message that has nothing beside it. Returns 0, as pabal__doorbell_ring() does. */
static inline PABAL__SHORT_WAY int pabal__link_consume_plain(struct pabal_link *link, uint32_t header, enum pabal__link_look look)
{
	pabal__link_consume(link, header, look);
	return pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_ROOM);
}

/* What a message keeps in its reserved words. */
enum { PABAL__MESSAGE_MARK, PABAL__MESSAGE_HANDLE };

/* The lease of a message, or NULL; under the lock. */
static inline struct pabal__slot *pabal__link_lease(const struct pabal_link *link, const struct pabal_message *message)
{
	if (__builtin_expect(!message || message->reserved[PABAL__MESSAGE_HANDLE] != (uintptr_t)link, 0))
		return NULL;
	return pabal__slots_find(&link->receiving.leases, message->reserved[PABAL__MESSAGE_MARK]);
}

/* link_receive.c: what is said where there is none. */
int pabal__link_no_lease(void) __attribute__((cold));

/* link_call.c: a reply has come, and is the next in the ring. 0 or -EBADMSG, -ENOMEM. */
int pabal__calls_take_reply(struct pabal_link *link, struct pabal__incoming *incoming);
void pabal__calls_deinit(struct pabal_link *link);

#endif
