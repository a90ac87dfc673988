/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/buffer.h - the bounded buffer: producers put items of one size, consumers get them.
 *
 * Three forms, chosen at create:
 *  - many producers, many consumers (the default): first in, first out; each item goes to exactly one consumer.
 *  - PABAL_BUFFER_SPSC: one producer, one consumer, plain loads and stores alone. Items lie side by side, so that a run of them can be
 *    written or read in place.
 *  - PABAL_BUFFER_LATEST: sampled data. A writer publishes a whole item, each reader gets the newest whole one; nobody waits for anybody.
 *
 * Caveats, before anything else:
 *  - take ... release is *at least once*: if the taker dies first, the items come again, with delivery_count 2 or more. get is *at most once* from the moment it
 *    gives the items back; a consumer that is killed before that loses nothing. Items that were not put in whole never appear.
 *  - A call that puts many is not one commit but one an item, in order (SPSC: one a piece that fitted). A producer that is killed in the middle has put the first of them.
 *  - SPSC: the place of a producer or consumer is taken with its first put or get, and kept until the handle is closed or its process is dead. A third party gets
 *    -EBUSY. Who takes over from a dead consumer gets again what that one had not let go of.
 *  - LATEST: a reader sees gaps in `sequence` where items were replaced before it looked; that is what this form is for. There is always room, whatever on_full says.
 *  - A put or a commit wakes those who wait. The death of a process becomes visible when the kernel has let go of it; those who wait look every 250 ms at least.
 *  - A handle has one descriptor, and five more for each that was asked for (pabal_buffer_fd). A program that closes all descriptors (closefrom) can put and get with its handle all the same;
 *    its descriptors for poll(2) are gone, asking for them says -EBADF, and whatever has their numbers by then is not touched. It must not close them in the middle of a call on the handle.
 *  - Content that you read in place (take) can change under you if a producer is hostile; get copies first.
 */
#ifndef PABAL_BUFFER_H
#define PABAL_BUFFER_H

#include <pabal/base.h>
#include <pabal/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One open handle: one participant of a buffer. */
typedef struct pabal_buffer pabal_buffer;

/** Flags of a buffer, beside those of base.h. */
enum pabal_buffer_flags {
	PABAL_BUFFER_SPSC = 1u << 16,   /**< create: one producer and one consumer */
	PABAL_BUFFER_LATEST = 1u << 17, /**< create: only the newest item counts */
};

/** NULL, or 0 in a member, is the default. */
struct pabal_buffer_opts {
	size_t struct_size; /**< sizeof(struct pabal_buffer_opts) */
	uint32_t flags;     /**< enum pabal_flags and enum pabal_buffer_flags */
	uint32_t mode;      /**< permission bits of the file, whatever the umask; 0: 0600 */
	uint32_t on_full;   /**< enum pabal_on_full; belongs to the buffer. SPSC has no PABAL_FULL_DROP_OLDEST: only the consumer may take */
	uint32_t reserved_;
	int64_t wait_ns; /**< open with PABAL_WAIT_EXISTS: how long */
};

/** What pabal_buffer_stat() tells; filled up to struct_size. Items are counted in items, memory in bytes. */
struct pabal_buffer_stats {
	size_t struct_size; /**< set it to sizeof(struct pabal_buffer_stats) */
	uint64_t item_size; /**< bytes */
	uint64_t depth;     /**< items waiting, those that came back included; LATEST: 1 once there is one */
	uint64_t capacity;
	uint64_t put;         /**< items put so far */
	uint64_t got;         /**< items got or taken so far, for the first time; LATEST: 0, since readers leave no trace */
	uint64_t redelivered; /**< times that an item came back: its taker died, or closed */
	uint64_t dropped;     /**< items dropped by PABAL_FULL_DROP_OLDEST */
	uint64_t late_wakes;  /**< times that a sleeper found something only because its wait slice ended */
	uint64_t memory;      /**< item memory in use, bytes */
	uint64_t memory_max;  /**< the most it may become */
	uint32_t flags;       /**< PABAL_BUFFER_SPSC or PABAL_BUFFER_LATEST, PABAL_EPHEMERAL */
	uint32_t on_full;
	uint32_t participants; /**< open handles */
	uint32_t leases;       /**< items taken and not yet released; LATEST: takes, of which several may be of one item */
	uint32_t producer;     /**< SPSC: the participant that has the place, 0: nobody */
	uint32_t consumer;
};

