/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stream - the ring of a link, alone: two memories in one process, sequence numbers a few steps before their wrap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue/stream_reader.h"
#include "support/support.h"

/* As who streams sends, as who asks and answers, and as who does both. */
enum layout { DENSE, APART, MIXED, LAYOUTS };

struct pair {
	enum layout layout;
	uint64_t count, ready; /* put so far, and of these: to where it had been made ready */
	struct pabal__half *mine, *theirs;
	struct pabal__writer writer;
	struct pabal__reader reader;
};

static struct pabal__half *make_half(void)
{
	struct pabal__half *half = aligned_alloc(4096, pabal__stream_size(4096));

	memset(half, 0, pabal__stream_size(4096));
	pabal__stream_format(half, 4096);
	return half;
}

static void set_up(struct pair *pair, enum layout layout)
{
	pair->layout = layout;
	pair->count = pair->ready = 0;
	pair->mine = make_half();
	pair->theirs = make_half();
	pabal__writer_init(&pair->writer, pair->mine, pair->theirs);
	pabal__reader_init(&pair->reader, pair->theirs, pair->mine);
}

static void tear_down(struct pair *pair)
{
	free(pair->mine);
	free(pair->theirs);
}

static bool put(struct pair *pair, const void *data, uint32_t length)
{
	struct pabal__writer *writer = &pair->writer;
	const struct pabal__spot *ready = pabal__writer_ready(writer, length);
	struct pabal__spot spot;
	bool apart;

	if (pabal__writer_room(writer, pabal__stream_cells(length)) <= 0)
		return false;
	apart = pair->layout == APART || (pair->layout == MIXED && pair->count++ % 5 < 2);
	if (apart && ready) {
		spot = *ready;
		memcpy(pabal__spot_content(&spot), data, length);
		pair->ready++;
	} else {
		spot = apart ? pabal__writer_spot_apart(writer, length) : pabal__writer_spot(writer, length);
		memcpy(pabal__spot_begin(&spot), data, length);
	}
	if (!spot.alone) {
		pabal__writer_publish(writer, &spot, PABAL__STREAM_DATA);
		return true;
	}
	pabal__writer_commit(writer, &spot, PABAL__STREAM_DATA);
	pabal__writer_prepare(writer, length);
	return true;
}

/* The next message's length, or -1; skips are passed over. */
static int get(struct pair *pair, void *data)
{
	for (;;) {
		uint32_t header = pabal__reader_look(&pair->reader), length = pabal__stream_length_of(header);

		if (!header)
			return -1;
		assert_true(pabal__reader_sound(&pair->reader, header));
		if (pabal__stream_kind_of(header) == PABAL__STREAM_DATA) {
			memcpy(data, pabal__reader_content(&pair->reader), length);
			pabal__reader_consume(&pair->reader, header);
			return (int)length;
		}
		assert_int_equal(pabal__stream_kind_of(header), PABAL__STREAM_SKIP);
		pabal__reader_consume(&pair->reader, header);
	}
}

static void the_size_of_a_half(void **state)
{
	(void)state;
	assert_int_equal(pabal__stream_size(0), 0);
	assert_int_equal(pabal__stream_size(PABAL__STREAM_MEMORY_MAX + 1), 0);
	assert_int_equal(pabal__stream_size(1), sizeof(struct pabal__half) + 4096);
	assert_int_equal(pabal__stream_size(4097), sizeof(struct pabal__half) + 8192);
}

static void only_what_was_formatted_fits(void **state)
{
	struct pabal__half *half = make_half();

	(void)state;
	assert_true(pabal__stream_fits(half, 4096));
	assert_false(pabal__stream_fits(half, 4097));
	half->magic++;
	assert_false(pabal__stream_fits(half, 4096));
	free(half);
}

