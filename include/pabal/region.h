/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/region.h - shared memory: one piece of memory that several processes have in common, with locks and events to use it by.
 *
 * A region has a name and a size. Whoever opens it gets a pointer to the same bytes, which are zero at first; the kernel is then out of the way. Its locks are
 * numbered from 0, as are its events; what a lock protects is for the program to say. Nothing is slower than it must be: a lock that is free costs one
 * compare-and-swap, an unlock one store, and neither makes a system call.
 *
 * Caveats, before anything else:
 *  - A process that dies with a lock held does not block the others: the next holder gets the lock, and is told with PABAL_INHERITED that the data may be half changed.
 *    So is each further holder that takes it from a dead one, until one of them, having put the data right, unlocks.
 *  - The death of a process becomes visible when the kernel has let go of it: tenths of a millisecond after SIGKILL for a small one, longer with much memory. Who
 *    waits for a lock looks before it sleeps, and at least every 250 ms.
 *  - A process that is *stopped* (SIGSTOP, a debugger) is alive, and keeps what it holds.
 *  - The data is seen by all who have the region open, and can be changed by all who may write it, at any moment: copy what you check. Locks hold those who use them.
 *  - Pointers into the region are good in one process alone: processes map it at different addresses. Store offsets.
 *  - With PABAL_REGION_ON_DEMAND the first touch of a page gets its memory; where there is none left, that touch is SIGBUS.
 *  - A sleeping call wakes for a moment now and then to look for the dead; a signal handler that runs in just that moment does not end it with -EINTR.
 */
#ifndef PABAL_REGION_H
#define PABAL_REGION_H

#include <pabal/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One open handle: one participant of a region. */
typedef struct pabal_region pabal_region;

/** Flags of a region, beside those of base.h. */
enum pabal_region_flags {
	PABAL_REGION_ON_DEMAND = 1u << 16,  /**< create: memory on first use, not at once */
	PABAL_REGION_HUGE_PAGES = 1u << 17, /**< create: use huge pages; -ENOTSUP where the directory's file system has none */
};

/** What pabal_region_lock() returns to who holds the lock now, if a holder before it died. */
#define PABAL_INHERITED 1

/** Options of create and open; NULL, or 0 in a member, is the default. open uses flags and wait_ns and ignores the rest. */
struct pabal_region_opts {
	size_t struct_size; /**< sizeof(struct pabal_region_opts) */
	uint32_t flags;
	uint32_t mode;   /**< permission bits of the file, whatever the umask; default 0600 */
	uint32_t locks;  /**< how many locks it has; up to 65,536, default 1 */
	uint32_t events; /**< how many events; up to 65,536, default 1 */
	int64_t wait_ns; /**< with PABAL_WAIT_EXISTS: how long to wait for the region; a time-out as everywhere */
};

/** Statistics; filled up to the caller's struct_size. */
struct pabal_region_stats {
	size_t struct_size;  /**< set it to sizeof(struct pabal_region_stats) */
	uint64_t size;       /**< bytes of data */
	uint64_t memory;     /**< bytes of memory that the region really uses, its own tables included: more than size, once all of it has memory */
	uint64_t inherited;  /**< times that a lock was taken from a dead holder, or given back for it, since creation */
	uint64_t late_wakes; /**< times that a sleeper found something only because its wait slice ended, since creation */
	uint32_t locks, events;
	uint32_t locks_held;      /**< now */
	uint32_t locks_inherited; /**< locks, held or not, whose data a dead holder left and nobody has put right yet */
	uint32_t participants;    /**< open handles */
	uint32_t reserved_;
};

/** One lock that is held, or was left by a dead holder. */
struct pabal_lock_info {
	uint32_t index;
	uint32_t id;        /**< the participant that holds it; 0: nobody, it was left */
	uint32_t alive;     /**< 1 while the process of the holder lives */
	uint32_t inherited; /**< 1: the next holder is told, or this one was told, that a holder died */
	pid_t claimed_pid;  /**< of the holder, as it said itself */
	uid_t claimed_uid;
	uint64_t reserved[4];
};