/**
 * pabal_buffer_create() - make a buffer and open it.
 * @name: 1 to 127 bytes of [A-Za-z0-9._-], not starting with a dot.
 * @item_size: bytes of an item, 1 to 2^32.
 * @capacity: items that may wait, exactly: 1 to 2^19, with SPSC to 2^30, together up to 2^40 bytes. LATEST keeps one, whatever it says,
 * but it must be in this range all the same.
 * @opts: may be NULL.
 * @ret_buffer: the handle.
 *
 * SPSC gets all its memory here. The default form gets it as it is needed, and keeps room for 65,536 items (large ones: as many as the capacity, and 1,024)
 * that are taken and not released, beside those that wait. LATEST needs one item for each that reads or writes at the same moment, and two.
 *
 * Return: 0.
 * Threads: any. Blocks: never. Ownership: the caller closes the handle; the buffer stays until pabal_buffer_destroy().
 * If the peer dies: nothing; a creator that is killed leaves nothing or a whole buffer.
 * Errors: -EEXIST (the name is taken; with PABAL_EXIST_OK: by something of another shape), -EINVAL, -E2BIG, -ENOTSUP (SPSC with DROP_OLDEST), -ENAMETOOLONG,
 * -ENOSPC, -ENOMEM, -EMFILE, -EACCES, -EPERM, -EROFS, and with PABAL_EXIST_OK those of pabal_buffer_open().
 */
PABAL_EXPORT int pabal_buffer_create(const char *name, size_t item_size, uint32_t capacity, const struct pabal_buffer_opts *opts,
				     pabal_buffer **ret_buffer);

/**
 * pabal_buffer_open() - open a buffer that exists.
 * @opts: flags and wait_ns count; may be NULL. What form the buffer has is not asked again.
 *
 * Return: 0. pabal_buffer_stat() tells item_size, capacity and form.
 * Threads: any. Blocks: with PABAL_WAIT_EXISTS up to wait_ns; else never. Ownership: the caller closes the handle.
 * If the peer dies: the dead that it finds are buried first, unless it opens read-only.
 * Errors: -ENOENT, -EINVAL (also: it is no buffer), -E2BIG, -ENAMETOOLONG, -EUSERS (1023 handles are open), -EPROTO (another version made it), -EBADMSG (it is no pabal
 * object, or damaged), -EACCES, -EPERM, -EROFS, -ENOSPC, -ENOMEM, -EMFILE, -ETIMEDOUT, -EINTR.
 */
PABAL_EXPORT int pabal_buffer_open(const char *name, const struct pabal_buffer_opts *opts, pabal_buffer **ret_buffer);

/**
 * pabal_buffer_put() - put copies of items.
 * @items: @count items side by side.
 * @count: how many; 0 does nothing, and claims no place.
 * @ret_count: how many are in; may be NULL.
 * @timeout_ns: how long to wait until all are in.
 *
 * When the call ends early (the time is up, a signal, an interrupt, PABAL_FULL_FAIL) and some are in, it returns 0 with fewer in @ret_count; an interrupt then ends
 * the next wait as well. With @ret_count NULL it returns the error, and some may be in. PABAL_FULL_DROP_OLDEST drops the oldest of the items that wait, and
 * counts them, but none that is taken: when takes hold all memory that the buffer may have, it waits for a release, up to @timeout_ns; and a full file system is -ENOSPC
 * there as well.
 * LATEST publishes the last of the items; the others count as replaced.
 *
 * Return: 0: they are in, and survive this process.
 * Threads: any; puts on one handle exclude each other. Blocks: while full, up to @timeout_ns. Ownership: @items stays the caller's.
 * If the peer dies: a consumer that died in the middle of a get is repaired; nobody waits for it once the kernel let go of it.
 * Errors, none in: -EAGAIN (PABAL_NOWAIT or PABAL_FULL_FAIL, full; DROP_OLDEST: takes hold everything), -ETIMEDOUT, -EINTR, -ECANCELED, -EBUSY (SPSC: another is the
 * producer; a loan of this handle is not ended, also LATEST), -ENOSPC (the file system is full), -ESHUTDOWN, -EBADMSG, -ESTALE, -EPERM (read-only handle), -EINVAL.
 */
