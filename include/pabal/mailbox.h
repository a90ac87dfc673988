/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/mailbox.h - indirect message passing: many senders, many receivers, a queue between them.
 *
 * A mailbox is a first-in first-out queue of messages of any size, up to a number of messages (its capacity) and of bytes (its memory).
 * Each message goes to exactly one receiver. Sending and receiving make no system call unless somebody has to sleep.
 *
 * Caveats, before anything else:
 *  - take ... release is *at least once*: if the taker dies first, the message is delivered again, with delivery_count 2.
 *    receive is *at most once* from the moment it gives the block back: a receiver killed after that loses what it had copied.
 *    A sender killed inside send cannot know whether the message went; one that it had not committed never appears.
 *  - The death of a process becomes visible when the kernel has let go of it: tenths of a millisecond after SIGKILL for a small one,
 *    longer with much memory, seconds with a core dump. Those who wait look at least every 250 ms.
 *  - A process that is *stopped* (SIGSTOP, a debugger) is alive: a message that it was just taking stays with it, and when it was stopped
 *    in the middle of a take, senders may have to wait for it once the queue has gone round.
 *  - A sleeping call wakes for a moment now and then to look for the dead; a signal handler that runs in just that moment does not end it with -EINTR.
 *    pabal_mailbox_interrupt() in the handler always does, with -ECANCELED.
 *  - claimed_pid and claimed_uid are what the sender says. Content that you read in place (take) can change under you if the sender is hostile;
 *    receive copies first.
 *  - A handle has one descriptor, and five more for each that was asked for (pabal_mailbox_fd). A program that closes all descriptors (closefrom) can send and receive with its handle all the same;
 *    its descriptors for poll(2) are gone, asking for them says -EBADF, and whatever has their numbers by then is not touched. It must not close them in the middle of a call on the handle.
 *  - Priorities, selection by tag, other on-full policies than blocking, rendezvous, time to live, dead letters and taps are not in
 *    this version: an option that asks for one is refused by name with -ENOTSUP.
 */
#ifndef PABAL_MAILBOX_H
#define PABAL_MAILBOX_H

#include <pabal/base.h>
#include <pabal/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One open handle: one participant of a mailbox. */
typedef struct pabal_mailbox pabal_mailbox;

/** Flags of a mailbox, beside those of base.h. */
enum pabal_mailbox_flags {
	PABAL_MAILBOX_RENDEZVOUS = 1u << 16,    /**< create: send returns when the message was taken (-ENOTSUP in this version) */
	PABAL_MAILBOX_DROP_ON_DEATH = 1u << 17, /**< create: a dead taker's messages are dropped and counted, not delivered again */
	PABAL_TIMESTAMPS = 1u << 18,            /**< create: each message carries the time it was sent, CLOCK_BOOTTIME in nanoseconds */
	PABAL_DEAD_LETTERS = 1u << 19,          /**< open: the dead letters of this mailbox (-ENOTSUP in this version) */
};

/** Options of create and open; NULL, or 0 in a member, is the default. open uses flags and wait_ns and ignores the rest. */
struct pabal_mailbox_opts {
	size_t struct_size; /**< sizeof(struct pabal_mailbox_opts) */
	uint32_t flags;
	uint32_t mode;             /**< permission bits of the file, whatever the umask; default 0600 */
	uint32_t capacity;         /**< messages that may wait, exactly; 1 to 524,288, default 1024 */
	uint32_t priorities;       /**< default 1; more is -ENOTSUP in this version */
	uint32_t on_full;          /**< enum pabal_on_full */
	uint32_t delivery_limit;   /**< -ENOTSUP in this version */
	uint64_t memory_max;       /**< payload memory in bytes, and the size of the largest message; up to 2^40, default 16 MiB */
	uint64_t dead_letters_max; /**< -ENOTSUP in this version */
	int64_t wait_ns;           /**< with PABAL_WAIT_EXISTS: how long to wait for the object; a time-out as everywhere */
	int64_t ttl_ns;            /**< -ENOTSUP in this version */
};

