/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_poll - descriptors: those of a link for poll, and those that travel with messages.
 *
 * poll waits without a limit here, and nothing but what is tested could wake it; the test's own time limit ends what hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/link_pair.h"

static char zeros[5000];

static bool is_ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void await(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, -1), 1);
}

static int receive_one(pabal_link *link)
{
	char buffer[1000];

	return pabal_link_receive(link, buffer, sizeof buffer, NULL, PABAL_NOWAIT);
}

static void readable_until_eagain(void **state)
{
	pabal_link *links[2];
	int fd;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_READABLE);
	assert_true(fd >= 0);
	assert_int_equal(pabal_link_fd(links[0], PABAL_READABLE), fd);
	assert_int_equal(pabal_link_fd(links[0], 3), -EINVAL);
	assert_false(is_ready(fd));
	for (int round = 0; round < 5; round++) {
		assert_int_equal(pabal_link_send(links[1], "1", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_send(links[1], "2", 1, PABAL_NOWAIT), 0);
		await(fd);
		assert_int_equal(receive_one(links[0]), 0);
		assert_true(is_ready(fd)); /* one is left */
		assert_int_equal(receive_one(links[0]), 0);
		assert_true(is_ready(fd)); /* nobody was told -EAGAIN */
		assert_int_equal(receive_one(links[0]), -EAGAIN);
		assert_false(is_ready(fd));
	}
	pabal_link_close(links[1]);
	await(fd);
	assert_int_equal(receive_one(links[0]), -EPIPE);
	assert_true(is_ready(fd)); /* and stays so */
	pabal_link_close(links[0]);
}

static void made_when_a_message_is_there_already(void **state)
{
	pabal_link *links[2];

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_send(links[1], "1", 1, PABAL_NOWAIT), 0);
	await(pabal_link_fd(links[0], PABAL_READABLE));
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void writable_until_eagain(void **state)
{
	pabal_link *links[2];
	int fd, readable;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_WRITABLE);
	readable = pabal_link_fd(links[0], PABAL_READABLE);
	assert_true(is_ready(fd));
	assert_false(is_ready(readable));
	for (int round = 0; round < 3; round++) {
		while (pabal_link_send(links[0], zeros, 900, PABAL_NOWAIT) == 0) {
		}
		assert_false(is_ready(fd));
		assert_int_equal(receive_one(links[1]), 0);
		await(fd);
		assert_int_equal(pabal_link_send(links[0], zeros, 800, PABAL_NOWAIT), 0);
	}
	pabal_link_close(links[1]);
	await(fd);
	await(readable);
	pabal_link_close(links[0]);
}

