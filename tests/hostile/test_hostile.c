/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile - somebody who may write a mailbox writes garbage all over it, while others work.
 *
 * The writer knows the structure: it writes random, extreme and almost right values into header words, slots, block headers, lengths, extent words, index bits,
 * participants, hints and bells. The others may get errors and wrong messages. They must not leave the mapping (it lies between two pages without access), must not
 * crash, must return from each call, and must say nothing that is not documented. Every round is a fresh mailbox.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/extent.h"
#include "memory/participant.h"
#include "model/attach.h"
#include "support/support.h"

enum { ROUNDS = 12, WRITES = 150, WORKERS = 3, LARGEST = 20000 };

struct common {
	_Atomic uint64_t ready, calls, passed, corrupt, between, stop;
	_Atomic uint64_t results[256];
};

static struct common *common;

/* Each call's result is one that is documented for some call. */
static int known(int r)
{
	static const int codes[] = { EAGAIN, ETIMEDOUT, EBADMSG, EMSGSIZE, ENOENT, ESHUTDOWN, EUSERS, ENOSPC, EINVAL, ENOMEM, ESTALE, EPROTO };
	bool found = r >= 0;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		found |= r == -codes[i];
	child_check(found);
	atomic_fetch_add(&common->calls, 1);
	if (r < 0)
		atomic_fetch_add(&common->results[-r], 1);
	if (r == -EBADMSG)
		atomic_fetch_add(&common->corrupt, 1);
	return r;
}

static void use_in_place(pabal_mailbox *a, uint64_t *random, int64_t timeout)
{
	size_t size = next_random(random) % LARGEST;
	struct pabal_message message;
	struct pabal_loan loan;

	if (next_random(random) % 2) {
		if (known(pabal_mailbox_loan(a, size, &loan, timeout)) == 0) {
			memset(loan.data, 'x', size);
			if (next_random(random) % 4 == 0 || known(pabal_mailbox_commit(a, &loan, size, timeout)) < 0)
				known(pabal_mailbox_cancel(a, &loan));
		}
	} else if (known(pabal_mailbox_take(a, NULL, &message, timeout)) == 0) {
		unsigned sum = 0;

		for (size_t i = 0; i < message.size; i++) /* all of it is there to be read */
			sum += ((const unsigned char *)message.data)[i];
		atomic_fetch_add(&common->passed, 1 + (sum & 0));
		known(next_random(random) % 3 ? pabal_mailbox_release(a, &message) : pabal_mailbox_requeue(a, &message));
	}
}

static void look(pabal_mailbox *a, uint64_t *random)
{
	struct pabal_mailbox_stats stats = { .struct_size = sizeof stats };
	pabal_mailbox *b;

	switch (next_random(random) % 8) {
	case 0:
		known(pabal_mailbox_stat(a, &stats));
		break;
	case 1:
		known(pabal_check("a", NULL));
		break;
	case 2:
		known(pabal_gc(NULL));
		break;
	case 3:
		if (known(pabal_mailbox_open("a", NULL, &b)) == 0) {
			use_in_place(b, random, PABAL_NOWAIT);
			pabal_mailbox_close(b);
		}
		break;
	default:
		break;
	}
}

static int work(void *data)
{
	uint64_t random = *(uint32_t *)data;
	char *buffer = calloc(1, LARGEST);
	pabal_mailbox *a;

	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	atomic_fetch_add(&common->ready, 1);
	while (!atomic_load(&common->stop)) {
		int64_t timeout = next_random(&random) % 4 ? PABAL_NOWAIT : 100000;
		uint32_t what = next_random(&random) % 16;

		if (what < 7)
			known(pabal_mailbox_send(a, buffer, next_random(&random) % (what ? 200 : LARGEST), timeout));
		else if (what < 13) {
			if (known(pabal_mailbox_receive(a, buffer, LARGEST - 1000 * (what == 12), NULL, timeout)) == 0)
				atomic_fetch_add(&common->passed, 1);
		} else if (what < 15)
			use_in_place(a, &random, timeout);
		else
			look(a, &random);
	}
	pabal_mailbox_close(a);
	free(buffer);
	return 0;
}

/* Random, extreme, or what was there with a bit changed. */
static uint64_t garbage(uint64_t was, uint64_t *random)
{
	static const uint64_t extremes[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0xffffffff), 0x8000, 77 };
	uint64_t wide = (uint64_t)next_random(random) << 32 | next_random(random);

	switch (next_random(random) % 6) {
	case 0:
		return extremes[next_random(random) % (sizeof extremes / sizeof *extremes)];
	case 1:
		return wide;
	case 2:
		return was + 1 + wide % 3 * (UINT64_MAX / 2);
	case 3:
		return (was & ~UINT64_C(15)) | wide % 16; /* another state */
	case 4:
		return (was & UINT64_C(0xffffffff3fffffff)) | wide % 4 << 30;
	default:
		return was ^ UINT64_C(1) << wide % 64;
	}
}