/** Statistics; filled up to the caller's struct_size. Counts are since creation. */
struct pabal_mailbox_stats {
	size_t struct_size; /**< set it to sizeof(struct pabal_mailbox_stats) */
	uint64_t depth;     /**< messages waiting, those to be delivered again included */
	uint64_t capacity;
	uint64_t sent;        /**< messages committed */
	uint64_t received;    /**< messages taken for the first time */
	uint64_t redelivered; /**< times that a message came back: its taker died, closed, or requeued it */
	uint64_t dropped;     /**< messages lost by a policy that allows it */
	uint64_t expired;
	uint64_t dead_letters;
	uint64_t late_wakes; /**< times that a sleeper found something only because its wait slice ended */
	uint64_t memory;     /**< payload memory in use, bytes */
	uint64_t memory_max;
	uint32_t participants; /**< open handles */
	uint32_t leases;       /**< messages taken and not yet released */
};

/**
 * pabal_mailbox_create() - make a mailbox and open it.
 * @name: 1 to 127 bytes of [A-Za-z0-9._-], not starting with a dot.
 * @opts: may be NULL.
 * @ret_mailbox: the handle.
 *
 * The mailbox appears whole or not at all. With the default capacity it costs 24 KiB until messages come; memory_max is a limit, not a reservation.
 *
 * Return: 0.
 * Threads: any. Blocks: never. Ownership: the caller closes the handle; the mailbox stays until pabal_mailbox_destroy().
 * If the peer dies: nothing; a creator that is killed leaves nothing or a whole mailbox.
 * Errors: -EEXIST (the name is taken; with PABAL_EXIST_OK: by something of another shape), -EINVAL, -E2BIG, -ENOTSUP, -ENAMETOOLONG, -ENOSPC, -ENOMEM,
 * -EMFILE, -EACCES, -EPERM, -EROFS, and with PABAL_EXIST_OK those of pabal_mailbox_open().
 */
PABAL_EXPORT int pabal_mailbox_create(const char *name, const struct pabal_mailbox_opts *opts, pabal_mailbox **ret_mailbox);

/**
 * pabal_mailbox_open() - open a mailbox that exists.
 * @opts: flags and wait_ns count; may be NULL.
 *
 * Return: 0.
 * Threads: any. Blocks: with PABAL_WAIT_EXISTS up to wait_ns; else never. Ownership: the caller closes the handle.
 * If the peer dies: the dead that it finds are buried first, unless it opens read-only.
 * Errors: -ENOENT, -EAGAIN (a process that was stopped in the middle of destroying it), -EINVAL (also: it is no mailbox), -E2BIG, -ENOTSUP, -ENAMETOOLONG, -EUSERS (1023 handles are open), -EPROTO (another version made it), -EBADMSG (it
 * is no pabal object, or damaged), -EACCES, -EPERM, -EROFS, -ENOSPC, -ENOMEM, -EMFILE, -ETIMEDOUT, -EINTR.
 */
PABAL_EXPORT int pabal_mailbox_open(const char *name, const struct pabal_mailbox_opts *opts, pabal_mailbox **ret_mailbox);

/**
 * pabal_mailbox_send() - send a copy of a message.
 * @data: may be NULL if @size is 0.
 * @size: bytes, 0 to memory_max.
 * @timeout_ns: how long to wait while the mailbox is full.
 *
 * Return: 0: the message is committed; it survives this process.
 * Threads: any; calls on one handle exclude each other. Blocks: while full, up to @timeout_ns. Ownership: @data stays the caller's.
 * If the peer dies: a receiver that died in the middle of a take is repaired; nobody waits for it once the kernel let go of it.
 * Errors: -EAGAIN (PABAL_NOWAIT, full), -ETIMEDOUT, -EINTR, -ECANCELED, -EMSGSIZE (larger than memory_max), -ENOSPC (the file system is full), -ESHUTDOWN, -EBADMSG,
 * -ESTALE, -EPERM (read-only handle), -EINVAL, -EBADF (the program closed the descriptor of the file, which has no name any more).
 */
PABAL_EXPORT int pabal_mailbox_send(pabal_mailbox *mailbox, const void *data, size_t size, int64_t timeout_ns);

