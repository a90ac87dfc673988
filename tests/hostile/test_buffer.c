/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_buffer - somebody who may write a buffer writes garbage all over it, while others work; each form in turn.
 *
 * As test_hostile does for mailboxes. The writer knows the structure: header words, participants and bells; of the default form slots, extent words and block headers; of SPSC the
 * positions and roles; of the newest its word, owners and pins. The others may get errors and wrong items. They must not leave the mapping (it lies between two pages without
 * access), must return from each call, and must say nothing that is not documented. Every round is a fresh buffer.
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
#include "model/buffer.h"
#include "support/support.h"

enum { ROUNDS = 18, WRITES = 150, WORKERS = 4, BATCH = 7, LARGEST = 5000, CAPACITY = 50 };

static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };
static const char *const form_names[] = { "many", "SPSC", "newest" };

struct tally {
	_Atomic uint64_t calls, passed, corrupt, between;
};

struct common {
	_Atomic uint64_t ready, stop;
	struct tally tallies[3];
};

struct job {
	uint32_t form, seed;
	size_t item_size;
};

static struct common *common;
static struct tally *tally; /* of the form under way */

/* Each call's result is one that is documented for some call. */
static int known(int r)
{
	static const int codes[] = { EAGAIN, ETIMEDOUT, EBADMSG, EBUSY, ENOENT, ESHUTDOWN, EUSERS, ENOSPC, EINVAL, ENOMEM, ESTALE, EPROTO };
	bool found = r >= 0;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		found |= r == -codes[i];
	if (!found)
		fprintf(stderr, "test_buffer: result %d\n", r);
	child_check(found);
	atomic_fetch_add(&tally->calls, 1);
	atomic_fetch_add(&tally->corrupt, r == -EBADMSG);
	return r;
}

static void read_all(const void *data, size_t size)
{
	unsigned sum = 0;

	for (size_t i = 0; i < size; i++) /* all of it is there to be read */
		sum += ((const unsigned char *)data)[i];
	atomic_fetch_add(&tally->passed, 1 + (sum & 0));
}

static void use_in_place(pabal_buffer *buffer, uint64_t *random, int64_t timeout, bool produce)
{
	struct pabal_message items;
	struct pabal_loan loan;

	if (produce) {
		if (known(pabal_buffer_loan(buffer, BATCH, &loan, timeout)) == 0) {
			memset(loan.data, 'x', loan.size);
			if (next_random(random) % 4 == 0 || known(pabal_buffer_commit(buffer, &loan, loan.size)) < 0)
				known(pabal_buffer_cancel(buffer, &loan));
		}
	} else if (known(pabal_buffer_take(buffer, BATCH, &items, timeout)) == 0) {
		read_all(items.data, items.size);
		known(pabal_buffer_release(buffer, &items));
	}
}

static void look(pabal_buffer *buffer, uint64_t *random)
{
	struct pabal_buffer_stats stats = { .struct_size = sizeof stats };
	pabal_buffer *other;

	switch (next_random(random) % 6) {
	case 0:
		known(pabal_buffer_stat(buffer, &stats));
		break;
	case 1:
		known(pabal_check("b", NULL));
		break;
	case 2:
		known(pabal_gc(NULL));
		break;
	case 3:
		if (known(pabal_buffer_open("b", NULL, &other)) == 0) {
			use_in_place(other, random, PABAL_NOWAIT, next_random(random) % 2);
			pabal_buffer_close(other);
		}
		break;
	default:
		break;
	}
}

/* Half of the workers put, half get, as SPSC wants it; who is refused its place asks again. */
static int work(void *data)
{
	const struct job *job = data;
	uint64_t random = job->seed;
	char *items = calloc(BATCH, job->item_size);
	bool produce = job->seed % 2;
	pabal_buffer *buffer;
	uint32_t count;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	atomic_fetch_add(&common->ready, 1);
	while (!atomic_load(&common->stop)) {
		int64_t timeout = next_random(&random) % 4 ? PABAL_NOWAIT : 100000;
		uint32_t what = next_random(&random) % 16;

		if (what < 11 && produce) {
			known(pabal_buffer_put(buffer, items, 1 + next_random(&random) % BATCH, &count, timeout));
		} else if (what < 11) {
			if (known(pabal_buffer_get(buffer, items, 1 + next_random(&random) % BATCH, &count, timeout)) == 0)
				read_all(items, count * job->item_size);
		} else if (what < 15) {
			use_in_place(buffer, &random, timeout, produce);
		} else {
			look(buffer, &random);
		}
	}
	pabal_buffer_close(buffer);
	free(items);
	return 0;
}

/* Random, extreme, or what was there with a bit changed. */
static uint64_t garbage(uint64_t was, uint64_t *random)
{
	static const uint64_t extremes[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0xffffffff), CAPACITY, CAPACITY + 1 };
	uint64_t wide = (uint64_t)next_random(random) << 32 | next_random(random);

	switch (next_random(random) % 6) {
	case 0:
		return extremes[next_random(random) % (sizeof extremes / sizeof *extremes)];
	case 1:
		return wide;
	case 2:
		return was + 1 + wide % 3 * (UINT64_MAX / 2);
	case 3:
		return (was & ~UINT64_C(15)) | wide % 16;
	case 4:
		return was + wide % 64 - 32;
	default:
		return was ^ UINT64_C(1) << wide % 64;
	}
}