PABAL_EXPORT int pabal_buffer_put(pabal_buffer *buffer, const void *items, uint32_t count, uint32_t *ret_count, int64_t timeout_ns);

/**
 * pabal_buffer_get() - get items: wait for one, then take what is there.
 * @items: room for @count_max items.
 * @count_max: 1 or more.
 * @ret_count: how many there are, 1 to @count_max; may be NULL if @count_max is 1.
 * @timeout_ns: how long to wait for the first.
 *
 * LATEST gives the newest item, one. It waits until there is one that this handle did not get yet; the first get returns what is there.
 *
 * Return: 0.
 * Threads: any; gets on one handle exclude each other. Blocks: while empty, up to @timeout_ns. Ownership: the copies are the caller's.
 * If the peer dies: what a dead consumer held comes first, oldest first.
 * Errors: -EAGAIN (PABAL_NOWAIT, empty), -ETIMEDOUT, -EINTR, -ECANCELED, -EBUSY (SPSC: another is the consumer; a take of this handle is not released, also
 * LATEST), -ESHUTDOWN (destroyed and empty), -EBADMSG, -ESTALE, -EPERM, -EINVAL.
 */
PABAL_EXPORT int pabal_buffer_get(pabal_buffer *buffer, void *items, uint32_t count_max, uint32_t *ret_count, int64_t timeout_ns);

/**
 * pabal_buffer_loan() - get room for items, to write them in place.
 * @count_max: items wanted, 1 or more; it may be fewer.
 * @ret_loan: a run of items side by side; size is their bytes. What is there is undefined.
 * @timeout_ns: how long to wait for room for one. It holds for the commit as well.
 *
 * SPSC gives the free items up to the end of the array; the default form and LATEST give one. With SPSC and LATEST a handle has one loan at a time.
 * A run begins at a multiple of 16 bytes; with SPSC, if item_size is one.
 *
 * Return: 0.
 * Threads: any. Blocks: while full, up to @timeout_ns. Ownership: the loan is this handle's until commit or cancel.
 * If the peer dies: its loans are given back. If this process dies, so are this one's.
 * Errors: as pabal_buffer_put().
 */
PABAL_EXPORT int pabal_buffer_loan(pabal_buffer *buffer, uint32_t count_max, struct pabal_loan *ret_loan, int64_t timeout_ns);

/**
 * pabal_buffer_commit() - put what is in the loan.
 * @loan: from this handle; zeroed on success. On failure it stays a loan.
 * @size: bytes of it that are items: a multiple of item_size. 0 is a cancel. The rest is given back.
 *
 * Return: 0: they are in.
 * Threads: any. Blocks: the default form alone, when other producers have filled the buffer since the loan, as long as the time-out of the loan says. Ownership: the
 * loan ends. If the peer dies: as pabal_buffer_put().
 * Errors: as pabal_buffer_put(); -EINVAL also if @loan is not a loan of this handle, or has ended already, or @size is no multiple or too large.
 */
PABAL_EXPORT int pabal_buffer_commit(pabal_buffer *buffer, struct pabal_loan *loan, size_t size);

/**
 * pabal_buffer_cancel() - give a loan back unused.
 * Return: 0, and @loan is zeroed. Threads: any. Blocks: never. Errors: -EINVAL (not a loan of this handle, or it has ended), -ESTALE, -EPERM.
 */
PABAL_EXPORT int pabal_buffer_cancel(pabal_buffer *buffer, struct pabal_loan *loan);

