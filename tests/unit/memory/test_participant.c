/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_participant - joining and leaving, and that only the dead are buried.
 */
#include "memory/participant.h"
#include "support/support.h"

#include <errno.h>

#include "model/attach.h"
#include "model/bury.h"
#include "platform/file.h"

static pabal_mailbox *mailbox;
static struct pabal__segment *segment;
static struct pabal__directory directory;

static int set_up(void **state)
{
	(void)state;
	if (pabal_mailbox_create("a", NULL, &mailbox) < 0 || pabal__directory_open(false, &directory) < 0)
		return -1;
	segment = pabal__mailbox_segment(mailbox);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pabal__directory_close(&directory);
	pabal_mailbox_close(mailbox);
	return pabal_mailbox_destroy("a");
}

static uint64_t word_of(uint32_t id)
{
	return atomic_load(&pabal__participant_at(segment, id)->word);
}

static void a_slot_is_used_from_join_to_leave(void **state)
{
	uint64_t before;
	uint32_t id = 0;
	void *hold = NULL;

	(void)state;
	assert_int_equal(pabal__participant_join(segment, &directory, &id, &hold), 0);
	assert_int_equal(id, 2); /* the handle of set_up() is the first */
	assert_int_equal(pabal__participants_high(segment), 2);
	assert_true(pabal__participant_used(word_of(id)));
	assert_int_equal(pabal__participant_lives(segment, id), 1);
	before = word_of(id);
	pabal__participant_leave(segment, id, hold);
	assert_false(pabal__participant_used(word_of(id)));
	assert_int_equal(word_of(id) >> 32, (before >> 32) + 1); /* the next generation */
	assert_int_equal(pabal__participant_lives(segment, id), 0);
}

static void the_living_are_not_buried(void **state)
{
	struct pabal__burial burial = { 0 };

	(void)state;
	pabal__bury_dead(segment, &burial);
	assert_int_equal(burial.buried, 0);
	pabal__bury(segment, 0, &burial);
	pabal__bury(segment, 1, &burial);
	pabal__bury(segment, 5, &burial); /* never used */
	assert_int_equal(burial.buried, 0);
	assert_true(pabal__participant_used(word_of(1)));
}

/* Used, and the lock is not held: that is what a death leaves. */
static void the_dead_are_buried_once_and_their_slot_is_free(void **state)
{
	struct pabal__burial burial = { 0 };
	uint32_t id = 0, again = 0;
	void *hold = NULL;

	(void)state;
	assert_int_equal(pabal__participant_join(segment, &directory, &id, &hold), 0);
	pabal__file_let_go(hold);
	assert_int_equal(pabal__participant_lives(segment, id), 0);
	pabal__bury_dead(segment, &burial);
	pabal__bury_dead(segment, &burial);
	assert_int_equal(burial.buried, 1);
	assert_false(pabal__participant_used(word_of(id)));
	assert_int_equal(pabal__participant_join(segment, &directory, &again, &hold), 0);
	assert_int_equal(again, id);
	pabal__participant_leave(segment, again, hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_slot_is_used_from_join_to_leave, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_living_are_not_buried, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_dead_are_buried_once_and_their_slot_is_free, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
