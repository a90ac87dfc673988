/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process/enemy.c - making attempts.
 */
#include "process/enemy.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue/stream.h"

enum { ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL };

int open_fds(void)
{
	DIR *listing = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(listing);
	while (readdir(listing))
		count++;
	closedir(listing);
	return count;
}

pabal_process *announce(const char *name)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .memory_max = ENEMY_MEMORY };
	pabal_process *self = NULL;

	if (pabal_process_announce(name, &opts, &self) < 0)
		child_failed("announce", name, 0);
	return self;
}

void goes_on(pabal_process *victim)
{
	char byte;

	for (int i = 0; i < 3; i++)
		assert_int_equal(pabal_process_receive(victim, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
}

int attempt_memory(const struct attempt *attempt)
{
	uint64_t size = pabal__stream_size(ENEMY_MEMORY);
	int fd = memfd_create("enemy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *data;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(data != MAP_FAILED);
	if (!attempt->no_format)
		pabal__stream_format(data, ENEMY_MEMORY);
	munmap(data, size);
	if (attempt->memory_size != size)
		assert_int_equal(ftruncate(fd, (off_t)attempt->memory_size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, attempt->seals), 0);
	return fd;
}

void attempt_begin(struct attempt *attempt, const struct pabal__holder *from, uint32_t kind, const unsigned char *to)
{
	memset(attempt, 0, sizeof *attempt);
	attempt->letter.magic = UINT64_C(0x6c6c616261700001);
	attempt->letter.kind = kind;
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION;
	attempt->letter.memory_max = ENEMY_MEMORY;
	memcpy(attempt->letter.from, from->instance, PABAL__INSTANCE_SIZE);
	memcpy(attempt->letter.to, to, PABAL__INSTANCE_SIZE);
	memcpy(attempt->letter.name, from->name, PABAL_NAME_SIZE);
	attempt->size = sizeof attempt->letter;
	attempt->memory_size = pabal__stream_size(ENEMY_MEMORY);
	attempt->seals = ALL_SEALS;
}

/* Memory first, if the case brought no other descriptor. */
static void complete(struct attempt *attempt)
{
	if (attempt->fd_count == 0)
		attempt->fds[attempt->fd_count++] = attempt_memory(attempt);
	else if (attempt->fds[0] == -1)
		attempt->fds[0] = attempt_memory(attempt);
	if (attempt->fds[0] == -2) /* none at all */
		attempt->fd_count = 0;
}

void attempt_send(int socket, struct attempt *attempt)
{
	char packet[70000] = { 0 };

	complete(attempt);
	memcpy(packet, &attempt->letter, sizeof attempt->letter);
	assert_int_equal(pabal__packet_send(socket, packet, attempt->size, attempt->fds, attempt->fd_count), 0);
	for (uint32_t i = 0; i < attempt->fd_count; i++)
		close(attempt->fds[i]);
}

void attempt_give(struct attempt *attempt, int fd)
{
	assert_true(fd >= 0);
	attempt->fds[attempt->fd_count++] = fd;
}

void attempt_refuse(struct attempt *attempt, uint32_t reason)
{
	attempt->letter.kind = PABAL__REFUSE;
	attempt->letter.reason = reason;
	attempt->fds[0] = -2;
	attempt->fd_count = 1;
}
