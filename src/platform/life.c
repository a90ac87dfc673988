/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/life.c - making the page, holding its mutex, and reading the pages of others.
 *
 * While it is held the page stays mapped: it stands in its holder's list of robust mutexes, which libc and the kernel follow. A fork child has neither the page (MADV_DONTFORK) nor the list, and makes its own.
 */
#include "platform/life.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/fork.h"
#include "platform/sealed.h"

enum { SIZE = 4096 /* of the file; a larger page of the kernel's makes no difference */ };

union page {
	pthread_mutex_t mutex;
	_Atomic uint64_t life;
};

const _Atomic uint64_t pabal__life_unknown = PABAL__LIFE_MARKS;

/* Written under the fork guard. */
static _Atomic(union page *) own;
static uint32_t own_generation, users;
static int own_fd = -1;
static ino_t own_inode;
static _Atomic pid_t holder; /* the thread that has the mutex; of a later thread with its number the kernel knows better */

static pid_t thread_number(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static int hold(union page *page)
{
	pthread_mutexattr_t attributes;
	int r;

	pthread_mutexattr_init(&attributes);
	/*
	 * Not to be locked by others: they can only read the page, and nobody ever waits for it. What is wanted is the mark that its holder's death leaves, for other processes to see. That is promised of a robust mutex which is
	 * shared; of one that is a process's own it need not come when the whole process dies, for then nobody is left who could lock it.
	 */
	r = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (r == 0)
		r = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (r == 0)
		r = pthread_mutex_init(&page->mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	atomic_store_explicit(&holder, thread_number(), memory_order_relaxed); /* under the guard */
	if (r == 0)
		r = pthread_mutex_trylock(&page->mutex); /* nobody else has it; and to those who watch the order of locks, no order begins here */
	return r ? -ENOTSUP : 0;
}

/* A program may close all descriptors that it does not know; then the number is another file's. */
static bool has_own_fd(void)
{
	struct stat st;

	return own_fd >= 0 && fstat(own_fd, &st) == 0 && st.st_ino == own_inode;
}

/* The page itself stays where it is, if it is there: in a fork child it is not. */
static void forget(void)
{
	atomic_store_explicit(&own, NULL, memory_order_relaxed); /* under the guard */
	if (has_own_fd())
		close(own_fd);
	own_fd = -1;
}

static int make(void)
{
	struct stat st = { 0 };
	void *page;
	int fd, r;

	r = pabal__sealed_make(SIZE, &fd, &page);
	if (r < 0)
		return r;
	r = pabal__file_back(fd, 0, SIZE);
	if (r == 0 && fstat(fd, &st))
		r = -ENOTSUP;
	if (r == 0)
		r = hold(page);
	if (r < 0) {
		close(fd);
		pabal__sealed_unmap(page, SIZE);
		return r;
	}
	own_fd = fd;
	own_inode = st.st_ino;
	own_generation = pabal__fork_generation();
	atomic_store_explicit(&own, page, memory_order_release); /* pairs with the acquire in pabal__life_keep() */
	return 0;
}

/* Nobody here is linked any more. Another thread's list of locks is not ours to change: then it stays. */
static void drop(void)
{
	union page *page = atomic_load_explicit(&own, memory_order_relaxed); /* under the guard */

	if (!page || atomic_load_explicit(&holder, memory_order_relaxed) != thread_number() || pthread_mutex_unlock(&page->mutex))
		return;
	atomic_store_explicit(&page->life, PABAL__LIFE_MARKS, memory_order_release); /* for who still looks; pairs with pabal__life_beats() */
	pabal__sealed_unmap(page, SIZE);
	forget();
}

int pabal__life_get(void)
{
	bool child;
	int r = 0;

	pabal__fork_guard();
	child = own_generation != pabal__fork_generation();
	if (child)
		users = 0;
	if (child || !has_own_fd()) {
		forget();
		r = make();
	}
	if (r == 0)
		users++;
	pabal__fork_unguard();
	pabal__life_keep();
	return r;
}

void pabal__life_put(void)
{
	pabal__fork_guard();
	if (--users == 0)
		drop();
	pabal__fork_unguard();
}

void pabal__life_forget(void)
{
	pabal__fork_guard();
	if (own_generation != pabal__fork_generation()) {
		forget();
		users = 0;
	}
	pabal__fork_unguard();
}

int pabal__life_fd(void)
{
	int fd;

	pabal__fork_guard();
	fd = has_own_fd() ? own_fd : -1;
	pabal__fork_unguard();
	return fd;
}

void pabal__life_keep(void)
{
	union page *page = atomic_load_explicit(&own, memory_order_acquire); /* pairs with the release in make() */

	if (__builtin_expect(!page || pabal__life_beats(&page->life), 1))
		return;
	if (pthread_mutex_trylock(&page->mutex) == EOWNERDEAD) {
		pthread_mutex_consistent(&page->mutex);
		atomic_store_explicit(&holder, thread_number(), memory_order_relaxed); /* alone: compared with one's own number */
	}
}

int pabal__life_map(int fd, const _Atomic uint64_t **ret_life)
{
	const void *memory;
	int r = pabal__sealed_map(fd, SIZE, &memory);

	if (r == 0)
		*ret_life = memory;
	return r;
}

void pabal__life_unmap(const _Atomic uint64_t *life)
{
	if (life != &pabal__life_unknown)
		pabal__sealed_unmap((const void *)life, SIZE);
}
