/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_hostile - a peer that lies in every word it owns, at chosen places and at random, while we read and write.
 *
 * Guard pages lie on both sides of both memories, so whatever is read outside of them ends the test. Named invariants: "the near side stays safe", "every call ends", "nonsense is
 * -EBADMSG, and stays so". Each check that refuses is hit, and switched off to see that the test would miss it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/link_pair.h"

enum { MEMORY = 1 << 16 };

static char zeros[MEMORY];

/* The same file at a place with nothing mapped before or behind it. */
static void *guarded(int fd, int protection)
{
	size_t size = pabal__stream_size(MEMORY), guard = 1 << 20;
	char *place = mmap(NULL, size + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(place != MAP_FAILED);
	assert_true(mmap(place + guard, size, protection, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	return place + guard;
}

struct victim {
	struct link_pair pair;
	pabal_link *link;          /* ours */
	struct pabal__half *enemy; /* what the enemy may write */
	int socket;                /* its end */
};

static void set_up(struct victim *victim)
{
	struct pabal__link_parts *parts = victim->pair.parts;

	link_pair_make(&victim->pair, MEMORY, MEMORY);
	victim->enemy = parts[1].mine;
	victim->socket = parts[1].socket;
	munmap(parts[0].mine, pabal__stream_size(MEMORY));
	munmap((void *)parts[0].peer, pabal__stream_size(MEMORY));
	parts[0].mine = guarded(parts[0].memory, PROT_READ | PROT_WRITE);
	parts[0].peer = guarded(parts[1].memory, PROT_READ);
	victim->link = aligned_alloc(128, (sizeof *victim->link + 127) / 128 * 128);
	assert_int_equal(pabal__link_init(victim->link, &parts[0], PABAL_SINGLE_THREAD), 0);
}

static void tear_down(struct victim *victim)
{
	struct pabal__link_parts *parts = victim->pair.parts;

	pabal_link_close(victim->link);
	close(parts[1].socket);
	close(parts[1].memory);
	close(parts[1].fds_in);
	close(parts[1].fds_out);
	munmap(victim->enemy, pabal__stream_size(MEMORY));
	munmap((void *)parts[1].peer, pabal__stream_size(MEMORY));
}

/* Put a header with some content where the victim looks next. */
static void forge(struct victim *victim, uint32_t kind, uint32_t length, const void *content, size_t size)
{
	const struct pabal__reader *reader = &victim->link->receiving.reader;
	size_t offset = pabal__stream_offset(reader->next);

	if (size)
		memcpy(victim->enemy->ring + offset + 8, content, size);
	atomic_store(pabal__stream_header(victim->enemy->ring, reader->next), (uint64_t)reader->sequence << 32 | kind << 28 | length);
}

static int receive(struct victim *victim)
{
	static char buffer[MEMORY];

	return pabal_link_receive(victim->link, buffer, sizeof buffer, NULL, PABAL_NOWAIT);
}

static void expect_finished(struct victim *victim, int r)
{
	struct pabal_loan loan;
	char byte;

	assert_int_equal(r, -EBADMSG);
	assert_int_equal(receive(victim), -EBADMSG);
	assert_int_equal(pabal_link_send(victim->link, "x", 1, PABAL_FOREVER), -EBADMSG);
	assert_int_equal(pabal_link_loan(victim->link, 1, &loan, PABAL_FOREVER), -EBADMSG);
	assert_int_equal(pabal_link_loan(victim->link, 5000, &loan, PABAL_FOREVER), -EBADMSG);
	assert_int_equal(pabal_link_call(victim->link, "x", 1, &byte, 1, NULL, PABAL_FOREVER), -EBADMSG);
	tear_down(victim);
}

static void every_header(void **state)
{
	static const struct {
		uint32_t kind, length;
	} wrong[] = {
		{ PABAL__STREAM_DATA, PABAL__STREAM_INLINE_MAX + 1 },
		{ PABAL__STREAM_DATA, (1u << 28) - 1 },
		{ PABAL__STREAM_EXTRA, 15 },
		{ PABAL__STREAM_EXTRA, PABAL__STREAM_INLINE_MAX + 17 },
		{ PABAL__STREAM_LARGE, 47 },
		{ PABAL__STREAM_LARGE, 49 },
		{ PABAL__STREAM_SKIP, PABAL__STREAM_BYTES },
		{ PABAL__STREAM_SKIP, (1u << 28) - 1 },
		{ PABAL__STREAM_SKIP, 1u << PABAL__STREAM_LENGTH_BITS | (PABAL__STREAM_BYTES - 24) }, /* apart by a cell too many */
		{ 0, 5 },
		{ 5, 0 },
		{ 15, 100 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct victim victim;

		set_up(&victim);
		forge(&victim, wrong[i].kind, wrong[i].length, NULL, 0);
		expect_finished(&victim, receive(&victim));
	}
}

struct large {
	struct pabal__stream_extra extra;
	struct pabal__stream_place place;
};

static int receive_large(const struct large *large, enum pabal__fault fault, struct victim *victim)
{
	int r;

	set_up(victim);
	forge(victim, PABAL__STREAM_LARGE, sizeof *large, large, sizeof *large);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	r = receive(victim);
	pabal__fault_on = PABAL__FAULT_NONE;
	return r;
}

static const struct large places[] = {
	{ .place = { .offset = MEMORY + 64, .size = 1 } },
	{ .place = { .offset = UINT64_MAX & ~UINT64_C(63), .size = 128 } },
	{ .place = { .offset = 64, .size = MEMORY } },
	{ .place = { .offset = 0, .size = MEMORY + 1 } },
	{ .place = { .offset = 0, .size = UINT64_MAX } },
	{ .place = { .offset = 8, .size = 1 } },
	{ .place = { .offset = 0, .size = 1, .receipt = PABAL__STREAM_TICKETS } },
	{ .place = { .offset = 0, .size = 1, .receipt = UINT32_MAX } },
	{ .extra = { .fd_count = PABAL_LINK_FDS_MAX + 1 } },
	{ .extra = { .what = PABAL__MESSAGE_REPLY + 1 } },
};

static void every_place(void **state)
{
	struct victim victim;

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		expect_finished(&victim, receive_large(&places[i], PABAL__FAULT_NONE, &victim));
}

static void an_unchecked_place_is_caught(void **state)
{
	static const struct large misplaced = { .place = { .offset = 8, .size = 1 } }; /* would not be aligned as promised */
	struct victim victim;

	(void)state;
	assert_int_equal(receive_large(&misplaced, PABAL__FAULT_PLACE_UNCHECKED, &victim), 0);
	assert_true(pabal__fault_hits > 0);
	tear_down(&victim);
}

static void an_unchecked_header_is_caught(void **state)
{
	struct victim victim;

	(void)state;
	set_up(&victim);
	forge(&victim, 9, 3, NULL, 0);
	pabal__fault_hits = 0;
	pabal__fault_on = PABAL__FAULT_HEADER_UNCHECKED;
	assert_int_not_equal(receive(&victim), -EBADMSG);
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(pabal__fault_hits > 0);
	tear_down(&victim);
}

/* What a position may not be, with some messages sent; returns what a send says that has no room. */
static int send_with_position(uint64_t position, enum pabal__fault fault, struct victim *victim)
{
	int r;

	set_up(victim);
	while ((r = pabal_link_send(victim->link, zeros, 1000, PABAL_NOWAIT)) == 0) {
	}
	assert_int_equal(r, -EAGAIN);
	atomic_store(&victim->enemy->position, position);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	r = pabal_link_send(victim->link, zeros, 1000, PABAL_NOWAIT);
	pabal__fault_on = PABAL__FAULT_NONE;
	return r;
}

static void every_position(void **state)
{
	static const uint64_t wrong[] = { 0, 7, PABAL__STREAM_BYTES + 8, UINT64_MAX, UINT64_C(1) << 63 };
	struct victim victim;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		expect_finished(&victim, send_with_position(wrong[i], PABAL__FAULT_NONE, &victim));
	assert_int_equal(send_with_position(UINT64_C(1) << 62, PABAL__FAULT_POSITION_UNCHECKED, &victim), 0);
	assert_true(pabal__fault_hits > 0);
	tear_down(&victim);
}

static int send_with_released(enum pabal__fault fault, struct victim *victim)
{
	int r;

	set_up(victim);
	assert_int_equal(pabal_link_send(victim->link, zeros, MEMORY / 2, PABAL_NOWAIT), 0);
	for (int i = 0; i < PABAL__STREAM_TICKETS; i++)
		atomic_store(&victim->enemy->released[i], 0x12345678u);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	r = pabal_link_send(victim->link, zeros, MEMORY, PABAL_NOWAIT);
	pabal__fault_on = PABAL__FAULT_NONE;
	return r;
}

static void every_release(void **state)
{
	struct victim victim;

	(void)state;
	expect_finished(&victim, send_with_released(PABAL__FAULT_NONE, &victim));
	assert_int_equal(send_with_released(PABAL__FAULT_RELEASED_UNCHECKED, &victim), -EAGAIN);
	assert_true(pabal__fault_hits > 0);
	tear_down(&victim);
}

/* Descriptors that were promised and did not come, lots nobody asked for, bytes without end. */
static void lies_about_descriptors(void **state)
{
	struct pabal__stream_extra extra = { .fd_count = 3 };
	struct pabal_message message;
	struct victim victim;
	int fd;

	(void)state;
	set_up(&victim);
	for (int i = 0; i < 5; i++)
		assert_true(send(victim.pair.parts[1].fds_out, "garbage", 7, 0) == 7);
	forge(&victim, PABAL__STREAM_EXTRA, sizeof extra, &extra, sizeof extra);
	assert_int_equal(pabal_link_take(victim.link, NULL, &message, PABAL_NOWAIT), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pabal_link_message_fd(victim.link, &message, i, &fd), -EBADMSG);
	assert_int_equal(pabal_link_release(victim.link, &message), 0);
	while (send(victim.socket, "flood", 5, MSG_DONTWAIT) > 0) {
	}
	assert_int_equal(pabal_link_receive(victim.link, NULL, 0, NULL, 1000000), -ETIMEDOUT);
	tear_down(&victim);
}

/* Scribbling at random, knowing the structure, while the victim does everything it can. */

static struct victim scribbled;
static _Atomic bool stop;
static _Atomic uint64_t scribbles;

static uint64_t nasty(uint64_t *random)
{
	static const uint64_t values[] = {
		0, 1, 7, 8, 63, 64, 1024, 1025, PABAL__STREAM_BYTES, MEMORY, MEMORY + 1, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 63
	};
	uint32_t dice = next_random(random);

	return dice % 3 ? values[dice / 3 % (sizeof values / sizeof values[0])] : (uint64_t)next_random(random) << 32 | next_random(random);
}

static void *scribble(void *data)
{
	struct pabal__half *half = scribbled.enemy;
	uint64_t random = *(uint64_t *)data;

	while (!atomic_load(&stop)) {
		uint32_t dice = next_random(&random) % 13;
		_Atomic uint64_t *cell = (_Atomic uint64_t *)(void *)(half->ring + (size_t)(next_random(&random) % (PABAL__STREAM_BYTES / 8)) * 8);

		if (dice == 0)
			atomic_store(&half->position, nasty(&random));
		else if (dice == 1)
			atomic_store(&half->arm, nasty(&random));
		else if (dice == 2)
			atomic_store(&half->ring_word, nasty(&random));
		else if (dice == 3)
			atomic_store(&half->released[pabal__stream_word_of(next_random(&random) % 16)], (uint32_t)nasty(&random));
		else if (dice == 12)
			atomic_store(&half->delay, (uint32_t)nasty(&random));
		else if (dice < 8) /* a header that the victim may be waiting for */
			atomic_store((_Atomic uint64_t *)(void *)(half->ring + 8 + (size_t)(next_random(&random) % 64) * 16),
				     (uint64_t)(PABAL__STREAM_SEQUENCE + next_random(&random) % 64) << 32 | (next_random(&random) % 6) << 28 |
					     (next_random(&random) % 8) << PABAL__STREAM_LENGTH_BITS | (nasty(&random) & 0xfff));
		else
			atomic_store(cell, nasty(&random));
		atomic_fetch_add(&scribbles, 1);
	}
	return NULL;
}

static void work(struct victim *victim, uint64_t *random, uint64_t *ret_bad, uint64_t *ret_good)
{
	static char buffer[MEMORY];
	struct pabal_message message;
	struct pabal_loan loan = { 0 };

	for (int i = 0; i < 40; i++) {
		size_t size = next_random(random) % (i % 4 ? 1000 : MEMORY);
		uint32_t dice = next_random(random) % 5;
		int r;

		if (dice == 0) {
			r = pabal_link_send(victim->link, buffer, size, PABAL_NOWAIT);
		} else if (dice == 1) {
			r = pabal_link_loan(victim->link, size, &loan, PABAL_NOWAIT);
			if (r == 0)
				r = pabal_link_commit(victim->link, &loan, size, PABAL_NOWAIT);
			if (r < 0 && loan.data)
				pabal_link_cancel(victim->link, &loan);
		} else if (dice == 2) {
			r = pabal_link_receive(victim->link, buffer, sizeof buffer, NULL, 10000);
		} else if (dice == 3) {
			r = pabal_link_call(victim->link, buffer, size, buffer, sizeof buffer, NULL, 10000);
		} else {
			r = pabal_link_take(victim->link, NULL, &message, PABAL_NOWAIT);
			if (r == 0) {
				memcpy(buffer, message.data, message.size);
				assert_int_equal(pabal_link_release(victim->link, &message), 0);
			}
		}
		*ret_bad += r == -EBADMSG;
		*ret_good += r == 0;
	}
}

static void scribbling_at_random(void **state)
{
	enum { ROUNDS = 300 };
	uint64_t random = 5, bad = 0, good = 0, overlapped = 0;

	(void)state;
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		pthread_t enemy;
		uint64_t before;

		set_up(&scribbled);
		atomic_store(&stop, false);
		before = atomic_load(&scribbles);
		pthread_create(&enemy, NULL, scribble, &round);
		while (atomic_load(&scribbles) == before) {
		}
		before = atomic_load(&scribbles);
		work(&scribbled, &random, &bad, &good);
		overlapped += atomic_load(&scribbles) - before;
		atomic_store(&stop, true);
		pthread_join(enemy, NULL);
		tear_down(&scribbled);
	}
	printf("calls that went well %llu, -EBADMSG %llu, writes of the enemy meanwhile %llu\n", (unsigned long long)good, (unsigned long long)bad,
	       (unsigned long long)overlapped);
	assert_true(bad > 0 && good > 0 && overlapped > 0);
}

/* Replies without end, to no call: each call of ours ends all the same. */
static void *reply_without_end(void *data)
{
	uint32_t sequence = PABAL__STREAM_SEQUENCE;
	uint64_t next = PABAL__STREAM_FIRST;
	struct pabal__stream_extra extra = { .call = 77, .what = PABAL__MESSAGE_REPLY };

	(void)data;
	while (!atomic_load(&stop)) {
		memcpy(scribbled.enemy->ring + pabal__stream_offset(next) + 8, &extra, sizeof extra);
		atomic_store(pabal__stream_header(scribbled.enemy->ring, next),
			     (uint64_t)sequence++ << 32 | (uint32_t)PABAL__STREAM_EXTRA << 28 | 16);
		next = pabal__stream_after(next, pabal__stream_cells(16));
	}
	return NULL;
}

static void replies_without_end(void **state)
{
	pthread_t enemy;

	(void)state;
	set_up(&scribbled);
	atomic_store(&stop, false);
	pthread_create(&enemy, NULL, reply_without_end, NULL);
	for (int i = 0; i < 20; i++) {
		int r = receive(&scribbled);

		assert_true(r == -EAGAIN || r == -EBADMSG);
		r = pabal_link_receive(scribbled.link, NULL, 0, NULL, 1000000);
		assert_true(r == -ETIMEDOUT || r == -EBADMSG);
	}
	atomic_store(&stop, true);
	pthread_join(enemy, NULL);
	tear_down(&scribbled);
}

/* One skip after the other: no honest peer does that. */
static void skips_without_end(void **state)
{
	uint32_t sequence = PABAL__STREAM_SEQUENCE;
	uint64_t next = PABAL__STREAM_FIRST;
	struct victim victim;

	(void)state;
	set_up(&victim);
	for (int i = 0; i < 100; i++, next += 16)
		atomic_store(pabal__stream_header(victim.enemy->ring, next), (uint64_t)sequence++ << 32 | (uint32_t)PABAL__STREAM_SKIP << 28 | 8);
	expect_finished(&victim, receive(&victim));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_header),
		cmocka_unit_test(every_place),
		cmocka_unit_test(an_unchecked_place_is_caught),
		cmocka_unit_test(an_unchecked_header_is_caught),
		cmocka_unit_test(every_position),
		cmocka_unit_test(every_release),
		cmocka_unit_test(lies_about_descriptors),
		cmocka_unit_test(scribbling_at_random),
		cmocka_unit_test(replies_without_end),
		cmocka_unit_test(skips_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
