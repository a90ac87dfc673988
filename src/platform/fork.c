/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/fork.c - one page marked MADV_WIPEONFORK, and one mutex that fork takes.
 *
 * The mutex is also what keeps two threads of one process from burying at the same time; it is private to the process.
 */
#include "platform/fork.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic uint32_t *pabal__fork_mark;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t init_guard = PTHREAD_MUTEX_INITIALIZER;
static uint32_t generation; /* copied by fork, so the child counts on from its parent's */

static void in_child(void)
{
	pthread_mutex_init(&guard, NULL);
	pthread_mutex_init(&init_guard, NULL);
}

static int make_mark(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	if (madvise(page, size, MADV_WIPEONFORK) || pthread_atfork(pabal__fork_guard, pabal__fork_unguard, in_child)) {
		munmap(page, size);
		return -ENOMEM;
	}
	pabal__fork_mark = page;
	return 0;
}

int pabal__fork_init(void)
{
	int r = 0;

	pthread_mutex_lock(&init_guard);
	if (!pabal__fork_mark)
		r = make_mark();
	if (!r && !pabal__fork_generation())
		atomic_store_explicit(pabal__fork_mark, ++generation, memory_order_relaxed); /* alone: under the mutex */
	pthread_mutex_unlock(&init_guard);
	return r;
}

void pabal__fork_guard(void)
{
	pthread_mutex_lock(&guard);
}

void pabal__fork_unguard(void)
{
	pthread_mutex_unlock(&guard);
}
