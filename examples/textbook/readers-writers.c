/* SPDX-License-Identifier: Apache-2.0 */
/*
 * textbook/readers-writers - many may read at once, one may write alone; each reader and each writer is a process.
 *
 * One lock protects the two numbers that say who is inside; an event tells those who wait that they have changed. A writer that waits goes before readers that come
 * later, so it does not starve. A reader that saw a writer at work would find the two halves of the text different.
 */
#include <pabal/pabal.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READERS = 4, WRITERS = 2, ROUNDS = 2000 };

struct text {
	int readers, writing, writers_waiting; /* protected by the lock */
	volatile long first, second;           /* protected by those three */
	atomic_int reads, writes, torn;
};

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "readers-writers: %s\n", pabal_error_detail());
		exit(1);
	}
}

/* Give the lock back, sleep until something has changed, and have the lock again. */
static void wait_for_change(pabal_region *region)
{
	uint32_t seen;

	check(pabal_region_event(region, 0, &seen));
	check(pabal_region_unlock(region, 0));
	check(pabal_region_wait(region, 0, seen, NULL, PABAL_FOREVER));
	check(pabal_region_lock(region, 0, PABAL_FOREVER));
}

static void leave(pabal_region *region)
{
	check(pabal_region_notify(region, 0, UINT32_MAX));
	check(pabal_region_unlock(region, 0));
}

static void read_once(pabal_region *region, struct text *text)
{
	check(pabal_region_lock(region, 0, PABAL_FOREVER));
	while (text->writing || text->writers_waiting)
		wait_for_change(region);
	text->readers++;
	check(pabal_region_unlock(region, 0));
	if (text->first != text->second)
		atomic_fetch_add(&text->torn, 1);
	atomic_fetch_add(&text->reads, 1);
	check(pabal_region_lock(region, 0, PABAL_FOREVER));
	text->readers--;
	leave(region);
}

static void write_once(pabal_region *region, struct text *text)
{
	check(pabal_region_lock(region, 0, PABAL_FOREVER));
	text->writers_waiting++;
	while (text->writing || text->readers)
		wait_for_change(region);
	text->writers_waiting--;
	text->writing = 1;
	check(pabal_region_unlock(region, 0));
	text->first++;
	text->second++;
	atomic_fetch_add(&text->writes, 1);
	check(pabal_region_lock(region, 0, PABAL_FOREVER));
	text->writing = 0;
	leave(region);
}

int main(void)
{
	pabal_region *region;

	check(pabal_region_create("text", sizeof(struct text), NULL, &region));
	for (int i = 0; i < READERS + WRITERS; i++) {
		if (fork() == 0) {
			check(pabal_region_open("text", NULL, &region));
			for (int round = 0; round < ROUNDS; round++)
				(i < READERS ? read_once : write_once)(region, pabal_region_data(region));
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	const struct text *text = pabal_region_data(region);
	printf("%d reads, %d writes; torn: %d; the text says %ld\n", text->reads, text->writes, text->torn, text->first);
	check(pabal_region_destroy("text"));
	return pabal_region_close(region) != NULL;
}
