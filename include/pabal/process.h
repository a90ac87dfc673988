/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/process.h - direct message passing: processes that have names, and the one link between each two of them.
 *
 * A process announces itself. Between two announced processes there is exactly one link, whoever asks for it first and even when both ask at once. It carries
 * messages of any size both ways, calls and their replies, and open descriptors. While both are awake a message costs no system call.
 *
 * Caveats, before anything else:
 *  - Nobody but the two can reach a link's memory (and whoever may ptrace either), and neither can write what the other one wrote: each side's memory is sealed by the kernel.
 *    What you read in place (take) can change under you if the peer is hostile; receive copies first.
 *  - A message that was committed is received, even if its sender dies right after. One that was committed but not received when the *receiver* dies is lost with it: a link has no
 *    redelivery. What must survive its receiver belongs into a mailbox.
 *  - The peer's death becomes visible when the kernel has let go of it: tenths of a millisecond after SIGKILL for a small process. A process that is stopped is alive.
 *  - Opening needs the other side's help: it answers while it is inside link, accept, send, receive or any wait of its process handle or links, or when it calls one after its process
 *    descriptor became readable. A process that does none of these keeps its callers waiting.
 *  - A process handle has about ten descriptors, and each link about six. A program that closes all descriptors (closefrom) closes its handles first: afterwards they say -EBADF at best.
 *  - The handle of a process belongs to who announced it: after fork() it and its links say -ESTALE in the child.
 *  - The memory of links belongs to no file system. Who sends more than the machine, or the control group, has meets the kernel's OOM killer, not -ENOSPC: memory_max is what limits it.
 *  - PABAL_SINGLE_THREAD is for links that have one thread each, and for a process handle that has one. Calls of the process handle look at all links and go over them: a program that makes such calls
 *    while another thread is in a link leaves the flag out.
 */
#ifndef PABAL_PROCESS_H
#define PABAL_PROCESS_H

#include <pabal/base.h>
#include <pabal/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A process that was announced: its name, and all its links. */
typedef struct pabal_process pabal_process;
/** One side of the link between two processes. */
typedef struct pabal_link pabal_link;

/** Messages up to this many bytes travel in the ring, copied; larger ones lie still and are handed over. Measured: below it a copy is cheaper. */
#define PABAL_LINK_INLINE_MAX 1024
/** Descriptors that one message may carry; the kernel's own limit is 253 (SCM_MAX_FD). */
#define PABAL_LINK_FDS_MAX 64

enum pabal_peer_flags {
	PABAL_PEER_FOREIGN = 1u << 0, /**< the peer lives in a pid namespace that is not visible from here: its pid is 0 */
};

/** Options of announce; NULL, or 0 in a member, is the default. */
struct pabal_process_opts {
	size_t struct_size; /**< sizeof(struct pabal_process_opts) */
	uint32_t flags;     /**< PABAL_WAIT_SPIN, PABAL_WAIT_BLOCK, PABAL_SINGLE_THREAD, PABAL_RESTART; its links inherit them */
	uint32_t mode;      /**< permission bits of the name's file and socket: who may link; default 0600 */
	uint64_t
		memory_max; /**< payload memory of our direction of each link, and the size of the largest message we send, in bytes; default 16 MiB. A limit, not a reservation */
};

/** Who is at the other end, as the kernel says (not a claim). */
struct pabal_peer {
	char name[PABAL_NAME_SIZE];
	pid_t pid; /**< as seen from here; 0 with PABAL_PEER_FOREIGN */
	uid_t uid; /**< of the moment when the link was opened */
	gid_t gid;
	uint32_t flags; /**< enum pabal_peer_flags */
	uint64_t reserved[8];
};

