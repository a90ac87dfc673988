/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_buffer.c - the ways to wait on a buffer: for an item and for room, in every form that waits for it.
 */
#include "wake/signals.h"

enum { CAPACITY = 2 };

#define BOPTS(...) (&(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), __VA_ARGS__ })

/* The parent's. */
static pabal_buffer *buffer;

static void make_buffer(uint32_t form)
{
	assert_int_equal(pabal_buffer_create("o", 8, CAPACITY, BOPTS(.flags = form), &buffer), 0);
}

static void make_buffer_many(void)
{
	make_buffer(0);
}

static void make_buffer_spsc(void)
{
	make_buffer(PABAL_BUFFER_SPSC);
}

static void make_buffer_latest(void)
{
	make_buffer(PABAL_BUFFER_LATEST);
}

static pabal_buffer *own_buffer(uint32_t flags, bool fill)
{
	uint64_t items[CAPACITY] = { 0 };
	pabal_buffer *own = NULL;
	uint32_t count;

	child_equal(pabal_buffer_open("o", BOPTS(.flags = flags), &own), 0);
	if (fill)
		child_equal(pabal_buffer_put(own, items, CAPACITY, &count, PABAL_NOWAIT), 0);
	return own;
}

static int buffer_get(uint32_t flags)
{
	pabal_buffer *own = own_buffer(flags, false);
	uint64_t item;

	about_to_wait();
	return pabal_buffer_get(own, &item, 1, NULL, PABAL_FOREVER);
}

static int buffer_take(uint32_t flags)
{
	pabal_buffer *own = own_buffer(flags, false);
	struct pabal_message items;

	about_to_wait();
	return pabal_buffer_take(own, 1, &items, PABAL_FOREVER);
}

static int buffer_put(uint32_t flags)
{
	pabal_buffer *own = own_buffer(flags, true);

	about_to_wait();
	return pabal_buffer_put(own, &(uint64_t){ 1 }, 1, NULL, PABAL_FOREVER);
}

static int buffer_loan(uint32_t flags)
{
	pabal_buffer *own = own_buffer(flags, true);
	struct pabal_loan own_loan;

	about_to_wait();
	return pabal_buffer_loan(own, 1, &own_loan, PABAL_FOREVER);
}

static int buffer_commit(uint32_t flags)
{
	pabal_buffer *own = own_buffer(flags, false);
	uint64_t items[CAPACITY] = { 0 };
	struct pabal_loan own_loan;
	uint32_t count;

	child_equal(pabal_buffer_loan(own, 1, &own_loan, PABAL_FOREVER), 0);
	child_equal(pabal_buffer_put(own, items, CAPACITY, &count, PABAL_NOWAIT), 0);
	about_to_wait();
	return pabal_buffer_commit(own, &own_loan, 8);
}

static void give_item(void)
{
	assert_int_equal(pabal_buffer_put(buffer, &(uint64_t){ 7 }, 1, NULL, PABAL_NOWAIT), 0);
}

static void take_item(void)
{
	uint64_t item;

	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
}

static void end_buffer(void)
{
	buffer = pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("o"), 0);
}

static const struct way ways[] = {
	{ "buffer_get", make_buffer_many, buffer_get, NULL, give_item, end_buffer },
	{ "buffer_take", make_buffer_many, buffer_take, NULL, give_item, end_buffer },
	{ "buffer_put", make_buffer_many, buffer_put, NULL, take_item, end_buffer },
	{ "buffer_loan", make_buffer_many, buffer_loan, NULL, take_item, end_buffer },
	{ "buffer_commit", make_buffer_many, buffer_commit, NULL, take_item, end_buffer },
	{ "buffer_get, SPSC", make_buffer_spsc, buffer_get, NULL, give_item, end_buffer },
	{ "buffer_take, SPSC", make_buffer_spsc, buffer_take, NULL, give_item, end_buffer },
	{ "buffer_put, SPSC", make_buffer_spsc, buffer_put, NULL, take_item, end_buffer },
	{ "buffer_loan, SPSC", make_buffer_spsc, buffer_loan, NULL, take_item, end_buffer },
	{ "buffer_get, LATEST", make_buffer_latest, buffer_get, NULL, give_item, end_buffer },
	{ "buffer_take, LATEST", make_buffer_latest, buffer_take, NULL, give_item, end_buffer },
};

const struct ways buffer_ways = { ways, sizeof ways / sizeof *ways };