/**
 * pabal_region_create() - make a region and open it.
 * @name: 1 to 127 bytes of [A-Za-z0-9._-], not starting with a dot.
 * @size: bytes, 1 to 2^46. They read as zeros.
 * @opts: may be NULL.
 * @ret_region: the handle.
 *
 * The region appears whole or not at all. All of its memory is taken at once, so that using it cannot fail; not so with PABAL_REGION_ON_DEMAND.
 *
 * Return: 0.
 * Threads: any. Blocks: never; clearing much memory takes its time. Ownership: the caller closes the handle; the region stays until pabal_region_destroy().
 * If the peer dies: nothing; a creator that is killed leaves nothing or a whole region.
 * Errors: -EEXIST (the name is taken; with PABAL_EXIST_OK: by something of another shape), -EINVAL, -E2BIG, -ENOTSUP, -ENAMETOOLONG, -ENOSPC, -ENOMEM,
 * -EMFILE, -EACCES, -EPERM, -EROFS, and with PABAL_EXIST_OK those of pabal_region_open().
 */
PABAL_EXPORT int pabal_region_create(const char *name, size_t size, const struct pabal_region_opts *opts, pabal_region **ret_region);

/**
 * pabal_region_open() - open a region that exists.
 * @opts: flags and wait_ns count; may be NULL. With PABAL_READ_ONLY the data cannot be written, and locks and waits are -EPERM.
 *
 * Return: 0.
 * Threads: any. Blocks: with PABAL_WAIT_EXISTS up to wait_ns; else never. Ownership: the caller closes the handle.
 * If the peer dies: the dead that it finds are buried first, unless it opens read-only.
 * Errors: -ENOENT, -EAGAIN (a process that was stopped in the middle of destroying it), -EINVAL (also: it is no region), -E2BIG, -ENOTSUP, -ENAMETOOLONG, -EUSERS (1023
 * handles are open), -EPROTO (another version made it), -EBADMSG (it is no pabal object, or damaged), -EACCES, -EPERM, -EROFS, -ENOSPC, -ENOMEM, -EMFILE, -ETIMEDOUT, -EINTR.
 */
PABAL_EXPORT int pabal_region_open(const char *name, const struct pabal_region_opts *opts, pabal_region **ret_region);

/**
 * pabal_region_data() - where the region's bytes lie in this process.
 *
 * Return: the first of pabal_region_size() bytes, at the start of a page; NULL if @region is no open handle. It stands until the handle is closed, also after a
 * destroy and in a fork child.
 * Threads: any. Blocks: never. Ownership: the region's. If the peer dies: what it wrote stands. Errors: none.
 */
PABAL_EXPORT void *pabal_region_data(pabal_region *region);

/** pabal_region_size() - how many bytes. Return: as it was created; 0 if @region is no open handle. Threads: any. Blocks: never. Errors: none. */
PABAL_EXPORT size_t pabal_region_size(const pabal_region *region);

/**
 * pabal_region_lock() - have a lock for oneself.
 * @index: 0 to locks - 1.
 * @timeout_ns: how long to wait while somebody holds it.
 *
 * A lock belongs to one thread. Threads exclude each other whether they use one handle or two. Whoever waits long is let in before those who come later.
 *
 * Return: 0, or PABAL_INHERITED (1): the lock is held as well, but a holder before died with it, and what it protects may be half changed. Put it right, or start it anew.
 * Threads: any; the thread that locks unlocks. Blocks: while held, up to @timeout_ns. Ownership: the lock is the calling thread's until it unlocks.
 * If the peer dies: the lock is inherited. A thread that ends without its process keeps its locks: nobody can unlock them any more, all others wait, and the lock is
 * inherited when the handle is closed or the process dies.
 * Errors: -EAGAIN (PABAL_NOWAIT, held), -ETIMEDOUT, -EINTR, -EDEADLK (this thread holds it), -ESHUTDOWN (destroyed), -EBADMSG, -ESTALE, -EPERM (read-only handle), -EINVAL.
 */
PABAL_EXPORT int pabal_region_lock(pabal_region *region, uint32_t index, int64_t timeout_ns);

/**
 * pabal_region_unlock() - give a lock back.
 *
 * The mark of inheritance goes with it: who unlocks says that the data is right.
 *
 * Return: 0. Threads: the one that locked. Blocks: never; works on a destroyed region too. Ownership: the lock is nobody's. If the peer dies: nothing.
 * Errors: -EINVAL (this thread does not hold it), -EBADMSG (somebody who may write the region took it away), -ESTALE, -EPERM.
 */
