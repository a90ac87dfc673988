/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_private - nobody else is on a link: what the peer may do with our memory, what another user may do, who the kernel says that the peer is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/process.h"
#include "queue/stream.h"
#include "support/support.h"

enum { MEMORY = 1 << 20, NOBODY = 65534 };

static _Atomic uint64_t *ready;

static pabal_process *announce(const char *name, uint32_t mode)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .memory_max = MEMORY, .mode = mode };
	pabal_process *self = NULL;

	if (pabal_process_announce(name, &opts, &self) < 0)
		child_failed("announce", name, 0);
	return self;
}

/* A HELLO by hand, as an honest process would say it, in the name of @name. Returns what came back, and the socket that it came by. */
static int hello(pabal_process *victim, const char *name, const unsigned char *instance, struct pabal__post *ret_post)
{
	struct pabal__own_memory memory;
	struct pabal__holder self = { .fd = -1 };
	int socket, r;
	char byte;

	memcpy(self.name, name, strlen(name));
	memcpy(self.instance, instance, sizeof self.instance);
	child_equal(pabal__own_memory_make(MEMORY, &memory), 0);
	child_equal(pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket), 0);
	child_equal(pabal__letter_send(socket, PABAL__HELLO, 0, &self, MEMORY, victim->holder.instance, &memory.fd, 1), 0);
	do {
		pabal_process_receive(victim, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT); /* by who may: else it is served elsewhere */
		r = pabal__letter_receive(socket, ret_post);
	} while (r == -EAGAIN);
	child_equal(r, 0);
	pabal__own_memory_free(&memory);
	return socket;
}

/* The peer has the descriptor of our memory, is root, and still cannot write it, cut it, or make it larger, by any way. */
static void the_peer_may_only_read(void **state)
{
	pabal_process *victim = announce("victim", 0), *enemy = announce("enemy", 0);
	uint64_t size = pabal__stream_size(MEMORY);
	struct pabal__post post;
	int socket = hello(victim, "enemy", enemy->holder.instance, &post), fd, again;
	char path[64];
	void *data;

	(void)state;
	assert_int_equal(post.letter.kind, PABAL__WELCOME);
	fd = post.fds[0];
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(data != MAP_FAILED);
	assert_true(pabal__stream_fits(data, MEMORY));
	assert_int_equal(mprotect(data, size, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(madvise(data, size, MADV_REMOVE), -1);
	assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EPERM);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, (off_t)size * 2), -1);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
		assert_int_equal(pwrite(again, "x", 1, 0), -1);
		assert_int_equal(ftruncate(again, 0), -1);
		close(again);
	}
	assert_true(pabal__stream_fits(data, MEMORY));
	munmap(data, size);
	pabal__post_close(&post);
	close(socket);
	pabal_process_close(enemy);
	pabal_process_close(victim);
}

/* The memory of a link has no name: the directory holds the names of the two and their sockets, and nothing of a link. */
static void a_link_leaves_nothing_that_a_third_could_open(void **state)
{
	pabal_process *one = announce("one", 0), *other = announce("other", 0);
	DIR *listing = opendir(path_of("."));
	pabal_link *link = NULL, *accepted = NULL;
	struct dirent *entry;
	int count = 0;

	(void)state;
	while (pabal_process_link(one, "other", &link, PABAL_NOWAIT) == -EAGAIN)
		pabal_process_accept(other, &accepted, PABAL_NOWAIT);
	assert_non_null(accepted);
	while ((entry = readdir(listing)))
		count += entry->d_name[0] != '.' || strncmp(entry->d_name, ".sock-", 6) == 0;
	closedir(listing);
	assert_int_equal(count, 4);
	pabal_process_close(one);
	pabal_process_close(other);
}

