/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_containers - two containers that share nothing but the directory of objects: each has pid, user, mount and IPC namespaces of its own, made with unshare(2), and the directory bind-mounted.
 *
 * It needs the right to make namespaces and fails where that is missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

enum { MESSAGES = 2000 };

static _Atomic uint64_t *ready;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		child_failed("a container is made (this test needs the right to make user namespaces)", path, errno);
	close(fd);
}

/* In the new namespaces, as pid 1: the host's processes and objects are out of sight, and the shared directory stands elsewhere. */
static void move_in(void)
{
	char source[64];
	int directory;

	child_equal(getpid(), 1);
	child_check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	directory = open(path_of("."), O_PATH | O_DIRECTORY | O_CLOEXEC);
	child_check(directory >= 0);
	child_check(mount("none", "/dev/shm", "tmpfs", 0, NULL) == 0);
	child_check(access(path_of("."), F_OK) != 0);
	child_check(mkdir("/dev/shm/shared", 0700) == 0);
	snprintf(source, sizeof source, "/proc/self/fd/%d", directory);
	child_check(mount(source, "/dev/shm/shared", NULL, MS_BIND, NULL) == 0);
	child_check(mount("none", "/proc", "proc", 0, NULL) == 0);
	child_check(close(directory) == 0 && setenv("PABAL_DIR", "/dev/shm/shared", 1) == 0);
}

struct container {
	child_main *body;
	_Atomic pid_t init; /* as the host knows it */
};

/* Runs until its pid 1 ends; a killed one is told as such. */
static int run_container(void *data)
{
	struct container *container = data;
	char mapping[64];
	int status;
	pid_t pid;

	snprintf(mapping, sizeof mapping, "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC))
		child_failed("unshare (this test needs the right to make namespaces)", __FILE__, __LINE__);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", mapping);
	write_file("/proc/self/gid_map", "0 0 1");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		move_in();
		_exit(container->body(NULL));
	}
	atomic_store(&container->init, pid);
	child_check(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static pabal_process *announce(const char *name)
{
	pabal_process *self = NULL;

	child_equal(pabal_process_announce(name, NULL, &self), 0);
	return self;
}

static size_t size_of(int i)
{
	return i % 10 == 0 ? 100000 + (size_t)i : 16 + (size_t)(i % 100);
}

static void expect_foreign(const pabal_link *link, const char *name)
{
	struct pabal_peer peer;

	child_equal(pabal_link_peer(link, &peer), 0);
	child_check(strcmp(peer.name, name) == 0);
	child_equal(peer.flags, PABAL_PEER_FOREIGN);
	child_equal(peer.pid, 0);
	child_equal(peer.uid, 0);
}

/* Answers until it is killed. */
static int beta(void *data)
{
	pabal_process *self = announce("beta");
	char *buffer = malloc(1 << 20);
	pabal_link *link;
	size_t size;

	(void)data;
	child_equal(pabal_process_accept(self, &link, PABAL_FOREVER), 0);
	expect_foreign(link, "alpha");
	while (pabal_link_receive(link, buffer, 1 << 20, &size, PABAL_FOREVER) == 0)
		child_equal(pabal_link_send(link, buffer, size, PABAL_FOREVER), 0);
	return 1;
}

static int alpha(void *data)
{
	pabal_process *self = announce("alpha"), *second = NULL;
	char *there = malloc(1 << 20), *back = malloc(1 << 20);
	uint32_t sender, number;
	pabal_link *link;
	size_t size;

	(void)data;
	for (int life = 0; life < 2; life++) {
		child_equal(pabal_process_link(self, "beta", &link, PABAL_FOREVER), 0);
		expect_foreign(link, "beta");
		child_equal(pabal_process_announce("beta", NULL, &second), -EADDRINUSE); /* it lives, though its number means nothing here */
		for (int i = 0; i < MESSAGES; i++) {
			message_fill(there, size_of(i), 1, (uint32_t)i);
			child_equal(pabal_link_send(link, there, size_of(i), PABAL_FOREVER), 0);
			child_equal(pabal_link_receive(link, back, 1 << 20, &size, PABAL_FOREVER), 0);
			child_check(message_read(back, size, &sender, &number) && size == size_of(i) && number == (uint32_t)i);
		}
		atomic_fetch_add(ready, 1); /* now it is killed */
		child_equal(pabal_link_receive(link, back, 1 << 20, &size, PABAL_FOREVER), -EOWNERDEAD);
		pabal_link_close(link);
	}
	child_equal(pabal_process_announce("beta", NULL, &second), 0); /* nobody has it now */
	pabal_process_close(second);
	pabal_process_close(self);
	free(there);
	free(back);
	return 0;
}

static void two_containers_that_share_the_directory(void **state)
{
	struct container *a = shared_memory(sizeof *a), *b = shared_memory(sizeof *b);
	pid_t pids[2];

	(void)state;
	a->body = alpha;
	b->body = beta;
	pids[0] = child_start(run_container, a);
	for (uint64_t life = 0; life < 2; life++) {
		atomic_store(&b->init, 0);
		pids[1] = child_start(run_container, b);
		assert_true(eventually_at_least(ready, life + 1));
		assert_true(atomic_load(&b->init) > 0);
		assert_int_equal(kill(atomic_load(&b->init), SIGKILL), 0);
		assert_int_equal(child_end(pids[1]), 100 + SIGKILL);
	}
	assert_int_equal(child_end(pids[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_containers_that_share_the_directory),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
