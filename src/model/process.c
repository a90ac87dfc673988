/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/process.c - announcing a process, and the ends of its handle.
 *
 * Killed while announcing: a file and perhaps a socket without a name, for gc to remove. At any time afterwards: the name is free, and the next holder or gc removes the file and the socket.
 */
#include "model/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "platform/fork.h"
#include "platform/futex.h"
#include "platform/life.h"
#include "platform/membarrier.h"
#include "queue/stream.h"

#define DEFAULT_MEMORY (UINT64_C(16) << 20)

enum {
	DEFAULT_MODE = 0600,
	FLAGS = PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART,
};

int pabal__process_check(const pabal_process *self, int64_t timeout_ns)
{
	if (!self || self->magic != PABAL__PROCESS_MAGIC)
		return pabal__fail_with(-EINVAL, "this is no open process handle");
	if (self->generation != pabal__fork_generation())
		return pabal__fail_with(-ESTALE,
					"this process was announced before a fork, by the parent: announce the child under a name of its own");
	if (timeout_ns < PABAL_FOREVER)
		return pabal__fail_with(-EINVAL, "the time-out is negative: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds");
	return 0;
}

bool pabal__process_enter(pabal_process *self)
{
	/* With PABAL_SINGLE_THREAD as well: threads that each have a link of their own serve the one door while they sleep. */
	if (PABAL__LINK_SINGLE_THREADED)
		return false;
	pthread_mutex_lock(&self->lock);
	return true;
}

void pabal__process_leave(pabal_process *self, bool entered)
{
	if (entered)
		pthread_mutex_unlock(&self->lock);
}

static void set_event(int fd)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(fd, &one, sizeof one) < 0) { /* it is set already */
	}
	errno = saved;
}

static void clear_event(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) < 0) { /* it was not set */
	}
}

void pabal__process_stir(pabal_process *self)
{
	/* seq_cst: what is new is there, then the number, then the look whether somebody sleeps; pairs with lead() in talk_wait.c */
	atomic_fetch_add(&self->news, 1);
	pabal__futex_wake(&self->news, INT32_MAX);
	if (atomic_load(&self->leading))
		set_event(self->alarm);
}

void pabal__process_news(pabal_process *self)
{
	pabal__process_stir(self);
	pabal__process_set_ready(self);
}

void pabal__process_set_ready(pabal_process *self)
{
	if (atomic_load_explicit(&self->has_outside, memory_order_acquire)) /* pairs with pabal_process_fd() */
		set_event(self->ready);
}

void pabal__process_clear_ready(pabal_process *self)
{
	if (self->outside >= 0)
		clear_event(self->ready);
}

void pabal__process_clear_alarm(pabal_process *self)
{
	clear_event(self->alarm);
}

void pabal__process_clear_notify(pabal_process *self)
{
	clear_event(self->notify);
}

static int open_event(int *ret_fd)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return errno == ENFILE ? -EMFILE : pabal__errno();
	*ret_fd = fd;
	return 0;
}

static int open_epoll(int *ret_fd)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return errno == ENFILE ? -EMFILE : pabal__errno();
	*ret_fd = fd;
	return 0;
}

