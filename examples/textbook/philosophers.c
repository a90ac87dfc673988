/* SPDX-License-Identifier: Apache-2.0 */
/*
 * textbook/philosophers - five philosophers, five forks, each philosopher a process; and one is killed with a fork in hand.
 *
 * The forks are locks of a region. Everybody takes the fork with the lower number first, so that no circle of waiting can close. Philosopher 2 is killed when it has taken
 * its first fork. Its neighbour gets that fork with PABAL_INHERITED, wipes it, and all others eat on.
 */
#include <pabal/pabal.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PHILOSOPHERS = 5, MEALS = 1000, UNLUCKY = 2 };

struct table {
	atomic_int meals[PHILOSOPHERS];
	int in_use[PHILOSOPHERS]; /* by whom, from 1; the fork's lock protects it */
	atomic_int inherited, clashes, fallen;
};

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "philosophers: %s\n", pabal_error_detail());
		exit(1);
	}
}

static void take_fork(pabal_region *region, struct table *table, int me, int fork_number)
{
	int r = pabal_region_lock(region, (uint32_t)fork_number, PABAL_FOREVER);

	check(r);
	if (r == PABAL_INHERITED) { /* its holder died: the fork is as that one left it */
		atomic_fetch_add(&table->inherited, 1);
		table->in_use[fork_number] = 0;
	}
	if (table->in_use[fork_number])
		atomic_fetch_add(&table->clashes, 1);
	table->in_use[fork_number] = me + 1;
}

static void put_fork(pabal_region *region, struct table *table, int fork_number)
{
	table->in_use[fork_number] = 0;
	check(pabal_region_unlock(region, (uint32_t)fork_number));
}

static void dine(int me)
{
	int left = me, right = (me + 1) % PHILOSOPHERS, first = left < right ? left : right, second = left < right ? right : left;
	pabal_region *region;
	struct table *table;

	check(pabal_region_open("table", NULL, &region));
	table = pabal_region_data(region);
	for (int meal = 0; meal < MEALS; meal++) {
		while (me == UNLUCKY - 1 && meal == MEALS - 1 && !table->fallen)
			usleep(100); /* so that there is somebody to inherit the fork */
		take_fork(region, table, me, first);
		if (me == UNLUCKY && meal == MEALS / 2) {
			table->fallen = 1;
			raise(SIGKILL);
		}
		take_fork(region, table, me, second);
		atomic_fetch_add(&table->meals[me], 1);
		put_fork(region, table, second);
		put_fork(region, table, first);
	}
	pabal_region_close(region);
}

int main(void)
{
	const struct pabal_region_opts opts = { .struct_size = sizeof(opts), .locks = PHILOSOPHERS };
	pabal_region *region;
	struct table *table;

	check(pabal_region_create("table", sizeof(*table), &opts, &region));
	table = pabal_region_data(region);
	for (int i = 0; i < PHILOSOPHERS; i++) {
		if (fork() == 0) {
			dine(i);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (int i = 0; i < PHILOSOPHERS; i++)
		printf("philosopher %d ate %d times%s\n", i, table->meals[i], i == UNLUCKY ? ", and was killed with a fork in hand" : "");
	printf("forks inherited: %d; two with one fork: %d\n", table->inherited, table->clashes);
	pabal_region_close(region);
	check(pabal_region_destroy("table"));
	return 0;
}
