/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_doorbell - arming and ringing, step by step: two bells in one process, over a real socket pair.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/stream.h"
#include "support/support.h"
#include "wait/doorbell.h"

struct sides {
	struct pabal__half *halves[2];
	struct pabal__doorbell bells[2];
};

static void set_up(struct sides *sides)
{
	int sockets[2];

	memset(sides, 0, sizeof *sides);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
	for (int i = 0; i < 2; i++) {
		sides->halves[i] = aligned_alloc(4096, sizeof(struct pabal__half));
		memset(sides->halves[i], 0, sizeof(struct pabal__half));
	}
	for (int i = 0; i < 2; i++) {
		struct pabal__doorbell *bell = &sides->bells[i];

		bell->socket = sockets[i];
		bell->pidfd = bell->service_fd = bell->notify_fd = -1;
		bell->mine = sides->halves[i];
		bell->peer = sides->halves[!i];
		bell->fences = true;
		assert_int_equal(pabal__doorbell_init(bell), 0);
	}
}

static void tear_down(struct sides *sides)
{
	for (int i = 0; i < 2; i++) {
		pabal__doorbell_deinit(&sides->bells[i]);
		close(sides->bells[i].socket);
		free(sides->halves[i]);
	}
}

static bool has_byte(const struct pabal__doorbell *bell)
{
	struct pollfd poll_fd = { .fd = bell->socket, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void nobody_armed_nobody_is_rung(void **state)
{
	struct sides sides;

	(void)state;
	set_up(&sides);
	pabal__doorbell_ring(&sides.bells[1], PABAL__DOORBELL_MESSAGE);
	pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_ROOM);
	pabal__doorbell_ring(&sides.bells[1], PABAL__DOORBELL_MESSAGE); /* something else is wanted */
	assert_false(has_byte(&sides.bells[0]));
	tear_down(&sides);
}

static void a_number_is_rung_once(void **state)
{
	struct sides sides;

	(void)state;
	set_up(&sides);
	for (uint64_t round = 1; round <= 5; round++) {
		pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_MESSAGE);
		for (int i = 0; i < 3; i++)
			pabal__doorbell_ring(&sides.bells[1], PABAL__DOORBELL_MESSAGE);
		assert_true(has_byte(&sides.bells[0]));
		assert_int_equal(atomic_load(&sides.bells[1].rings), round);
		pabal__doorbell_answer(&sides.bells[0]);
		assert_false(has_byte(&sides.bells[0]));
	}
	tear_down(&sides);
}

/* An arm that was not rung stands, and what it wants may grow. */
static void an_arm_stands_until_it_is_rung(void **state)
{
	struct sides sides;
	uint64_t before;

	(void)state;
	set_up(&sides);
	pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_MESSAGE);
	before = atomic_load(&sides.halves[0]->arm);
	pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_MESSAGE);
	assert_int_equal(atomic_load(&sides.halves[0]->arm), before);
	pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_ROOM);
	assert_int_equal(atomic_load(&sides.halves[0]->arm), before | PABAL__DOORBELL_ROOM);
	pabal__doorbell_ring(&sides.bells[1], PABAL__DOORBELL_ROOM);
	assert_true(has_byte(&sides.bells[0]));
	pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_MESSAGE); /* rung: the next number */
	assert_int_equal(atomic_load(&sides.halves[0]->arm) >> 32, (before >> 32) + 1);
	tear_down(&sides);
}

/* Numbers wrap: only whether they are equal counts. */
static void numbers_wrap(void **state)
{
	struct sides sides;

	(void)state;
	set_up(&sides);
	sides.bells[0].number = UINT32_MAX - 2;
	for (int i = 0; i < 6; i++) {
		pabal__doorbell_ask(&sides.bells[0], PABAL__DOORBELL_MESSAGE);
		pabal__doorbell_ring(&sides.bells[1], PABAL__DOORBELL_MESSAGE);
		assert_true(has_byte(&sides.bells[0]));
		pabal__doorbell_answer(&sides.bells[0]);
	}
	tear_down(&sides);
}

static void the_end_is_told(void **state)
{
	struct sides sides;

	(void)state;
	set_up(&sides);
	assert_int_equal(pabal__doorbell_end(&sides.bells[0]), 0);
	assert_false(pabal__doorbell_ask_kernel(&sides.bells[0]));
	shutdown(sides.bells[1].socket, SHUT_RDWR);
	assert_true(pabal__doorbell_ask_kernel(&sides.bells[0]));
	assert_int_equal(pabal__doorbell_end(&sides.bells[0]), -EOWNERDEAD);
	atomic_store(&sides.halves[1]->state, PABAL__HALF_CLOSED);
	assert_int_equal(pabal__doorbell_end(&sides.bells[0]), -EPIPE);
	tear_down(&sides);
}

/* A peer that moves is not asked after; one that stands still is, and only one that moved lately counts. */
static void life_is_proved(void **state)
{
	struct pabal__life life = { 0 };
	struct sides sides;
	uint64_t step, now = UINT64_C(1) << 40, proof;

	(void)state;
	set_up(&sides);
	step = sides.bells[0].ticks_5us;
	pabal__doorbell_look_for_life(&sides.bells[0], &life, now); /* the kernel is asked */
	assert_int_equal(life.proof, now);
	for (int i = 0; i < 50; i++) {
		proof = now;
		now += step;
		atomic_fetch_add(&sides.halves[1]->position, 16);
		pabal__doorbell_look_for_life(&sides.bells[0], &life, now);
		assert_int_equal(life.proof, proof); /* since the look before: no system call */
	}
	atomic_fetch_add(&sides.halves[1]->position, 16); /* moved, but when? */
	now += 1000 * step;
	shutdown(sides.bells[1].socket, SHUT_RDWR);
	pabal__doorbell_look_for_life(&sides.bells[0], &life, now);
	assert_int_equal(pabal__doorbell_end(&sides.bells[0]), -EOWNERDEAD);
	tear_down(&sides);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_armed_nobody_is_rung),
		cmocka_unit_test(a_number_is_rung_once),
		cmocka_unit_test(an_arm_stands_until_it_is_rung),
		cmocka_unit_test(numbers_wrap),
		cmocka_unit_test(the_end_is_told),
		cmocka_unit_test(life_is_proved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
