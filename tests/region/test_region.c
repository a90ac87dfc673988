/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_region - a region as memory: who opens it sees the same bytes, and every refusal has its code and its sentence.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region/region.h"

enum { SIZE = 100000 };

static int write_and_leave(void *data)
{
	pabal_region *region;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_region_size(region), SIZE);
	memset(pabal_region_data(region), 0x5a, SIZE);
	pabal_region_close(region);
	return 0;
}

static void all_see_the_same_bytes(void **state)
{
	pabal_region *region, *looker;
	const unsigned char *bytes;

	(void)state;
	assert_int_equal(pabal_region_create("r", SIZE, NULL, &region), 0);
	bytes = pabal_region_data(region);
	assert_int_equal(pabal_region_size(region), SIZE);
	assert_int_equal((uintptr_t)bytes % 4096, 0);
	for (int i = 0; i < SIZE; i++)
		assert_int_equal(bytes[i], 0);
	assert_true(bytes_of("r") >= SIZE); /* it is there already */
	child_run(write_and_leave, NULL);
	for (int i = 0; i < SIZE; i++)
		assert_int_equal(bytes[i], 0x5a);
	assert_int_equal(pabal_region_open("r", REGION(.flags = PABAL_READ_ONLY), &looker), 0);
	assert_memory_equal(pabal_region_data(looker), bytes, SIZE);
	pabal_region_close(looker);
	pabal_region_close(region);
	assert_int_equal(pabal_region_open("r", NULL, &region), 0); /* it outlives all handles */
	assert_memory_equal(pabal_region_data(region), "\x5a\x5a", 2);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void memory_on_demand_comes_with_use(void **state)
{
	uint64_t before;
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", UINT64_C(1) << 40, REGION(.flags = PABAL_REGION_ON_DEMAND), &region), 0);
	before = bytes_of("r");
	assert_true(before < 64 << 10);
	memset((char *)pabal_region_data(region) + (UINT64_C(1) << 39), 1, 8192);
	assert_in_range(bytes_of("r"), before + 8192, before + 24576);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void expect_said(const char *part)
{
	if (!strstr(pabal_error_detail(), part))
		fail_msg("'%s' is not in: %s", part, pabal_error_detail());
}

static void every_refusal_has_its_code(void **state)
{
	struct pabal_region_stats stats = { 0 };
	pabal_region *region, *looker, *other;
	uint32_t now;

	(void)state;
	assert_int_equal(pabal_region_create("r", 0, NULL, &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", (UINT64_C(1) << 46) + 1, NULL, &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 65537), &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", 1, REGION(.events = 65537), &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", 1, REGION(.mode = 01000), &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", 1, REGION(.flags = PABAL_READ_ONLY), &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", 1, REGION(.flags = PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK), &region), -EINVAL);
	assert_int_equal(pabal_region_create("r", 1, NULL, NULL), -EINVAL);
	assert_int_equal(pabal_region_create(".r", 1, NULL, &region), -EINVAL);
	assert_int_equal(pabal_region_open("r", NULL, &region), -ENOENT);
	expect_said("no region named 'r'");
	assert_int_equal(pabal_region_open("r", REGION(.flags = PABAL_EPHEMERAL), &region), -EINVAL);
	assert_int_equal(pabal_region_destroy("r"), -ENOENT);
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_region_create("r", 1, NULL, &other), -EEXIST);
	assert_int_equal(pabal_region_lock(region, 1, PABAL_NOWAIT), -EINVAL);
	expect_said("no number 1");
	assert_int_equal(pabal_region_lock(region, 0, -2), -EINVAL);
	assert_int_equal(pabal_region_lock(NULL, 0, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_region_unlock(region, 0), -EINVAL);
	assert_int_equal(pabal_region_unlock(region, 1), -EINVAL);
	assert_int_equal(pabal_region_event(region, 1, &now), -EINVAL);
	assert_int_equal(pabal_region_event(region, 0, NULL), -EINVAL);
	assert_int_equal(pabal_region_wait(region, 1, 0, &now, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_region_wait(region, 0, 0, &now, -7), -EINVAL);
	assert_int_equal(pabal_region_notify(region, 1, 1), -EINVAL);
	assert_int_equal(pabal_region_stat(region, &stats), -EINVAL);
	assert_int_equal(pabal_region_locks("r", NULL, NULL), -EINVAL);
	assert_null(pabal_region_data(NULL));
	assert_int_equal(pabal_region_size(NULL), 0);
	assert_null(pabal_region_close(NULL));
	assert_int_equal(pabal_region_open("r", REGION(.flags = PABAL_READ_ONLY), &looker), 0);
	assert_int_equal(pabal_region_lock(looker, 0, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_region_unlock(looker, 0), -EPERM);
	assert_int_equal(pabal_region_wait(looker, 0, 0, NULL, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_region_notify(looker, 0, 1), -EPERM);
	assert_int_equal(pabal_region_event(looker, 0, &now), 0);
	pabal_region_close(looker);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void kinds_are_told_apart(void **state)
{
	pabal_mailbox *mailbox;
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_mailbox_create("m", NULL, &mailbox), 0);
	pabal_mailbox_close(mailbox);
	pabal_region_close(region);
	assert_int_equal(pabal_mailbox_open("r", NULL, &mailbox), -EINVAL);
	expect_said("'r' is a region, not a mailbox");
	assert_int_equal(pabal_region_open("m", NULL, &region), -EINVAL);
	expect_said("'m' is a mailbox, not a region");
	assert_int_equal(pabal_mailbox_destroy("r"), -EINVAL);
	assert_int_equal(pabal_region_destroy("m"), -EINVAL);
	assert_int_equal(pabal_mailbox_create("r", OPTS(.flags = PABAL_EXIST_OK), &mailbox), -EINVAL);
	assert_int_equal(pabal_region_destroy("r"), 0);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
}

static void exist_ok_opens_the_same_shape_only(void **state)
{
	pabal_region *one, *other;

	(void)state;
	assert_int_equal(pabal_region_create("r", 5000, REGION(.locks = 3, .events = 2), &one), 0);
	assert_int_equal(pabal_region_create("r", 5001, REGION(.locks = 3, .events = 2, .flags = PABAL_EXIST_OK), &other), -EEXIST);
	expect_said("size 5000, not 5001");
	assert_int_equal(pabal_region_create("r", 5000, REGION(.locks = 4, .events = 2, .flags = PABAL_EXIST_OK), &other), -EEXIST);
	expect_said("locks 3, not 4");
	assert_int_equal(pabal_region_create("r", 5000, REGION(.locks = 3, .flags = PABAL_EXIST_OK), &other), -EEXIST);
	expect_said("events 2, not 1");
	assert_int_equal(pabal_region_create("r", 5000, REGION(.locks = 3, .events = 2, .flags = PABAL_EXIST_OK), &other), 0);
	pabal_region_close(other);
	pabal_region_close(one);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int use_the_parents_handle(void *data)
{
	pabal_region *region = data, *own;

	child_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_region_unlock(region, 0), -ESTALE);
	child_equal(pabal_region_notify(region, 0, 1), -ESTALE);
	child_check(memcmp(pabal_region_data(region), "here", 4) == 0);
	child_equal(pabal_region_open("r", NULL, &own), 0);
	child_equal(pabal_region_lock(own, 0, PABAL_NOWAIT), -EAGAIN);
	pabal_region_close(own);
	pabal_region_close(region); /* gives back nothing of the parent's */
	return 0;
}

static void a_fork_child_opens_anew(void **state)
{
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", 10, NULL, &region), 0);
	memcpy(pabal_region_data(region), "here", 4);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
	child_run(use_the_parents_handle, region);
	assert_int_equal(region_stats(region).locks_held, 1);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void destroyed_it_lasts_until_closed(void **state)
{
	pabal_region *region, *new;

	(void)state;
	assert_int_equal(pabal_region_create("r", 10, REGION(.locks = 2), &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_region_destroy("r"), 0);
	memcpy(pabal_region_data(region), "still", 5);
	assert_int_equal(pabal_region_lock(region, 1, PABAL_NOWAIT), -ESHUTDOWN);
	assert_int_equal(pabal_region_wait(region, 0, 0, NULL, PABAL_FOREVER), -ESHUTDOWN);
	assert_int_equal(pabal_region_notify(region, 0, 1), -ESHUTDOWN);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	assert_int_equal(pabal_region_create("r", 10, REGION(.flags = PABAL_EPHEMERAL), &new), 0);
	pabal_region_close(region);
	assert_int_equal(access(path_of("r"), F_OK), 0);
	pabal_region_close(new);
	assert_int_equal(access(path_of("r"), F_OK), -1);
}

static int count_one(const struct pabal_object_info *info, void *data)
{
	assert_string_equal(info->name, "r");
	assert_int_equal(info->kind, PABAL_KIND_REGION);
	assert_int_equal(info->memory_max, SIZE);
	assert_true(info->memory >= SIZE);
	assert_int_equal(info->participants, 1);
	assert_int_equal(info->alive, 1);
	++*(int *)data;
	return 0;
}

static void it_is_listed_and_accounted_for(void **state)
{
	struct pabal_check_result account;
	pabal_region *region;
	int count = 0;

	(void)state;
	assert_int_equal(pabal_region_create("r", SIZE, REGION(.locks = 5), &region), 0);
	assert_int_equal(pabal_region_lock(region, 3, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_list(NULL, count_one, &count), 1);
	assert_int_equal(count, 1);
	expect_sound("r", &account);
	assert_int_equal(account.blocks, 5);
	assert_int_equal(account.free, 4);
	assert_int_equal(account.leased, 1);
	assert_int_equal(pabal_gc(NULL), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_see_the_same_bytes),
		cmocka_unit_test(memory_on_demand_comes_with_use),
		cmocka_unit_test(every_refusal_has_its_code),
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(exist_ok_opens_the_same_shape_only),
		cmocka_unit_test(a_fork_child_opens_anew),
		cmocka_unit_test(destroyed_it_lasts_until_closed),
		cmocka_unit_test(it_is_listed_and_accounted_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
