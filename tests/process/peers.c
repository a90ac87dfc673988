/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process/peers.c - announcing, sending back, and starting what does so.
 */
#include "process/peers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

_Atomic uint64_t *ready;

pabal_process *announce(const char *name, uint32_t flags)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .flags = flags };
	pabal_process *process = NULL;

	if (pabal_process_announce(name, &opts, &process) < 0)
		child_failed("announce", name, 0);
	return process;
}

int echo(void *data)
{
	size_t room = 1 << 20, size = 0;
	char peer[PABAL_NAME_SIZE], *buffer = malloc(room);
	pabal_process *process = announce(data, 0);

	atomic_fetch_add(ready, 1);
	for (;;) {
		child_equal(pabal_process_receive(process, NULL, peer, buffer, room, &size, PABAL_FOREVER), 0);
		if (size == 4 && memcmp(buffer, "quit", 4) == 0)
			break;
		child_equal(pabal_process_send(process, peer, buffer, size, PABAL_FOREVER), 0);
	}
	pabal_process_close(process);
	free(buffer);
	return 0;
}

pid_t start_ready(child_main *body, void *data)
{
	uint64_t before = atomic_load(ready);
	pid_t pid = child_start(body, data);

	assert_true(eventually_at_least(ready, before + 1));
	return pid;
}
