/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c - where demo and torture have their mailbox.
 *
 * Without a name or a directory from the user nothing of theirs is touched: a fresh directory on tmpfs becomes our $PABAL_DIR, and is
 * removed with everything in it. With a name the mailbox is where all others are, so that it can be looked at from another shell.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pabal/mailbox.h>

#include "plan.h"
#include "report.h"
#include "sandbox.h"
#include "verb.h"

static int choose_directory(struct sandbox *sandbox, const struct plan *plan)
{
	const char *directory = plan->directory;

	if (!directory && plan->name)
		return STATUS_DONE;
	if (!directory) {
		/* The number says whose it is: a directory without its process was left behind by a kill. */
		snprintf(sandbox->directory, sizeof(sandbox->directory), "/dev/shm/pabal-try.%d.XXXXXX", (int)getpid());
		directory = mkdtemp(sandbox->directory);
		if (!directory) {
			sandbox->directory[0] = '\0';
			return report("no temporary directory could be made in /dev/shm: %m; --dir takes another one");
		}
	}
	if (setenv("PABAL_DIR", directory, 1) < 0)
		return report("out of memory");
	return STATUS_DONE;
}

int sandbox_open(struct sandbox *sandbox, const struct plan *plan)
{
	struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .capacity = plan->capacity, .memory_max = plan->memory_max };
	pabal_mailbox *mailbox;
	int r;

	*sandbox = (struct sandbox){ .name = plan->name ? plan->name : "try" };
	r = choose_directory(sandbox, plan);
	if (r != STATUS_DONE)
		return r;
	r = pabal_mailbox_create(sandbox->name, &opts, &mailbox);
	if (r < 0)
		return report_call(r);
	pabal_mailbox_close(mailbox);
	sandbox->has_mailbox = true;
	return STATUS_DONE;
}

static void remove_directory(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(path);
}

void sandbox_close(struct sandbox *sandbox)
{
	if (sandbox->has_mailbox)
		(void)pabal_mailbox_destroy(sandbox->name);
	sandbox->has_mailbox = false;
	if (sandbox->directory[0])
		remove_directory(sandbox->directory);
	sandbox->directory[0] = '\0';
}
