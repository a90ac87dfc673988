/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_lies - a peer writes one lie into its half of a link, or sends one over a socket, and the other side finds it out.
 *
 * Both sides lie in this process; the liar writes its own memory, which is all that it can write. The other one must say -EBADMSG, and go on saying it, since nothing of such a peer
 * can be believed: but for a message whose descriptors did not come, which is one message.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/link_pair.h"

enum { LARGE = 100000 };

static pabal_link *links[2]; /* 0 is lied to by 1 */
static char data[LARGE];

static void begin(void)
{
	link_pair_default(0, links);
}

/* Everything says so from now on, and nobody crashes on what is still there. */
static void expect_broken(void)
{
	struct pabal_message message;
	struct pabal_loan loan;
	size_t size;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pabal_link_receive(links[0], data, sizeof data, &size, PABAL_NOWAIT), -EBADMSG);
		assert_int_equal(pabal_link_take(links[0], NULL, &message, 1000000), -EBADMSG);
		assert_int_equal(pabal_link_send(links[0], data, 10, PABAL_NOWAIT), -EBADMSG);
		assert_int_equal(pabal_link_send(links[0], data, sizeof data, PABAL_NOWAIT), -EBADMSG);
		assert_int_equal(pabal_link_loan(links[0], 10, &loan, PABAL_NOWAIT), -EBADMSG);
		assert_int_equal(pabal_link_loan(links[0], sizeof data, &loan, PABAL_NOWAIT), -EBADMSG);
	}
	assert_non_null(strstr(pabal_error_detail(), "peer"));
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

/* The liar's next header is this. */
static void write_header(uint32_t kind, uint32_t length)
{
	struct pabal__writer *writer = &links[1]->sending.writer;

	atomic_store(pabal__stream_header(writer->ring, writer->next), (uint64_t)writer->sequence << 32 | kind << 28 | length);
}

