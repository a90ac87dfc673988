/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/life.h - a word that tells whether another process lives, without a system call and without a clock: the kernel changes it when that process ends.
 *
 * A page a process, in memory that others may only read (platform/sealed.h). In it lies a robust mutex which one thread of the process holds for good. When that thread ends, the kernel
 * goes through the robust mutexes that it held and marks each; of a process that was killed it does so before it closes the files, and long before anybody can have waited for its end.
 *
 * The word is a hint that saves asking. Marked: the thread has ended, perhaps alone: ask the kernel. Not marked: the process lives, unless it lies, or the kernel's out-of-memory killer has taken
 * the list away before the mark: so whoever believes the word still asks now and then.
 */
#ifndef PABAL_SRC_PLATFORM_LIFE_H
#define PABAL_SRC_PLATFORM_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The first eight bytes of a robust pthread_mutex_t. The kernel's futex word is one of their two halves, in glibc the first, in musl the second; of the other one neither uses bit 30, which is
 * FUTEX_OWNER_DIED, while the mutex is held.
 */
#define PABAL__LIFE_MARKS UINT64_C(0x4000000040000000)

/* Of one who has no such page: always marked. */
extern const _Atomic uint64_t pabal__life_unknown;

/*
 * This process's page is wanted once more, or once less. The thread that wants it first holds it; who gives it up last takes it away, if it is the same thread: else it stays, for the next
 * one. 0, -ENOMEM, -EMFILE, -ENOTSUP.
 */
int pabal__life_get(void);
void pabal__life_put(void);
/* In a fork child: let go of the parent's. */
void pabal__life_forget(void);

/* Its descriptor, which stays this file's; -1: there is none, or the program has closed it. */
int pabal__life_fd(void);

/* The thread that held it has ended, perhaps: then the calling one does from now on. Costs a load. */
void pabal__life_keep(void);

/* What @fd, which another process sent, says of it. -EBADMSG: it is no such page; -ENOMEM. */
int pabal__life_map(int fd, const _Atomic uint64_t **ret_life);
void pabal__life_unmap(const _Atomic uint64_t *life);

static inline bool pabal__life_beats(const _Atomic uint64_t *life)
{
	/* acquire: what its process did before it died is visible; pairs with the kernel's mark */
	return !(atomic_load_explicit(life, memory_order_acquire) & PABAL__LIFE_MARKS);
}

#endif
