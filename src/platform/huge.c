/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/huge.c - what the kernel says of huge pages in /sys and in the table of mounts.
 */
#include "platform/huge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* What stands between brackets in a file of choices, "always within_size advise [never] deny force". */
static bool is_chosen(const char *path, const char *choice)
{
	char text[256], wanted[32];
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	snprintf(wanted, sizeof wanted, "[%s]", choice);
	found = fgets(text, sizeof text, file) && strstr(text, wanted);
	fclose(file);
	return found;
}

/* A line is "ID PARENT MAJOR:MINOR ..."; 0 if it is none. */
static dev_t device_of(const char *line)
{
	unsigned long major_number, minor_number;
	char *end;

	strtoul(line, &end, 10);
	strtoul(end, &end, 10);
	major_number = strtoul(end, &end, 10);
	if (*end != ':')
		return 0;
	minor_number = strtoul(end + 1, &end, 10);
	return makedev((unsigned)major_number, (unsigned)minor_number);
}

/* "huge=" of the mount with this device number; never, if nothing is said. */
static bool mount_has_huge(dev_t device)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	bool found = false;

	if (!file)
		return false;
	while (fgets(line, sizeof line, file)) {
		const char *options = strstr(line, " - ");

		if (!options || device_of(line) != device)
			continue;
		options = strstr(options, "huge=");
		found |= options && strncmp(options, "huge=never", 10) != 0;
	}
	fclose(file);
	return found;
}

int pabal__huge_supported(int dirfd, const char **ret_why)
{
	static const char shmem[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	struct stat st;

	if (fstat(dirfd, &st)) {
		*ret_why = "the directory of objects cannot be looked at";
		return -ENOTSUP;
	}
	if (is_chosen(shmem, "force"))
		return 0;
	if (is_chosen(shmem, "deny")) {
		*ret_why = "this machine denies them: /sys/kernel/mm/transparent_hugepage/shmem_enabled is [deny]";
		return -ENOTSUP;
	}
	if (!mount_has_huge(st.st_dev)) {
		*ret_why = "its file system is mounted without them: mount -o remount,huge=advise /dev/shm gives it some";
		return -ENOTSUP;
	}
	return 0;
}

int pabal__huge_advise(void *data, size_t size)
{
	return madvise(data, size, MADV_HUGEPAGE) ? -ENOTSUP : 0;
}