/** Statistics of a link; filled up to the caller's struct_size. Counts are since it was opened, bytes are payload. */
struct pabal_link_stats {
	size_t struct_size;       /**< set it to sizeof(struct pabal_link_stats) */
	uint64_t sent;            /**< messages committed by this side, replies included */
	uint64_t received;        /**< messages that this side received or took, replies included */
	uint64_t calls;           /**< calls begun by this side: their request was sent */
	uint64_t late_replies;    /**< replies to calls that had ended: dropped */
	uint64_t wakes;           /**< times that this side woke the peer: a system call each */
	uint64_t sleeps;          /**< times that this side slept */
	uint64_t memory;          /**< bytes of our large loans and messages that the peer has not released, in whole lines */
	uint64_t memory_max;      /**< what that may become */
	uint64_t peer_memory_max; /**< the largest message that the peer can send */
	uint32_t calls_open;      /**< calls under way */
	uint32_t leases;          /**< messages taken and not released */
	uint64_t reserved[4];
};

#if defined(__cplusplus)
static_assert(sizeof(struct pabal_peer) == 208, "result structs have a fixed size");
#else
_Static_assert(sizeof(struct pabal_peer) == 208, "result structs have a fixed size");
#endif

/**
 * pabal_process_announce() - take a name, so that others can send to this process and link with it.
 * @name: 1 to 127 bytes of [A-Za-z0-9._-], not starting with a dot; NULL: anon-<16 hex digits>.
 * @opts: may be NULL.
 * @ret_self: the handle.
 *
 * Return: 0.
 * Threads: any. Blocks: for nobody; before it says -EADDRINUSE it looks for 20 ms, since a process that has just died holds its name a moment longer. Ownership: the caller closes the handle; the name ends with it, or
 * with the process.
 * If the peer dies: the name of a dead holder is free at once.
 * Errors: -EADDRINUSE (a living process has the name), -EEXIST (an object of another kind has it), -EINVAL, -E2BIG, -ENOTSUP, -ENAMETOOLONG, -ENOSPC, -ENOMEM, -EMFILE, -EACCES, -EPERM.
 */
PABAL_EXPORT int pabal_process_announce(const char *name, const struct pabal_process_opts *opts, pabal_process **ret_self);

/**
 * pabal_process_name() - the name that was taken.
 *
 * Return: a string that stands until close; NULL if @self is NULL.
 * Threads: any. Blocks: never. Ownership: the handle's. If the peer dies: nothing. Errors: none.
 */
PABAL_EXPORT const char *pabal_process_name(const pabal_process *self);

/**
 * pabal_process_send() - send a copy of a message to the process of that name, over the one link with it, opened if need be.
 * @peer: its name.
 * @data: may be NULL if @size is 0.
 * @size: bytes, 0 to memory_max.
 * @timeout_ns: how long to wait for the peer to appear and answer, and for room.
 *
 * The end of a link is told once: a send after its peer died or closed says so, the next one looks for a new holder of the name.
 *
 * Return: 0: committed.
 * Threads: any. Blocks: up to @timeout_ns. Ownership: @data stays the caller's.
 * If the peer dies: -EOWNERDEAD, as soon as the kernel lets go of it.
 * Errors: -ENOENT (PABAL_NOWAIT, nobody has the name), -EAGAIN (PABAL_NOWAIT, no room, or the link is not open yet), -ETIMEDOUT, -EINTR, -ECANCELED, -EMSGSIZE, -EPIPE (it closed), -EOWNERDEAD, -EPROTO, -EBADMSG,
 * -EACCES, -EPERM, -ENOSPC, -ENOMEM, -EMFILE, -ENAMETOOLONG, -EINVAL (also: @peer is this process itself), -ESTALE, -EBADF (the program closed the handle's descriptors).
 */
PABAL_EXPORT int pabal_process_send(pabal_process *self, const char *peer, const void *data, size_t size, int64_t timeout_ns);