static int link_and_hang(void *data)
{
	pabal_process *self = announce("peer", 0);
	pabal_link *link;

	(void)data;
	child_equal(pabal_process_link(self, "me", &link, PABAL_FOREVER), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static void the_pidfd_tells_of_the_peers_death(void **state)
{
	pabal_process *self = announce("me", 0);
	struct pollfd poll_fd = { .events = POLLIN };
	pid_t pid = child_start(link_and_hang, NULL);
	struct pabal_peer peer;
	pabal_link *link;

	(void)state;
	assert_int_equal(pabal_process_accept(self, &link, PABAL_FOREVER), 0);
	assert_int_equal(pabal_link_peer_pidfd(link, &poll_fd.fd), 0);
	assert_true(fcntl(poll_fd.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pabal_link_peer(link, &peer), 0);
	assert_int_equal(peer.pid, pid);
	assert_true(eventually_at_least(ready, 1));
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	child_kill(pid);
	assert_int_equal(poll(&poll_fd, 1, 0), 1);
	pabal_link_close(link);
	assert_int_equal(poll(&poll_fd, 1, 0), 1); /* ours to close */
	close(poll_fd.fd);
	pabal_process_close(self);
	assert_int_equal(pabal_gc(NULL), 0);
}

static int link_as_nobody(void *data)
{
	pabal_process *self;
	pabal_link *link;
	struct pabal_peer peer;
	char text[8];

	(void)data;
	become_nobody();
	self = announce("stranger", 0666);
	child_equal(pabal_process_link(self, "closed", &link, PABAL_FOREVER), -EACCES);
	child_equal(pabal_process_send(self, "closed", "x", 1, PABAL_NOWAIT), -EACCES);
	child_equal(pabal_process_link(self, "open", &link, PABAL_FOREVER), 0);
	child_equal(pabal_link_peer(link, &peer), 0);
	child_equal(peer.uid, 0);
	child_equal(peer.gid, 0);
	child_equal(peer.pid, getppid());
	child_equal(pabal_link_send(link, "hello", 5, PABAL_FOREVER), 0);
	child_equal(pabal_link_receive(link, text, sizeof text, NULL, PABAL_FOREVER), 0);
	pabal_process_close(self);
	return 0;
}

/* Modes decide, and the kernel says who it is. */
static void another_user_may_link_where_the_mode_allows(void **state)
{
	pabal_process *opened = announce("open", 0666), *closed = announce("closed", 0600);
	pid_t pid = child_start(link_as_nobody, NULL);
	struct pabal_peer peer;
	pabal_link *link;
	char text[8], from[PABAL_NAME_SIZE];

	(void)state;
	assert_int_equal(pabal_process_receive(opened, NULL, from, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_string_equal(from, "stranger");
	assert_int_equal(pabal_process_link(opened, "stranger", &link, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_peer(link, &peer), 0);
	assert_int_equal(peer.uid, NOBODY);
	assert_int_equal(peer.gid, NOBODY);
	assert_int_equal(peer.pid, pid);
	assert_int_equal(pabal_link_send(link, "bye", 3, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(pid), 0);
	pabal_process_close(closed);
	pabal_process_close(opened);
}

struct theft {
	pabal_process *victim;
	unsigned char instance[PABAL__INSTANCE_SIZE];
};

static int steal_a_name(void *data)
{
	struct theft *theft = data;
	struct pabal__post post;
	uint32_t answer;

	become_nobody();
	close(hello(theft->victim, "honest", theft->instance, &post));
	answer = post.letter.kind == PABAL__WELCOME ? UINT32_MAX : post.letter.reason;
	pabal__post_close(&post);
	return answer == PABAL__REFUSE_STRANGER ? 1 : answer == UINT32_MAX ? 2 : 3;
}

static pid_t thief;

static bool thief_has_ended(void *data)
{
	siginfo_t info = { .si_pid = 0 };
	char byte;

	pabal_process_receive(data, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT);
	return waitid(P_PID, (id_t)thief, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == thief;
}

/* Whoever can read the file of a name can say all that is in it; that it is not the holder is seen by its user. */
static void another_user_cannot_speak_in_ones_name(void **state)
{
	struct theft theft = { .victim = announce("victim", 0666) };
	pabal_process *honest = announce("honest", 0644);

	(void)state;
	memcpy(theft.instance, honest->holder.instance, sizeof theft.instance);
	for (int without_check = 0; without_check < 2; without_check++) {
		pabal__fault_hits = 0;
		pabal__fault_on = without_check ? PABAL__FAULT_NO_STRANGER_CHECK : PABAL__FAULT_NONE;
		thief = child_start(steal_a_name, &theft);
		assert_true(eventually(thief_has_ended, theft.victim));
		assert_int_equal(child_end(thief), without_check ? 2 : 1);
		assert_int_equal(pabal__fault_hits > 0, without_check);
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	pabal_process_close(theft.victim);
	pabal_process_close(honest);
}

static int take_the_dead_ones_name(void *data)
{
	pabal_process *self = NULL;

	(void)data;
	become_nobody();
	child_equal(pabal_process_announce("dead", NULL, &self), -EACCES);
	child_equal(pabal_gc(NULL), 0);
	child_equal(pabal_process_announce("dead", NULL, &self), -EACCES);
	return 0;
}

static int announce_and_die(void *data)
{
	(void)data;
	announce("dead", 0644);
	_exit(0);
}

static void a_dead_ones_name_is_for_its_own_user(void **state)
{
	(void)state;
	child_run(announce_and_die, NULL);
	child_run(take_the_dead_ones_name, NULL);
	assert_int_equal(pabal_gc(NULL), 0);
}

static int open_the_directory(void **state)
{
	(void)state;
	return chmod(path_of("."), 01777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_may_only_read),
		cmocka_unit_test(a_link_leaves_nothing_that_a_third_could_open),
		cmocka_unit_test(the_pidfd_tells_of_the_peers_death),
		cmocka_unit_test(another_user_may_link_where_the_mode_allows),
		cmocka_unit_test(another_user_cannot_speak_in_ones_name),
		cmocka_unit_test(a_dead_ones_name_is_for_its_own_user),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, open_the_directory, NULL);
}
