/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_news - news of a region by way of a buffer: who changes the data puts into a buffer of the newest item, and who waits in pabal_wait_many(), waits for that. (Events of a region itself: tests/region/test_poll.c.)
 *
 * Writers change a word of the region each and put; readers wait for the buffer and for something that never comes, get, then look at the region, and answer who changed something. A writer goes on when all readers
 * have answered. Nothing waits with a limit and slices are endless: a change that one reader did not hear of hangs.
 */
#include <errno.h>
#include <string.h>

#include "support/support.h"

enum { WRITERS = 2, READERS = 2, ROUNDS = 400 };

static const char *answers_name(uint32_t writer)
{
	static const char *const names[WRITERS] = { "answers0", "answers1" };

	return names[writer];
}

static int write_it(void *data)
{
	uint32_t writer = (uint32_t)(uintptr_t)data;
	pabal_region *region;
	pabal_buffer *news;
	pabal_mailbox *answers;
	uint32_t count;
	char byte;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_buffer_open("news", NULL, &news), 0);
	child_equal(pabal_mailbox_open(answers_name(writer), NULL, &answers), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		child_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
		((uint64_t *)pabal_region_data(region))[writer] = i;
		child_equal(pabal_region_unlock(region, 0), 0);
		child_equal(pabal_buffer_put(news, "x", 1, &count, PABAL_FOREVER), 0);
		for (int reader = 0; reader < READERS; reader++)
			child_equal(pabal_mailbox_receive(answers, &byte, 1, NULL, PABAL_FOREVER), 0);
	}
	pabal_mailbox_close(answers);
	pabal_buffer_close(news);
	pabal_region_close(region);
	return 0;
}

struct reader {
	pabal_region *region;
	pabal_buffer *news;
	pabal_mailbox *never, *answers[WRITERS];
	uint64_t seen[WRITERS];
};

/* What has changed is answered. */
static void look(struct reader *reader)
{
	uint64_t now[WRITERS];

	child_equal(pabal_region_lock(reader->region, 0, PABAL_FOREVER), 0);
	memcpy(now, pabal_region_data(reader->region), sizeof now);
	child_equal(pabal_region_unlock(reader->region, 0), 0);
	for (int i = 0; i < WRITERS; i++) {
		child_check(now[i] == reader->seen[i] || now[i] == reader->seen[i] + 1);
		if (now[i] != reader->seen[i])
			child_equal(pabal_mailbox_send(reader->answers[i], "x", 1, PABAL_FOREVER), 0);
		reader->seen[i] = now[i];
	}
}

static int read_it(void *data)
{
	struct reader reader = { 0 };
	struct pabal_wait waits[2] = { 0 };
	uint32_t count, ready;
	char byte;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &reader.region), 0);
	child_equal(pabal_buffer_open("news", NULL, &reader.news), 0);
	child_equal(pabal_mailbox_open("never", NULL, &reader.never), 0);
	for (uint32_t i = 0; i < WRITERS; i++)
		child_equal(pabal_mailbox_open(answers_name(i), NULL, &reader.answers[i]), 0);
	waits[0] = (struct pabal_wait){ .object = reader.news, .events = PABAL_READABLE };
	waits[1] = (struct pabal_wait){ .object = reader.never, .events = PABAL_READABLE };
	while (reader.seen[0] < ROUNDS || reader.seen[1] < ROUNDS) {
		int r;

		child_equal(pabal_wait_many(waits, 2, &ready, PABAL_FOREVER), 0);
		child_equal(waits[1].ret_events, 0);
		r = pabal_buffer_get(reader.news, &byte, 1, &count, PABAL_NOWAIT); /* first this, then the data */
		child_check(r == 0 || r == -EAGAIN);
		look(&reader);
	}
	for (int i = 0; i < WRITERS; i++)
		pabal_mailbox_close(reader.answers[i]);
	pabal_mailbox_close(reader.never);
	pabal_buffer_close(reader.news);
	pabal_region_close(reader.region);
	return 0;
}

static void each_change_of_a_region_is_heard_of_through_a_buffer(void **state)
{
	const struct pabal_buffer_opts latest = { .struct_size = sizeof latest, .flags = PABAL_BUFFER_LATEST };
	pabal_region *region;
	pabal_buffer *news;
	pabal_mailbox *mailbox;
	pid_t writers[WRITERS], readers[READERS];

	(void)state;
	assert_int_equal(pabal_region_create("r", WRITERS * sizeof(uint64_t), NULL, &region), 0);
	assert_int_equal(pabal_buffer_create("news", 1, 1, &latest, &news), 0);
	assert_int_equal(pabal_mailbox_create("never", NULL, &mailbox), 0);
	pabal_mailbox_close(mailbox);
	for (uint32_t i = 0; i < WRITERS; i++) {
		assert_int_equal(pabal_mailbox_create(answers_name(i), NULL, &mailbox), 0);
		pabal_mailbox_close(mailbox);
	}
	for (int i = 0; i < READERS; i++)
		readers[i] = child_start(read_it, NULL);
	for (uint32_t i = 0; i < WRITERS; i++)
		writers[i] = child_start(write_it, as_pointer(i));
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(child_end(writers[i]), 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(child_end(readers[i]), 0);
	pabal_buffer_close(news);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
	assert_int_equal(pabal_buffer_destroy("news"), 0);
	assert_int_equal(pabal_mailbox_destroy("never"), 0);
	for (uint32_t i = 0; i < WRITERS; i++)
		assert_int_equal(pabal_mailbox_destroy(answers_name(i)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_of_a_region_is_heard_of_through_a_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