/**
 * pabal_process_receive() - receive a message from one process, or from anyone.
 * @peer: its name; NULL: whoever sends, in turns among those who did.
 * @ret_peer: who sent it; may be NULL.
 * @data: where to copy to; may be NULL if @size_max is 0.
 * @ret_size: the size of the message in bytes; may be NULL. Also set with -EMSGSIZE, as is @ret_peer.
 * @timeout_ns: how long to wait.
 *
 * Links that others open are accepted on the way. The end of a link is told once, and only with a name given: from anyone it is no error, there are others.
 *
 * Return: 0.
 * Threads: any. Blocks: up to @timeout_ns. Ownership: the copy is the caller's.
 * If the peer dies: what it committed is received first, then, with its name given, -EOWNERDEAD.
 * Errors: -EAGAIN, -ETIMEDOUT, -EINTR, -ECANCELED, -EMSGSIZE (it stays the next of its link), -EPIPE, -EOWNERDEAD, -EBADMSG, -ENOMEM, -EMFILE, -ENAMETOOLONG, -EINVAL, -ESTALE, -EBADF.
 */
PABAL_EXPORT int pabal_process_receive(pabal_process *self, const char *peer, char ret_peer[PABAL_NAME_SIZE], void *data, size_t size_max,
				       size_t *ret_size, int64_t timeout_ns);

/**
 * pabal_process_link() - the one link with the process of that name, opened if it is not there yet.
 * @peer: its name. It need not be announced yet.
 * @ret_link: the handle.
 * @timeout_ns: how long to wait for the peer to appear and to answer.
 *
 * Asked for twice, the same link is returned twice, and each is closed. After the peer's death the old link stays readable until it is closed; this call opens a new one with a new holder of the name.
 *
 * Return: 0.
 * Threads: any. Blocks: up to @timeout_ns. Ownership: the caller closes the link; closing the process handle closes it too.
 * If the peer dies: while opening, the next holder of the name is waited for.
 * Errors: -ENOENT (PABAL_NOWAIT, nobody has the name), -EAGAIN (PABAL_NOWAIT, it has not answered yet: call again), -ETIMEDOUT, -EINTR, -ECANCELED, -EPROTO (made by an incompatible version), -EBADMSG (what it sent makes no
 * sense), -EACCES, -EPERM, -ENOSPC, -ENOMEM, -EMFILE, -ENAMETOOLONG, -EINVAL, -ESTALE, -EBADF.
 */
PABAL_EXPORT int pabal_process_link(pabal_process *self, const char *peer, pabal_link **ret_link, int64_t timeout_ns);

/**
 * pabal_process_accept() - the next link that somebody else opened and that was not handed out yet, oldest first.
 *
 * Return: 0. Threads: any. Blocks: up to @timeout_ns. Ownership: as pabal_process_link().
 * If the peer dies: the link is handed out all the same: it may hold messages.
 * Errors: -EAGAIN, -ETIMEDOUT, -EINTR, -ECANCELED, -ENOMEM, -EMFILE, -EINVAL, -ESTALE, -EBADF.
 */
PABAL_EXPORT int pabal_process_accept(pabal_process *self, pabal_link **ret_link, int64_t timeout_ns);

/**
 * pabal_process_fd() - a descriptor for poll(2) and epoll(7).
 * @event: PABAL_READABLE.
 *
 * Readable when somebody wants to link, when a link may have a message, and when one has ended, until a pabal_process_receive() or, for links alone, a pabal_process_accept() said -EAGAIN. It may be readable
 * with nothing left, never the reverse. A link that was handed out and has a readable descriptor of its own (pabal_link_fd()) does not count here any more.
 *
 * Return: the descriptor. Threads: any. Blocks: never. Ownership: the handle's: never read or close it. If the peer dies: readable.
 * Errors: -EINVAL, -EMFILE, -ENOMEM, -ESTALE.
 */
PABAL_EXPORT int pabal_process_fd(pabal_process *self, uint32_t event);

/**
 * pabal_process_interrupt() - end every wait on this handle with -ECANCELED. An interrupt that finds no wait is kept for the next one.
 * Return: 0. Threads: any; a signal handler may call it. Blocks: never. Ownership: nothing passes. If the peer dies: nothing. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_process_interrupt(pabal_process *self);

/**
 * pabal_process_close() - give the name up, and close all links.
 * @self: may be NULL.
 *
 * Return: NULL. Threads: no other thread may use the handle or its links: interrupt first. Blocks: for nobody; right after a wait for a name that nobody had, the kernel may take up to a second to end its watch
 * of the directory, when the name is given up and the links are closed already. Ownership: link handles end with it. If the peer dies: nothing. Errors: none.
 */