PABAL_EXPORT int pabal_region_unlock(pabal_region *region, uint32_t index);

/**
 * pabal_region_event() - the number at which an event stands. It goes up by one with each notify, and wraps after 2^32.
 * @ret_now: the number.
 *
 * Return: 0. Threads: any; read-only handles too. Blocks: never. Ownership: nothing passes. If the peer dies: nothing. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_region_event(pabal_region *region, uint32_t index, uint32_t *ret_now);

/**
 * pabal_region_wait() - sleep until an event stands at another number than @seen.
 * @seen: what pabal_region_event() said before the data was looked at; so nothing that happened since then is missed.
 * @ret_now: the number now; may be NULL.
 *
 * Return: 0.
 * Threads: any, together. Blocks: while the number is @seen, up to @timeout_ns. Ownership: nothing passes.
 * If the peer dies: a notify that died before it woke anybody is noticed when the wait slice ends.
 * Errors: -EAGAIN (PABAL_NOWAIT, still @seen), -ETIMEDOUT, -EINTR, -ESHUTDOWN (destroyed), -ESTALE, -EPERM, -EINVAL.
 */
PABAL_EXPORT int pabal_region_wait(pabal_region *region, uint32_t index, uint32_t seen, uint32_t *ret_now, int64_t timeout_ns);

/**
 * pabal_region_notify() - count an event up, and wake those who wait for it.
 * @count_max: wake that many at most; UINT32_MAX: all; 0: none. The others may find out by themselves a little later. Those who wait in pabal_wait_many() are all told, whatever it is, and do not count among them.
 *
 * Return: 0. Threads: any. Blocks: never; no system call while nobody waits. Ownership: nothing passes. If the peer dies: nothing.
 * Errors: -ESHUTDOWN, -ESTALE, -EPERM, -EINVAL.
 */
PABAL_EXPORT int pabal_region_notify(pabal_region *region, uint32_t index, uint32_t count_max);

/**
 * pabal_region_stat() - how the region stands.
 * @stats: struct_size set by the caller.
 * Return: 0. Threads: any. Blocks: never; takes time in proportion to the number of locks. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_region_stat(pabal_region *region, struct pabal_region_stats *stats);

/**
 * pabal_region_locks() - call a function for each lock of the named region that is held, or was left by a dead holder; in order of index.
 * @each: called with the facts of one lock, valid during the call; a result other than 0 ends it.
 *
 * Return: how many were told, or what @each returned.
 * Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: told with alive 0. Errors: those of opening the region, read-only.
 */
PABAL_EXPORT int pabal_region_locks(const char *name, int (*each)(const struct pabal_lock_info *info, void *data), void *data);

/**
 * pabal_region_close() - leave the region.
 * @region: may be NULL. Locks that are still held are inherited, as if this process had died; the data's pointer ends.
 *
 * Return: NULL. Threads: no other thread may use the handle. Blocks: never. Errors: none.
 */
PABAL_EXPORT pabal_region *pabal_region_close(pabal_region *region);

/**
 * pabal_region_destroy() - remove the name and end the region for all who have it open.
 *
 * The data stays readable and writable until the handles are closed; locks that are held can be unlocked; all that waits, and every lock, wait and notify, is
 * -ESHUTDOWN. It does so or changes nothing: who may not remove the name from the directory gets the error, and the region lives.
 *
 * Return: 0. Threads: any. Blocks: while another process is destroying it, for a second at most. If the peer dies: nothing.
 * Errors: -ENOENT, -EAGAIN (that second was over), -EINVAL (it is no region), -ENAMETOOLONG, -EACCES, -EPERM, -EROFS, -EBADMSG (a file that is no pabal object is left alone), -EPROTO.
 */
PABAL_EXPORT int pabal_region_destroy(const char *name);

#if defined(__cplusplus)
static_assert(sizeof(struct pabal_lock_info) == 56, "result structs have a fixed size");
#else
_Static_assert(sizeof(struct pabal_lock_info) == 56, "result structs have a fixed size");
#endif

#ifdef __cplusplus
}
#endif

#endif
