/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_options - every bad option has its code; what this version lacks is refused by name; what a later version adds is seen.
 */
#include <errno.h>
#include <string.h>

#include "support/support.h"

static void expect_create(const struct pabal_mailbox_opts *opts, int error, const char *words)
{
	pabal_mailbox *mailbox;
	int r = pabal_mailbox_create("a", opts, &mailbox);

	if (r != error || !strstr(pabal_error_detail(), words))
		fail_msg("create: %d, '%s'; not %d, '%s'", r, pabal_error_detail(), error, words);
	assert_int_equal(pabal_mailbox_open("a", NULL, &mailbox), -ENOENT); /* nothing half-made */
}

static void create_refuses_what_is_wrong(void **state)
{
	(void)state;
	expect_create(&(struct pabal_mailbox_opts){ .struct_size = 0 }, -EINVAL, "struct_size is 0");
	expect_create(&(struct pabal_mailbox_opts){ .struct_size = 4 }, -EINVAL, "struct_size is 4");
	expect_create(&(struct pabal_mailbox_opts){ .struct_size = 1u << 30 }, -EINVAL, "struct_size");
	expect_create(OPTS(.flags = 1u << 30), -EINVAL, "flag 0x40000000");
	expect_create(OPTS(.flags = PABAL_READ_ONLY), -EINVAL, "flag 0x2");
	expect_create(OPTS(.flags = PABAL_WAIT_EXISTS), -EINVAL, "flag 0x4");
	expect_create(OPTS(.flags = PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK), -EINVAL, "exclude");
	expect_create(OPTS(.mode = 01777), -EINVAL, "mode");
	expect_create(OPTS(.capacity = 524289), -EINVAL, "capacity is 524289");
	expect_create(OPTS(.memory_max = (UINT64_C(1) << 40) + 1), -EINVAL, "memory_max");
	expect_create(OPTS(.on_full = 3), -EINVAL, "on_full");
	expect_create(OPTS(.ttl_ns = -5), -EINVAL, "ttl_ns");
}

static void create_refuses_by_name_what_is_not_there_yet(void **state)
{
	(void)state;
	expect_create(OPTS(.priorities = 2), -ENOTSUP, "priorities");
	expect_create(OPTS(.on_full = PABAL_FULL_FAIL), -ENOTSUP, "on_full");
	expect_create(OPTS(.on_full = PABAL_FULL_DROP_OLDEST), -ENOTSUP, "on_full");
	expect_create(OPTS(.delivery_limit = 3), -ENOTSUP, "delivery_limit");
	expect_create(OPTS(.dead_letters_max = 3), -ENOTSUP, "dead_letters_max");
	expect_create(OPTS(.ttl_ns = 5), -ENOTSUP, "ttl_ns");
	expect_create(OPTS(.flags = PABAL_MAILBOX_RENDEZVOUS), -ENOTSUP, "RENDEZVOUS");
}

struct longer {
	struct pabal_mailbox_opts known;
	uint64_t unknown;
};

