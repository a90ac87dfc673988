/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_messages - what is sent is received: all sizes, in order, whole, copied or in place, in any mixture.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "support/link_pair.h"

enum { MEMORY = 1 << 20 };

static unsigned char zeros[MEMORY + 1];

static unsigned char *numbered(size_t size, uint32_t number)
{
	unsigned char *data = malloc(size ? size : 1);
	uint64_t random = number + 1;

	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)next_random(&random);
	return data;
}

static void expect_numbered(const void *data, size_t size, uint32_t number)
{
	unsigned char *wanted = numbered(size, number);

	assert_int_equal(memcmp(data, wanted, size), 0);
	free(wanted);
}

static void send_numbered(pabal_link *link, size_t size, uint32_t number)
{
	unsigned char *data = numbered(size, number);

	assert_int_equal(pabal_link_send(link, data, size, PABAL_NOWAIT), 0);
	free(data);
}

static void receive_numbered(pabal_link *link, size_t size, uint32_t number)
{
	unsigned char *data = malloc(size + 1);
	size_t got = 0;

	data[size] = 0xa5;
	assert_int_equal(pabal_link_receive(link, data, size, &got, PABAL_NOWAIT), 0);
	assert_int_equal(got, size);
	expect_numbered(data, size, number);
	assert_int_equal(data[size], 0xa5); /* not a byte too many */
	free(data);
}