/* Full, emptied, and so on, past the end of the ring and the wrap of the sequence numbers; payloads look like every header there could be. */
static bool goes_round(enum layout layout)
{
	struct pair pair;
	uint32_t words[PABAL__STREAM_INLINE_MAX / 4], got[PABAL__STREAM_INLINE_MAX / 4], sent = 0, received = 0, length = 0;
	uint64_t random = 3;
	bool right = true;

	set_up(&pair, layout);
	for (int lap = 0; lap < 60 && right; lap++) {
		while (next_random(&random) % 500) {  /* until the ring is full, or about as far */
			if (next_random(&random) % 2) /* some in a row are of one length */
				length = next_random(&random) % 33 * 4;
			for (uint32_t i = 0; i < length / 4; i++) /* "this is the message after next, 4 bytes long" */
				words[i] = i & 1 ? PABAL__STREAM_SEQUENCE + sent + next_random(&random) % 2000 : 1u << 28 | 4;
			if (length)
				words[0] = sent;
			if (!put(&pair, words, length))
				break;
			sent += length != 0;
		}
		for (int size; right && (size = get(&pair, got)) >= 0;)
			right = size == 0 || got[0] == received++;
	}
	right = right && sent == received && sent > 10000;
	right = right && (layout == DENSE ? pair.ready == 0 : pair.ready > 1000);
	tear_down(&pair);
	return right;
}

static void round_and_round(void **state)
{
	(void)state;
	for (int layout = 0; layout < LAYOUTS; layout++)
		assert_true(goes_round((enum layout)layout));
}

