/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_floods - connections that say nothing, bytes and descriptors without end, and no descriptor left to answer with.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/enemy.h"

static pabal_process *victim;

enum { FLOOD = 1000 };

static int connect_honestly(void *data)
{
	pabal_process *self = announce("honest");

	(void)data;
	child_equal(pabal_process_send(self, "victim", "hello", 5, PABAL_FOREVER), 0);
	pabal_process_close(self);
	return 0;
}

/* Connections that say nothing: bounded, and no reason not to answer others. */
static void a_flood_of_connections_is_bounded(void **state)
{
	int sockets[FLOOD], before, most = 0, count = 0;
	char text[8];
	pid_t pid;

	(void)state;
	victim = announce("victim");
	before = open_fds();
	for (int i = 0; i < FLOOD; i++) {
		int socket;

		while (pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket) == -EAGAIN)
			goes_on(victim);
		sockets[count++] = socket;
		if (open_fds() - before - count > most)
			most = open_fds() - before - count;
	}
	goes_on(victim);
	assert_true(most > 0 && most <= PABAL__CALLERS);
	pid = child_start(connect_honestly, NULL);
	assert_int_equal(pabal_process_receive(victim, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	while (count)
		close(sockets[--count]);
	goes_on(victim);
	goes_on(victim);
	assert_int_equal(open_fds(), before);
	pabal_process_close(victim);
}

static void without_the_limit_the_flood_is_kept(void **state)
{
	int before, socket;

	(void)state;
	victim = announce("victim");
	before = open_fds();
	pabal__fault_hits = 0;
	pabal__fault_on = PABAL__FAULT_NO_CALLER_LIMIT;
	for (int i = 0; i < 3 * PABAL__CALLERS; i++) {
		assert_int_equal(pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket), 0);
		goes_on(victim);
		fcntl(socket, F_DUPFD_CLOEXEC, 0); /* left open */
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(pabal__fault_hits > 0);
	assert_true(open_fds() - before > 3 * PABAL__CALLERS * 2 + PABAL__CALLERS); /* more than the limit allows: the check above would see it */
	pabal_process_close(victim);
}

/* Packets of all sizes, with descriptors, on the socket of a link: swallowed in bounded pieces, and the link goes on. */
static void a_flood_on_the_link_is_swallowed(void **state)
{
	char junk[4096] = { 0 }, byte;
	pabal_process *enemy = announce("enemy");
	int before, fds[PABAL__PACKET_FDS], sent = 0;
	pabal_link *link, *other = NULL;

	(void)state;
	victim = announce("victim");
	while (pabal_process_link(victim, "enemy", &link, PABAL_NOWAIT) == -EAGAIN)
		pabal_process_accept(enemy, &other, PABAL_NOWAIT);
	assert_non_null(other);
	for (uint32_t i = 0; i < PABAL__PACKET_FDS; i++)
		fds[i] = 0;
	before = open_fds();
	for (int round = 0; round < 50; round++) {
		while (pabal__packet_send(other->bell.socket, junk, (size_t)(sent % 4096) + 1, fds, sent % 3 ? 0 : PABAL__PACKET_FDS) == 0)
			sent++;
		assert_int_equal(pabal_link_send(other, "x", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_process_receive(victim, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), 0);
		goes_on(victim);
		assert_int_equal(open_fds(), before);
	}
	assert_true(sent > 500);
	pabal_process_close(victim);
	pabal_process_close(enemy);
}

static int ask_in_vain(void *data)
{
	pabal_process *self = announce("honest");
	pabal_link *link;

	(void)data;
	child_equal(pabal_process_link(self, "victim", &link, PABAL_FOREVER), -EMFILE);
	pabal_process_close(self);
	return 0;
}

/* No descriptor left: it says so, and does not leave the other one waiting; nor does it spin. */
static void without_descriptors_it_refuses(void **state)
{
	struct rlimit old, limit;
	char text[8];
	pid_t pid;

	(void)state;
	victim = announce("victim");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int spare = 0; spare < 8; spare++) {
		int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);

		close(lowest);
		pid = child_start(ask_in_vain, NULL);
		limit = old;
		limit.rlim_cur = (rlim_t)lowest + (rlim_t)spare;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (spare < 5) {
			int status = 0;

			while (waitpid(pid, &status, WNOHANG) == 0)
				assert_int_equal(pabal_process_receive(victim, NULL, NULL, text, sizeof text, NULL, 1000000), -ETIMEDOUT);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		} else {
			child_kill(pid);
		}
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
	pid = child_start(connect_honestly, NULL);
	assert_int_equal(pabal_process_receive(victim, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	pabal_process_close(victim);
	assert_int_equal(pabal_gc(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_connections_is_bounded),
		cmocka_unit_test(without_the_limit_the_flood_is_kept),
		cmocka_unit_test(a_flood_on_the_link_is_swallowed),
		cmocka_unit_test(without_descriptors_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