/**
 * pabal_buffer_take() - take items, to read them in place.
 * @count_max: items wanted, 1 or more; it may be fewer.
 * @ret_items: a run of items side by side; size is their bytes, sequence that of the first, delivery_count holds for all.
 * @timeout_ns: how long to wait for one.
 *
 * SPSC gives what is there up to the end of the array; the default form and LATEST give one. With SPSC and LATEST a handle has one take at a time; LATEST keeps the item
 * that was taken whole until release, while newer ones are published.
 *
 * Return: 0.
 * Threads: any; takes on one handle exclude each other. Blocks: while empty, up to @timeout_ns. Ownership: the items are this handle's until release.
 * If the peer dies: what a dead taker held comes first. If this process dies, what it holds comes again to others (LATEST: is given back).
 * Errors: as pabal_buffer_get().
 */
PABAL_EXPORT int pabal_buffer_take(pabal_buffer *buffer, uint32_t count_max, struct pabal_message *ret_items, int64_t timeout_ns);

/**
 * pabal_buffer_release() - done with items that were taken: their room may be used again.
 * Return: 0, and @items is zeroed. Threads: any. Blocks: never. Errors: -EINVAL (not taken by this handle, or released already), -ESTALE, -EPERM.
 */
PABAL_EXPORT int pabal_buffer_release(pabal_buffer *buffer, struct pabal_message *items);

/**
 * pabal_buffer_fd() - a descriptor for poll(2) and epoll(7).
 * @event: PABAL_READABLE: items to get; or PABAL_WRITABLE: room.
 *
 * It becomes readable (POLLIN, for both) with the first item, or room, and stays so until a get or take, or a put or loan, on this handle said -EAGAIN or -ETIMEDOUT. It may be readable
 * with nothing left, since another took it or somebody has closed the buffer, never the reverse. It costs nothing while no handle has one.
 *
 * Return: the descriptor. Threads: any. Blocks: never. Ownership: the handle's: never read or close it. If the peer dies: readable if that brings anything back.
 * Errors: -EINVAL, -ESTALE, -EPERM (read-only handle), -EMFILE, -ENOMEM, -EACCES (no permission to make a socket in the directory),
 * -ENOENT (the directory is gone, or another one has its place), -EBADF (the program closed it: close the handle, and open it anew).
 */
PABAL_EXPORT int pabal_buffer_fd(pabal_buffer *buffer, uint32_t event);

/**
 * pabal_buffer_interrupt() - end every wait on this handle with -ECANCELED.
 *
 * An interrupt that finds no wait is kept for the next one, so that it cannot come a moment too early. Calls that need not wait are not touched.
 *
 * Return: 0. Threads: any; a signal handler may call it. Blocks: never. Errors: -ESTALE, -EPERM, -EINVAL.
 */
PABAL_EXPORT int pabal_buffer_interrupt(pabal_buffer *buffer);

/**
 * pabal_buffer_stat() - how the buffer stands.
 * @stats: struct_size set by the caller.
 * Return: 0. Threads: any. Blocks: never; takes time in proportion to the memory in use. Errors: -EINVAL, -ESTALE, -ENOMEM.
 */
PABAL_EXPORT int pabal_buffer_stat(pabal_buffer *buffer, struct pabal_buffer_stats *stats);

/**
 * pabal_buffer_close() - leave the buffer.
 * @buffer: may be NULL. What was taken comes again to others, loans are cancelled; pointers into them end. A place of producer or consumer is free again.
 *
 * Return: NULL. Threads: no other thread may use the handle: interrupt first. Blocks: never. Errors: none.
 */
PABAL_EXPORT pabal_buffer *pabal_buffer_close(pabal_buffer *buffer);

/**
 * pabal_buffer_destroy() - remove the name and end the buffer for all who have it open.
 *
 * Producers get -ESHUTDOWN; consumers get what is left, then -ESHUTDOWN. The memory goes with the last handle.
 *
 * Return: 0. Threads: any. Blocks: never. If the peer dies: nothing.
 * Errors: -ENOENT, -EINVAL (it is no buffer), -ENAMETOOLONG, -EACCES, -EPERM, -EROFS, -EBADMSG (a file that is no pabal object is left alone), -EPROTO.
 */
PABAL_EXPORT int pabal_buffer_destroy(const char *name);

#ifdef __cplusplus
}
#endif

#endif
