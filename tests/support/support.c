/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/support.c - children, memory between them, a hang detector, small pieces of pabal.
 */
#include "support/support.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534 };

_Noreturn void child_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: in a child: not true: %s (%s)\n", file, line, what, pabal_error_detail());
	_exit(99);
}

void child_compare(long long got, long long wanted, const char *what, const char *file, int line)
{
	if (got == wanted)
		return;
	fprintf(stderr, "%s:%d: in a child: %s is %lld, not %lld (%s)\n", file, line, what, got, wanted, pabal_error_detail());
	_exit(99);
}

_Noreturn void child_wait_for_death(void)
{
	for (;;)
		pause();
}

#ifdef PABAL_COVERAGE
void __gcov_dump(void);
#endif

static _Noreturn void leave(int result)
{
#ifdef PABAL_COVERAGE
	__gcov_dump(); /* which lines ran is written down at exit, which this is not */
#endif
	_exit(result);
}

pid_t child_start(child_main *body, void *data)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(98);
		leave(body(data));
	}
	if (pid < 0)
		fail_msg("fork: %s", strerror(errno));
	return pid;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

void pause_briefly(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}

struct ending {
	pid_t pid;
	int status;
};

static bool has_ended(void *data)
{
	struct ending *ending = data;

	return waitpid(ending->pid, &ending->status, WNOHANG) == ending->pid;
}

int child_end(pid_t pid)
{
	struct ending ending = { .pid = pid };

	if (!eventually(has_ended, &ending)) {
		child_kill(pid);
		fail_msg("a child hangs");
	}
	return WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : -WTERMSIG(ending.status);
}

void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
	}
}

void child_run(child_main *body, void *data)
{
	assert_int_equal(child_end(child_start(body, data)), 0);
}

char process_state(pid_t pid)
{
	char path[64], text[256] = "", *end;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof text, file))
		text[0] = 0;
	fclose(file);
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return 0;
	return end[2];
}

static bool sleeps(void *data)
{
	return process_state(*(pid_t *)data) == 'S';
}

void child_await_sleep(pid_t pid)
{
	/* Three times in a row: naps on the way to sleep are short. */
	for (int count = 0; count < 3; count++) {
		assert_true(eventually(sleeps, &pid));
		pause_briefly();
		if (!sleeps(&pid))
			count = 0;
	}
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail_msg("mmap: %s", strerror(errno));
	return memory;
}

bool eventually(bool (*is_true)(void *data), void *data)
{
	int64_t deadline = now() + HANG;

	while (!is_true(data)) {
		if (now() > deadline)
			return false;
		pause_briefly();
	}
	return true;
}

struct least {
	const _Atomic uint64_t *value;
	uint64_t least;
};

static bool reached(void *data)
{
	const struct least *least = data;

	return atomic_load(least->value) >= least->least;
}

bool eventually_at_least(const _Atomic uint64_t *value, uint64_t least)
{
	return eventually(reached, &(struct least){ value, least });
}

void become_nobody(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "this test is about permissions: run it as root, so that it can drop root\n");
		_exit(97);
	}
	child_check(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	child_check(setuid(0) != 0);
}

const char *objects_directory(void)
{
	const char *directory = getenv("PABAL_DIR");

	if (!directory)
		abort(); /* tests/run-in-own-directory sets it */
	return directory;
}

const char *path_of(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", getenv("PABAL_DIR"), name);
	return path;
}

uint64_t bytes_of(const char *name)
{
	struct stat st;

	if (stat(path_of(name), &st))
		fail_msg("stat %s: %s", name, strerror(errno));
	return (uint64_t)st.st_blocks * 512;
}

uint32_t sockets_there(void)
{
	DIR *directory = opendir(objects_directory());
	uint32_t count = 0;

	assert_non_null(directory);
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
		count += strncmp(entry->d_name, ".bell-", 6) == 0;
	closedir(directory);
	return count;
}

void expect_sound(const char *name, struct pabal_check_result *ret_result)
{
	struct pabal_check_result result;
	int r = pabal_check(name, &result);

	if (r < 0)
		fail_msg("pabal_check: %s", pabal_error_detail());
	assert_int_equal(result.blocks, result.free + result.queued + result.loaned + result.leased + result.redeliver + result.held_by_dead);
	if (ret_result)
		*ret_result = result;
}

struct pabal_mailbox_stats stats_of(pabal_mailbox *mailbox)
{
	struct pabal_mailbox_stats stats = { .struct_size = sizeof stats };

	if (pabal_mailbox_stat(mailbox, &stats) < 0)
		fail_msg("pabal_mailbox_stat: %s", pabal_error_detail());
	return stats;
}

static uint32_t pattern(uint32_t sender, uint32_t number)
{
	return (sender * 2654435761u) ^ (number * 2246822519u) ^ 0x9e3779b9u;
}

void message_fill(void *data, size_t size, uint32_t sender, uint32_t number)
{
	uint32_t words[4] = { sender, number, (uint32_t)size, pattern(sender, number) };

	memset(data, (int)(words[3] & 0xff), size);
	memcpy(data, words, sizeof words);
}

bool message_read(const void *data, size_t size, uint32_t *ret_sender, uint32_t *ret_number)
{
	const unsigned char *bytes = data;
	uint32_t words[4];

	if (size < sizeof words)
		return false;
	memcpy(words, data, sizeof words);
	if (words[2] != size || words[3] != pattern(words[0], words[1]))
		return false;
	for (size_t i = sizeof words; i < size; i++)
		if (bytes[i] != (words[3] & 0xff))
			return false;
	*ret_sender = words[0];
	*ret_number = words[1];
	return true;
}

uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}
