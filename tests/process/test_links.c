/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_links - the links of a process handle, as a user of the library sees them: one for each peer, and each handed out by accept once.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "process/peers.h"

static _Atomic uint64_t *go;

struct linking {
	pabal_process *self;
	pabal_link *link;
	int result, others;
};

static bool link_answers(void *data)
{
	struct linking *linking = data;

	linking->result = pabal_process_link(linking->self, "echo", &linking->link, PABAL_NOWAIT);
	linking->others += linking->result != 0 && linking->result != -EAGAIN;
	return linking->result == 0;
}

static void one_link_however_often_it_is_asked_for(void **state)
{
	pid_t pid = start_ready(echo, TEXT("echo"));
	struct linking linking = { .self = announce("me", 0) };
	struct pabal_peer peer;
	pabal_link *again;
	char text[8];
	size_t size;

	(void)state;
	assert_true(eventually(link_answers, &linking)); /* without ever waiting */
	assert_int_equal(linking.others, 0);
	assert_int_equal(pabal_process_link(linking.self, "echo", &again, PABAL_FOREVER), 0);
	assert_ptr_equal(again, linking.link);
	assert_int_equal(pabal_link_peer(again, &peer), 0);
	assert_string_equal(peer.name, "echo");
	assert_int_equal(peer.pid, pid);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.flags, 0);
	/* By name and by handle it is the same link. */
	assert_int_equal(pabal_process_send(linking.self, "echo", "1", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_receive(again, text, sizeof text, &size, PABAL_FOREVER), 0);
	assert_int_equal(pabal_link_send(again, "2", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_receive(linking.self, NULL, NULL, text, sizeof text, &size, PABAL_FOREVER), 0);
	assert_memory_equal(text, "2", 1);
	pabal_link_close(again); /* one of two handles */
	assert_int_equal(pabal_link_send(linking.link, "quit", 4, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(pabal_link_receive(linking.link, text, sizeof text, &size, PABAL_FOREVER), -EPIPE);
	pabal_link_close(linking.link);
	pabal_process_close(linking.self);
}

static int link_to_the_acceptor(void *data)
{
	pabal_process *self = announce(data, 0);
	pabal_link *link;

	child_equal(pabal_process_link(self, "acceptor", &link, PABAL_FOREVER), 0);
	child_equal(pabal_link_send(link, data, strlen(data), PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_check(eventually_at_least(go, 1));
	pabal_process_close(self);
	return 0;
}

static void accept_hands_out_in_order_and_once(void **state)
{
	static char names[3][16] = { "first", "second", "third" };
	pabal_process *self = announce("acceptor", 0);
	pabal_link *links[3], *link;
	struct pabal_peer peer;
	pid_t pids[3];
	char text[16], from[PABAL_NAME_SIZE];
	size_t size;

	(void)state;
	atomic_store(go, 0);
	atomic_store(ready, 0);
	for (int i = 0; i < 3; i++) {
		pids[i] = child_start(link_to_the_acceptor, names[i]);
		/* Their message makes the link known here, one after the other; nothing is accepted yet. */
		assert_int_equal(pabal_process_receive(self, names[i], from, text, sizeof text, &size, PABAL_FOREVER), 0);
		assert_string_equal(from, names[i]);
	}
	assert_int_equal(pabal_process_link(self, "second", &links[1], PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_accept(self, &links[0], PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_accept(self, &links[2], PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_link_peer(links[i], &peer), 0);
		assert_string_equal(peer.name, names[i]);
	}
	pabal_link_close(links[0]);
	atomic_store(go, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(child_end(pids[i]), 0);
	pabal_process_close(self); /* the other two handles end with it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_link_however_often_it_is_asked_for),
		cmocka_unit_test(accept_hands_out_in_order_and_once),
	};

	ready = shared_memory(sizeof *ready);
	go = shared_memory(sizeof *go);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
