/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_peer.c - the other side of a link: it runs freely while the victim is stepped and killed, and says what it found.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/link_scene.h"

static uint8_t content_byte(uint32_t id, uint32_t i)
{
	return (uint8_t)((id * 2654435761u >> (i & 3) * 8) + i * 7 + (i >> 8));
}

void link_content(uint32_t id, void *data, uint32_t size)
{
	uint8_t *bytes = data;

	memcpy(bytes, &id, sizeof id);
	memcpy(bytes + sizeof id, &size, sizeof size);
	for (uint32_t i = 8; i < size; i++)
		bytes[i] = content_byte(id, i);
}

bool link_is_content(uint32_t id, const void *data, size_t size)
{
	uint8_t wanted[LINK_SIZE_MAX];

	if (size < 8 || size > sizeof wanted)
		return false;
	link_content(id, wanted, (uint32_t)size);
	return memcmp(wanted, data, size) == 0;
}

void link_side_broken(struct link_side *side, const char *invariant, const char *format, ...)
{
	va_list arguments;

	if (side->shared->broken)
		return;
	va_start(arguments, format);
	vsnprintf(side->shared->detail, sizeof side->shared->detail, format, arguments);
	va_end(arguments);
	side->shared->broken = invariant;
}

int link_count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = -3; /* itself, and the two names that are no descriptors */

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

void link_await(const _Atomic int *word)
{
	while (!atomic_load(word))
		usleep(20);
}

int link_send_next(struct link_side *side, uint32_t size, int64_t timeout_ns)
{
	uint8_t content[LINK_SIZE_MAX];
	int r;

	link_content(side->next_sent, content, size);
	r = pabal_link_send(side->link, content, size, timeout_ns);
	if (r == 0)
		side->next_sent++;
	return r;
}

void link_received(struct link_side *side, const void *data, size_t size)
{
	uint32_t id = 0;

	if (size >= sizeof id)
		memcpy(&id, data, sizeof id);
	if (!link_is_content(side->next_received, data, size))
		link_side_broken(side,
				 !id || id == side->next_received ? "torn"
				 : id < side->next_received       ? "doubled"
								  : "lost",
				 "received %u, %zu bytes, where %u was next", id, size, side->next_received);
	side->next_received++;
}

int link_receive_next(struct link_side *side, int64_t timeout_ns)
{
	uint8_t content[LINK_SIZE_MAX];
	size_t size = 0;
	int r = pabal_link_receive(side->link, content, sizeof content, &size, timeout_ns);

	if (r == 0)
		link_received(side, content, size);
	return r;
}

unsigned long link_fault_hits(void)
{
#ifdef PABAL_TEST
	return pabal__fault_hits;
#else
	return 0;
#endif
}

