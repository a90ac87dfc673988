/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sealed - memory that its owner writes and others may only read, and what does not pass for it.
 */
#include "platform/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/support.h"

enum { SIZE = 1 << 16, ALL = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL };

static void the_owner_writes_and_others_read(void **state)
{
	const char *theirs;
	void *mine;
	int fd;

	(void)state;
	assert_int_equal(pabal__sealed_make(SIZE, &fd, &mine), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & ALL, ALL);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pabal__sealed_map(fd, SIZE, (const void **)&theirs), 0);
	memcpy(mine, "hello", 5);
	assert_memory_equal(theirs, "hello", 5);
	assert_int_equal(pabal__sealed_map(fd, SIZE - 4096, (const void **)&theirs), -EBADMSG);
	assert_int_equal(pabal__sealed_map(fd, SIZE + 4096, (const void **)&theirs), -EBADMSG);
	close(fd);
	memcpy(mine, "there", 5);
	assert_memory_equal(theirs, "there", 5); /* mappings need no descriptor */
	pabal__sealed_unmap(theirs, SIZE);
	pabal__sealed_unmap(mine, SIZE);
}

static int memory_with(int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void each_seal_is_needed(void **state)
{
	static const int seals[] = { F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL };
	const void *memory;

	(void)state;
	for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
		int fd = memory_with(ALL & ~seals[i]);

		assert_int_equal(pabal__sealed_map(fd, SIZE, &memory), -EBADMSG);
		pabal__fault_hits = 0;
		pabal__fault_on = PABAL__FAULT_NO_SEAL_CHECK;
		assert_int_equal(pabal__sealed_map(fd, SIZE, &memory), 0);
		pabal__fault_on = PABAL__FAULT_NONE;
		assert_int_equal(pabal__fault_hits, 1);
		pabal__sealed_unmap(memory, SIZE);
		close(fd);
	}
}

static void other_files_do_not_pass(void **state)
{
	const void *memory;
	int ends[2], fd;

	(void)state;
	fd = open(path_of("."), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); /* nobody can seal a file on a mounted tmpfs */
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(pabal__sealed_map(fd, SIZE, &memory), -EBADMSG);
	close(fd);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pabal__sealed_map(ends[0], SIZE, &memory), -EBADMSG);
	close(ends[0]);
	close(ends[1]);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_int_equal(pabal__sealed_map(fd, SIZE, &memory), -EBADMSG);
	close(fd);
	assert_int_equal(pabal__sealed_map(-1, SIZE, &memory), -EBADMSG);
}

/* Sealed as it must be, but who handed it over kept the right to read for itself. */
static void memory_that_may_not_be_read(void **state)
{
	const void *memory;
	int fd = memory_with(ALL), blind;
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	blind = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(blind >= 0);
	assert_int_equal(pabal__sealed_map(blind, SIZE, &memory), -EBADMSG);
	close(blind);
	close(fd);
}

/* Sealed as it must be, and of the right size, but of huge pages, of which there may be none when a hole is read. */
static void huge_pages_do_not_pass(void **state)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	const void *memory;

	(void)state;
	if (fd < 0) {
		assert_true(errno == ENOSYS || errno == EINVAL || errno == ENODEV || errno == EOPNOTSUPP); /* a kernel that has none */
		return;
	}
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	if (fcntl(fd, F_ADD_SEALS, ALL) == 0)
		assert_int_equal(pabal__sealed_map(fd, 2 << 20, &memory), -EBADMSG);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_writes_and_others_read), cmocka_unit_test(each_seal_is_needed),
		cmocka_unit_test(other_files_do_not_pass),          cmocka_unit_test(memory_that_may_not_be_read),
		cmocka_unit_test(huge_pages_do_not_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
