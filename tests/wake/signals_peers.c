/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_peers.c - the announcing on both sides, and the thread that waits first.
 */
#include "wake/signals_peers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POPTS(...) (&(struct pabal_process_opts){ .struct_size = sizeof(struct pabal_process_opts), __VA_ARGS__ })

struct follower {
	int (*wait)(void *handle);
	void *handle;
	pid_t id;
	pthread_t thread;
	pthread_barrier_t ready;
};

struct parent parent;

void make_process(void)
{
	assert_int_equal(pabal_process_announce("parent", NULL, &parent.process), 0);
}

void accept_child(void)
{
	assert_int_equal(pabal_process_accept(parent.process, &parent.link, HANG), 0);
}

void end_process(void)
{
	parent.link = pabal_link_close(parent.link);
	parent.process = pabal_process_close(parent.process);
	assert_int_equal(pabal_gc(NULL), 0); /* the child closes nothing */
}

pabal_process *own_process(uint32_t flags)
{
	pabal_process *own = NULL;

	child_equal(pabal_process_announce("child", POPTS(.flags = flags), &own), 0);
	return own;
}

static void *follow(void *data)
{
	struct follower *follower = data;

	follower->id = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&follower->ready);
	child_equal(follower->wait(follower->handle), 0);
	return NULL;
}

void start_follower(int (*wait)(void *handle), void *handle)
{
	static struct follower follower; /* one a child, and it may outlive the call that waits */
	sigset_t all, before;

	follower.wait = wait;
	follower.handle = handle;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_barrier_init(&follower.ready, NULL, 2);
	child_equal(pthread_create(&follower.thread, NULL, follow, &follower), 0);
	pthread_barrier_wait(&follower.ready);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	child_await_sleep(follower.id);
}
