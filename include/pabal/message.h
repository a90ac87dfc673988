/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/message.h - what mailboxes, links and buffers share: messages, loans, and what goes with them.
 *
 * It declares no call of its own; the header of each kind includes it. What a kind does not know it refuses by name with -ENOTSUP.
 */
#ifndef PABAL_MESSAGE_H
#define PABAL_MESSAGE_H

#include <pabal/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a send, or a put, does when there is no room. */
enum pabal_on_full {
	PABAL_FULL_BLOCK = 0,       /**< wait, as long as the call's time-out says */
	PABAL_FULL_FAIL = 1,        /**< -EAGAIN whatever the time-out (a mailbox: -ENOTSUP in this version) */
	PABAL_FULL_DROP_OLDEST = 2, /**< make room (a mailbox: -ENOTSUP in this version) */
};

/** Which messages a take wants. */
enum pabal_take_mode {
	PABAL_TAKE_ANY = 0,
	PABAL_TAKE_TAGS = 1, /**< a mailbox: -ENOTSUP in this version, as are the next two */
	PABAL_TAKE_EXCEPT = 2,
	PABAL_TAKE_LOWEST = 3,
};

/** What goes with one message; NULL, or 0 in a member, is the default. */
struct pabal_message_opts {
	size_t struct_size;
	uint32_t tag;      /**< any number; the receiver sees it */
	uint32_t priority; /**< below the mailbox's priorities, so 0 in this version */
	int64_t ttl_ns;    /**< a mailbox: -ENOTSUP in this version */
	const int *fds;    /**< links only; elsewhere -ENOTSUP */
	uint32_t fd_count;
	uint32_t flags; /**< none yet */
};

/** Which messages to take; NULL: any. */
struct pabal_take_opts {
	size_t struct_size;
	uint32_t mode; /**< enum pabal_take_mode */
	uint32_t tag_count;
	const uint32_t *tags;
	uint32_t tag_max;
	uint32_t reserved_;
};

/** One message of a call that sends many. */
struct pabal_item {
	const void *data;
	size_t size;
	const struct pabal_message_opts *message; /**< may be NULL */
};

/** A block that is being written in place: between loan and commit or cancel. */
struct pabal_loan {
	void *data;  /**< aligned to 16 bytes, to 64 from 4 KiB up */
	size_t size; /**< bytes that may be written: what was asked for */
	uint64_t reserved[6];
};

/** A message that is being read in place: between take and release or requeue. Do not change it. */
struct pabal_message {
	const void *data;        /**< aligned as a loan is */
	size_t size;             /**< bytes */
	uint64_t sequence;       /**< counts the commits of this object; its order is the order of the queue */
	int64_t time_ns;         /**< when it was committed, CLOCK_BOOTTIME; 0 without PABAL_TIMESTAMPS */
	uint32_t delivery_count; /**< 1 the first time; more when an earlier taker died or gave it back; 65,535 stands for that or more */
	uint32_t tag;
	uint32_t priority;
	uint32_t fd_count;
	pid_t claimed_pid; /**< what the sender says of itself */
	uid_t claimed_uid;
	uint64_t reserved[8];
};

#if defined(__cplusplus)
static_assert(sizeof(struct pabal_loan) == 64 && sizeof(struct pabal_message) == 120, "result structs have a fixed size");
#else
_Static_assert(sizeof(struct pabal_loan) == 64 && sizeof(struct pabal_message) == 120, "result structs have a fixed size");
#endif

#ifdef __cplusplus
}
#endif

#endif
