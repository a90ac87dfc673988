/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_closefrom - a program closes all descriptors from some number on, those of a handle among them, and opens files of its own, which get the numbers. No call on the handle touches those.
 *
 * What the program opens is, in turn, files, counters, sockets, and what was there of the same kind: an epoll that knows a counter, a timer and a watch by just the numbers by which the handle's knew its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "buffer/described.h"

enum { FIRST = 3, MOST = 64, LAST = 2 * MOST - 1, COUNT = 5 /* of a counter */ };

enum opened { NOTHING, A_FILE, A_COUNTER, A_SOCKET, AN_EPOLL, A_TIMER, A_WATCH };

/* By number. */
static enum opened kinds[MOST];
static int other_ends[MOST];

static enum opened kind_of(int fd)
{
	char path[40], text[100] = "";

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (readlink(path, text, sizeof text - 1) < 0)
		return NOTHING;
	if (strstr(text, "[eventpoll]"))
		return AN_EPOLL;
	if (strstr(text, "[eventfd]"))
		return A_COUNTER;
	if (strstr(text, "[timerfd]"))
		return A_TIMER;
	if (strstr(text, "inotify"))
		return A_WATCH;
	return strncmp(text, "socket:", 7) == 0 ? A_SOCKET : A_FILE;
}

static int make_socket(int fd)
{
	int pair[2];

	child_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	child_equal(send(pair[1], "x", 1, 0), 1);
	other_ends[fd] = fcntl(pair[1], F_DUPFD, MOST);
	close(pair[1]);
	return pair[0];
}

static int make_one(enum opened kind, int number)
{
	switch (kind) {
	case A_COUNTER:
		return eventfd(COUNT, EFD_NONBLOCK);
	case A_SOCKET:
		return make_socket(number);
	case AN_EPOLL:
		return epoll_create1(0);
	case A_TIMER:
		return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	case A_WATCH:
		return inotify_init1(IN_NONBLOCK);
	default:
		return memfd_create("mine", 0);
	}
}

/* Under just this number. */
static void open_mine(enum opened kind, int number)
{
	int fd = make_one(kind, number);

	child_check(fd >= 0);
	if (fd != number) {
		child_equal(dup2(fd, number), number);
		close(fd);
	}
	kinds[number] = kind;
	if (kind == A_FILE)
		child_equal(pwrite(number, "mine and mine alone", 20, 0), 20);
	if (kind == A_TIMER)
		timerfd_settime(number, 0, &(struct itimerspec){ .it_value.tv_sec = 3600 }, NULL);
	if (kind == A_WATCH)
		child_check(inotify_add_watch(number, "/", IN_ATTRIB) > 0);
}

static void add(int epoll, int fd)
{
	child_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 77 }), 0);
}

/* What an epoll of the program knows of: all that can be known of, and a counter that has no number of ours. */
static void fill_epoll(int epoll)
{
	int counter = eventfd(COUNT, EFD_NONBLOCK);

	for (int fd = FIRST; fd < MOST; fd++)
		if (kinds[fd] != NOTHING && kinds[fd] != A_FILE && kinds[fd] != AN_EPOLL)
			add(epoll, fd);
	add(epoll, fcntl(counter, F_DUPFD, MOST));
	close(counter);
}

/* Close all from @cut to @last; in the place of each there is one of ours. @kind: NOTHING: of the same kind as before. */
static void close_from(int cut, int last, enum opened kind)
{
	enum opened before[MOST];

	for (int fd = FIRST; fd < MOST; fd++) {
		before[fd] = fd < cut || fd > last ? NOTHING : kind_of(fd);
		kinds[fd] = NOTHING;
	}
	for (int fd = cut; fd <= last; fd++)
		close(fd);
	for (int fd = cut; fd < MOST; fd++)
		if (before[fd] != NOTHING)
			open_mine(kind == NOTHING ? before[fd] : kind, fd);
	for (int fd = cut; fd < MOST; fd++)
		if (kinds[fd] == AN_EPOLL)
			fill_epoll(fd);
}

static void expect_epoll(int epoll)
{
	struct epoll_event events[MOST];
	int count = epoll_wait(epoll, events, MOST, 0), ready = 1;

	for (int fd = FIRST; fd < MOST; fd++)
		ready += kinds[fd] == A_COUNTER || kinds[fd] == A_SOCKET;
	child_equal(count, ready);
	for (int i = 0; i < count; i++)
		child_equal(events[i].data.u64, 77);
	child_equal(epoll_wait(epoll, events, MOST, 0), 0); /* once was what it was told */
}

static void expect_untouched(int fd)
{
	char bytes[21] = "";
	struct itimerspec time;
	uint64_t count;

	child_equal(kind_of(fd), kinds[fd]);
	switch (kinds[fd]) {
	case A_FILE:
		child_equal(lseek(fd, 0, SEEK_CUR), 0);
		child_equal(lseek(fd, 0, SEEK_END), 20);
		child_equal(pread(fd, bytes, 20, 0), 20);
		child_equal(strcmp(bytes, "mine and mine alone"), 0);
		break;
	case A_COUNTER:
		child_equal(read(fd, &count, sizeof count), sizeof count);
		child_equal(count, COUNT);
		break;
	case A_SOCKET:
		child_equal(recv(fd, bytes, 20, 0), 1);
		child_equal(recv(fd, bytes, 20, 0), -1);
		break;
	case A_TIMER:
		child_equal(timerfd_gettime(fd, &time), 0);
		child_check(time.it_value.tv_sec > 1800);
		break;
	default:
		break;
	}
}

