/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/lock.c - a lock of a region beside glibc's process-shared mutexes, plain and robust: taken and given back while nobody else wants it.
 *
 * The three take turns, burst by burst, in one process; what is reported is the median, and the ratio of ours to the plain mutex of the same round.
 */
#include "measure.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pabal/region.h>

#include "tools.h"

enum { CHUNK = 1000 /* pairs between two looks at the clock */, KINDS = 3 };

struct locks {
	pabal_region *region;
	pthread_mutex_t *mutexes; /* plain, robust */
};

static const char *const names[KINDS] = { "pabal, lock of a region", "pthread, process-shared", "pthread, process-shared, robust" };

static void lock_chunk(const struct locks *locks, int kind)
{
	for (int i = 0; i < CHUNK; i++) {
		if (kind == 0) {
			pabal_region_lock(locks->region, 0, PABAL_FOREVER);
			pabal_region_unlock(locks->region, 0);
		} else {
			pthread_mutex_lock(&locks->mutexes[kind - 1]);
			pthread_mutex_unlock(&locks->mutexes[kind - 1]);
		}
	}
}

/* ns for taking and giving back. */
static double burst(const struct locks *locks, int kind, int64_t length_ns)
{
	int64_t begin = now_ns(), now;
	uint64_t pairs = 0;

	do {
		lock_chunk(locks, kind);
		pairs += CHUNK;
		now = now_ns();
	} while (now - begin < length_ns);
	return (double)(now - begin) / (double)pairs;
}

static pthread_mutex_t *make_mutexes(void)
{
	pthread_mutex_t *mutexes = mmap(NULL, 2 * sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;

	if (mutexes == MAP_FAILED)
		die(-ENOMEM, "share two mutexes");
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&mutexes[0], &attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutexes[1], &attributes);
	pthread_mutexattr_destroy(&attributes);
	return mutexes;
}

void measure_lock(const struct settings *settings)
{
	double values[KINDS][BURSTS_MAX], ratios[BURSTS_MAX];
	struct locks locks;
	char name[64];
	int r;

	snprintf(name, sizeof name, "bench-%d-lock", (int)getpid());
	r = pabal_region_create(name, 1, NULL, &locks.region);
	if (r < 0)
		die(r, "create a region");
	locks.mutexes = make_mutexes();
	for (uint32_t i = 0; i < settings->bursts; i++) {
		report_progress(settings->report, "locks", NULL, i, settings->bursts);
		for (int kind = 0; kind < KINDS; kind++)
			values[kind][i] = burst(&locks, kind, settings->burst_ns / KINDS);
		ratios[i] = values[0][i] / values[1][i];
	}
	for (int kind = 0; kind < KINDS; kind++) {
		struct figure figure = { .section = "lock + unlock",
					 .placement = "nobody waits",
					 .name = names[kind],
					 .unit = "ns",
					 .bursts = settings->bursts,
					 .kept = settings->bursts };

		if (kind == 0) {
			figure.ratio_to = names[1];
			figure.ratio = median(ratios, settings->bursts);
			figure.goal = 1;
		}
		figure.value = median(values[kind], settings->bursts);
		report_add(settings->report, &figure);
	}
	munmap(locks.mutexes, 2 * sizeof(pthread_mutex_t));
	pabal_region_close(locks.region);
	pabal_region_destroy(name);
}
