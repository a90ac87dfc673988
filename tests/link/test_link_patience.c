/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_patience - who asks and answers: one side finds out how patient both are, the other one follows; messages lie apart then, and all of them arrive.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/link_pair.h"

enum { LARGE = 5000, MANY = 100000, TURNS = 20000 };

static unsigned char received[LARGE];

static void close_both(pabal_link *links[2])
{
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

/* Two that know of each other that they live: short ways are gone. */
static void open_pair(pabal_link *links[2], uint32_t flags)
{
	struct link_pair pair;

	link_pair_make(&pair, 1 << 20, 1 << 20);
	pair.parts[0].patient = true;
	pair.parts[0].peer_life = link_pair_life();
	pair.parts[1].peer_life = link_pair_life();
	link_pair_both(&pair, flags, links);
}

static void send_number(pabal_link *link, uint64_t number, size_t size)
{
	unsigned char data[LARGE];

	memset(data, (int)(number % 251), size);
	memcpy(data, &number, sizeof number);
	assert_int_equal(pabal_link_send(link, data, size, PABAL_NOWAIT), 0);
}

static void lend_number(pabal_link *link, uint64_t number, size_t size)
{
	struct pabal_loan loan;

	assert_int_equal(pabal_link_loan(link, size, &loan, PABAL_NOWAIT), 0);
	memset(loan.data, (int)(number % 251), size);
	memcpy(loan.data, &number, sizeof number);
	assert_int_equal(pabal_link_commit(link, &loan, size, PABAL_NOWAIT), 0);
}

static void expect_number(const void *data, uint64_t number, size_t size)
{
	unsigned char wanted[LARGE];

	memset(wanted, (int)(number % 251), size);
	memcpy(wanted, &number, sizeof number);
	assert_int_equal(memcmp(data, wanted, size), 0);
}

static void receive_number(pabal_link *link, uint64_t number, size_t size)
{
	unsigned char data[LARGE];
	size_t got;

	assert_int_equal(pabal_link_receive(link, data, sizeof data, &got, PABAL_NOWAIT), 0);
	assert_int_equal(got, size);
	expect_number(data, number, size);
}

static void take_number(pabal_link *link, uint64_t number, size_t size)
{
	struct pabal_message message;

	assert_int_equal(pabal_link_take(link, NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.size, size);
	expect_number(message.data, number, size);
	assert_int_equal(pabal_link_release(link, &message), 0);
}

static bool lies_apart(const pabal_link *link)
{
	return link->sending.writer.next % 64 == PABAL__STREAM_FIRST;
}

/* An answer lies apart, and what answers that; what follows in a stream lies close. */
static void answers_lie_apart(void **state)
{
	pabal_link *links[2];

	(void)state;
	open_pair(links, PABAL_SINGLE_THREAD);
	links[0]->sending.delay = links[1]->sending.delay = 1;
	send_number(links[0], 1, 8);
	assert_false(lies_apart(links[0])); /* nothing was received before */
	receive_number(links[1], 1, 8);
	send_number(links[1], 2, 8);
	assert_true(lies_apart(links[1]));
	receive_number(links[0], 2, 8);
	lend_number(links[0], 3, 24);
	assert_true(lies_apart(links[0]));
	send_number(links[0], 4, 8);
	assert_false(lies_apart(links[0]));
	receive_number(links[1], 3, 24);
	take_number(links[1], 4, 8);
	links[1]->sending.delay = 0;
	send_number(links[1], 5, 8);
	assert_false(lies_apart(links[1]));
	receive_number(links[0], 5, 8);
	close_both(links);
}

/* Several laps of all sizes, copied and in place, streams and answers, with calls among them. */
static void a_mixture_arrives(void **state)
{
	static const size_t large[] = { 1025, 2000, LARGE };
	uint64_t random = 3;
	pabal_link *links[2];
	size_t size = 8;

	(void)state;
	open_pair(links, PABAL_SINGLE_THREAD);
	for (uint64_t number = 0; number < MANY; number++) {
		pabal_link *from = links[next_random(&random) % 2], *to = links[from == links[0]];
		uint64_t run = 1 + (next_random(&random) % 8 == 0) * (next_random(&random) % 20);

		if (next_random(&random) % 2) /* some in a row are of one size */
			size = next_random(&random) % 20 ? 8 + next_random(&random) % 1017 : large[next_random(&random) % 3];
		from->sending.delay = next_random(&random) % 4 != 0;
		for (uint64_t i = 0; i < run; i++)
			next_random(&random) % 2 ? send_number(from, number + i, size) : lend_number(from, number + i, size);
		for (uint64_t i = 0; i < run; i++)
			next_random(&random) % 2 ? receive_number(to, number + i, size) : take_number(to, number + i, size);
	}
	assert_true(links[0]->sending.writer.next > 100 * (uint64_t)PABAL__STREAM_BYTES);
	close_both(links);
}

/*
 * Where the next answer goes is made ready, and it is seen to that nothing there looks like the header after it. Then a loan is taken there, written full of what does, and cancelled, or committed in part. Does any of it pass for a message?
 * (Who is killed right after the commit is crash/link_victim.c's matter.)
 */
static bool what_was_written_over_passes(bool cancelled)
{
	enum { LOAN = 512 };
	pabal_link *links[2];
	struct pabal_loan loan;
	bool passes = false;

	open_pair(links, PABAL_SINGLE_THREAD);
	links[0]->sending.delay = 1;
	for (uint64_t number = 0; number < 400 && !passes; number++) {
		size_t size = 8 + number / 4 % 20 * 16;
		uint64_t forged = (uint64_t)(uint32_t)(links[0]->sending.writer.sequence + 1) << 32 | (uint64_t)PABAL__STREAM_DATA << 28 | 8;

		send_number(links[1], number, 8);
		receive_number(links[0], number, 8);
		assert_int_equal(pabal_link_loan(links[0], LOAN, &loan, PABAL_NOWAIT), 0);
		for (size_t i = 0; i < LOAN / 8; i++)
			((uint64_t *)loan.data)[i] = forged;
		assert_int_equal(cancelled ? pabal_link_cancel(links[0], &loan) : pabal_link_commit(links[0], &loan, size, PABAL_NOWAIT), 0);
		if (cancelled)
			send_number(links[0], number, size);
		assert_true(lies_apart(links[0]));
		assert_int_equal(pabal_link_receive(links[1], received, sizeof received, NULL, PABAL_NOWAIT), 0);
		passes = pabal_link_receive(links[1], received, sizeof received, NULL, PABAL_NOWAIT) != -EAGAIN;
	}
	close_both(links);
	return passes;
}

static void what_was_written_over_is_looked_at_again(void **state)
{
	(void)state;
	assert_false(what_was_written_over_passes(false));
	assert_false(what_was_written_over_passes(true));
}

/* Is it what was sent? It is released, or kept in place of the one that was kept so far. */
static bool take_and_keep(pabal_link *link, struct pabal_message *kept, bool keep, uint64_t number, size_t size)
{
	unsigned char wanted[LARGE];
	struct pabal_message message;
	bool right;

	memset(wanted, (int)(number % 251), size);
	if (pabal_link_take(link, NULL, &message, PABAL_NOWAIT) < 0)
		return false;
	right = message.size == size && memcmp(message.data, wanted, size) == 0;
	if (!keep)
		return pabal_link_release(link, &message) == 0 && right;
	if (kept->data)
		assert_int_equal(pabal_link_release(link, kept), 0);
	*kept = message;
	return right;
}

/*
 * Where the next large answer lies is written into the ring beforehand. Answers of a few sizes, so that it often holds; but other blocks are lent first, and given back, or go first, or less is committed than was lent, or a small message as long
 * as such an entry goes instead. Do all of them arrive?
 */
static bool all_answers_arrive(enum pabal__fault fault)
{
	static const size_t sizes[] = { 48, 1500, 3000, LARGE };
	struct pabal_message kept[2] = { 0 };
	struct pabal_loan loan, other;
	uint64_t random = 5, described = 0;
	pabal_link *links[2];
	size_t size = LARGE;
	bool all = true;

	open_pair(links, PABAL_SINGLE_THREAD);
	pabal__fault_on = fault;
	for (uint64_t number = 0; number < MANY / 4 && all; number++) {
		pabal_link *from = links[number % 2];
		bool beside = next_random(&random) % 4 == 0;
		size_t less = next_random(&random) % 8 ? 0 : 1 + next_random(&random) % 40;

		from->sending.delay = 1;
		size = next_random(&random) % 4 ? size : sizes[next_random(&random) % 4];
		if (beside)
			assert_int_equal(pabal_link_loan(from, sizes[next_random(&random) % 4], &other, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_loan(from, size, &loan, PABAL_NOWAIT), 0);
		if (beside && next_random(&random) % 2) {
			assert_int_equal(pabal_link_cancel(from, &other), 0);
			beside = false;
		}
		memset(loan.data, (int)(number % 251), size);
		described += from->sending.arena.described != PABAL__ARENA_NONE && from->sending.arena.described_size == size;
		assert_int_equal(pabal_link_commit(from, &loan, size - less, PABAL_NOWAIT), 0);
		if (beside)
			assert_int_equal(pabal_link_cancel(from, &other), 0);
		all = take_and_keep(links[!(number % 2)], &kept[number % 2], next_random(&random) % 8 == 0, number, size - less);
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(!all || described > MANY / 32); /* else this shows nothing */
	close_both(links);
	return all;
}

static void what_is_written_beforehand_is_true(void **state)
{
	(void)state;
	assert_true(all_answers_arrive(PABAL__FAULT_NONE));
	pabal__fault_hits = 0;
	assert_false(all_answers_arrive(PABAL__FAULT_STALE_PLACE));
	assert_true(pabal__fault_hits > 0);
}

/* The answer to a large message tells that it was released; without one, or once it was used, the peer's word is looked at, which says here that it was not. */
static void a_large_answer_tells_what_was_released(void **state)
{
	(void)state;
	for (int copied = 0; copied < 2; copied++) {
		pabal_link *links[2];
		const struct pabal__arena *arena;

		open_pair(links, PABAL_SINGLE_THREAD);
		arena = &links[0]->sending.arena;
		for (uint64_t number = 0; number < 3; number++) {
			lend_number(links[0], number, LARGE);
			(copied ? receive_number : take_number)(links[1], number, LARGE);
		}
		memset((void *)links[1]->mine->released, 0, sizeof links[1]->mine->released); /* as if none was released */
		lend_number(links[0], 3, LARGE);
		assert_int_equal(arena->kept, PABAL__ARENA_NONE);
		take_number(links[1], 3, LARGE);
		memset((void *)links[1]->mine->released, 0, sizeof links[1]->mine->released);
		lend_number(links[1], 4, LARGE);
		(copied ? receive_number : take_number)(links[0], 4, LARGE);
		assert_true(arena->told != 0);
		lend_number(links[0], 5, LARGE);
		assert_int_not_equal(arena->kept, PABAL__ARENA_NONE); /* that of the fourth */
		assert_int_equal(arena->told, 0);
		close_both(links);
	}
}

/* One turn of two who ask and answer, in one process: the second half of what a wait does is left out. */
static void turn(pabal_link *links[2], uint64_t number)
{
	send_number(links[0], number, 64);
	receive_number(links[1], number, 64);
	send_number(links[1], number, 64);
	pabal__link_await(links[0]);
	receive_number(links[0], number, 64);
	pabal__link_await(links[1]);
}

/* What is in force is said by the one, and done by both. */
static void the_other_one_follows(void **state)
{
	pabal_link *links[2];
	uint32_t patient = 0;

	(void)state;
	open_pair(links, PABAL_SINGLE_THREAD | PABAL_WAIT_SPIN);
	for (uint64_t i = 0; i < TURNS; i++) {
		turn(links, i);
		assert_int_equal(links[1]->sending.delay, links[0]->sending.delay);
		patient += links[0]->sending.delay != 0;
	}
	assert_true(links[0]->receiving.patience.interval > 0); /* it was tried */
	assert_true(patient > 0);
	assert_int_equal(links[1]->mine->delay, 0);
	close_both(links);
}

/* The peer's word is as little to be believed as any other. */
static void who_lies_is_followed_to_the_limit(void **state)
{
	static const uint32_t said[] = { PABAL__PATIENCE_MAX, PABAL__PATIENCE_MAX + 1, INT32_MAX, UINT32_MAX };
	pabal_link *links[2];

	(void)state;
	open_pair(links, PABAL_SINGLE_THREAD | PABAL_WAIT_SPIN);
	for (int i = 0; i < 4; i++) {
		atomic_store(&links[0]->mine->delay, said[i]);
		pabal__link_await(links[1]);
		assert_int_equal(links[1]->sending.delay, PABAL__PATIENCE_MAX);
	}
	close_both(links);
}

/* Only who looks over and over again takes lines away. */
static void who_does_not_spin_is_not_patient(void **state)
{
	pabal_link *links[2];

	(void)state;
	open_pair(links, PABAL_SINGLE_THREAD | PABAL_WAIT_BLOCK);
	atomic_store(&links[0]->mine->delay, 3);
	pabal__link_await(links[1]);
	assert_int_equal(links[1]->sending.delay, 0);
	close_both(links);

	open_pair(links, PABAL_SINGLE_THREAD);
	atomic_store(&links[0]->mine->delay, 3);
	pabal__link_await(links[1]);
	assert_int_equal(links[1]->sending.delay, 3);
	atomic_store(&links[1]->receiving.spin.spin.budget_ns, 0); /* it does not pay */
	pabal__link_await(links[1]);
	assert_int_equal(links[1]->sending.delay, 0);
	close_both(links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_lie_apart),
		cmocka_unit_test(a_mixture_arrives),
		cmocka_unit_test(what_was_written_over_is_looked_at_again),
		cmocka_unit_test(what_is_written_beforehand_is_true),
		cmocka_unit_test(a_large_answer_tells_what_was_released),
		cmocka_unit_test(the_other_one_follows),
		cmocka_unit_test(who_lies_is_followed_to_the_limit),
		cmocka_unit_test(who_does_not_spin_is_not_patient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