static bool is_same_file(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Take one; answer it, if it is a request; see whether its descriptor is the one that was sent. */
static int serve_next(struct link_side *side)
{
	struct pabal_message message;
	int r = pabal_link_take(side->link, NULL, &message, PABAL_FOREVER), fd;

	if (r < 0)
		return r;
	link_received(side, message.data, message.size);
	if (message.fd_count) {
		if (pabal_link_message_fd(side->link, &message, 0, &fd) < 0 || !is_same_file(fd, STDIN_FILENO))
			link_side_broken(side, "torn", "the descriptor is not there, or another: %s", pabal_error_detail());
		else
			close(fd);
	}
	if (pabal_link_is_request(side->link, &message)) {
		r = pabal_link_reply(side->link, &message, message.data, message.size, PABAL_FOREVER);
		if (r < 0 && r != -EOWNERDEAD && r != -EPIPE)
			link_side_broken(side, "refused", "reply: %s", pabal_error_detail());
	}
	pabal_link_release(side->link, &message);
	return 0;
}

static int poll_and_receive(struct link_side *side)
{
	struct pollfd ready = { .fd = pabal_link_fd(side->link, PABAL_READABLE), .events = POLLIN };
	int r;

	do
		r = link_receive_next(side, PABAL_NOWAIT);
	while (r == 0);
	if (r == -EAGAIN) {
		poll(&ready, 1, -1);
		return 0;
	}
	return r;
}

static void send_until_end(struct link_side *side)
{
	int r;

	do
		r = link_send_next(side, side->size, PABAL_FOREVER);
	while (r == 0);
	side->shared->send_end = r;
}

static void finish_call(struct link_side *side)
{
	uint8_t reply[LINK_SIZE_MAX];
	size_t size = 0;
	int r = pabal_link_call_finish(side->link, side->call, reply, sizeof reply, &size, PABAL_FOREVER);

	side->shared->call_end = r;
	if (r == 0 && !link_is_content(1, reply, size))
		link_side_broken(side, "torn", "the reply is not the request");
}

/* While the victim is stopped: everything that is there, and a message for it. */
static void work(const struct link_scene *scene, struct link_side *side)
{
	int r;

	link_await(&side->shared->work);
	do
		r = link_receive_next(side, PABAL_NOWAIT);
	while (r == 0);
	if (r != -EAGAIN && !(scene->operation->effects & LINK_CLOSES && r == -EPIPE))
		link_side_broken(side, "refused", "the victim is stopped, not dead; receive says: %s", pabal_error_detail());
	/* Behind a single message of a full ring fits one of that size, at the end of the lap, and a small one where the single one was. */
	for (int i = 0; i < LINK_FEW; i++)
		link_send_next(side, i ? 8 : 64, PABAL_NOWAIT);
	side->shared->worked = 1;
}

static void act(struct link_scene *scene, struct link_side *side)
{
	int r = 0;

	if (scene->peer == LINK_SENDS)
		send_until_end(side);
	if (scene->peer == LINK_CALLS)
		finish_call(side);
	if (scene->peer == LINK_LATE)
		link_await(&side->shared->late);
	if (scene->peer == LINK_WORKS)
		work(scene, side);
	while (r == 0)
		r = scene->peer == LINK_POLLS   ? poll_and_receive(side)
		    : scene->peer == LINK_TAKES ? serve_next(side)
						: link_receive_next(side, PABAL_FOREVER);
	side->shared->receive_end = r;
}

/* The end is there to stay: every call says it, and the descriptor is readable. */
static void look_at_end(struct link_side *side)
{
	int wanted = side->shared->receive_end, r;
	struct pollfd ready = { .fd = pabal_link_fd(side->link, PABAL_READABLE), .events = POLLIN };
	struct pabal_message message;
	uint8_t byte[16];

	r = pabal_link_send(side->link, side->buffer, 8, PABAL_FOREVER);
	if (r != wanted)
		link_side_broken(side, "wrong_end", "receive said %d, send says %d", wanted, r);
	r = pabal_link_take(side->link, NULL, &message, PABAL_FOREVER);
	if (r != wanted)
		link_side_broken(side, "wrong_end", "receive said %d, take says %d", wanted, r);
	r = pabal_link_call(side->link, byte, sizeof byte, byte, sizeof byte, NULL, PABAL_FOREVER);
	if (r != wanted)
		link_side_broken(side, "wrong_end", "receive said %d, call says %d", wanted, r);
	if (poll(&ready, 1, 0) != 1)
		link_side_broken(side, "wrong_end", "after the end its descriptor is not readable");
}

/* How this side's ring stands, if the victim is to read it. */
static int fill(struct link_scene *scene, struct link_side *side)
{
	int r = 0;

	if (!(scene->operation->effects & LINK_FROM_PEER))
		return 0;
	if (scene->fill == LINK_WRAP)
		for (int i = 0; r == 0 && i < LINK_PUMP; i++)
			r = link_send_next(side, LINK_PUMP_SIZE, PABAL_FOREVER);
	if (scene->fill == LINK_SOME || scene->fill == LINK_WRAP)
		for (int i = 0; r == 0 && i < LINK_FEW; i++)
			r = link_send_next(side, side->size, PABAL_FOREVER);
	if (scene->fill == LINK_FULL) {
		while (r == 0)
			r = link_send_next(side, side->size, PABAL_NOWAIT);
		r = r == -EAGAIN ? 0 : r;
	}
	return r;
}

static int prepare(struct link_scene *scene, struct link_side *side)
{
	int r = fill(scene, side);

	if (scene->fill == LINK_WRAP && !(scene->operation->effects & LINK_FROM_PEER))
		for (int i = 0; r == 0 && i < LINK_PUMP; i++)
			r = link_receive_next(side, PABAL_FOREVER);
	if (r == 0 && scene->operation->effects & LINK_ANSWERS) {
		link_content(side->next_sent, side->buffer, side->size);
		r = pabal_link_call_start(side->link, side->buffer, side->size, &side->call, PABAL_NOWAIT);
		side->next_sent += r == 0;
	}
	return r;
}

_Noreturn void link_be_peer(struct link_scene *scene)
{
	static struct link_side side;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL); /* the driver's hang detector */
	side = (struct link_side){ .shared = scene->shared, .next_sent = 1, .next_received = 1, .size = scene->size };
	link_await(&scene->shared->victim_pid);
	side.link = link_pair_open(&scene->pair, 1, scene->shared->victim_pid, PABAL_WAIT_BLOCK);
	r = prepare(scene, &side);
	scene->shared->peer_ready = r < 0 ? r : 1;
	if (r < 0)
		_exit(1);
	link_await(&scene->shared->go);
	act(scene, &side);
	scene->shared->peer_received = side.next_received - 1;
	scene->shared->peer_sent = side.next_sent - 1;
	look_at_end(&side);
	pabal_link_close(side.link);
	scene->shared->hits += link_fault_hits();
	scene->shared->fds_after = link_count_fds();
	_exit(0);
}