static void close_both(pabal_link *links[2])
{
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void every_size(void **state)
{
	static const size_t large[] = { 4095, 4096, 4097, 65535, 65536, 100000, 262144, MEMORY - 1, MEMORY };
	pabal_link *links[2];
	uint32_t number = 0;

	(void)state;
	link_pair_default(0, links);
	for (size_t size = 0; size <= 1200; size++, number++) {
		send_numbered(links[number % 2], size, number);
		receive_numbered(links[!(number % 2)], size, number);
	}
	for (size_t i = 0; i < sizeof large / sizeof large[0]; i++, number++) {
		send_numbered(links[0], large[i], number);
		receive_numbered(links[1], large[i], number);
	}
	assert_int_equal(pabal_link_send(links[0], zeros, MEMORY + 1, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(pabal_link_receive(links[1], NULL, 0, NULL, PABAL_NOWAIT), -EAGAIN);
	close_both(links);
}

static void a_message_larger_than_the_ring_and_256_mib(void **state)
{
	const size_t size = 256 << 20;
	struct link_pair pair;
	pabal_link *links[2];
	struct pabal_message message;
	struct pabal_loan loan;

	(void)state;
	link_pair_make(&pair, UINT64_C(1) << 30, 4096);
	link_pair_both(&pair, 0, links);
	assert_int_equal(pabal_link_loan(links[0], size, &loan, PABAL_NOWAIT), 0);
	for (size_t i = 0; i < size / 8; i += 512)
		((uint64_t *)loan.data)[i] = i ^ UINT64_C(0x5a5a5a5a5a5a5a5a);
	assert_int_equal(pabal_link_commit(links[0], &loan, size, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_take(links[1], NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.size, size);
	for (size_t i = 0; i < size / 8; i += 512)
		assert_int_equal(((const uint64_t *)message.data)[i], i ^ UINT64_C(0x5a5a5a5a5a5a5a5a));
	assert_int_equal(pabal_link_release(links[1], &message), 0);
	assert_int_equal(link_stats_of(links[0]).memory, 0);
	close_both(links);
}

/* Rings go round many times with messages of all kinds under way; what is received is what was sent, in order. */
static void random_mixture(uint64_t seed, bool *ret_equal)
{
	enum { ROUNDS = 60000, QUEUE = 4096, LEASES = 8, LOANS = 4 };
	static size_t sizes[QUEUE];
	struct pabal_message leases[LEASES] = { 0 };
	uint32_t lease_numbers[LEASES] = { 0 }, sent = 0, received = 0;
	unsigned char *data = malloc(70000);
	pabal_link *links[2];
	uint64_t random = seed;

	*ret_equal = true;
	link_pair_default(0, links);
	for (uint32_t round = 0; round < ROUNDS && *ret_equal; round++) {
		uint32_t dice = next_random(&random) % 100, i = next_random(&random) % LEASES;
		size_t size = dice % 10 == 0 ? next_random(&random) % 60000 : next_random(&random) % 1100, got = 0;

		if (dice < 50 && sent - received < QUEUE) { /* send, or loan and commit */
			unsigned char *payload = numbered(size, sent);
			struct pabal_loan loan;
			int r;

			if (dice & 1) {
				r = pabal_link_send(links[0], payload, size, PABAL_NOWAIT);
			} else {
				r = pabal_link_loan(links[0], size + dice, &loan, PABAL_NOWAIT);
				if (r == 0) {
					memcpy(loan.data, payload, size);
					r = pabal_link_commit(links[0], &loan, size, PABAL_NOWAIT);
					if (r < 0)
						assert_int_equal(pabal_link_cancel(links[0], &loan), 0);
				}
			}
			assert_true(r == 0 || r == -EAGAIN);
			if (r == 0)
				sizes[sent++ % QUEUE] = size;
			free(payload);
		} else if (dice < 80 && sent != received) { /* take, and keep it a while */
			if (leases[i].size || leases[i].data) {
				expect_numbered(leases[i].data, leases[i].size, lease_numbers[i]);
				assert_int_equal(pabal_link_release(links[1], &leases[i]), 0);
			}
			assert_int_equal(pabal_link_take(links[1], NULL, &leases[i], PABAL_NOWAIT), 0);
			assert_int_equal(leases[i].size, sizes[received % QUEUE]);
			lease_numbers[i] = received++;
		} else if (sent != received) {
			int r = pabal_link_receive(links[1], data, 70000, &got, PABAL_NOWAIT);

			assert_int_equal(r, 0);
			assert_int_equal(got, sizes[received % QUEUE]);
			expect_numbered(data, got, received++);
		}
	}
	for (int i = 0; i < LEASES; i++) {
		if (leases[i].data) {
			expect_numbered(leases[i].data, leases[i].size, lease_numbers[i]);
			assert_int_equal(pabal_link_release(links[1], &leases[i]), 0);
		}
	}
	for (; received != sent; received++) {
		size_t got;

		assert_int_equal(pabal_link_receive(links[1], data, 70000, &got, PABAL_NOWAIT), 0);
		expect_numbered(data, got, received);
	}
	assert_int_equal(pabal_link_receive(links[1], data, 70000, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(link_stats_of(links[0]).sent, sent);
	assert_int_equal(link_stats_of(links[1]).received, received);
	assert_int_equal(link_stats_of(links[0]).memory, 0);
	assert_int_equal(link_stats_of(links[1]).leases, 0);
	free(data);
	close_both(links);
}

static void any_mixture(void **state)
{
	bool equal;

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		random_mixture(seed, &equal);
		assert_true(equal);
	}
}

/* Loans that others overtake: the first lies in the ring, and the ring goes round behind it many times. */
static void a_loan_that_is_kept(void **state)
{
	enum { MESSAGES = 5000 };
	struct pabal_loan kept, other;
	unsigned char *payload = numbered(777, 1234567);
	pabal_link *links[2];

	(void)state;
	link_pair_default(0, links);
	for (int lap = 0; lap < 20; lap++) {
		assert_int_equal(pabal_link_loan(links[0], 777, &kept, PABAL_NOWAIT), 0);
		memset(kept.data, 0xff, 777); /* all that could look like a header */
		for (uint32_t i = 0; i < MESSAGES; i++) {
			if (i == MESSAGES / 2)
				memcpy(kept.data, payload, 777);
			send_numbered(links[0], i % 1025, i);
			if (i % 7 == 0) {
				assert_int_equal(pabal_link_loan(links[0], 10, &other, PABAL_NOWAIT), 0);
				if (i % 2) {
					assert_int_equal(pabal_link_cancel(links[0], &other), 0);
				} else {
					memcpy(other.data, "0123456789", 10);
					assert_int_equal(pabal_link_commit(links[0], &other, 10, PABAL_NOWAIT), 0);
				}
			}
			receive_numbered(links[1], i % 1025, i);
			if (i % 14 == 0) {
				char text[16];
				size_t got;

				assert_int_equal(pabal_link_receive(links[1], text, sizeof text, &got, PABAL_NOWAIT), 0);
				assert_true(got == 10 && memcmp(text, "0123456789", 10) == 0);
			}
		}
		if (lap % 3 == 0) {
			assert_int_equal(pabal_link_cancel(links[0], &kept), 0);
		} else {
			assert_int_equal(pabal_link_commit(links[0], &kept, 777, PABAL_NOWAIT), 0);
			receive_numbered(links[1], 777, 1234567);
		}
	}
	free(payload);
	close_both(links);
}

/* One that is filled to the last byte while a loan lies in it, and then drained, loses nothing; the loan goes last. */
static void a_full_ring_with_a_loan_in_it(void **state)
{
	pabal_link *links[2];
	struct pabal_loan kept;
	uint32_t sent;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_loan(links[0], 1000, &kept, PABAL_NOWAIT), 0);
	memset(kept.data, 7, 1000);
	for (int lap = 0; lap < 3; lap++) {
		unsigned char data[500];
		int r = 0;

		for (sent = 0; r == 0; sent += r == 0) {
			memset(data, (int)sent, sizeof data);
			r = pabal_link_send(links[0], data, sizeof data, PABAL_NOWAIT);
		}
		assert_int_equal(r, -EAGAIN);
		assert_true(sent > 200);
		if (lap == 2)
			assert_int_equal(pabal_link_commit(links[0], &kept, 1000, PABAL_NOWAIT), -EAGAIN);
		for (uint32_t i = 0; i < sent; i++) {
			size_t got;

			assert_int_equal(pabal_link_receive(links[1], data, sizeof data, &got, PABAL_NOWAIT), 0);
			assert_int_equal(got, sizeof data);
			assert_true(data[0] == (unsigned char)i && data[499] == (unsigned char)i);
			/* Each that is received makes room at once. */
			if (lap == 0 && i == 4)
				assert_int_equal(pabal_link_send(links[0], data, 0, PABAL_NOWAIT), 0);
		}
		if (lap == 0)
			assert_int_equal(pabal_link_receive(links[1], NULL, 0, NULL, PABAL_NOWAIT), 0);
	}
	assert_int_equal(pabal_link_commit(links[0], &kept, 1000, PABAL_NOWAIT), 0);
	assert_null(kept.data);
	{
		unsigned char data[1000], wanted[1000];

		memset(wanted, 7, sizeof wanted);
		assert_int_equal(pabal_link_receive(links[1], data, sizeof data, NULL, PABAL_NOWAIT), 0);
		assert_memory_equal(data, wanted, sizeof data);
	}
	close_both(links);
}

static void out_of_order(void **state)
{
	enum { COUNT = 40, SIZE = 20000 };
	struct pabal_loan loans[COUNT];
	struct pabal_message messages[COUNT];
	pabal_link *links[2];

	(void)state;
	link_pair_default(0, links);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(pabal_link_loan(links[0], i % 3 ? SIZE : 100, &loans[i], PABAL_NOWAIT), 0);
		assert_int_equal((uintptr_t)loans[i].data % (i % 3 ? 64 : 16), 0);
	}
	for (uint32_t i = COUNT; i-- > 0;) { /* committed last to first */
		unsigned char *payload = numbered(i % 3 ? SIZE : 100, i);

		memcpy(loans[i].data, payload, loans[i].size);
		free(payload);
		assert_int_equal(pabal_link_commit(links[0], &loans[i], loans[i].size, PABAL_NOWAIT), 0);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(pabal_link_take(links[1], NULL, &messages[i], PABAL_NOWAIT), 0);
		assert_int_equal((uintptr_t)messages[i].data % (messages[i].size >= 4096 ? 64 : 16), 0);
		assert_int_equal(messages[i].delivery_count, 1);
	}
	assert_int_equal(link_stats_of(links[1]).leases, COUNT);
	for (uint32_t step = 0; step < COUNT; step++) { /* released in some other order */
		uint32_t i = step * 7 % COUNT;

		expect_numbered(messages[i].data, messages[i].size, COUNT - 1 - i);
		assert_int_equal(pabal_link_release(links[1], &messages[i]), 0);
		assert_int_equal(pabal_link_release(links[1], &messages[i]), -EINVAL);
	}
	assert_int_equal(link_stats_of(links[0]).memory, 0);
	send_numbered(links[0], MEMORY, 5);
	receive_numbered(links[1], MEMORY, 5);
	close_both(links);
}

static void the_budget_is_used_up(void **state)
{
	pabal_link *links[2];
	struct pabal_message first, second;
	struct pabal_loan loan;

	(void)state;
	link_pair_default(0, links);
	send_numbered(links[0], MEMORY / 2, 1);
	send_numbered(links[0], MEMORY / 2, 2);
	assert_int_equal(pabal_link_loan(links[0], 2000, &loan, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(link_stats_of(links[0]).memory, MEMORY);
	send_numbered(links[0], 1000, 3); /* small ones have the ring */
	assert_int_equal(pabal_link_take(links[1], NULL, &first, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_take(links[1], NULL, &second, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_loan(links[0], 2000, &loan, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_link_release(links[1], &second), 0);
	assert_int_equal(pabal_link_loan(links[0], MEMORY / 2, &loan, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_cancel(links[0], &loan), 0);
	assert_int_equal(pabal_link_cancel(links[0], &loan), -EINVAL);
	expect_numbered(first.data, first.size, 1);
	assert_int_equal(pabal_link_release(links[1], &first), 0);
	receive_numbered(links[1], 1000, 3);
	close_both(links);
}

static void too_large_for_the_buffer(void **state)
{
	unsigned char data[100];
	pabal_link *links[2];
	size_t size = 0;

	(void)state;
	link_pair_default(0, links);
	send_numbered(links[0], 100, 1);
	send_numbered(links[0], 50000, 2);
	assert_int_equal(pabal_link_receive(links[1], data, 99, &size, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(size, 100);
	receive_numbered(links[1], 100, 1);
	assert_int_equal(pabal_link_receive(links[1], data, 100, &size, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(size, 50000);
	receive_numbered(links[1], 50000, 2);
	close_both(links);
}

static void tags_and_mistakes(void **state)
{
	struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = 77 };
	struct pabal_take_opts selective = { .struct_size = sizeof selective, .mode = PABAL_TAKE_TAGS };
	pabal_link *links[2], *none = NULL;
	struct pabal_message message, stolen;
	struct pabal_loan loan, copy;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_send_with(links[0], &opts, "tag", 3, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send_with(links[0], &opts, zeros, 3000, PABAL_NOWAIT), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pabal_link_take(links[1], NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(message.tag, 77);
		assert_int_equal(message.size, i ? 3000 : 3);
		assert_int_equal(pabal_link_is_request(links[1], &message), 0);
		assert_int_equal(pabal_link_reply(links[1], &message, "no", 2, PABAL_NOWAIT), -EINVAL);
		stolen = message;
		assert_int_equal(pabal_link_release(links[0], &message), -EINVAL);
		assert_int_equal(pabal_link_release(links[1], &message), 0);
		assert_int_equal(pabal_link_release(links[1], &stolen), -EINVAL);
		assert_int_equal(pabal_link_is_request(links[1], &stolen), -EINVAL);
	}
	opts.priority = 1;
	assert_int_equal(pabal_link_send_with(links[0], &opts, "", 0, PABAL_NOWAIT), -ENOTSUP);
	assert_int_equal(pabal_link_take(links[1], &selective, &message, PABAL_NOWAIT), -ENOTSUP);
	assert_int_equal(pabal_link_send(links[0], NULL, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_link_send(links[0], "", 1, -2), -EINVAL);
	assert_int_equal(pabal_link_send(none, "", 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_link_receive(links[1], NULL, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_link_loan(links[0], 64, &loan, PABAL_NOWAIT), 0);
	copy = loan;
	assert_int_equal(pabal_link_commit(links[0], &loan, 65, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_link_commit(links[1], &loan, 64, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_link_commit(links[0], &loan, 0, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_commit(links[0], &copy, 0, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_link_receive(links[1], NULL, 0, NULL, PABAL_NOWAIT), 0);
	close_both(links);
	assert_null(pabal_link_close(NULL));
}

/* A limit that is no multiple of a page, nor of a line: there is room for one message as large as it, and for nothing beside it. */
static void the_budget_is_exact(void **state)
{
	static const uint64_t sizes[] = { 1500, 1537, 4000, 4095, 4096, 4097, 10000 };
	struct pabal_loan loan, other;
	struct link_pair pair;
	pabal_link *links[2];

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		link_pair_make(&pair, sizes[i], sizes[i]);
		link_pair_both(&pair, 0, links);
		assert_int_equal(pabal_link_loan(links[0], sizes[i], &loan, PABAL_NOWAIT), 0);
		assert_int_equal(link_stats_of(links[0]).memory, sizes[i]);
		assert_int_equal(pabal_link_loan(links[0], 1025, &other, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_link_commit(links[0], &loan, sizes[i], PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_receive(links[1], NULL, 0, NULL, PABAL_NOWAIT), -EMSGSIZE);
		close_both(links);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(a_message_larger_than_the_ring_and_256_mib),
		cmocka_unit_test(any_mixture),
		cmocka_unit_test(a_loan_that_is_kept),
		cmocka_unit_test(a_full_ring_with_a_loan_in_it),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(the_budget_is_used_up),
		cmocka_unit_test(the_budget_is_exact),
		cmocka_unit_test(too_large_for_the_buffer),
		cmocka_unit_test(tags_and_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
