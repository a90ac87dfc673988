/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults - each way in which a form would be wrong is put in, shown to have been executed, and caught by the invariant that it breaks; and content that a liar wrote.
 *
 * Those about the order of two steps are shown by a copy that ends in a fault of memory, between the two steps: the process dies there, each time.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fault.h"
#include "buffer/items.h"
#include "model/buffer.h"

enum { CAPACITY = 4 };

static _Atomic uint64_t *ready;

static pabal_buffer *make(uint32_t flags, size_t item_size)
{
	pabal_buffer *buffer = NULL;

	assert_int_equal(pabal_buffer_create("b", item_size, CAPACITY, BOPTS(.flags = flags), &buffer), 0);
	return buffer;
}

static void end(pabal_buffer *buffer)
{
	pabal__fault_on = PABAL__FAULT_NONE;
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static void with(enum pabal__fault fault)
{
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
}

static void was_executed(void)
{
	assert_true(pabal__fault_hits > 0);
	pabal__fault_on = PABAL__FAULT_NONE;
}

static int put(pabal_buffer *buffer, uint64_t id)
{
	struct item item = item_of(id);

	return pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT);
}

/* "What was put comes out": an item is written over. */
static void no_room_check_is_caught(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC, sizeof(struct item));
	struct item item;
	int r = 0, full = 0;

	(void)state;
	for (uint64_t i = 1; i <= CAPACITY; i++)
		assert_int_equal(put(buffer, i), 0);
	assert_int_equal(put(buffer, 9), -EAGAIN);
	with(PABAL__FAULT_SPSC_NO_ROOM_CHECK);
	full = put(buffer, 9);
	was_executed();
	assert_int_equal(full, 0);
	r = pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT);
	assert_true(r == -EBADMSG || item.id != 1); /* more than the capacity is in, and the consumer sees it */
	end(buffer);
}

/* A page that cannot be read stops the copy in the middle: what was published by then is seen by another handle. */
static void copy_from_nowhere(pabal_buffer *buffer)
{
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	pabal_buffer_put(buffer, nowhere, 1, NULL, PABAL_NOWAIT);
	_exit(97);
}

static int die_in_the_copy(void *data)
{
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	with((enum pabal__fault)(uintptr_t)data);
	signal(SIGSEGV, SIG_DFL); /* cmocka's own handler would tell of it */
	copy_from_nowhere(buffer);
	return 0;
}

/* "What was not put in whole never appears": killed between the two steps, in the right order and in the wrong one. */
static void published_first_is_caught(void **state)
{
	static const struct {
		uint32_t flags;
		enum pabal__fault fault;
	} cases[] = {
		{ 0, PABAL__FAULT_NONE },
		{ PABAL_BUFFER_SPSC, PABAL__FAULT_NONE },
		{ PABAL_BUFFER_LATEST, PABAL__FAULT_NONE },
		{ 0, PABAL__FAULT_COMMIT_BEFORE_FILL },
		{ PABAL_BUFFER_SPSC, PABAL__FAULT_SPSC_PUBLISH_FIRST },
		{ PABAL_BUFFER_LATEST, PABAL__FAULT_LATEST_PUBLISH_FIRST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pabal_buffer *buffer = make(cases[i].flags, sizeof(struct item));
		struct item item = { 0 };
		pid_t child = child_start(die_in_the_copy, as_pointer((uintptr_t)cases[i].fault));
		int r;

		assert_int_equal(child_end(child), -SIGSEGV);
		r = pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT);
		if (cases[i].fault == PABAL__FAULT_NONE)
			assert_int_equal(r, -EAGAIN);
		else
			assert_true(r == 0 && !item_is_whole(&item));
		end(buffer);
	}
}

static int die_in_the_get(void *data)
{
	pabal_buffer *buffer;
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	with((enum pabal__fault)(uintptr_t)data);
	signal(SIGSEGV, SIG_DFL);
	pabal_buffer_get(buffer, nowhere, 1, NULL, PABAL_NOWAIT);
	return 97;
}

/* "A consumer that is killed before the call gave the items back loses nothing." */
static void let_go_first_is_caught(void **state)
{
	(void)state;
	for (int faulty = 0; faulty < 2; faulty++) {
		pabal_buffer *buffer = make(PABAL_BUFFER_SPSC, sizeof(struct item));
		struct item item;
		pid_t child;

		assert_int_equal(put(buffer, 1), 0);
		child = child_start(die_in_the_get, as_pointer((uintptr_t)(faulty ? PABAL__FAULT_SPSC_LET_GO_FIRST : PABAL__FAULT_NONE)));
		assert_int_equal(child_end(child), -SIGSEGV);
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), faulty ? -EAGAIN : 0);
		end(buffer);
	}
}