static void headers_that_cannot_be(void **state)
{
	static const uint32_t lies[][2] = {
		{ 0, 5 },
		{ PABAL__STREAM_DATA, PABAL__STREAM_INLINE_MAX + 1 },
		{ PABAL__STREAM_DATA, (1 << 28) - 1 },
		{ PABAL__STREAM_EXTRA, 0 },
		{ PABAL__STREAM_EXTRA, sizeof(struct pabal__stream_extra) - 1 },
		{ PABAL__STREAM_EXTRA, sizeof(struct pabal__stream_extra) + PABAL__STREAM_INLINE_MAX + 1 },
		{ PABAL__STREAM_LARGE, 0 },
		{ PABAL__STREAM_LARGE, sizeof(struct pabal__stream_extra) + sizeof(struct pabal__stream_place) + 1 },
		{ PABAL__STREAM_SKIP, PABAL__STREAM_BYTES },
		{ PABAL__STREAM_SKIP, (1 << 28) - 1 },
		{ 5, 8 },
		{ 15, (1 << 28) - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		begin();
		write_header(lies[i][0], lies[i][1]);
		expect_broken();
	}
}

/* An entry with these words, in the manner of an honest one. */
static void publish(enum pabal__stream_kind kind, const struct pabal__stream_extra *extra, const struct pabal__stream_place *place)
{
	struct pabal__writer *writer = &links[1]->sending.writer;
	uint64_t length = sizeof *extra + (place ? sizeof *place : 0);
	struct pabal__spot spot = pabal__writer_spot(writer, length);
	unsigned char *content = pabal__spot_begin(&spot);

	memcpy(content, extra, sizeof *extra);
	if (place)
		memcpy(content + sizeof *extra, place, sizeof *place);
	pabal__writer_publish(writer, &spot, kind);
}

static void words_beside_a_message_that_cannot_be(void **state)
{
	static const struct pabal__stream_extra lies[] = {
		{ .fd_count = PABAL_LINK_FDS_MAX + 1 },
		{ .fd_count = UINT16_MAX },
		{ .what = PABAL__MESSAGE_REPLY + 1 },
		{ .what = UINT16_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		begin();
		publish(PABAL__STREAM_EXTRA, &lies[i], NULL);
		expect_broken();
	}
}

static void places_that_are_none(void **state)
{
	static const struct pabal__stream_place lies[] = {
		{ .offset = 1 << 20, .size = 1 << 20 },
		{ .offset = UINT64_MAX - 63, .size = 64 },
		{ .offset = 0, .size = UINT64_MAX },
		{ .offset = UINT64_MAX / 2, .size = UINT64_MAX / 2 + 2 },
		{ .offset = UINT64_C(1) << 40, .size = 100 },
		{ .offset = 0, .size = 64, .receipt = PABAL__STREAM_TICKETS },
		{ .offset = 0, .size = 64, .receipt = UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		begin();
		publish(PABAL__STREAM_LARGE, &(struct pabal__stream_extra){ 0 }, &lies[i]);
		expect_broken();
	}
}

/* Send until the ring has no room by what is known, so that the liar's word must be looked at. */
static int send_until_looked(void)
{
	int r = 0;

	for (int i = 0; i < PABAL__STREAM_BYTES / 512 && r == 0; i++)
		r = pabal_link_send(links[0], data, 1000, PABAL_NOWAIT);
	return r;
}

static void positions_that_cannot_be(void **state)
{
	static const uint64_t lies[] = { PABAL__STREAM_FIRST - 8,          0, UINT64_MAX, UINT64_C(1) << 40, UINT64_C(1) << 63,
					 UINT64_C(3) * PABAL__STREAM_BYTES };

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		begin();
		atomic_store(&links[1]->mine->position, lies[i]);
		assert_int_equal(send_until_looked(), -EBADMSG);
		expect_broken();
	}
}

/* It was further on already. */
static void a_position_that_leaps_back(void **state)
{
	uint64_t before;
	size_t size;

	(void)state;
	begin();
	assert_int_equal(send_until_looked(), -EAGAIN);
	before = atomic_load(&links[1]->mine->position);
	while (pabal_link_receive(links[1], data, sizeof data, &size, PABAL_NOWAIT) == 0) {
	}
	assert_int_equal(pabal_link_send(links[0], data, 1000, PABAL_NOWAIT), 0); /* it has seen the new one */
	atomic_store(&links[1]->mine->position, before + 16);
	assert_int_equal(send_until_looked(), -EBADMSG);
	expect_broken();
}

static void large_messages_are_released_that_were_not_sent(void **state)
{
	struct pabal_loan loan;

	(void)state;
	for (int way = 0; way < 3; way++) {
		int r = 0;

		begin();
		assert_int_equal(pabal_link_send(links[0], data, LARGE, PABAL_NOWAIT), 0);
		for (uint32_t i = 0; i < PABAL__STREAM_TICKETS; i++)
			atomic_store(&links[1]->mine->released[i], 12345);
		if (way == 1) /* found at the commit: that message went */
			assert_int_equal(pabal_link_send(links[0], data, LARGE, PABAL_NOWAIT), 0);
		/* Found when memory is short. */
		for (int i = 0; i < 20 && r == 0; i++)
			r = way == 2 ? pabal_link_loan(links[0], LARGE, &loan, PABAL_NOWAIT) : pabal_link_send(links[0], data, LARGE, PABAL_NOWAIT);
		assert_int_equal(r, -EBADMSG);
		expect_broken();
	}
}

/* What comes beside a message that promises a descriptor. */
static void send_packet(uint32_t number, size_t size, const int *fds, uint32_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec piece = { .iov_base = &number, .iov_len = size };
	struct msghdr packet = { .msg_iov = &piece, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (count) {
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof *fds);
		header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof *fds);
		memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
	}
	assert_int_equal(sendmsg(links[1]->fds_out, &packet, MSG_DONTWAIT), size);
}

static void send_lot(uint32_t number, const int *fds, uint32_t count)
{
	send_packet(number, sizeof number, fds, count);
}

static void no_lot(void)
{
}

static void empty_lot(void)
{
	send_lot(1, NULL, 0);
}

/* No number, and a descriptor all the same. */
static void empty_packet(void)
{
	const int fd = 0;

	send_packet(1, 0, &fd, 1);
}

static void large_lot(void)
{
	const int fds[] = { 0, 0, 0, 0 };

	send_lot(1, fds, 4);
}

static void many_other_lots(void)
{
	const int fd = 0;

	for (uint32_t i = 0; i < 20; i++)
		send_lot(1000 + i, &fd, 1);
}

static void hung_up(void)
{
	shutdown(links[1]->fds_out, SHUT_RDWR);
}

static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void descriptors_that_did_not_come(void **state)
{
	static void (*const lies[])(void) = { no_lot, empty_lot, empty_packet, large_lot, many_other_lots, hung_up };

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct pabal_message message;
		int fd = -1, free_before;
		size_t size;

		begin();
		free_before = lowest_free();
		lies[i]();
		publish(PABAL__STREAM_EXTRA, &(struct pabal__stream_extra){ .fd_count = 2 }, NULL);
		assert_int_equal(pabal_link_take(links[0], NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(message.fd_count, 2);
		assert_int_equal(pabal_link_message_fd(links[0], &message, 1, &fd), lies[i] == large_lot ? 0 : -EBADMSG);
		if (fd >= 0)
			close(fd);
		assert_int_equal(pabal_link_release(links[0], &message), 0);
		assert_int_equal(lowest_free(), free_before); /* what came besides was closed */
		/* The link itself goes on. */
		assert_int_equal(pabal_link_send(links[1], "x", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_receive(links[0], data, 1, &size, PABAL_NOWAIT), 0);
		pabal_link_close(links[0]);
		pabal_link_close(links[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_that_cannot_be),        cmocka_unit_test(words_beside_a_message_that_cannot_be),
		cmocka_unit_test(places_that_are_none),          cmocka_unit_test(positions_that_cannot_be),
		cmocka_unit_test(a_position_that_leaps_back),    cmocka_unit_test(large_messages_are_released_that_were_not_sent),
		cmocka_unit_test(descriptors_that_did_not_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
