/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_threads - locks and events as ThreadSanitizer sees them: threads on one mapping, data that only the lock, or the event, makes safe.
 */
#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <pabal/region.h>

enum { THREADS = 4, ROUNDS = 5000, POLLS = 1000 };

static pabal_region *region;

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "%s\n", pabal_error_detail());
		abort();
	}
}

static void *count_up(void *data)
{
	uint64_t *count = pabal_region_data(region);

	(void)data;
	for (int i = 0; i < ROUNDS; i++) {
		check(pabal_region_lock(region, 0, PABAL_FOREVER));
		++*count;
		check(pabal_region_unlock(region, 0));
	}
	return NULL;
}

/* Written before each notify, read after the wait for it. */
static void *pass_on(void *data)
{
	uint64_t *letters = (uint64_t *)pabal_region_data(region) + 8;
	uint32_t me = (uint32_t)(uintptr_t)data, now;

	for (;;) {
		check(pabal_region_event(region, 0, &now));
		if (now >= ROUNDS)
			return NULL;
		if (now % 2 == me) {
			if (letters[0] != now)
				abort();
			letters[0] = now + 1;
			check(pabal_region_notify(region, 0, 1));
		} else {
			check(pabal_region_wait(region, 0, now, NULL, PABAL_FOREVER));
		}
	}
}

static void poll_for(uint32_t index)
{
	struct pabal_wait item = { .object = region, .events = PABAL_READABLE | PABAL_EVENT(index) };

	check(pabal_wait_many(&item, 1, NULL, PABAL_FOREVER));
	if (item.ret_events != PABAL_READABLE)
		abort();
}

/* The same, each with an event of its own, in pabal_wait_many(), on one handle: so who swallows what is for the other passes it on. */
static void *pass_on_by_polls(void *data)
{
	uint64_t *letter = (uint64_t *)pabal_region_data(region) + 16;
	uint32_t me = (uint32_t)(uintptr_t)data;

	for (uint64_t i = me; i < POLLS; i += 2) {
		if (i > 0)
			poll_for(1 + me);
		if (*letter != i)
			abort();
		*letter = i + 1;
		check(pabal_region_notify(region, 2 - me, 0));
	}
	return NULL;
}

int main(void)
{
	const struct pabal_region_opts opts = { .struct_size = sizeof opts, .events = 3 };
	pthread_t threads[THREADS];

	check(pabal_region_create("r", 4096, &opts, &region));
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count_up, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (*(uint64_t *)pabal_region_data(region) != (uint64_t)THREADS * ROUNDS)
		return 1;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, pass_on, (void *)i); /* NOLINT(performance-no-int-to-ptr): a number that goes through void * */
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, pass_on_by_polls, (void *)i); /* NOLINT(performance-no-int-to-ptr): the same */
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pabal_region_close(region);
	check(pabal_region_destroy("r"));
	return 0;
}