static int take_and_hang(void *data)
{
	pabal_buffer *buffer;
	struct pabal_message items;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	with((enum pabal__fault)(uintptr_t)data);
	child_equal(pabal_buffer_take(buffer, 1, &items, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* "None comes twice as if for the first time." */
static void no_mark_is_caught(void **state)
{
	(void)state;
	for (int faulty = 0; faulty < 2; faulty++) {
		pabal_buffer *buffer = make(PABAL_BUFFER_SPSC, sizeof(struct item));
		struct pabal_message items;
		pid_t child;

		atomic_store(ready, 0);
		assert_int_equal(put(buffer, 1), 0);
		child = child_start(take_and_hang, as_pointer((uintptr_t)(faulty ? PABAL__FAULT_SPSC_NO_MARK : PABAL__FAULT_NONE)));
		assert_true(eventually_at_least(ready, 1));
		child_kill(child);
		assert_int_equal(pabal_buffer_take(buffer, 1, &items, PABAL_NOWAIT), 0);
		assert_int_equal(items.delivery_count, faulty ? 1 : 2);
		end(buffer);
	}
}

/* "A third party gets -EBUSY as long as the holder lives." */
static void a_role_that_is_taken_unasked_is_caught(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC, sizeof(struct item)), *other = NULL;

	(void)state;
	assert_int_equal(put(buffer, 1), 0);
	assert_int_equal(pabal_buffer_open("b", NULL, &other), 0);
	assert_int_equal(put(other, 2), -EBUSY);
	with(PABAL__FAULT_ROLE_UNASKED);
	assert_int_equal(put(other, 2), 0); /* two producers */
	was_executed();
	pabal_buffer_close(other);
	end(buffer);
}

/* "An item that was taken stays whole until release": without a pin, or without a look at it, its block is filled anew. */
static void pins_that_do_not_hold_are_caught(void **state)
{
	static const enum pabal__fault faults[] = { PABAL__FAULT_NONE, PABAL__FAULT_LATEST_NO_PIN, PABAL__FAULT_LATEST_NO_LOOK };

	(void)state;
	for (int i = 0; i < 3; i++) {
		pabal_buffer *writer = make(PABAL_BUFFER_LATEST, sizeof(struct item)), *reader = NULL;
		struct pabal_message item;

		assert_int_equal(pabal_buffer_open("b", NULL, &reader), 0);
		assert_int_equal(put(writer, 1), 0);
		with(faults[i]);
		assert_int_equal(pabal_buffer_take(reader, 1, &item, PABAL_NOWAIT), 0);
		for (uint64_t n = 2; n < 20; n++)
			assert_int_equal(put(writer, n), 0);
		assert_int_equal(((const struct item *)item.data)->id == 1, faults[i] == PABAL__FAULT_NONE);
		if (faults[i] != PABAL__FAULT_NONE)
			was_executed();
		pabal_buffer_close(reader);
		end(writer);
	}
}

/* Every word of the page of positions and roles, and of the newest, set to what makes no sense: -EBADMSG or the like, and no memory that is not ours. */
static void what_a_liar_wrote(void **state)
{
	static const uint64_t lies[] = { 0,          1,          CAPACITY,       CAPACITY + 1,      77,
					 UINT32_MAX, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63, 0x0001000000000400 };
	static const uint32_t forms[] = { PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };
	uint64_t refused = 0;

	(void)state;
	for (int form = 0; form < 2; form++) {
		size_t words = form ? 4096 / 8 : sizeof(struct pabal__buffer_spsc) / 8;

		for (size_t word = 0; word < words; word += form ? 3 : 1) {
			for (size_t lie = 0; lie < sizeof lies / sizeof *lies; lie++) {
				pabal_buffer *buffer = make(forms[form], sizeof(struct item)), *other = NULL;
				int fd = open(path_of("b"), O_RDWR | O_CLOEXEC);
				struct item items[CAPACITY];
				uint32_t count;

				assert_int_equal(put(buffer, 1), 0);
				assert_int_equal(pabal_buffer_get(buffer, items, 1, NULL, PABAL_NOWAIT), 0);
				assert_int_equal(put(buffer, 2), 0);
				assert_int_equal(pwrite(fd, &lies[lie], 8, (off_t)(PABAL__SPSC_AT + word * 8)), 8);
				close(fd);
				refused += pabal_buffer_get(buffer, items, CAPACITY, &count, PABAL_NOWAIT) == -EBADMSG;
				for (int i = 0; i <= CAPACITY; i++) /* until it is full, and the other's position is looked at */
					refused += put(buffer, 3) == -EBADMSG;
				refused += pabal_buffer_get(buffer, items, CAPACITY, &count, PABAL_NOWAIT) == -EBADMSG;
				assert_int_equal(pabal_buffer_open("b", NULL, &other), 0);
				put(other, 4);
				pabal_buffer_get(other, items, CAPACITY, &count, PABAL_NOWAIT);
				pabal_check("b", NULL);
				pabal_buffer_close(other);
				end(buffer);
			}
		}
	}
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_room_check_is_caught),
		cmocka_unit_test(published_first_is_caught),
		cmocka_unit_test(let_go_first_is_caught),
		cmocka_unit_test(no_mark_is_caught),
		cmocka_unit_test(a_role_that_is_taken_unasked_is_caught),
		cmocka_unit_test(pins_that_do_not_hold_are_caught),
		cmocka_unit_test(what_a_liar_wrote),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
