/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_socket - packets and their descriptors, and deep directories.
 */
#include "platform/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

static int pair[2];

static int make_pair(void **state)
{
	(void)state;
	return pabal__socket_pair(pair);
}

static int close_pair(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void packets_stay_apart(void **state)
{
	int fds[4] = { -1, -1, -1, -1 }, zeros[4] = { 0 };
	uint32_t count = 9;
	char text[8];
	bool lost;

	(void)state;
	assert_int_equal(pabal__packet_receive(pair[1], text, sizeof text, fds, 4, &count, &lost), -EAGAIN);
	assert_int_equal(pabal__packet_send(pair[0], "one", 3, NULL, 0), 0);
	assert_int_equal(pabal__packet_send(pair[0], "a long one", 10, zeros, 4), 0);
	assert_int_equal(pabal__packet_receive(pair[1], text, sizeof text, fds, 4, &count, &lost), 3);
	assert_memory_equal(text, "one", 3);
	assert_int_equal(count, 0);
	assert_int_equal(pabal__packet_receive(pair[1], text, sizeof text, fds, 2, &count, &lost), 10); /* cut, and it says so */
	assert_int_equal(count, 2);
	assert_true(lost);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		close(fds[i]);
	}
	assert_int_equal(fcntl(fds[1] + 1, F_GETFD), -1); /* the surplus was closed */
	assert_int_equal(pabal__packet_send(pair[0], "x", 1, zeros, PABAL__PACKET_FDS + 1), -EINVAL);
	close(pair[0]);
	assert_int_equal(pabal__packet_receive(pair[1], text, sizeof text, fds, 4, &count, &lost), 0);
	assert_int_equal(pabal__packet_send(pair[1], "x", 1, NULL, 0), -EPIPE); /* and no SIGPIPE */
	assert_true(pabal__socket_hung_up(pair[1]));
}

static void a_full_socket_says_so(void **state)
{
	char text[1000] = { 0 };
	int sent = 0, r;

	(void)state;
	while ((r = pabal__packet_send(pair[0], text, sizeof text, NULL, 0)) == 0)
		assert_true(++sent < 100000);
	assert_int_equal(r, -EAGAIN);
}

static void descriptors_for_which_there_is_no_number_are_lost_and_told(void **state)
{
	int fds[4] = { 0 }, got[4];
	struct rlimit old, limit;
	uint32_t count = 0;
	bool lost = false;
	char text[8];

	(void)state;
	assert_int_equal(pabal__packet_send(pair[0], "four", 4, fds, 4), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	got[0] = dup(0);
	limit = old;
	limit.rlim_cur = (rlim_t)got[0] + 2;
	close(got[0]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(pabal__packet_receive(pair[1], text, sizeof text, got, 4, &count, &lost), 4);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(lost);
	assert_int_equal(count, 2);
	close(got[0]);
	close(got[1]);
}

static void only_packet_sockets_are_packet_sockets(void **state)
{
	int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), internet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(pabal__socket_is_packet(pair[0]));
	assert_false(pabal__socket_is_packet(stream));
	assert_false(pabal__socket_is_packet(internet));
	assert_false(pabal__socket_is_packet(0));
	assert_false(pabal__socket_is_packet(-1));
	close(stream);
	close(internet);
}

/* Directories may be deeper than a socket's path is long. */
static void a_deep_directory_is_no_hindrance(void **state)
{
	struct pabal__credentials peer;
	char path[400], part[101];
	int dirfd, listener, one, other, pidfd;
	struct stat st;

	(void)state;
	memset(part, 'd', 100);
	part[100] = 0;
	snprintf(path, sizeof path, "%s/%s", getenv("PABAL_DIR"), part);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/%s/%s", getenv("PABAL_DIR"), part, part);
	assert_int_equal(mkdir(path, 0700), 0);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dirfd >= 0);
	assert_int_equal(pabal__socket_connect(dirfd, "s", &one), -ENOENT);
	assert_int_equal(pabal__socket_listen(dirfd, "s", 0620, &listener), 0);
	assert_int_equal(fstatat(dirfd, "s", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0620);
	assert_int_equal(pabal__socket_accept(listener, &other), -EAGAIN);
	assert_int_equal(pabal__socket_connect(dirfd, "s", &one), 0);
	assert_int_equal(pabal__socket_accept(listener, &other), 0);
	assert_int_equal(pabal__socket_peer(other, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	if (pabal__socket_peer_pidfd(other, &pidfd) == 0)
		close(pidfd);
	assert_int_equal(pabal__pid_open(getpid(), &pidfd), 0);
	close(pidfd);
	close(listener);
	close(one);
	assert_true(pabal__socket_hung_up(other));
	close(other);
	assert_int_equal(pabal__socket_connect(dirfd, "s", &one), -ECONNREFUSED);
	assert_int_equal(unlinkat(dirfd, "s", 0), 0);
	close(dirfd);
	assert_int_equal(rmdir(path), 0);
	path[strlen(path) - 101] = 0;
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(packets_stay_apart, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_full_socket_says_so, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(descriptors_for_which_there_is_no_number_are_lost_and_told, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(only_packet_sockets_are_packet_sockets, make_pair, close_pair),
		cmocka_unit_test(a_deep_directory_is_no_hindrance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