/** pabal_mailbox_send_with() - pabal_mailbox_send() with a tag. @message: may be NULL. Errors: also -E2BIG, -ENOTSUP. All else as there. */
PABAL_EXPORT int pabal_mailbox_send_with(pabal_mailbox *mailbox, const struct pabal_message_opts *message, const void *data, size_t size,
					 int64_t timeout_ns);

/**
 * pabal_mailbox_receive() - take the oldest message, copy it out and release it.
 * @data: where to copy to; may be NULL if @size_max is 0.
 * @size_max: bytes that fit there.
 * @ret_size: the size of the message in bytes; may be NULL. Also set with -EMSGSIZE.
 * @timeout_ns: how long to wait while the mailbox is empty.
 *
 * Return: 0.
 * Threads: any; calls on one handle exclude each other. Blocks: while empty, up to @timeout_ns. Ownership: the copy is the caller's.
 * If the peer dies: what a dead taker held comes first, oldest first.
 * Errors: -EAGAIN (PABAL_NOWAIT, empty), -ETIMEDOUT, -EINTR, -ECANCELED, -EMSGSIZE (does not fit; it stays the next to be received, by anyone), -ESHUTDOWN (destroyed and
 * empty), -EBADMSG, -ESTALE, -EPERM, -EINVAL.
 */
PABAL_EXPORT int pabal_mailbox_receive(pabal_mailbox *mailbox, void *data, size_t size_max, size_t *ret_size, int64_t timeout_ns);

/**
 * pabal_mailbox_loan() - get memory to write a message in place.
 * @size: bytes that the message will have at most.
 * @ret_loan: the memory; its content is undefined.
 * @timeout_ns: how long to wait for memory.
 *
 * Return: 0.
 * Threads: any. Blocks: while the memory budget is used up, up to @timeout_ns. Ownership: the loan is this handle's until commit or cancel.
 * If the peer dies: its loans are given back. If this process dies, so are this one's.
 * Errors: as pabal_mailbox_send().
 */
PABAL_EXPORT int pabal_mailbox_loan(pabal_mailbox *mailbox, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns);

/**
 * pabal_mailbox_commit() - send a loan.
 * @loan: from this handle; zeroed on success. On failure it stays a loan.
 * @size: bytes of it that are the message.
 * @timeout_ns: how long to wait while the mailbox is full.
 *
 * Return: 0: committed. Everything else as pabal_mailbox_send(); -EINVAL also if @loan is not a loan of this handle, or was committed
 * or cancelled already, through a copy of it: also by another thread while this call waited, which it finds when it looks again.
 */
PABAL_EXPORT int pabal_mailbox_commit(pabal_mailbox *mailbox, struct pabal_loan *loan, size_t size, int64_t timeout_ns);

/** pabal_mailbox_commit_with() - pabal_mailbox_commit() with a tag. @message: may be NULL. Errors: also -E2BIG, -ENOTSUP. */
PABAL_EXPORT int pabal_mailbox_commit_with(pabal_mailbox *mailbox, const struct pabal_message_opts *message, struct pabal_loan *loan, size_t size,
					   int64_t timeout_ns);

/**
 * pabal_mailbox_cancel() - give a loan back unsent.
 * Return: 0, and @loan is zeroed. Threads: any. Blocks: never. Errors: -EINVAL (not a loan of this handle, or done already), -ESTALE, -EPERM.
 */
PABAL_EXPORT int pabal_mailbox_cancel(pabal_mailbox *mailbox, struct pabal_loan *loan);

/**
 * pabal_mailbox_take() - take the oldest message and read it in place.
 * @opts: may be NULL.
 * @ret_message: the message.
 * @timeout_ns: how long to wait while the mailbox is empty.
 *
 * Return: 0.
 * Threads: any; takes on one handle exclude each other. Blocks: while empty, up to @timeout_ns.
 * Ownership: the message is leased to this handle until release or requeue; any number may be, released in any order.
 * If the peer dies: what a dead taker held comes first. If this process dies, its leases are delivered again to others.
 * Errors: as pabal_mailbox_receive(), without -EMSGSIZE; also -E2BIG, -ENOTSUP.
 */
PABAL_EXPORT int pabal_mailbox_take(pabal_mailbox *mailbox, const struct pabal_take_opts *opts, struct pabal_message *ret_message,
				    int64_t timeout_ns);

