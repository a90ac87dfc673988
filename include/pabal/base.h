/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/base.h - what every pabal object shares: errors, flags, time-outs, listing and housekeeping.
 *
 * Caveats, before anything else:
 *  - 64-bit Linux only, 5.10 or later. Objects live in one directory on tmpfs: $PABAL_DIR if it is set, else /dev/shm/pabal-<uid>,
 *    mode 0700. A set-user-id program ignores $PABAL_DIR.
 *  - Objects outlive the processes that use them: until they are destroyed, or the machine restarts. (logind's RemoveIPC deletes a
 *    logged-out user's files in /dev/shm.)
 *  - Whoever may write an object can spoil its content, but not your memory. Whoever may write it can also truncate its file,
 *    which raises SIGBUS in those who use it.
 *  - After fork() a handle says -ESTALE in the child: open again there.
 *  - A handle maps its object whole, up to the most it may become (361 MiB of addresses for a default mailbox): under RLIMIT_AS create and open may say -ENOMEM.
 *  - A relative $PABAL_DIR is one from the working directory at the moment of the call.
 *  - A memory cgroup that runs out kills; it does not return -ENOSPC.
 */
#ifndef PABAL_BASE_H
#define PABAL_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if UINTPTR_MAX != 0xffffffffffffffffu
#error "pabal needs a 64-bit platform: its shared words are 64-bit atomics"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PABAL_EXPORT __attribute__((visibility("default")))
#else
#define PABAL_EXPORT
#endif

#define PABAL_VERSION_MAJOR 0
#define PABAL_VERSION_MINOR 1
#define PABAL_VERSION_PATCH 0
/** The version these headers belong to, as major * 1,000,000 + minor * 1,000 + patch. */
#define PABAL_VERSION_NUMBER (PABAL_VERSION_MAJOR * 1000000 + PABAL_VERSION_MINOR * 1000 + PABAL_VERSION_PATCH)

/** Bytes that hold any object name and its end: names are 1 to 127 bytes of [A-Za-z0-9._-], not starting with a dot. */
#define PABAL_NAME_SIZE 128

/** Time-outs, in nanoseconds: do not wait; wait without an end. Any other negative value is -EINVAL. */
#define PABAL_NOWAIT INT64_C(0)
#define PABAL_FOREVER INT64_C(-1)

/** Flags that every create and open knows; a flag that a call does not know is -EINVAL. */
enum pabal_flags {
	PABAL_EXIST_OK = 1u << 0,  /**< create: open an existing object of the same shape; another shape is -EEXIST */
	PABAL_READ_ONLY = 1u << 1, /**< open: look, do not touch; everything but stat is -EPERM */
	PABAL_WAIT_EXISTS =
		1u
		<< 2, /**< open: wait up to wait_ns for the object to be created; after a wait the kernel may take up to a second more to end its watch */
	PABAL_WAIT_SPIN = 1u << 3,     /**< never sleep: for a core of one's own */
	PABAL_WAIT_BLOCK = 1u << 4,    /**< sleep at once; with neither flag waiting is adaptive */
	PABAL_SINGLE_THREAD = 1u << 5, /**< this handle is used by one thread at a time: leave the handle's lock out */
	PABAL_RESTART = 1u << 6,       /**< go on after a signal handler ran, with the time left, instead of -EINTR */
	PABAL_EPHEMERAL = 1u << 7,     /**< create: destroy the object with its last handle */
};

/** What a descriptor for poll(2), or a wait on many objects, is about. */
enum pabal_event {
	PABAL_READABLE = 1u << 0, /**< something to receive, take or get; the end of a link too */
	PABAL_WRITABLE = 1u << 1, /**< room */
	PABAL_HANGUP = 1u << 2,   /**< the peer is gone, or the object was destroyed */
};

/**
 * Which event of a region is meant by PABAL_READABLE in pabal_wait_many(): `PABAL_READABLE | PABAL_EVENT(3)`. @index: 0, which need not be said, to 65,535. It is for what is asked, and never in what is answered.
 */
#define PABAL_EVENT(index) ((uint32_t)(index) << 16)

/** What an object is. */
enum pabal_kind {
	PABAL_KIND_REGION = 1,
	PABAL_KIND_BUFFER = 2,
	PABAL_KIND_MAILBOX = 3,
	PABAL_KIND_PROCESS = 4,
};

/**
 * pabal_version() - the version of the library in use, as text.
 *
 * Return: a constant string, "0.1.0".
 * Threads: any. Blocks: never. Ownership: the library's. If the peer dies: nothing. Errors: none.
 */
PABAL_EXPORT const char *pabal_version(void);

/**
 * pabal_strerror() - what an error code means to pabal, in a few words.
 * @error: a result of a pabal call; the sign does not matter.
 *
 * Return: a constant string. A code that pabal does not use: "unknown error".
 * Threads: any. Blocks: never. Ownership: the library's. If the peer dies: nothing. Errors: none.
 */
PABAL_EXPORT const char *pabal_strerror(int error);

/**
 * pabal_error_detail() - this thread's last failure as a sentence: what failed, on what, what to do next.
 *
 * Return: a string, "" if no call of this thread has failed yet. It stands until the thread's next pabal call.
 * Threads: each has its own. Blocks: never. Ownership: the library's. If the peer dies: nothing. Errors: none.
 */
PABAL_EXPORT const char *pabal_error_detail(void);

/** What pabal_list() tells of one object. All counts as of about the same moment. Sizes in bytes. */
struct pabal_object_info {
	char name[PABAL_NAME_SIZE]; /**< of the file: of one that is no pabal object it may be any bytes; look at them before you print them */
	uint32_t kind;              /**< enum pabal_kind; 0 if error is set */
	int32_t error;              /**< 0, or why the file could not be looked into: -EBADMSG, -EPROTO, -EACCES */
	uint64_t depth;             /**< messages waiting */
	uint64_t capacity;          /**< most messages that may wait */
	uint64_t memory;            /**< payload memory in use */
	uint64_t memory_max;        /**< the most it may become */
	uint32_t participants;      /**< open handles, the dead and not yet buried included */
	uint32_t alive;             /**< of them, those whose process lives */
	uid_t uid;                  /**< owner of the file */
	uint32_t mode;              /**< permission bits of the file */
	uint64_t reserved[8];
};

struct pabal_list_opts {
	size_t struct_size;
	uint32_t kinds; /**< a bit per kind to list, 1u << PABAL_KIND_...; 0: all */
	uint32_t reserved_;
};

/**
 * pabal_list() - call a function for each object in the directory, in order of name.
 * @opts: may be NULL.
 * @each: called with the facts of one object, valid during the call; a result other than 0 ends the listing.
 * @data: handed to @each.
 *
 * A file that is no pabal object, or cannot be read, is told with its error; while @each runs, pabal_error_detail() is the sentence about it, which says as well whether the file never was one.
 *
 * Return: how many objects were told, or what @each returned.
 * Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: counted as not alive.
 * Errors: -EINVAL, -E2BIG, -EACCES, -EPERM, -ENOTSUP (the directory is not on tmpfs), -ENOMEM, -EMFILE,
 * -ENOENT ($PABAL_DIR is set to a directory that does not exist; the default one is empty until it is made).
 */
PABAL_EXPORT int pabal_list(const struct pabal_list_opts *opts, int (*each)(const struct pabal_object_info *info, void *data), void *data);

/** One participant of an object: an open handle; of a process: the one that holds the name. */
struct pabal_participant_info {
	uint32_t id;       /**< its slot, from 1 */
	uint32_t alive;    /**< 1 while its process lives: a kernel-held fact, not a guess */
	pid_t claimed_pid; /**< as it said itself, in its own pid namespace; 0 if unknown */
	uid_t claimed_uid;
	uint64_t sent;       /**< messages that it committed */
	uint64_t received;   /**< messages that it took */
	uint64_t late_wakes; /**< times that it found something only because a wait slice ended */
	uint64_t reserved[4];
};

/**
 * pabal_participants() - call a function for each participant of the named object.
 * @each: as in pabal_list().
 *
 * Return: how many were told, or what @each returned.
 * Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: told with alive 0 until it is buried.
 * Errors: those of opening the object.
 */
PABAL_EXPORT int pabal_participants(const char *name, int (*each)(const struct pabal_participant_info *info, void *data), void *data);

/** What somebody waits for. */
enum pabal_wait_what {
	PABAL_WAITS_MESSAGE = 1, /**< a message, or an item of a buffer */
	PABAL_WAITS_ROOM = 2,    /**< room, or memory, to send or put */
	PABAL_WAITS_PEER = 3,    /**< a process of that name to appear, or to answer */
	PABAL_WAITS_REPLY = 4,   /**< the reply to a call */
	PABAL_WAITS_LOCK = 5,    /**< a lock of a region */
	PABAL_WAITS_EVENT = 6,   /**< an event of a region */
};

/** One wait of one living process, as the waiting process tells it. */
struct pabal_wait_info {
	char name[PABAL_NAME_SIZE]; /**< the object; on a link, the waiting process itself */
	char peer[PABAL_NAME_SIZE]; /**< on a link: the other side; "": any that sends or links */
	uint32_t kind;              /**< enum pabal_kind, of @name */
	uint32_t what;              /**< enum pabal_wait_what */
	uint32_t index;             /**< which lock or event of a region */
	pid_t claimed_pid;          /**< who waits, as it said itself, in its own pid namespace */
	uid_t claimed_uid;
	pid_t waker_pid;  /**< the one process that can end the wait: the peer, or who holds the lock; 0: any that has @name open, or nobody known */
	int64_t since_ns; /**< when it began, by CLOCK_MONOTONIC, within a millisecond; the same whenever the same wait is told */
	int64_t deadline_ns; /**< when it ends by itself, within a millisecond; INT64_MAX: never */
	uint64_t reserved[5];
};

#if defined(__cplusplus)
static_assert(sizeof(struct pabal_wait_info) == 336, "result structs have a fixed size");
#else
_Static_assert(sizeof(struct pabal_wait_info) == 336, "result structs have a fixed size");
#endif

/** One object of pabal_wait_many(). */
struct pabal_wait {
	void *object;        /**< an open handle of a mailbox, buffer, region, process or link */
	uint32_t events;     /**< enum pabal_event, one or more; of a region, with PABAL_EVENT() */
	uint32_t ret_events; /**< those that have happened */
};

/**
 * pabal_wait_many() - wait until one of several objects is readable, writable, or has ended.
 * @items: handles, and what to wait for on each; ret_events is filled in for all when the call returns 0.
 * @count: 1 to 4096.
 * @ret_ready: how many items have ret_events; may be NULL.
 * @timeout_ns: how long to wait for the first.
 *
 * It consumes nothing: another may take what was there before this process does. A handle that is waited for gets a descriptor (pabal_mailbox_fd() and so on), which costs each about five file descriptors, and one more for
 * each thread that waits for it at the same time.
 *
 * PABAL_READABLE of a region, with PABAL_EVENT(index): that event was notified since pabal_wait_many() last told this handle so, or, the first time, since the region was created. What is told is noted before the call returns, so whoever
 * waits, then looks at the data, then waits again misses nothing, and a first call may tell what is old. All threads that wait on a handle when it comes are told; what one was told between two waits of another is not told
 * again: a thread that must hear of everything has a handle of its own. pabal_region_event() and pabal_region_wait() take nothing away from it. A region has no PABAL_WRITABLE, and no interrupt.
 *
 * PABAL_READABLE and PABAL_WRITABLE are looked at when the descriptor says so: what another has taken meanwhile is not told. PABAL_WRITABLE of a mailbox: room in its capacity; a send that found no memory waits
 * here until some comes back (pabal_mailbox_fd()). A link that has a readable descriptor, as one has that was waited for with
 * PABAL_READABLE, tells of its messages itself; its process handle does not tell of them any more (pabal_process_fd()).
 *
 * PABAL_HANGUP of a mailbox, buffer or region: it was destroyed; of a link: the peer has closed it or has died. Alone it ends the wait for nothing else, whatever there is to read. A process handle has none:
 * it never comes, and alone it is -EINVAL.
 *
 * An interrupt of any of the handles (pabal_mailbox_interrupt(), pabal_buffer_interrupt(), pabal_link_interrupt(), pabal_process_interrupt()) ends the wait with -ECANCELED, as it ends every other wait on
 * that handle; one that came before is kept for it. What is ready comes first: then the call returns 0, and the interrupt is kept for the next wait. With PABAL_NOWAIT nothing waits, so nothing is interrupted.
 *
 * Return: 0.
 * Threads: any. Blocks: up to @timeout_ns. Ownership: nothing passes. If the peer dies: what it left is found, and what it notified, whether it had told anybody or not; a link: PABAL_READABLE, until it is received.
 * Errors: -EAGAIN (PABAL_NOWAIT, nothing), -ETIMEDOUT, -EINTR (not if all handles have PABAL_RESTART), -ECANCELED (one of the handles was interrupted),
 * -EINVAL (also: no such handle, or no such event), -ESTALE, -EPERM (read-only), -EBADF (the program closed descriptors of a handle), -EMFILE, -ENOMEM.
 */
PABAL_EXPORT int pabal_wait_many(struct pabal_wait *items, uint32_t count, uint32_t *ret_ready, int64_t timeout_ns);

/**
 * pabal_waits() - call a function for each wait that is going on in any object of the directory.
 * @each: as in pabal_list().
 *
 * A wait is told from when its call is about to sleep, not while it still spins (unless it only spins), until it returns. What is not pabal's is not told: a
 * process may have other threads, and sleep in poll(2) or anywhere else; pabal_wait_many() is not told either, since any of several things ends it. Threads that wait for the same thing on one handle, of a region
 * for any of its locks or for any of its events, are told as one wait, that of the one which has waited longest; when that ends, the next is told. Each wait is told as of the moment when it was looked at: two waits that are told in two listings, with the
 * same since_ns, went on at the same time.
 *
 * Return: how many were told, or what @each returned.
 * Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: the dead wait for nothing.
 * Errors: as pabal_list(). Objects that cannot be read are passed over.
 */
PABAL_EXPORT int pabal_waits(int (*each)(const struct pabal_wait_info *info, void *data), void *data);

/** What pabal_gc() did. */
struct pabal_gc_result {
	uint64_t objects;     /**< looked at */
	uint64_t buried;      /**< dead participants buried */
	uint64_t redelivered; /**< messages that came back from the dead */
	uint64_t bytes;       /**< payload memory given back, in bytes */
	uint64_t destroyed;   /**< ephemeral objects whose last participant was gone */
	uint64_t reserved[8];
};

/**
 * pabal_gc() - bury all the dead in all objects that may be written, and give unused memory back.
 * @ret_result: what was done; may be NULL.
 *
 * Nothing depends on it: the living bury the dead as they go. It is for objects that nobody is using. It removes as well what the dead left in the directory: names of
 * processes, and sockets of processes (".sock-") and of descriptors (".bell-") that nobody holds any more, also those of objects that are gone. Sockets of other
 * users are left alone.
 *
 * Return: 0. Objects that may not be written are passed over.
 * Threads: any. Blocks: while somebody else buries the same dead. Ownership: nothing passes. If the peer dies: it is buried.
 * Errors: as pabal_list().
 */
PABAL_EXPORT int pabal_gc(struct pabal_gc_result *ret_result);

/**
 * Every block of an object, each in exactly one state. The blocks of a region are its locks: free, leased (held by the living), held_by_dead. The newest item of a
 * PABAL_BUFFER_LATEST buffer is queued, taken or not: it is there for the others all the same.
 */
struct pabal_check_result {
	uint64_t blocks; /**< blocks that have memory behind them: the sum of the six below */
	uint64_t free;
	uint64_t queued;       /**< in the queue */
	uint64_t loaned;       /**< loaned by a living participant and not committed */
	uint64_t leased;       /**< taken by a living participant and not released */
	uint64_t redeliver;    /**< given back, waiting to be taken again */
	uint64_t held_by_dead; /**< loaned or leased by a participant that died and is not buried yet */
	uint64_t lost;         /**< belonging to nobody: always 0 unless the content was damaged */
	uint64_t corrupt;      /**< words that make no sense: always 0 unless the content was damaged */
	uint64_t bytes;        /**< payload memory in use */
	uint64_t reserved[8];
};

/**
 * pabal_check() - account for every block of the named object.
 * @ret_result: the account; may be NULL.
 *
 * It may run while others use the object; what changes under it is looked at again.
 *
 * Return: 0 if everything is accounted for.
 * Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: counted in held_by_dead; nothing is repaired.
 * Errors: -EBADMSG if a block is lost or a word is corrupt (@ret_result is filled all the same); -ENOMEM; those of opening the object.
 */
PABAL_EXPORT int pabal_check(const char *name, struct pabal_check_result *ret_result);

#ifdef __cplusplus
}
#endif

#endif
