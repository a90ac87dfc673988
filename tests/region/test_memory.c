/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory - a full file system says so at once, with the figures; huge pages are used where there are some, and refused with the reason where there are none.
 *
 * On tmpfs mounts of its own, so it has to be root. They are made in a mount namespace of its own and go with the test.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "region/region.h"

static char directory[4096];

static void mount_it(const char *options)
{
	if (mount("pabal-test", directory, "tmpfs", 0, options))
		fail_msg("cannot mount a tmpfs with %s: %s; run this test as root", options, strerror(errno));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "%s", getenv("PABAL_DIR"));
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		fprintf(stderr, "no mount namespace: %s; run this test as root\n", strerror(errno));
		return -1;
	}
	return 0;
}

static void a_full_file_system_says_so_at_once(void **state)
{
	struct statvfs before, after;
	pabal_region *region;

	(void)state;
	mount_it("size=20m");
	assert_int_equal(statvfs(directory, &before), 0);
	for (size_t size = 20 << 20; size <= (size_t)1 << 46; size *= 4) {
		assert_int_equal(pabal_region_create("r", size, NULL, &region), -ENOSPC);
		assert_non_null(strstr(pabal_error_detail(), "asked for"));
		assert_non_null(strstr(pabal_error_detail(), "left"));
		assert_int_equal(pabal_region_open("r", NULL, &region), -ENOENT);
	}
	assert_int_equal(statvfs(directory, &after), 0);
	assert_int_equal(before.f_bavail, after.f_bavail);
	assert_int_equal(before.f_ffree, after.f_ffree);
	assert_int_equal(pabal_region_create("r", 19 << 20, NULL, &region), 0);
	memset(pabal_region_data(region), 1, 19 << 20); /* all of it is there */
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
	assert_int_equal(umount(directory), 0);
}

static void without_huge_pages_it_says_why(void **state)
{
	pabal_region *region;

	(void)state;
	mount_it("size=20m,huge=never");
	assert_int_equal(pabal_region_create("r", 1 << 20, REGION(.flags = PABAL_REGION_HUGE_PAGES), &region), -ENOTSUP);
	assert_non_null(strstr(pabal_error_detail(), "no huge pages"));
	assert_int_equal(access(path_of("r"), F_OK), -1);
	assert_int_equal(umount(directory), 0);
}

static void with_huge_pages_it_uses_them(void **state)
{
	enum { SIZE = 8 << 20 };
	const char *options = "size=64m,huge=advise";
	pabal_region *region;
	int r;

	(void)state;
	mount_it(options);
	r = pabal_region_create("r", SIZE, REGION(.flags = PABAL_REGION_HUGE_PAGES), &region);
	if (r == -ENOTSUP && strstr(pabal_error_detail(), "this machine denies them")) {
		assert_int_equal(umount(directory), 0);
		return; /* so is said what it is; nobody may force the machine */
	}
	assert_int_equal(r, 0);
	assert_int_equal((uintptr_t)pabal_region_data(region) % (2 << 20), 0);
	memset(pabal_region_data(region), 1, SIZE);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
	assert_int_equal(umount(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_file_system_says_so_at_once),
		cmocka_unit_test(without_huge_pages_it_says_why),
		cmocka_unit_test(with_huge_pages_it_uses_them),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