static pabal__word *word_of_the_queue(const struct pabal__segment *segment, uint32_t where, uint32_t kind)
{
	const struct pabal__layout *layout = &segment->layout;
	const struct pabal__class *class = &layout->classes[pabal__layout_class_for(layout, segment->shape.item_size)];
	struct pabal__block block;

	if (kind < 2)
		return (pabal__word *)pabal__segment_at(segment, layout->ring) + where % layout->ring_slots;
	if (kind == 2)
		return (pabal__word *)pabal__segment_at(segment, layout->index) + where % ((layout->extent_count + 63) / 64);
	if (kind == 3)
		return pabal__extent_word(segment, class, where % 8 % class->extents);
	pabal__block_at(segment, class, where / 8 % (class->extents << class->shift < 64 ? class->extents << class->shift : 64), &block);
	return &block.words[where % 7 ? where % 4 : 0];
}

static pabal__word *word_of_the_newest(const struct pabal__segment *segment, uint32_t where, uint32_t kind)
{
	struct pabal__latest_shared *shared = pabal__segment_at(segment, PABAL__LATEST_AT);

	if (kind < 2)
		return &shared->newest;
	if (kind == 2)
		return &shared->high;
	return kind < 5 ? &shared->owners[where % 16] : &shared->pins[where % 8].block;
}

/* A word of one kind: header lines, participants, and those of the form. */
static pabal__word *some_word(const struct pabal__segment *segment, uint32_t form, uint64_t *random)
{
	uint32_t where = next_random(random), kind = next_random(random) % 8;

	if (kind == 6)
		return (pabal__word *)pabal__segment_at(segment, sizeof(struct pabal__shape) + 16 + (uint64_t)(where % 120) * 8);
	if (kind == 7)
		return (pabal__word *)pabal__segment_at(segment, PABAL__PARTICIPANTS_AT + UINT64_C(64) * (1 + where % 6)) + where / 64 % 5;
	if (forms[form] == PABAL_BUFFER_SPSC)
		return (pabal__word *)pabal__segment_at(segment, PABAL__SPSC_AT) + where % (sizeof(struct pabal__buffer_spsc) / 8);
	return forms[form] ? word_of_the_newest(segment, where, kind) : word_of_the_queue(segment, where, kind);
}

static void scribble(const struct pabal__segment *segment, uint32_t form, uint64_t *random)
{
	for (int i = 0; i < WRITES; i++) {
		pabal__word *word = some_word(segment, form, random);
		uint64_t calls = atomic_load(&tally->calls), passed = atomic_load(&tally->passed);

		atomic_store(word, garbage(atomic_load(word), random));
		if (!eventually_at_least(&tally->calls, calls + 10))
			fail_msg("%s, a write to offset %zu: nobody returns from a call any more", form_names[form],
				 (size_t)((char *)word - (char *)segment->header));
		if (atomic_load(&tally->passed) > passed)
			atomic_fetch_add(&tally->between, 1);
	}
}

static void play(uint32_t round, uint64_t *random)
{
	static struct job jobs[WORKERS];
	uint32_t form = round % 3;
	size_t item_size = round % 2 ? 64 : LARGEST;
	pid_t pids[WORKERS];
	pabal_buffer *buffer = NULL;

	tally = &common->tallies[form];
	assert_int_equal(pabal_buffer_create("b", item_size, CAPACITY,
					     &(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), .flags = forms[form] },
					     &buffer),
			 0);
	atomic_store(&common->stop, 0);
	for (uint32_t i = 0; i < WORKERS; i++) {
		jobs[i] = (struct job){ .form = form, .seed = round * WORKERS + i, .item_size = item_size };
		pids[i] = child_start(work, &jobs[i]);
	}
	assert_true(eventually_at_least(&common->ready, ((uint64_t)round + 1) * WORKERS)); /* a soiled one may refuse to be opened */
	assert_true(eventually_at_least(&tally->passed, atomic_load(&tally->passed) + 100));
	scribble(pabal__mailbox_segment(&buffer->base), form, random);
	atomic_store(&common->stop, 1);
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(child_end(pids[i]), 0);
	pabal_buffer_close(buffer);
	unlink(path_of("b"));
}

static void garbage_does_not_spread(void **state)
{
	uint64_t random = 2026;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++)
		play(round, &random);
	for (int form = 0; form < 3; form++) {
		const struct tally *of = &common->tallies[form];

		printf("%s: calls %llu, gets %llu, writes with gets in between %llu, -EBADMSG %llu\n", form_names[form],
		       (unsigned long long)of->calls, (unsigned long long)of->passed, (unsigned long long)of->between,
		       (unsigned long long)of->corrupt);
		assert_true(of->between > 0 && of->corrupt > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(garbage_does_not_spread) };

	common = shared_memory(sizeof *common);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