static int open_descriptors(pabal_process *self)
{
	int r = open_epoll(&self->door);

	if (r == 0)
		r = open_epoll(&self->inside);
	if (r == 0)
		r = open_event(&self->alarm);
	if (r == 0)
		r = open_event(&self->notify);
	if (r == 0)
		r = open_event(&self->spare);
	if (r == 0)
		r = pabal__epoll_add(self->door, self->listener, pabal__event(PABAL__EVENT_LISTENER, 0));
	if (r == 0)
		r = pabal__epoll_add(self->inside, self->door, pabal__event(PABAL__EVENT_DOOR, 0));
	if (r == 0)
		r = pabal__epoll_add(self->inside, self->notify, pabal__event(PABAL__EVENT_NOTIFY, 0));
	return r < 0 ? pabal__fail(r, "no descriptors for a process handle: %s", strerror(-r)) : 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/*
 * A program that closes all descriptors (a daemon's clean-up) has closed ours, and their numbers may be files of its own by now: close none of them. The listener's inode tells; whoever closes
 * some, and not it, is beyond help.
 */
static bool fds_are_ours(const pabal_process *self)
{
	struct stat st;

	return self->listener < 0 || (fstat(self->listener, &st) == 0 && st.st_ino == self->listener_ino);
}

static void forget_fds(pabal_process *self)
{
	self->listener = self->door = self->inside = self->outside = self->ready = self->alarm = self->notify = self->watch = self->watched =
		self->spare = -1;
	atomic_store_explicit(&self->has_outside, false, memory_order_relaxed);              /* no other thread uses the handle any more */
	self->directory.fd = open(self->directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the name is given up all the same */
	for (uint32_t i = 0; i < PABAL__CALLERS; i++)
		self->callers[i].number = 0;
	for (struct pabal__opening *opening = self->openings; opening; opening = opening->next)
		opening->socket = opening->memory.fd = -1;
	for (struct pabal__party *party = self->first; party; party = party->next) {
		struct pabal_link *link = &party->link;

		link->fds_out = link->fds_in = link->memory = link->bell.socket = link->bell.pidfd = link->bell.kick = -1;
		for (int i = 0; i < PABAL__DOORBELL_EVENTS; i++)
			link->ready[i] = link->bell.latch[i] = -1;
	}
}

/* @left: by the process that announced; a fork child closes what it inherited and touches nothing that its parent uses. */
static void free_handle(pabal_process *self, bool left)
{
	if (!fds_are_ours(self))
		forget_fds(self);
	pabal__asks_close(self, left);
	for (uint32_t i = 0; i < PABAL__CALLERS; i++)
		if (self->callers[i].number)
			close(self->callers[i].socket);
	pabal__parties_close(self, left);
	pabal__tombs_close(self);
	if (!left)
		pabal__life_forget();
	else if (self->has_life)
		pabal__life_put();
	if (self->holder.page)
		pabal__holder_close(&self->directory, &self->holder, left);
	close_fd(self->listener);
	close_fd(self->outside);
	close_fd(self->ready);
	close_fd(self->inside);
	close_fd(self->door);
	close_fd(self->alarm);
	close_fd(self->notify);
	close_fd(self->spare);
	pabal__nudges_close(&self->nudges);
	pabal__directory_close(&self->directory);
	close_fd(self->watch); /* the last one, since it can take a while (platform/watch.h): no lock is held, and the name and the links are gone */
	pthread_mutex_destroy(&self->lock);
	self->magic = 0;
	free(self);
}

static int read_opts(const struct pabal_process_opts *given, struct pabal_process_opts *ret_opts)
{
	int r = pabal__options_copy(given, ret_opts, sizeof *ret_opts);

	if (r < 0)
		return r;
	if (ret_opts->flags & ~(uint32_t)FLAGS)
		return pabal__fail(-EINVAL, "flags 0x%x: announce knows PABAL_WAIT_SPIN, PABAL_WAIT_BLOCK, PABAL_SINGLE_THREAD and PABAL_RESTART",
				   ret_opts->flags);
	if ((ret_opts->flags & PABAL_WAIT_SPIN) && (ret_opts->flags & PABAL_WAIT_BLOCK))
		return pabal__fail_with(-EINVAL, "PABAL_WAIT_SPIN and PABAL_WAIT_BLOCK exclude each other");
	if (ret_opts->mode & ~07777u)
		return pabal__fail(-EINVAL, "mode %o is no permission bits", ret_opts->mode);
	if (!ret_opts->mode)
		ret_opts->mode = DEFAULT_MODE;
	if (!ret_opts->memory_max)
		ret_opts->memory_max = DEFAULT_MEMORY;
	if (!pabal__stream_size(ret_opts->memory_max))
		return pabal__fail(-EINVAL, "memory_max %llu is too large: %llu bytes at most", (unsigned long long)ret_opts->memory_max,
				   (unsigned long long)PABAL__STREAM_MEMORY_MAX);
	return 0;
}

static int make_handle(const struct pabal_process_opts *opts, pabal_process **ret_self)
{
	pabal_process *self = calloc(1, sizeof *self);
	int r;

	if (!self)
		return pabal__fail_with(-ENOMEM, "no memory for a process handle");
	self->listener = self->door = self->inside = self->outside = self->ready = self->alarm = self->notify = self->watch = self->watched =
		self->spare = -1;
	self->directory.fd = -1;
	self->holder.fd = -1;
	self->flags = opts->flags;
	self->memory_max = opts->memory_max;
	self->generation = pabal__fork_generation();
	pabal__spin_init(&self->spin);
	self->barrier = pabal__membarrier_all();
	self->magic = PABAL__PROCESS_MAGIC;
	pthread_mutex_init(&self->lock, NULL);
	r = pabal__directory_open(true, &self->directory);
	if (r < 0) {
		free_handle(self, true);
		return r;
	}
	pabal__place_spell_out(&self->directory); /* it is watched by its path */
	*ret_self = self;
	return 0;
}

/* A file that lives, a socket that listens, and then the name. */
static int take_name(pabal_process *self, const char *name, const struct pabal_process_opts *opts)
{
	char anonymous[PABAL_NAME_SIZE];
	struct stat st;
	int r = pabal__holder_make(&self->directory, opts->mode, opts->memory_max, &self->holder);

	if (r < 0)
		return r;
	r = pabal__socket_listen(self->directory.fd, self->holder.socket_name, opts->mode, &self->listener);
	if (r < 0)
		return pabal__fail(r, "cannot make the socket of a process in %s: %s", self->directory.path, strerror(-r));
	if (fstat(self->listener, &st))
		return pabal__fail(pabal__errno(), "cannot look at the socket of a process: %s", strerror(errno));
	self->listener_ino = st.st_ino;
	r = open_descriptors(self);
	if (r < 0)
		return r;
	if (!name) {
		uint64_t number;

		memcpy(&number, self->holder.instance, sizeof number);
		snprintf(anonymous, sizeof anonymous, "anon-%016llx", (unsigned long long)number);
		name = anonymous;
	}
	return pabal__holder_name(&self->directory, &self->holder, name);
}

int pabal_process_announce(const char *name, const struct pabal_process_opts *given, pabal_process **ret_self)
{
	struct pabal_process_opts opts = { 0 };
	pabal_process *self = NULL;
	int r;

	if (!ret_self)
		return pabal__fail_with(-EINVAL, "ret_self is NULL: it receives the handle");
	r = name ? pabal__name_check(name) : 0;
	if (r == 0)
		r = read_opts(given, &opts);
	if (r < 0)
		return r;
	if (pabal__fork_init() < 0)
		return pabal__fail_with(-ENOMEM, "no memory to prepare this process for pabal");
	pabal__membarrier_register();
	r = make_handle(&opts, &self);
	if (r < 0)
		return r;
	r = take_name(self, name, &opts);
	if (r < 0) {
		free_handle(self, true);
		return r;
	}
	self->has_life = pabal__life_get() == 0; /* without it, peers ask the kernel */
	*ret_self = self;
	return 0;
}

const char *pabal_process_name(const pabal_process *self)
{
	return self && self->magic == PABAL__PROCESS_MAGIC ? self->holder.name : NULL;
}

/* The descriptor for others: made when first asked for, since it costs a little at each wake-up. */
static int open_outside(pabal_process *self)
{
	int r = open_epoll(&self->outside);

	if (r == 0)
		r = open_event(&self->ready);
	if (r == 0)
		r = pabal__epoll_add(self->outside, self->inside, pabal__event(PABAL__EVENT_INSIDE, 0));
	if (r == 0)
		r = pabal__epoll_add(self->outside, self->ready, pabal__event(PABAL__EVENT_READY, 0));
	if (r < 0) {
		close_fd(self->outside);
		close_fd(self->ready);
		self->outside = self->ready = -1;
		return pabal__fail(r, "no descriptor for '%s': %s", self->holder.name, strerror(-r));
	}
	atomic_store_explicit(&self->has_outside, true, memory_order_release); /* pairs with pabal__process_set_ready() */
	pabal__process_set_ready(self);                                        /* what came before is not known to it: the first receive arms */
	return 0;
}

int pabal_process_fd(pabal_process *self, uint32_t event)
{
	int r = pabal__process_check(self, PABAL_NOWAIT);
	bool entered;

	if (r < 0)
		return r;
	if (event != PABAL_READABLE)
		return pabal__fail(-EINVAL, "event %u: a process handle has a descriptor for PABAL_READABLE alone", event);
	entered = pabal__process_enter(self);
	r = self->outside >= 0 ? 0 : open_outside(self);
	if (r == 0)
		r = self->outside;
	pabal__process_leave(self, entered);
	return r;
}

int pabal_process_interrupt(pabal_process *self)
{
	/* For signal handlers: atomics and system calls, no lock, and no sentence. */
	if (!self || self->magic != PABAL__PROCESS_MAGIC)
		return -EINVAL;
	if (self->generation != pabal__fork_generation())
		return -ESTALE;
	/* release: pairs with the acquire of the waits; counted before they are woken */
	atomic_fetch_add_explicit(&self->interrupts, 1, memory_order_release);
	atomic_fetch_add(&self->news, 1);
	pabal__futex_wake(&self->news, INT32_MAX);
	set_event(self->alarm); /* whether somebody leads may change just now; a set alarm costs one look */
	pabal__nudge_all(&self->nudges);
	return 0;
}

pabal_process *pabal_process_close(pabal_process *self)
{
	if (!self || self->magic != PABAL__PROCESS_MAGIC)
		return NULL;
	free_handle(self, self->generation == pabal__fork_generation());
	return NULL;
}