/**
 * pabal_mailbox_release() - done with a message: its memory may be used again.
 * Return: 0, and @message is zeroed. Threads: any. Blocks: never.
 * Errors: -EINVAL (not a lease of this handle: for one, released twice), -ESTALE, -EPERM.
 */
PABAL_EXPORT int pabal_mailbox_release(pabal_mailbox *mailbox, struct pabal_message *message);

/**
 * pabal_mailbox_requeue() - give a message back: it is the next to be taken, by anyone, before all that were never taken. Of several the one that was sent first comes first.
 * Return: 0, and @message is zeroed. Threads: any. Blocks: never. Errors: as pabal_mailbox_release().
 */
PABAL_EXPORT int pabal_mailbox_requeue(pabal_mailbox *mailbox, struct pabal_message *message);

/**
 * pabal_mailbox_fd() - a descriptor for poll(2) and epoll(7).
 * @event: PABAL_READABLE: messages to receive; or PABAL_WRITABLE: room.
 *
 * It becomes readable (POLLIN, for both) with the first message, or room, and stays so until a receive or take, or a send, on this handle said -EAGAIN or -ETIMEDOUT. It may be readable
 * with nothing left, since another took it or somebody has closed the mailbox, never the reverse. It costs nothing while no handle has one.
 * Room is room in the capacity: whether there is memory, too, depends on the size of the message, and only the send finds out. One that found none leaves the descriptor silent until memory or room comes back,
 * even if a smaller message would have fitted.
 *
 * Return: the descriptor. Threads: any. Blocks: never. Ownership: the handle's: never read or close it. If the peer dies: readable if that brings anything back.
 * Errors: -EINVAL, -ESTALE, -EPERM (read-only handle), -EMFILE, -ENOMEM, -EACCES (no permission to make a socket in the directory),
 * -ENOENT (the directory is gone, or another one has its place), -EBADF (the program closed it: close the handle, and open it anew).
 */
PABAL_EXPORT int pabal_mailbox_fd(pabal_mailbox *mailbox, uint32_t event);

/**
 * pabal_mailbox_interrupt() - end every wait on this handle with -ECANCELED.
 *
 * An interrupt that finds no wait is kept for the next one, so that it cannot come a moment too early. Calls that need not wait are not touched.
 *
 * Return: 0. Threads: any; a signal handler may call it. Blocks: never. Errors: -ESTALE, -EPERM, -EINVAL.
 */
PABAL_EXPORT int pabal_mailbox_interrupt(pabal_mailbox *mailbox);

/**
 * pabal_mailbox_stat() - how the mailbox stands.
 * @stats: struct_size set by the caller.
 * Return: 0. Threads: any. Blocks: never; takes time in proportion to the memory in use. Errors: -EINVAL, -ESTALE, -ENOMEM.
 */
PABAL_EXPORT int pabal_mailbox_stat(pabal_mailbox *mailbox, struct pabal_mailbox_stats *stats);

/**
 * pabal_mailbox_close() - leave the mailbox.
 * @mailbox: may be NULL. Leases are given back to be delivered again, loans are cancelled; pointers into them end.
 *
 * Return: NULL. Threads: no other thread may use the handle: interrupt first. Blocks: never. Errors: none.
 */
PABAL_EXPORT pabal_mailbox *pabal_mailbox_close(pabal_mailbox *mailbox);

/**
 * pabal_mailbox_destroy() - remove the name and end the mailbox for all who have it open.
 *
 * Senders get -ESHUTDOWN; receivers get what is left, then -ESHUTDOWN. The memory goes with the last handle.
 *
 * It does so or changes nothing: who may not remove the name from the directory gets the error, and the mailbox lives.
 *
 * Return: 0. Threads: any. Blocks: while another process is destroying it, for a second at most. If the peer dies: nothing.
 * Errors: -ENOENT, -EAGAIN (that second was over), -EINVAL (it is no mailbox), -ENAMETOOLONG, -EACCES, -EPERM, -EROFS, -EBADMSG (a file that is no pabal object is left alone), -EPROTO.
 */
PABAL_EXPORT int pabal_mailbox_destroy(const char *name);

#ifdef __cplusplus
}
#endif

#endif
