/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ends - a peer that dies or closes, as those see it who talk with it by name: its last words, its end, and the new holder of its name.
 */
#include <errno.h>
#include <stdatomic.h>

#include "process/peers.h"

static int send_three_and_hang(void *data)
{
	pabal_process *self = announce(data, 0);

	for (int i = 0; i < 3; i++)
		child_equal(pabal_process_send(self, "survivor", &i, sizeof i, PABAL_FOREVER), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static int send_one_and_wait(void *data)
{
	pabal_process *self = announce(data, 0);
	int value = 77;

	child_equal(pabal_process_send(self, "survivor", &value, sizeof value, PABAL_FOREVER), 0);
	atomic_fetch_add(ready, 1);
	child_equal(pabal_process_receive(self, "survivor", NULL, &value, sizeof value, NULL, PABAL_FOREVER), 0);
	child_equal(value, 78);
	pabal_process_close(self);
	return 0;
}

static bool serve_until_ready(void *data)
{
	pabal_link *link;

	pabal_process_accept(data, &link, PABAL_NOWAIT);
	return atomic_load(ready) >= 1;
}

static pid_t start_served(pabal_process *self, child_main *body, void *data)
{
	pid_t pid;

	atomic_store(ready, 0);
	pid = child_start(body, data);
	assert_true(eventually(serve_until_ready, self));
	return pid;
}

/* Its last words are heard first; then its end is told, once; then there is the new holder of the name. */
static void a_restarted_peer_is_a_new_party(void **state)
{
	pabal_process *self = announce("survivor", 0);
	pid_t first = start_served(self, send_three_and_hang, TEXT("peer")), second;
	pabal_link *old, *new_one;
	int value;

	(void)state;
	assert_int_equal(pabal_process_link(self, "peer", &old, PABAL_NOWAIT), 0);
	child_kill(first);
	second = start_served(self, send_one_and_wait, TEXT("peer"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_process_receive(self, i ? "peer" : NULL, NULL, &value, sizeof value, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(value, i);
	}
	assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_FOREVER), -EOWNERDEAD);
	assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_FOREVER), 0);
	assert_int_equal(value, 77);
	assert_int_equal(pabal_link_receive(old, &value, sizeof value, NULL, PABAL_FOREVER), -EOWNERDEAD);
	assert_int_equal(pabal_link_send(old, &value, sizeof value, PABAL_FOREVER), -EOWNERDEAD);
	assert_int_equal(pabal_process_link(self, "peer", &new_one, PABAL_NOWAIT), 0);
	assert_ptr_not_equal(old, new_one);
	value = 78;
	assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(second), 0);
	assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_FOREVER), -EPIPE);
	assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), -ENOENT);
	assert_int_equal(pabal_link_receive(new_one, &value, sizeof value, NULL, PABAL_FOREVER), -EPIPE);
	pabal_link_close(new_one);
	pabal_link_close(old);
	pabal_process_close(self);
	assert_int_equal(pabal_gc(NULL), 0);
}

/* A link that nobody has a handle of goes when all is received; its end is kept for a call by name all the same. */
static void an_end_is_told_by_name_once(void **state)
{
	pabal_process *self = announce("survivor", 0);
	int value;

	(void)state;
	for (int round = 0; round < 2; round++) {
		atomic_store(ready, 0);
		pid_t pid = child_start(send_three_and_hang, TEXT("peer"));

		for (int i = 0; i < 3; i++)
			assert_int_equal(pabal_process_receive(self, NULL, NULL, &value, sizeof value, NULL, PABAL_FOREVER), 0);
		child_kill(pid);
		if (round == 0) { /* from anyone it is no error */
			assert_int_equal(pabal_process_receive(self, NULL, NULL, &value, sizeof value, NULL, 20000000), -ETIMEDOUT);
			assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), -EOWNERDEAD);
		} else {
			assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_FOREVER), -EOWNERDEAD);
		}
		assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), -ENOENT);
		assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_NOWAIT), -EAGAIN);
	}
	pabal_process_close(self);
	assert_int_equal(pabal_gc(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restarted_peer_is_a_new_party),
		cmocka_unit_test(an_end_is_told_by_name_once),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