/* A word of one kind: header lines, slots, participants, index, extents, block headers and what lies beside them. */
static pabal__word *some_word(const struct pabal__segment *segment, uint64_t *random)
{
	const struct pabal__layout *layout = &segment->layout;
	uint32_t where = next_random(random), number = next_random(random) % layout->class_count;
	const struct pabal__class *class = &layout->classes[number];
	struct pabal__block block;

	switch (next_random(random) % 8) {
	case 0:
		return (pabal__word *)pabal__segment_at(segment, sizeof(struct pabal__shape) + 16 + (uint64_t)(where % 120) * 8);
	case 1:
	case 2:
		return (pabal__word *)pabal__segment_at(segment, layout->ring) + where % layout->ring_slots;
	case 3:
		return (pabal__word *)pabal__segment_at(segment, PABAL__PARTICIPANTS_AT + UINT64_C(64) * (1 + where % 6)) + where / 64 % 5;
	case 4:
		return (pabal__word *)pabal__segment_at(segment, layout->index) + where % (layout->extent_count / 64);
	case 5:
		return pabal__extent_word(segment, class, where % 8 % class->extents);
	default:
		if (where % 2)
			class = &layout->classes[where / 2 % 4 ? 0 : PABAL__SMALL_CLASSES];
		pabal__block_at(segment, class, where / 8 % (class->extents << class->shift < 64 ? class->extents << class->shift : 64), &block);
		return &block.words[where % 7 ? where % 4 : 0];
	}
}

/* Many messages that came back, with lengths that cannot be: a list that never ends. */
static void fill_with_false_redeliveries(const struct pabal__segment *segment)
{
	const struct pabal__class *class = &segment->layout.classes[0];
	struct pabal__block block;

	atomic_store(&segment->header->extents_high[0], 4);
	for (uint32_t i = 0; i < 4u << class->shift; i++) {
		pabal__block_at(segment, class, i, &block);
		atomic_store(pabal__extent_word(segment, class, i >> class->shift), pabal__extent_small(1, 0, PABAL__FLOATING));
		atomic_store(&block.words[PABAL__WORD_LENGTH], UINT64_MAX);
		atomic_store(&block.words[PABAL__WORD_HEADER], pabal__header_next(0, PABAL__REDELIVER, 0, 1));
		atomic_store((pabal__word *)pabal__segment_at(segment, segment->layout.index), UINT64_C(15));
	}
	atomic_fetch_add(&segment->header->notice, 1);
}

static void scribble(const struct pabal__segment *segment, uint64_t *random)
{
	for (int i = 0; i < WRITES; i++) {
		pabal__word *word = some_word(segment, random);
		uint64_t calls = atomic_load(&common->calls), passed = atomic_load(&common->passed);

		atomic_store(word, garbage(atomic_load(word), random));
		if (i == WRITES / 2)
			fill_with_false_redeliveries(segment);
		if (!eventually_at_least(&common->calls, calls + 10))
			fail_msg("round with a write to offset %zu: nobody returns from a call any more",
				 (size_t)((char *)word - (char *)segment->header));
		if (atomic_load(&common->passed) > passed)
			atomic_fetch_add(&common->between, 1);
	}
}

static void garbage_does_not_spread(void **state)
{
	static uint32_t seeds[WORKERS];
	uint64_t random = 2026;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		pid_t pids[WORKERS];
		pabal_mailbox *a;

		assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 200, .memory_max = 1 << 18), &a), 0);
		atomic_store(&common->stop, 0);
		for (uint32_t i = 0; i < WORKERS; i++) {
			seeds[i] = round * WORKERS + i;
			pids[i] = child_start(work, &seeds[i]);
		}
		assert_true(eventually_at_least(&common->ready, ((uint64_t)round + 1) * WORKERS)); /* a soiled one may refuse to be opened */
		assert_true(eventually_at_least(&common->passed, atomic_load(&common->passed) + 100));
		scribble(pabal__mailbox_segment(a), &random);
		atomic_store(&common->stop, 1);
		for (uint32_t i = 0; i < WORKERS; i++)
			assert_int_equal(child_end(pids[i]), 0);
		pabal_mailbox_close(a);
		unlink(path_of("a"));
	}
	printf("calls %llu, messages %llu, writes with messages in between %llu, -EBADMSG %llu\n", (unsigned long long)common->calls,
	       (unsigned long long)common->passed, (unsigned long long)common->between, (unsigned long long)common->corrupt);
	assert_true(common->between > 0 && common->corrupt > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(garbage_does_not_spread) };

	common = shared_memory(sizeof *common);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