PABAL_EXPORT pabal_process *pabal_process_close(pabal_process *self);

/**
 * pabal_link_send() - send a copy of a message to the other side.
 * @data: may be NULL if @size is 0.
 * @size: bytes, 0 to our memory_max.
 * @timeout_ns: how long to wait while there is no room.
 *
 * Return: 0: committed: the peer receives it even if this process dies now.
 * Threads: any; sends on one handle exclude each other. Blocks: while there is no room, up to @timeout_ns. Ownership: @data stays the caller's.
 * If the peer dies: -EOWNERDEAD, as soon as the kernel lets go of it.
 * Errors: -EAGAIN, -ETIMEDOUT, -EINTR, -ECANCELED, -EMSGSIZE, -EPIPE (the peer closed), -EOWNERDEAD, -EBADMSG, -ENOSPC, -ENOMEM, -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_send(pabal_link *link, const void *data, size_t size, int64_t timeout_ns);

/**
 * pabal_link_send_with() - pabal_link_send() with a tag, and with descriptors that arrive with the message.
 * @message: may be NULL. fds stay the caller's own: the peer gets duplicates.
 * Errors: also -E2BIG, -ENOTSUP (priority, ttl_ns), -EBADF (a descriptor is not open). All else as there.
 */
PABAL_EXPORT int pabal_link_send_with(pabal_link *link, const struct pabal_message_opts *message, const void *data, size_t size, int64_t timeout_ns);

/**
 * pabal_link_receive() - receive the next message that is no reply to a call.
 * @data: where to copy to; may be NULL if @size_max is 0.
 * @ret_size: the size of the message in bytes; may be NULL. Also set with -EMSGSIZE.
 * @timeout_ns: how long to wait.
 *
 * A request of the peer's is received as any message is; to reply, take it. Descriptors that came with the message are closed: take it to have them.
 *
 * Return: 0.
 * Threads: any; receives on one handle exclude each other. Blocks: while there is none, up to @timeout_ns. Ownership: the copy is the caller's.
 * If the peer dies: what it committed is received first, then -EOWNERDEAD.
 * Errors: -EAGAIN, -ETIMEDOUT, -EINTR, -ECANCELED, -EMSGSIZE (it stays the next), -EPIPE (the peer closed, all is received), -EOWNERDEAD, -EBADMSG, -ENOMEM, -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_receive(pabal_link *link, void *data, size_t size_max, size_t *ret_size, int64_t timeout_ns);

/**
 * pabal_link_loan() - get memory to write a message in place.
 * @size: bytes that the message will have at most.
 *
 * Return: 0. Threads: any. Blocks: while there is no memory, up to @timeout_ns. Ownership: the loan is this handle's until commit or cancel.
 * Any number of up to PABAL_LINK_INLINE_MAX bytes may be out; of larger ones 2048, those that were sent and that the peer has not released included: with more there is no memory.
 * If the peer dies: -EOWNERDEAD at the commit. Errors: as pabal_link_send().
 */
PABAL_EXPORT int pabal_link_loan(pabal_link *link, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns);

/**
 * pabal_link_commit() - send a loan.
 * @loan: from this handle; on success it is none any more: its data is NULL, its size 0. On failure it stays a loan.
 * @size: bytes of it that are the message.
 *
 * Return: 0: committed. Everything else as pabal_link_send(); -EINVAL also if @loan is not a loan of this handle, or was committed already.
 */
PABAL_EXPORT int pabal_link_commit(pabal_link *link, struct pabal_loan *loan, size_t size, int64_t timeout_ns);

/**
 * pabal_link_cancel() - give a loan back unsent.
 * Return: 0, and @loan is none any more: its data is NULL, its size 0. Threads: any. Blocks: never. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_cancel(pabal_link *link, struct pabal_loan *loan);

/**
 * pabal_link_take() - take the next message that is no reply to a call, and read it in place.
 * @opts: may be NULL; PABAL_TAKE_ANY is the only mode.
 *
 * Return: 0. Threads: any. Blocks: while there is none, up to @timeout_ns. Ownership: the message is this handle's until release; any number may be taken, released in any order; while
 * 2048 above PABAL_LINK_INLINE_MAX bytes are, the peer has to wait with the next such one.
 * If the peer dies: what it committed is taken first; what was taken stays readable until it is released. Errors: as pabal_link_receive() without -EMSGSIZE; also -E2BIG, -ENOTSUP.
 */