/* Named invariant: "what is received was sent". Old payload that bears the number waited for must not pass. */
static bool old_payload_passes(enum layout layout, enum pabal__fault fault)
{
	struct pair pair;
	uint64_t forged[64], got[128];
	bool passes;

	set_up(&pair, layout);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	/* Fill a lap with payload that says of itself that it is the message of the next lap's beginning. */
	for (uint32_t i = 0; pair.writer.next < UINT64_C(3) * PABAL__STREAM_BYTES; i++) {
		for (int j = 0; j < 64; j++)
			forged[j] = (uint64_t)(pair.writer.sequence + (PABAL__STREAM_BYTES - PABAL__STREAM_SLACK) / 528 + 1) << 32 | 1u << 28 | 8;
		assert_true(put(&pair, forged, i % 2 ? 8 : 512));
		if (get(&pair, got) < 0)
			break;
		if (pabal__reader_look(&pair.reader))
			break;
	}
	passes = pabal__reader_look(&pair.reader) != 0;
	for (int i = 0; i < 4000 && !passes; i++) { /* every distance between payload and number */
		for (int j = 0; j < 64; j++)
			forged[j] = (uint64_t)(pair.writer.sequence + (uint32_t)i) << 32 | 1u << 28 | 8;
		assert_true(put(&pair, forged, (uint32_t)(i / 2 * 8 % 504)));
		assert_true(get(&pair, got) >= 0);
		passes = pabal__reader_look(&pair.reader) != 0;
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	tear_down(&pair);
	return passes;
}

static void old_payload_is_no_header(void **state)
{
	(void)state;
	for (int layout = 0; layout < LAYOUTS; layout++)
		assert_false(old_payload_passes((enum layout)layout, PABAL__FAULT_NONE));
}

static void a_stale_header_is_caught(void **state)
{
	(void)state;
	assert_true(old_payload_passes(DENSE, PABAL__FAULT_STALE_HEADER));
	assert_true(pabal__fault_hits > 0);
}

/* Named invariant: "what was not read stays". The ring is filled again and again, and each time one more or fewer are left in it. */
static bool unread_stays(enum layout layout, enum pabal__fault fault)
{
	unsigned char data[700], got[PABAL__STREAM_INLINE_MAX];
	uint32_t sent = 0, received = 0;
	bool stays = true;
	struct pair pair;

	set_up(&pair, layout);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	for (int lap = 0; lap < 20 && stays; lap++) {
		for (;; sent++) {
			memset(data, (int)(sent % 251), sizeof data);
			if (!put(&pair, data, sent / 2 * 37 % 700))
				break;
		}
		for (int i = 0; i < 100 + lap && stays; i++, received++) {
			memset(data, (int)(received % 251), sizeof data);
			stays = get(&pair, got) == (int)(received / 2 * 37 % 700) && !memcmp(got, data, received / 2 * 37 % 700);
		}
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	tear_down(&pair);
	return stays;
}

static void what_was_not_read_stays(void **state)
{
	(void)state;
	for (int layout = 0; layout < LAYOUTS; layout++)
		assert_true(unread_stays((enum layout)layout, PABAL__FAULT_NONE));
}

static void a_line_taken_too_early_is_caught(void **state)
{
	(void)state;
	for (int layout = 0; layout < LAYOUTS; layout++) {
		assert_false(unread_stays((enum layout)layout, PABAL__FAULT_OWN_UNREAD));
		assert_true(pabal__fault_hits > 0);
	}
}

/* Named invariant: "a loan is its borrower's". */
static bool gap_is_kept(enum layout layout, enum pabal__fault fault)
{
	unsigned char data[200], got[PABAL__STREAM_INLINE_MAX], *loan;
	bool kept = true;
	struct pair pair;

	set_up(&pair, layout);
	memset(data, 1, sizeof data);
	assert_true(put(&pair, data, 100));
	loan = pabal__writer_content(&pair.writer);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	pabal__writer_overtake(&pair.writer, pabal__stream_cells(333));
	memset(loan, 0x77, 333);
	for (int i = 0; i < 5000 && kept; i++) {
		if (!put(&pair, data, (uint32_t)(i / 2 * 13 % 200)))
			break;
		while (get(&pair, got) >= 0) {
		}
		for (int j = 0; j < 333; j++)
			kept = kept && loan[j] == 0x77;
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	pabal__writer_close_gap(&pair.writer);
	tear_down(&pair);
	return kept;
}

static void messages_are_laid_around_a_gap(void **state)
{
	(void)state;
	for (int layout = 0; layout < LAYOUTS; layout++)
		assert_true(gap_is_kept((enum layout)layout, PABAL__FAULT_NONE));
}

static void an_ignored_gap_is_caught(void **state)
{
	(void)state;
	for (int layout = 0; layout < LAYOUTS; layout++) {
		assert_false(gap_is_kept((enum layout)layout, PABAL__FAULT_GAP_IGNORED));
		assert_true(pabal__fault_hits > 0);
		assert_false(gap_is_kept((enum layout)layout, PABAL__FAULT_OWN_UNREAD));
		assert_true(pabal__fault_hits > 0);
	}
}

/* Whatever its length: the next header lies at the beginning of a line, of which nothing is this message's, and it is found there; the second one of a length is made ready for. */
static void apart_means_lines_of_its_own(void **state)
{
	unsigned char data[PABAL__STREAM_INLINE_MAX] = { 0 }, got[PABAL__STREAM_INLINE_MAX] = { 0 };
	struct pair pair;

	(void)state;
	set_up(&pair, APART);
	for (uint32_t i = 0; i <= 2 * PABAL__STREAM_INLINE_MAX + 1; i++) {
		uint64_t begin = pair.writer.next, end = begin + 8 + i / 2;

		data[0] = (unsigned char)i;
		assert_int_equal(pabal__writer_look_for_room(&pair.writer, 16), 1); /* so that the limit is far away */
		assert_true(put(&pair, data, i / 2));
		assert_int_equal(pair.writer.next % 64, PABAL__STREAM_FIRST);
		assert_true(pair.writer.next - PABAL__STREAM_FIRST >= end);
		assert_true(pair.writer.next < end + 64 + PABAL__STREAM_FIRST ||
			    pabal__stream_offset(pair.writer.next) < pabal__stream_offset(begin));
		assert_int_equal(get(&pair, got), i / 2);
		assert_true(i < 2 || got[0] == data[0]);
		assert_int_equal(pair.reader.next, pair.writer.next);
	}
	assert_int_equal(pair.ready, PABAL__STREAM_INLINE_MAX + 1);
	tear_down(&pair);
}

static void a_position_that_lies(void **state)
{
	static const uint64_t wrong[] = { 0, 7, UINT64_MAX, 1 << 30 };
	unsigned char data[1000] = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct pair pair;

		set_up(&pair, DENSE);
		while (put(&pair, data, sizeof data)) {
		}
		atomic_store(&pair.theirs->position, wrong[i]);
		assert_int_equal(pabal__writer_room(&pair.writer, 1024), -EBADMSG);
		tear_down(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_size_of_a_half),
		cmocka_unit_test(only_what_was_formatted_fits),
		cmocka_unit_test(round_and_round),
		cmocka_unit_test(old_payload_is_no_header),
		cmocka_unit_test(a_stale_header_is_caught),
		cmocka_unit_test(messages_are_laid_around_a_gap),
		cmocka_unit_test(what_was_not_read_stays),
		cmocka_unit_test(a_line_taken_too_early_is_caught),
		cmocka_unit_test(an_ignored_gap_is_caught),
		cmocka_unit_test(a_position_that_lies),
		cmocka_unit_test(apart_means_lines_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
