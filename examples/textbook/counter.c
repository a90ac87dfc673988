/* SPDX-License-Identifier: Apache-2.0 */
/*
 * textbook/counter - a counter that many processes count up, and that is right after 1,000 of them were killed.
 *
 * The total and each worker's own count are changed under a lock. Who is killed in between leaves them in disagreement; the next holder is told with PABAL_INHERITED,
 * and puts the total right: it is the sum of the counts. A worker says when it is inside, so that the kills that hit it there can be counted.
 */
#include <pabal/pabal.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, KILLS = 1000 };

struct shared {
	long total, counts[WORKERS]; /* protected by the lock */
	atomic_int inside[WORKERS];  /* for those who look on */
	atomic_long progress;
	atomic_int repairs;
};

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "counter: %s\n", pabal_error_detail());
		exit(1);
	}
}

static void lock(pabal_region *region, struct shared *shared)
{
	int r = pabal_region_lock(region, 0, PABAL_FOREVER);

	check(r);
	if (r != PABAL_INHERITED)
		return;
	shared->total = 0; /* somebody was killed in here: put the total right */
	for (int i = 0; i < WORKERS; i++)
		shared->total += shared->counts[i];
	atomic_fetch_add(&shared->repairs, 1);
}

static void count_up(int me)
{
	pabal_region *region;
	struct shared *shared;

	check(pabal_region_open("counter", NULL, &region));
	shared = pabal_region_data(region);
	for (;;) {
		lock(region, shared);
		atomic_store(&shared->inside[me], 1);
		shared->total++;
		for (volatile int i = 0; i < 500; i++) /* a long moment in which the two do not agree */
			continue;
		shared->counts[me]++;
		atomic_store(&shared->inside[me], 0);
		atomic_fetch_add(&shared->progress, 1);
		check(pabal_region_unlock(region, 0));
	}
}

int main(void)
{
	int killed_inside = 0, r;
	pid_t pids[WORKERS];
	pabal_region *region;
	struct shared *shared;

	check(pabal_region_create("counter", sizeof(*shared), NULL, &region));
	shared = pabal_region_data(region);
	for (int round = 0; round < KILLS + WORKERS; round++) {
		int worker = round % WORKERS;
		long before = atomic_load(&shared->progress);

		if (round >= WORKERS) {
			kill(pids[worker], SIGKILL);
			waitpid(pids[worker], NULL, 0);
			killed_inside += atomic_exchange(&shared->inside[worker], 0);
		}
		pids[worker] = round < KILLS ? fork() : -1;
		if (pids[worker] == 0)
			count_up(worker);
		while (round < KILLS && atomic_load(&shared->progress) == before)
			usleep(20); /* the dead stop nobody: there is progress between any two kills */
	}
	lock(region, shared);
	r = shared->total == shared->counts[0] + shared->counts[1] + shared->counts[2] && shared->total >= KILLS;
	printf("killed %d times, %d of them inside the lock; put right %d times\n", KILLS, killed_inside, shared->repairs);
	printf("the total is %s\n", r ? "right" : "WRONG");
	check(pabal_region_unlock(region, 0));
	pabal_region_close(region);
	check(pabal_region_destroy("counter"));
	return r ? 0 : 1;
}