static void a_longer_struct_is_good_while_its_tail_is_zero(void **state)
{
	struct longer opts = { .known = { .struct_size = sizeof opts } };
	pabal_mailbox *mailbox;

	(void)state;
	opts.unknown = 1;
	expect_create(&opts.known, -E2BIG, "byte");
	opts.unknown = 0;
	assert_int_equal(pabal_mailbox_create("a", &opts.known, &mailbox), 0);
	pabal_mailbox_close(mailbox);
	opts.unknown = 1;
	assert_int_equal(pabal_mailbox_open("a", &opts.known, &mailbox), -E2BIG);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void an_older_shorter_struct_is_good(void **state)
{
	struct pabal_mailbox_opts opts = { .capacity = 2, .ttl_ns = -1 };
	pabal_mailbox *mailbox;

	(void)state;
	opts.struct_size = offsetof(struct pabal_mailbox_opts, priorities);
	assert_int_equal(pabal_mailbox_create("a", &opts, &mailbox), 0);
	assert_int_equal(stats_of(mailbox).capacity, 2);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void open_refuses_what_is_wrong(void **state)
{
	pabal_mailbox *mailbox;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_open("a", &(struct pabal_mailbox_opts){ .struct_size = 0 }, &mailbox), -EINVAL);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_EXIST_OK), &mailbox), -EINVAL);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_EPHEMERAL), &mailbox), -EINVAL);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_DEAD_LETTERS), &mailbox), -ENOTSUP);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = -2), &mailbox), -EINVAL);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.capacity = 77, .priorities = 9), &mailbox), 0); /* ignored, as documented */
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void messages_refuse_what_is_wrong(void **state)
{
	struct pabal_message_opts message = { .struct_size = sizeof message };
	struct pabal_take_opts take = { .struct_size = sizeof take, .mode = 9 };
	struct pabal_mailbox_stats stats = { .struct_size = 0 };
	struct pabal_message got;
	struct pabal_loan loan;
	pabal_mailbox *a;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = 10000), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, NULL, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_send(a, "x", 1, -2), -EINVAL);
	assert_int_equal(pabal_mailbox_send(a, &byte, 10001, PABAL_NOWAIT), -EMSGSIZE);
	assert_non_null(strstr(pabal_error_detail(), "memory_max of 'a' is 10000"));
	assert_int_equal(pabal_mailbox_send(a, &byte, SIZE_MAX, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(pabal_mailbox_loan(a, 10001, &loan, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(pabal_mailbox_loan(a, 1, NULL, PABAL_NOWAIT), -EINVAL);
	message.priority = 1;
	assert_int_equal(pabal_mailbox_send_with(a, &message, "x", 1, PABAL_NOWAIT), -ENOTSUP);
	message = (struct pabal_message_opts){ .struct_size = sizeof message, .ttl_ns = 1 };
	assert_int_equal(pabal_mailbox_send_with(a, &message, "x", 1, PABAL_NOWAIT), -ENOTSUP);
	message = (struct pabal_message_opts){ .struct_size = sizeof message, .fd_count = 1 };
	assert_int_equal(pabal_mailbox_send_with(a, &message, "x", 1, PABAL_NOWAIT), -ENOTSUP);
	message = (struct pabal_message_opts){ .struct_size = sizeof message, .flags = 1 };
	assert_int_equal(pabal_mailbox_send_with(a, &message, "x", 1, PABAL_NOWAIT), -EINVAL);
	message = (struct pabal_message_opts){ .struct_size = 0 };
	assert_int_equal(pabal_mailbox_send_with(a, &message, "x", 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_receive(a, NULL, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_take(a, NULL, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_take(a, &take, &got, PABAL_NOWAIT), -EINVAL);
	for (take.mode = PABAL_TAKE_TAGS; take.mode <= PABAL_TAKE_LOWEST; take.mode++)
		assert_int_equal(pabal_mailbox_take(a, &take, &got, PABAL_NOWAIT), -ENOTSUP);
	assert_int_equal(pabal_mailbox_stat(a, NULL), -EINVAL);
	assert_int_equal(pabal_mailbox_stat(a, &stats), -EINVAL);
	assert_int_equal(pabal_mailbox_send(NULL, "x", 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(stats_of(a).depth, 0);
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void stat_fills_what_the_caller_knows(void **state)
{
	struct pabal_mailbox_stats stats;
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	memset(&stats, 0x55, sizeof stats);
	stats.struct_size = offsetof(struct pabal_mailbox_stats, sent);
	assert_int_equal(pabal_mailbox_stat(a, &stats), 0);
	assert_int_equal(stats.struct_size, offsetof(struct pabal_mailbox_stats, sent));
	assert_int_equal(stats.capacity, 1024);
	assert_int_equal(stats.sent, UINT64_C(0x5555555555555555));
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_refuses_what_is_wrong),
		cmocka_unit_test(create_refuses_by_name_what_is_not_there_yet),
		cmocka_unit_test(a_longer_struct_is_good_while_its_tail_is_zero),
		cmocka_unit_test(an_older_shorter_struct_is_good),
		cmocka_unit_test(open_refuses_what_is_wrong),
		cmocka_unit_test(messages_refuse_what_is_wrong),
		cmocka_unit_test(stat_fills_what_the_caller_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