PABAL_EXPORT int pabal_link_take(pabal_link *link, const struct pabal_take_opts *opts, struct pabal_message *ret_message, int64_t timeout_ns);

/**
 * pabal_link_release() - done with a message: its memory may be used again, its descriptors that nobody fetched are closed.
 * Return: 0, and @message is taken no more: its data is NULL, its size 0. Threads: any. Blocks: never. Errors: -EINVAL (not taken by this handle: for one, released twice), -ESTALE.
 */
PABAL_EXPORT int pabal_link_release(pabal_link *link, struct pabal_message *message);

/**
 * pabal_link_message_fd() - a descriptor that came with a message.
 * @message: taken and not released.
 * @index: below message->fd_count; each can be fetched once.
 *
 * Return: 0. Threads: any. Blocks: never. Ownership: the caller closes *@ret_fd, which is close-on-exec. If the peer dies: it stays.
 * Errors: -EINVAL, -EBADMSG (the peer promised more than it sent), -EMFILE, -ESTALE.
 */
PABAL_EXPORT int pabal_link_message_fd(pabal_link *link, const struct pabal_message *message, uint32_t index, int *ret_fd);

/**
 * pabal_link_call() - send a request and wait for its reply.
 * @ret_reply_size: the size of the reply in bytes; may be NULL. Also set with -EMSGSIZE, which ends the call: the reply is lost.
 * @timeout_ns: for both together. PABAL_NOWAIT: the request is sent, and the reply, which can hardly be there already, is not waited for.
 *
 * Other messages that arrive meanwhile are put aside for receive and take, up to 16 MiB of them, not counting those above PABAL_LINK_INLINE_MAX bytes, which stay where they are; then the peer waits until some were received,
 * its reply behind them as well. A call that ends with -EAGAIN, -ETIMEDOUT, -EINTR or -ECANCELED may have been carried out; its late reply is dropped and counted.
 *
 * Return: 0. Threads: any; several calls may be under way. Blocks: up to @timeout_ns. Ownership: both buffers stay the caller's.
 * If the peer dies: -EOWNERDEAD, or -EPIPE if it closed, unless it replied before.
 * Errors: as pabal_link_send() and pabal_link_receive(); -EUSERS (65,536 calls are under way).
 */
PABAL_EXPORT int pabal_link_call(pabal_link *link, const void *request, size_t request_size, void *reply, size_t reply_size_max,
				 size_t *ret_reply_size, int64_t timeout_ns);

/**
 * pabal_link_call_start() - the first half of pabal_link_call(): send the request.
 * @ret_call: what to finish it with.
 * Return: 0. Threads, Blocks, Errors: as pabal_link_send(); -EUSERS (65,536 calls are under way). Ownership: the call is finished, or ends with the link. If the peer dies: the finish says so.
 */
PABAL_EXPORT int pabal_link_call_start(pabal_link *link, const void *request, size_t request_size, uint64_t *ret_call, int64_t timeout_ns);

/**
 * pabal_link_call_finish() - the second half: wait for the reply. In any order among calls.
 * With -EAGAIN (PABAL_NOWAIT: no reply yet) the call stays under way; anything else ends it.
 * Return: 0. Threads: any, one a call. Blocks: up to @timeout_ns. All else as pabal_link_call(); -EINVAL: no such call is under way.
 */
PABAL_EXPORT int pabal_link_call_finish(pabal_link *link, uint64_t call, void *reply, size_t reply_size_max, size_t *ret_reply_size,
					int64_t timeout_ns);

/**
 * pabal_link_is_request() - does the sender of this message wait for a reply?
 * Return: 1 or 0. Threads: any. Blocks: never. Errors: -EINVAL (not taken from this link), -ESTALE.
 */
