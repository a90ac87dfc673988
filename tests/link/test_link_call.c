/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_call - calls and replies find each other, in any order, in any number; other messages are not lost over them.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/fault.h"
#include "support/link_pair.h"

static void close_both(pabal_link *links[2])
{
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void many_under_way(void **state)
{
	enum { CALLS = 300 };
	static struct pabal_message requests[CALLS];
	static uint64_t calls[CALLS];
	pabal_link *links[2];

	(void)state;
	link_pair_default(0, links);
	for (uint32_t i = 0; i < CALLS; i++)
		assert_int_equal(pabal_link_call_start(links[0], &i, sizeof i, &calls[i], PABAL_NOWAIT), 0);
	assert_int_equal(link_stats_of(links[0]).calls_open, CALLS);
	for (uint32_t i = 0; i < CALLS; i++) {
		assert_int_equal(pabal_link_take(links[1], NULL, &requests[i], PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_is_request(links[1], &requests[i]), 1);
	}
	for (uint32_t i = 0; i < CALLS; i++) { /* answered out of order, some at length */
		uint32_t k = i * 7 % CALLS;
		static uint32_t answer[1000];

		answer[0] = *(const uint32_t *)requests[k].data ^ 0xffff;
		assert_int_equal(pabal_link_reply(links[1], &requests[k], answer, k % 10 ? 4 : sizeof answer, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_reply(links[1], &requests[k], answer, 4, PABAL_NOWAIT), -EINVAL);
		assert_int_equal(pabal_link_release(links[1], &requests[k]), 0);
	}
	for (uint32_t i = 0; i < CALLS; i++) { /* and finished in yet another one */
		uint32_t k = i * 11 % CALLS, answer[1000];
		size_t size;

		assert_int_equal(pabal_link_call_finish(links[0], calls[k], answer, sizeof answer, &size, PABAL_NOWAIT), 0);
		assert_int_equal(size, k % 10 ? 4 : sizeof answer);
		assert_int_equal(answer[0], k ^ 0xffff);
		assert_int_equal(pabal_link_call_finish(links[0], calls[k], answer, sizeof answer, &size, PABAL_NOWAIT), -EINVAL);
	}
	assert_int_equal(link_stats_of(links[0]).calls_open, 0);
	assert_int_equal(link_stats_of(links[0]).late_replies, 0);
	close_both(links);
}

static void other_messages_stay(void **state)
{
	static char large[3000];
	pabal_link *links[2];
	struct pabal_message request, message;
	uint64_t call;
	char text[16];
	size_t size;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(links[0], call, text, sizeof text, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_link_take(links[1], NULL, &request, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[1], "one", 3, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[1], large, sizeof large, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[1], "three", 5, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_reply(links[1], &request, "!", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[1], "four", 4, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(links[0], call, text, sizeof text, &size, PABAL_NOWAIT), 0);
	assert_true(size == 1 && text[0] == '!');
	assert_int_equal(pabal_link_receive(links[0], text, 2, &size, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(pabal_link_receive(links[0], text, sizeof text, &size, PABAL_NOWAIT), 0);
	assert_true(size == 3 && memcmp(text, "one", 3) == 0);
	assert_int_equal(pabal_link_take(links[0], NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.size, sizeof large);
	assert_int_equal(pabal_link_release(links[0], &message), 0);
	assert_int_equal(pabal_link_take(links[0], NULL, &message, PABAL_NOWAIT), 0);
	assert_true(message.size == 5 && memcmp(message.data, "three", 5) == 0);
	assert_int_equal(pabal_link_release(links[0], &message), 0);
	assert_int_equal(pabal_link_receive(links[0], text, sizeof text, &size, PABAL_NOWAIT), 0);
	assert_true(size == 4 && memcmp(text, "four", 4) == 0);
	assert_int_equal(pabal_link_receive(links[0], text, sizeof text, &size, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(link_stats_of(links[1]).memory, 0);
	close_both(links);
}

/* Returns what the second call gets, after the first one has ended without a reply and its reply comes late. */
static char late_reply(enum pabal__fault fault)
{
	struct pabal_message requests[2];
	pabal_link *links[2];
	char text[4] = "-";
	uint64_t call;

	link_pair_default(0, links);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	assert_int_equal(pabal_link_call(links[0], "1", 1, text, sizeof text, NULL, 1000), -ETIMEDOUT);
	assert_int_equal(pabal_link_call_start(links[0], "2", 1, &call, PABAL_NOWAIT), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pabal_link_take(links[1], NULL, &requests[i], PABAL_NOWAIT), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pabal_link_reply(links[1], &requests[i], requests[i].data, 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(links[0], call, text, sizeof text, NULL, PABAL_NOWAIT), 0);
	pabal__fault_on = PABAL__FAULT_NONE;
	if (!fault) {
		assert_int_equal(link_stats_of(links[0]).late_replies, 1);
		assert_int_equal(pabal_link_receive(links[0], text + 1, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	}
	close_both(links);
	return text[0];
}

static void a_late_reply_is_dropped_and_counted(void **state)
{
	(void)state;
	assert_int_equal(late_reply(PABAL__FAULT_NONE), '2');
}

/* Named invariant: "a reply belongs to its call". */
static void numbers_used_again_are_caught(void **state)
{
	(void)state;
	assert_int_equal(late_reply(PABAL__FAULT_CALL_REUSED), '1');
	assert_true(pabal__fault_hits > 0);
}

static void a_reply_that_does_not_fit(void **state)
{
	struct pabal_message request;
	pabal_link *links[2];
	uint64_t call;
	char byte;
	size_t size;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_take(links[1], NULL, &request, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_reply(links[1], &request, "too long", 8, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(links[0], call, &byte, 1, &size, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(size, 8);
	assert_int_equal(pabal_link_call_finish(links[0], call, &byte, 1, &size, PABAL_NOWAIT), -EINVAL);
	close_both(links);
}

static void too_many_calls(void **state)
{
	pabal_link *links[2];
	uint64_t call;
	char text[4];
	int r;

	(void)state;
	link_pair_default(0, links);
	for (uint32_t i = 0; i < 65536; i++) {
		r = pabal_link_call_start(links[0], NULL, 0, &call, PABAL_NOWAIT);
		assert_int_equal(r, 0);
		assert_int_equal(pabal_link_receive(links[1], text, 4, NULL, PABAL_NOWAIT), 0);
	}
	assert_int_equal(pabal_link_call_start(links[0], NULL, 0, &call, PABAL_NOWAIT), -EUSERS);
	assert_int_equal(pabal_link_call_finish(links[0], call, text, 4, NULL, 1), -ETIMEDOUT);
	assert_int_equal(pabal_link_call_start(links[0], NULL, 0, &call, PABAL_NOWAIT), 0);
	close_both(links);
}

static void a_call_that_does_not_start_is_not_counted(void **state)
{
	pabal_link *links[2];
	uint64_t call;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	while (pabal_link_send(links[0], "x", 1, PABAL_NOWAIT) == 0) {
	}
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), -EAGAIN);
	assert_non_null(strstr(pabal_error_detail(), "the link is full"));
	assert_int_equal(link_stats_of(links[0]).calls, 1);
	assert_int_equal(link_stats_of(links[0]).calls_open, 1);
	close_both(links);
}

static char block[1000];

/* The peer writes until no more is put aside, and its ring is full. How many messages. */
static uint64_t overfill(pabal_link *links[2], uint64_t call)
{
	uint64_t sent = 0, before;
	char byte;

	do {
		before = sent;
		while (pabal_link_send(links[1], block, sizeof block, PABAL_NOWAIT) == 0)
			sent++;
		assert_int_equal(pabal_link_call_finish(links[0], call, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	} while (sent > before);
	assert_non_null(strstr(pabal_error_detail(), "put aside"));
	return sent;
}

/* The end of the peer lies behind more messages than are put aside: it is found, and they are there. */
static void an_end_behind_a_limit(void **state)
{
	pabal_link *links[2];
	uint64_t call, sent;
	char byte;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	sent = overfill(links, call);
	assert_true(sent * sizeof block > 15 << 20);
	pabal_link_close(links[1]);
	assert_int_equal(pabal_link_call_finish(links[0], call, &byte, 1, NULL, PABAL_NOWAIT), -EPIPE);
	for (; sent > 0; sent--)
		assert_int_equal(pabal_link_receive(links[0], block, sizeof block, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_receive(links[0], block, sizeof block, NULL, PABAL_NOWAIT), -EPIPE);
	pabal_link_close(links[0]);
}

/* One that says it has ended and goes on writing: what is put aside has a limit still. */
static void an_end_that_is_a_lie(void **state)
{
	enum { CALLS = 30 };
	uint64_t calls[CALLS], parked;
	pabal_link *links[2];
	char byte;
	int r = -EPIPE;

	(void)state;
	link_pair_default(0, links);
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(pabal_link_call_start(links[0], "?", 1, &calls[i], PABAL_NOWAIT), 0);
	overfill(links, calls[0]);
	parked = links[0]->receiving.parked_bytes;
	atomic_fetch_or(&links[1]->mine->state, PABAL__HALF_CLOSED);
	for (int i = 0; i < CALLS && r == -EPIPE; i++) {
		r = pabal_link_call_finish(links[0], calls[i], &byte, 1, NULL, PABAL_NOWAIT);
		while (pabal_link_send(links[1], block, sizeof block, PABAL_NOWAIT) == 0) {
		}
	}
	assert_int_equal(r, -EBADMSG);
	assert_true(links[0]->receiving.parked_bytes - parked < 2 << 20);
	close_both(links);
}

static pabal_link *near, *far;

static void *serve(void *data)
{
	struct pabal_message request;

	(void)data;
	for (;;) {
		child_equal(pabal_link_take(far, NULL, &request, PABAL_FOREVER), 0);
		if (request.size == 0) {
			pabal_link_release(far, &request);
			return NULL;
		}
		child_equal(pabal_link_send(far, "note", 4, PABAL_FOREVER), 0);
		child_equal(pabal_link_reply(far, &request, request.data, request.size, PABAL_FOREVER), 0);
		child_equal(pabal_link_release(far, &request), 0);
	}
}

enum { CALLERS = 4, CALLS = 500 };

static void *call(void *data)
{
	uint32_t me = *(uint32_t *)data;

	for (uint32_t i = 0; i < CALLS; i++) {
		uint32_t asked[2] = { me, i }, answer[2];

		child_equal(pabal_link_call(near, asked, sizeof asked, answer, sizeof answer, NULL, HANG), 0);
		child_check(answer[0] == me && answer[1] == i);
	}
	return NULL;
}

/* Threads that call and one that receives share a handle: each gets what is meant for it. */
static void threads_call_and_one_receives(void **state)
{
	static const uint32_t flags[] = { PABAL_WAIT_BLOCK, 0 };
	pthread_t server, callers[CALLERS];
	uint32_t numbers[CALLERS];
	char text[8];

	(void)state;
	for (int round = 0; round < 2; round++) {
		pabal_link *links[2];

		link_pair_default(flags[round], links);
		near = links[0];
		far = links[1];
		pthread_create(&server, NULL, serve, NULL);
		for (uint32_t i = 0; i < CALLERS; i++) {
			numbers[i] = i;
			pthread_create(&callers[i], NULL, call, &numbers[i]);
		}
		for (int i = 0; i < CALLERS * CALLS; i++)
			assert_int_equal(pabal_link_receive(near, text, sizeof text, NULL, HANG), 0);
		for (int i = 0; i < CALLERS; i++)
			pthread_join(callers[i], NULL);
		assert_int_equal(pabal_link_send(near, NULL, 0, HANG), 0);
		pthread_join(server, NULL);
		assert_int_equal(link_stats_of(near).late_replies, 0);
		close_both(links);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_under_way),
		cmocka_unit_test(other_messages_stay),
		cmocka_unit_test(a_late_reply_is_dropped_and_counted),
		cmocka_unit_test(numbers_used_again_are_caught),
		cmocka_unit_test(a_reply_that_does_not_fit),
		cmocka_unit_test(too_many_calls),
		cmocka_unit_test(a_call_that_does_not_start_is_not_counted),
		cmocka_unit_test(an_end_behind_a_limit),
		cmocka_unit_test(an_end_that_is_a_lie),
		cmocka_unit_test(threads_call_and_one_receives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