/* Bytes that woke a sleeper were swallowed by it: the descriptor must not miss the messages for that. */
static void a_call_that_sleeps_beside_a_descriptor(void **state)
{
	pabal_link *links[2];
	uint64_t call;
	struct pabal_message request;
	char text[8];
	int fd;

	(void)state;
	link_pair_default(PABAL_WAIT_BLOCK, links);
	fd = pabal_link_fd(links[0], PABAL_READABLE);
	assert_int_equal(receive_one(links[0]), -EAGAIN);
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_take(links[1], NULL, &request, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[1], "note", 4, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(links[0], call, text, sizeof text, NULL, 1000000), -ETIMEDOUT); /* put the note aside */
	await(fd);
	assert_int_equal(receive_one(links[0]), 0);
	assert_int_equal(receive_one(links[0]), -EAGAIN);
	assert_false(is_ready(fd));
	assert_int_equal(pabal_link_send(links[1], "note", 4, PABAL_NOWAIT), 0);
	await(fd);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

/* Whoever finishes a call without waiting reads on in the ring: what he puts aside is still to be received, and the descriptor says so. */
static void a_finish_puts_a_message_aside(void **state)
{
	pabal_link *links[2];
	uint64_t call;
	char byte;
	int fd;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_READABLE);
	assert_int_equal(receive_one(links[0]), -EAGAIN);
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[1], "note", 4, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(links[0], call, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_true(is_ready(fd));
	assert_int_equal(receive_one(links[0]), 0);
	assert_int_equal(receive_one(links[0]), -EAGAIN);
	assert_false(is_ready(fd));
	assert_int_equal(pabal_link_send(links[1], "note", 4, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call(links[0], "?", 1, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_true(is_ready(fd));
	assert_int_equal(receive_one(links[0]), 0);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void start_calls(pabal_link *links[2], int count, uint64_t *ret_calls)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(pabal_link_call_start(links[0], "?", 1, &ret_calls[i], PABAL_NOWAIT), 0);
}

static void reply_to_next(pabal_link *link)
{
	struct pabal_message request;

	assert_int_equal(pabal_link_take(link, NULL, &request, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_reply(link, &request, "!", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_release(link, &request), 0);
}

static int finish_one(pabal_link *link, uint64_t call)
{
	char byte;

	return pabal_link_call_finish(link, call, &byte, 1, NULL, PABAL_NOWAIT);
}

/* A loop that finishes its calls first and receives then: the reply that a receive, or the finish of another call, has found is told. Once, so that who finishes elsewhere is not in the loop's way. */
static void a_reply_is_found_by_another_call(void **state)
{
	pabal_link *links[2];
	uint64_t calls[2];
	int fd;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_READABLE);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(receive_one(links[0]), -EAGAIN);
		assert_false(is_ready(fd));
		start_calls(links, 2, calls);
		assert_int_equal(finish_one(links[0], calls[0]), -EAGAIN);
		reply_to_next(links[1]);
		if (round)
			assert_int_equal(finish_one(links[0], calls[1]), -EAGAIN);
		assert_int_equal(receive_one(links[0]), -EAGAIN);
		assert_true(is_ready(fd));
		assert_int_equal(receive_one(links[0]), -EAGAIN);
		assert_false(is_ready(fd));
		assert_int_equal(finish_one(links[0], calls[0]), 0);
		reply_to_next(links[1]);
		await(fd);
		assert_int_equal(finish_one(links[0], calls[1]), 0);
		assert_int_equal(receive_one(links[0]), -EAGAIN);
		assert_false(is_ready(fd)); /* its caller has it */
	}
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

enum { MEMORY = 1 << 20 }; /* of link_pair_default() */

static void a_cancel_makes_room(void **state)
{
	struct pabal_loan loan, other;
	pabal_link *links[2];
	int fd;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_WRITABLE);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(pabal_link_loan(links[0], MEMORY, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_loan(links[0], 5000, &other, PABAL_NOWAIT), -EAGAIN);
		assert_false(is_ready(fd));
		assert_int_equal(pabal_link_cancel(links[0], &loan), 0);
		assert_true(is_ready(fd));
	}
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

/* Whoever finds no room in the ring gives his memory back and waits: he has made no room for himself. */
static void who_gives_up_does_not_tell_himself(void **state)
{
	struct pabal_loan loan;
	pabal_link *links[2];
	int fd;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_WRITABLE);
	while (pabal_link_send(links[0], zeros, 900, PABAL_NOWAIT) == 0) {
	}
	assert_false(is_ready(fd));
	while (pabal_link_send(links[0], zeros, 1, PABAL_NOWAIT) == 0) {
	}
	assert_int_equal(pabal_link_send(links[0], zeros, 5000, PABAL_NOWAIT), -EAGAIN);
	assert_false(is_ready(fd));
	assert_int_equal(pabal_link_loan(links[0], 5000, &loan, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_commit(links[0], &loan, 5000, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_link_cancel(links[0], &loan), 0);
	assert_false(is_ready(fd));
	assert_int_equal(receive_one(links[1]), 0);
	await(fd);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void *send_all_memory(void *link)
{
	static char large[MEMORY];

	return as_pointer((uintptr_t)-pabal_link_send(link, large, sizeof large, PABAL_FOREVER));
}

static bool has_all_memory(void *link)
{
	return link_stats_of(link).memory == MEMORY;
}

/* A thread has the memory and waits for the ring; who was refused memory is told when it gives up. */
static void a_send_that_gives_up_makes_room(void **state)
{
	struct pabal_loan loan;
	pabal_link *links[2];
	pthread_t thread;
	void *result;
	int fd;

	(void)state;
	link_pair_default(PABAL_WAIT_BLOCK, links);
	fd = pabal_link_fd(links[0], PABAL_WRITABLE);
	while (pabal_link_send(links[0], zeros, 1, PABAL_NOWAIT) == 0) {
	}
	assert_int_equal(pthread_create(&thread, NULL, send_all_memory, links[0]), 0);
	assert_true(eventually(has_all_memory, links[0]));
	assert_int_equal(pabal_link_loan(links[0], 5000, &loan, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_link_interrupt(links[0]), 0); /* kept, should it not wait yet */
	await(fd);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal((uintptr_t)result, ECANCELED);
	assert_int_equal(pabal_link_loan(links[0], 5000, &loan, PABAL_NOWAIT), 0);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static struct link_pair *shared_pair;
enum { MESSAGES = 20000 };

static int send_many(void *data)
{
	pabal_link *link = link_pair_open(shared_pair, 1, getppid(), PABAL_WAIT_BLOCK);
	uint64_t random = 1;

	(void)data;
	for (uint32_t i = 0; i < MESSAGES; i++) {
		child_equal(pabal_link_send(link, &i, sizeof i, PABAL_FOREVER), 0);
		if (next_random(&random) % 50 == 0)
			pause_briefly();
	}
	pabal_link_close(link);
	return 0;
}

/* An event loop: epoll without a limit, one or a few messages each time. Nothing is missed. */
static void an_epoll_loop(void **state)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t random = 7;
	uint32_t next = 0;
	pabal_link *link;
	pid_t pid;
	int r = 0;

	(void)state;
	shared_pair = shared_memory(sizeof *shared_pair);
	link_pair_make(shared_pair, 4096, 4096);
	pid = child_start(send_many, NULL);
	link = link_pair_open(shared_pair, 0, pid, 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, pabal_link_fd(link, PABAL_READABLE), &event), 0);
	while (r != -EPIPE) {
		assert_int_equal(epoll_wait(epoll, &event, 1, -1), 1);
		for (uint32_t count = next_random(&random) % 20; count > 0; count--) {
			uint32_t number;

			r = pabal_link_receive(link, &number, sizeof number, NULL, PABAL_NOWAIT);
			if (r < 0)
				break;
			assert_int_equal(number, next++);
		}
		assert_true(r == 0 || r == -EAGAIN || r == -EPIPE);
	}
	assert_int_equal(next, MESSAGES);
	assert_int_equal(child_end(pid), 0);
	close(epoll);
	pabal_link_close(link);
}

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void descriptors_travel_with_their_message(void **state)
{
	struct pabal_message_opts opts = { .struct_size = sizeof opts };
	struct pabal_message message;
	int pipes[4][2], fd, bad = 9999;
	pabal_link *links[2];

	(void)state;
	link_pair_default(0, links);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
	for (uint32_t i = 0; i < 4; i++) { /* messages with one, none and two */
		int fds[2] = { pipes[i][0], pipes[i][1] };

		opts.fds = fds;
		opts.fd_count = i % 3;
		assert_int_equal(pabal_link_send_with(links[0], &opts, zeros, i % 2 ? 10 : 5000, PABAL_NOWAIT), 0);
	}
	opts.fds = &bad;
	opts.fd_count = 1;
	assert_int_equal(pabal_link_send_with(links[0], &opts, "", 0, PABAL_NOWAIT), -EBADF);
	assert_int_equal(receive_one(links[1]), -EMSGSIZE);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(pabal_link_take(links[1], NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(message.fd_count, i % 3);
		for (uint32_t j = 0; j < message.fd_count; j++) {
			assert_int_equal(pabal_link_message_fd(links[1], &message, j, &fd), 0);
			assert_int_equal(inode_of(fd), inode_of(pipes[i][j]));
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
			assert_int_equal(pabal_link_message_fd(links[1], &message, j, &fd), -EINVAL);
			close(fd);
		}
		assert_int_equal(pabal_link_message_fd(links[1], &message, message.fd_count, &fd), -EINVAL);
		assert_int_equal(pabal_link_release(links[1], &message), 0);
	}
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
	for (int i = 0; i < 4; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Received and not fetched, kept until close, or never received: none stays open. */
static void no_descriptor_is_left(void **state)
{
	struct pabal_message_opts opts = { .struct_size = sizeof opts };
	int before = count_fds(), fds[1] = { 0 };
	struct pabal_message message;
	pabal_link *links[2];

	(void)state;
	link_pair_default(0, links);
	opts.fds = fds;
	opts.fd_count = 1;
	for (int i = 0; i < 5; i++)
		assert_int_equal(pabal_link_send_with(links[0], &opts, "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(receive_one(links[1]), 0);
	assert_int_equal(pabal_link_take(links[1], NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_release(links[1], &message), 0);
	assert_int_equal(pabal_link_take(links[1], NULL, &message, PABAL_NOWAIT), 0);
	assert_true(pabal_link_fd(links[1], PABAL_READABLE) >= 0);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable_until_eagain),
		cmocka_unit_test(made_when_a_message_is_there_already),
		cmocka_unit_test(writable_until_eagain),
		cmocka_unit_test(a_call_that_sleeps_beside_a_descriptor),
		cmocka_unit_test(a_finish_puts_a_message_aside),
		cmocka_unit_test(a_reply_is_found_by_another_call),
		cmocka_unit_test(a_cancel_makes_room),
		cmocka_unit_test(who_gives_up_does_not_tell_himself),
		cmocka_unit_test(a_send_that_gives_up_makes_room),
		cmocka_unit_test(an_epoll_loop),
		cmocka_unit_test(descriptors_travel_with_their_message),
		cmocka_unit_test(no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