PABAL_EXPORT int pabal_link_is_request(pabal_link *link, const struct pabal_message *message);

/**
 * pabal_link_reply() - answer a request, once.
 * @request: taken from this link and not released yet.
 * Return: 0: committed. Everything else as pabal_link_send(); -EINVAL: it is no request, or was answered.
 */
PABAL_EXPORT int pabal_link_reply(pabal_link *link, const struct pabal_message *request, const void *data, size_t size, int64_t timeout_ns);

/**
 * pabal_link_peer() - who is at the other end, as the kernel says.
 * Return: 0. Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: what it was. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_peer(const pabal_link *link, struct pabal_peer *ret_peer);

/**
 * pabal_link_peer_pidfd() - a descriptor of the peer's process (pidfd_open(2)): becomes readable when it dies.
 * Return: 0. Threads: any. Blocks: never. Ownership: the caller closes *@ret_fd. If the peer dies: it stays valid. Errors: -ENOTSUP (the kernel has none for this peer), -EMFILE, -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_peer_pidfd(const pabal_link *link, int *ret_fd);

/**
 * pabal_link_fd() - a descriptor for poll(2) and epoll(7).
 * @event: PABAL_READABLE or PABAL_WRITABLE; one descriptor for each.
 *
 * The readable one: from the arrival of a message, or of the peer's end, until a receive or take on this handle said -EAGAIN; after the end it stays readable. A reply
 * that such a call, or the finish of another call, has found is told once more: who first finishes his calls and then receives sleeps on none. The writable one: from when there is room until a send or loan
 * said -EAGAIN; readable in the sense of poll(2), too (wait for POLLIN). Each may be ready with nothing to do, never the reverse.
 *
 * Return: the descriptor. Threads: any. Blocks: never. Ownership: the handle's: never read or close it. If the peer dies: readable. Errors: -EINVAL, -EMFILE, -ENOMEM, -ESTALE.
 */
PABAL_EXPORT int pabal_link_fd(pabal_link *link, uint32_t event);

/**
 * pabal_link_interrupt() - end every wait on this handle with -ECANCELED. An interrupt that finds no wait is kept for the next one.
 * Return: 0. Threads: any; a signal handler may call it. Blocks: never. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_interrupt(pabal_link *link);

/**
 * pabal_link_stat() - how the link stands.
 * @stats: struct_size set by the caller.
 * Return: 0. Threads: any. Blocks: never. Errors: -EINVAL, -ESTALE.
 */
PABAL_EXPORT int pabal_link_stat(pabal_link *link, struct pabal_link_stats *stats);

/**
 * pabal_link_close() - end the link; the other side says -EPIPE after the last message that was committed.
 * @link: may be NULL. A link that was handed out twice ends with the last close.
 *
 * Calls by name of other threads may be under way: one that waits for room in this link goes on over a new one.
 *
 * Return: NULL. Threads: no other thread may use the handle: interrupt first. Blocks: never. Ownership: loans and taken messages end with it. If the peer dies: nothing. Errors: none.
 */
PABAL_EXPORT pabal_link *pabal_link_close(pabal_link *link);

/** One link of an announced process, as that process tells it. */
struct pabal_link_info {
	char peer[PABAL_NAME_SIZE];
	pid_t claimed_pid; /**< of the peer */
	uid_t claimed_uid;
	uint64_t reserved[6];
};

/**
 * pabal_links() - call a function for each link of the named process.
 * @each: as in pabal_list().
 *
 * Return: how many were told, or what @each returned.
 * Threads: any. Blocks: never. Ownership: nothing passes. If the peer dies: its links are told no more once it is gone.
 * Errors: -ENOENT, -EINVAL (it is no process), -EACCES, -EBADMSG, -EPROTO, -ENAMETOOLONG, -ENOMEM, -EMFILE.
 */
PABAL_EXPORT int pabal_links(const char *name, int (*each)(const struct pabal_link_info *info, void *data), void *data);

#ifdef __cplusplus
}
#endif

#endif