static void expect_all_untouched(void)
{
	for (int fd = FIRST; fd < MOST; fd++)
		if (kinds[fd] == AN_EPOLL)
			expect_epoll(fd);
	for (int fd = FIRST; fd < MOST; fd++)
		if (kinds[fd] != NOTHING)
			expect_untouched(fd);
}

static void expect_refusals(pabal_buffer *buffer)
{
	struct pabal_wait wait = { .object = buffer, .events = PABAL_READABLE };

	child_equal(pabal_buffer_fd(buffer, PABAL_READABLE), -EBADF);
	child_check(strstr(pabal_error_detail(), "closed") != NULL);
	child_equal(pabal_wait_many(&wait, 1, NULL, PABAL_FOREVER), -EBADF);
	wait.events = PABAL_HANGUP;
	child_equal(pabal_wait_many(&wait, 1, NULL, PABAL_FOREVER), -EBADF);
}

struct plan {
	uint32_t form;
	enum opened kind;
	bool refuses; /* ask for what must be refused */
	int cut;
	bool alone;     /* that number alone */
	bool get_first; /* it is a get that sees it, no interrupt */
	bool waits;     /* somebody has waited by it, which has a descriptor more */
};

static void use_it(pabal_buffer *buffer, const struct plan *plan)
{
	struct item item = item_of(1);

	if (plan->get_first)
		child_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	for (int i = 0; i < 3; i++) {
		child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		child_equal(pabal_buffer_interrupt(buffer), 0);
		child_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		child_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	}
	while (plan->form != PABAL_BUFFER_LATEST && pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT) == 0) {
	}
	if (plan->refuses)
		expect_refusals(buffer);
}

static int lose_descriptors(void *data)
{
	const struct plan *plan = data;
	struct pabal_wait wait = { .events = PABAL_READABLE };
	pabal_buffer *buffer;
	int last = 0;

	for (int fd = FIRST; fd < 2 * MOST; fd++) /* of the tests' own */
		close(fd);
	child_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = plan->form), &buffer), 0);
	child_check(pabal_buffer_fd(buffer, PABAL_READABLE) >= 0 && pabal_buffer_fd(buffer, PABAL_WRITABLE) >= 0);
	wait.object = buffer;
	for (int fd = FIRST; fd < MOST; fd++)
		last = kind_of(fd) != NOTHING ? fd : last;
	if (plan->waits) {
		child_equal(pabal_wait_many(&wait, 1, NULL, 1000000), -ETIMEDOUT);
		child_equal(kind_of(++last), A_SOCKET); /* by which an interrupt would have ended that */
	}
	if (plan->cut > last)
		_exit(77);
	close_from(plan->cut ? plan->cut : FIRST, plan->alone ? plan->cut : LAST, plan->kind);
	use_it(buffer, plan);
	if (plan->waits && (!plan->alone || plan->cut == last)) {
		child_equal(pabal_wait_many(&wait, 1, NULL, PABAL_FOREVER), -EBADF);
		child_check(strstr(pabal_error_detail(), "closed") != NULL);
	}
	pabal_buffer_close(buffer);
	expect_all_untouched();
	child_equal(pabal_buffer_destroy("b"), 0);
	return 0;
}

static void the_files_of_the_program_are_left_alone(void **state)
{
	static const enum opened opened[] = { NOTHING, A_FILE, A_COUNTER, A_SOCKET };

	(void)state;
	for (int form = 0; form < 3; form++) {
		for (int kind = 0; kind < 4; kind++) {
			for (int refuses = 0; refuses < 2; refuses++) { /* who asks sees it first; else a get, a put or an interrupt does */
				struct plan plan = { .form = forms[form], .kind = opened[kind], .refuses = refuses, .waits = true };

				child_run(lose_descriptors, &plan);
				assert_int_equal(sockets_there(), 0);
			}
		}
	}
}

/* For each number that the handle's descriptors have. */
static void each_number(bool alone, bool get_first, bool waits)
{
	int cut = FIRST, r;

	do {
		struct plan plan = { .kind = NOTHING, .cut = cut, .alone = alone, .get_first = get_first, .waits = waits };

		r = child_end(child_start(lose_descriptors, &plan));
		assert_true(r == 0 || r == 77);
	} while (r == 0 && ++cut);
	assert_true(cut > FIRST + 10);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
	assert_int_equal(sockets_there(), 0);
}

static void whatever_the_first_number_is(void **state)
{
	(void)state;
	for (int ways = 0; ways < 4; ways++)
		each_number(false, ways & 1, ways & 2);
}

static void any_one_of_them(void **state)
{
	(void)state;
	for (int ways = 0; ways < 4; ways++)
		each_number(true, ways & 1, ways & 2);
}

/* A fork child has the handle, too, and a clean-up of its own. */
static int lose_in_a_child(void *data)
{
	pabal_buffer *buffer = data;

	close_from(FIRST, LAST, NOTHING);
	pabal_buffer_close(buffer);
	expect_all_untouched();
	return 0;
}

static void those_of_a_child_as_well(void **state)
{
	pabal_buffer *buffer = make("b", 0);
	int fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	struct item item = item_of(1);

	(void)state;
	child_run(lose_in_a_child, buffer);
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_false(is_readable(fd));
	child_run(put_one, as_pointer(1));
	assert_true(is_readable(fd));
	end(buffer, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_of_the_program_are_left_alone),
		cmocka_unit_test(whatever_the_first_number_is),
		cmocka_unit_test(any_one_of_them),
		cmocka_unit_test(those_of_a_child_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
