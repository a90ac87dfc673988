/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile - somebody who may write a region writes garbage all over its header, locks, events and participants, while others work.
 *
 * They may be told anything that is documented, be let in together, or be kept out until their time is up. They must not leave the mapping (it lies between two
 * pages without access), must not crash, and must return from each call. Every round is a fresh region.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/region.h"
#include "region/region.h"

enum { ROUNDS = 6, WRITES = 300, WORKERS = 3, GUARD = 4096, MAPPINGS = 256, LOCKS = 3, EVENTS = 2, SIZE = 8192 };

/* Guards: the linker sends the library's calls of mmap() and munmap() here. */
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t size);

static void *guarded[MAPPINGS];

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	char *room;

	if (address || fd < 0)
		return __real_mmap(address, size, protection, flags, fd, offset);
	room = __real_mmap(NULL, size + 2 * (size_t)GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	address = __real_mmap(room + GUARD, size, protection, flags | MAP_FIXED, fd, offset);
	for (int i = 0; address != MAP_FAILED && i < MAPPINGS; i++) {
		if (!guarded[i]) {
			guarded[i] = address;
			break;
		}
	}
	return address;
}

int __wrap_munmap(void *address, size_t size)
{
	for (int i = 0; i < MAPPINGS; i++) {
		if (guarded[i] == address) {
			guarded[i] = NULL;
			return __real_munmap((char *)address - GUARD, size + 2 * (size_t)GUARD);
		}
	}
	return __real_munmap(address, size);
}

struct common {
	_Atomic uint64_t ready, calls, passed, corrupt, between, told, stop;
};

static struct common *common;

/* Each call's result is one that is documented for some call. */
static int known(int r)
{
	static const int codes[] = { EAGAIN, ETIMEDOUT, EBADMSG, ENOENT, ESHUTDOWN, EUSERS, EINVAL, EDEADLK, EPROTO };
	bool found = r >= 0;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		found |= r == -codes[i];
	child_check(found);
	atomic_fetch_add(&common->calls, 1);
	if (r == -EBADMSG)
		atomic_fetch_add(&common->corrupt, 1);
	return r;
}

static int pass_over(const struct pabal_lock_info *info, void *data)
{
	(void)data;
	return info->index < LOCKS ? 0 : -EINVAL;
}

static void look(pabal_region *region, uint64_t *random)
{
	struct pabal_region_stats stats = { .struct_size = sizeof stats };
	pabal_region *other;

	switch (next_random(random) % 6) {
	case 0:
		known(pabal_region_stat(region, &stats));
		break;
	case 1:
		known(pabal_check("r", NULL));
		break;
	case 2:
		known(pabal_gc(NULL));
		break;
	case 3:
		known(pabal_region_locks("r", pass_over, NULL));
		break;
	case 4:
		if (known(pabal_region_open("r", NULL, &other)) == 0) {
			if (known(pabal_region_lock(other, 0, 100000)) >= 0 && next_random(random) % 2)
				known(pabal_region_unlock(other, 0));
			pabal_region_close(other);
		}
		break;
	default:
		break;
	}
}

static int work(void *data)
{
	uint64_t random = *(uint32_t *)data;
	pabal_region *region;
	uint32_t now;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	atomic_fetch_add(&common->ready, 1);
	while (!atomic_load(&common->stop)) {
		int64_t timeout = next_random(&random) % 4 ? PABAL_NOWAIT : 100000;
		uint32_t what = next_random(&random) % 10, lock = next_random(&random) % LOCKS, event = next_random(&random) % EVENTS;

		if (what < 4) {
			if (known(pabal_region_lock(region, lock, timeout)) >= 0) {
				atomic_fetch_add(&common->passed, 1);
				known(pabal_region_unlock(region, lock));
			}
		} else if (what == 4) {
			known(pabal_region_notify(region, event, next_random(&random)));
		} else if (what < 7) {
			known(pabal_region_event(region, event, &now));
			known(pabal_region_wait(region, event, now, NULL, timeout));
		} else if (what < 9) {
			struct pabal_wait items[2] = { { .object = region, .events = PABAL_READABLE | PABAL_EVENT(event) },
						       { .object = region, .events = PABAL_READABLE | PABAL_HANGUP } };

			if (known(pabal_wait_many(items, 2, NULL, timeout)) == 0)
				atomic_fetch_add(&common->told, 1);
		} else {
			look(region, &random);
		}
	}
	pabal_region_close(region);
	return 0;
}

static uint64_t garbage(uint64_t was, uint64_t *random)
{
	static const uint64_t extremes[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63, 0x3ff, 0x400, 0x401, 77 };
	uint64_t wide = (uint64_t)next_random(random) << 32 | next_random(random);

	switch (next_random(random) % 4) {
	case 0:
		return extremes[next_random(random) % (sizeof extremes / sizeof *extremes)];
	case 1:
		return wide;
	case 2:
		return (was & ~UINT64_C(0x7ff)) | wide % 0x800; /* another holder */
	default:
		return was ^ UINT64_C(1) << wide % 64;
	}
}

static pabal__word *some_word(pabal_region *region, uint64_t *random)
{
	uint32_t where = next_random(random);

	switch (next_random(random) % 6) {
	case 0: /* not the first lines: they are read once */
		return (pabal__word *)pabal__segment_at(&region->segment, 128 + (uint64_t)(where % 100) * 8);
	case 1:
		return (pabal__word *)pabal__segment_at(&region->segment, PABAL__PARTICIPANTS_AT + UINT64_C(64) * (1 + where % 6)) + where / 64 % 8;
	case 2:
		return (pabal__word *)(void *)&region->events[where % EVENTS] + where / 64 % 2;
	default:
		return (pabal__word *)(void *)&region->locks[where % LOCKS] + where / 64 % 3;
	}
}

static void scribble(pabal_region *region, uint64_t *random)
{
	for (int i = 0; i < WRITES; i++) {
		pabal__word *word = some_word(region, random);
		uint64_t calls = atomic_load(&common->calls), passed = atomic_load(&common->passed);

		atomic_store(word, garbage(atomic_load(word), random));
		if (i % 20 == 0) /* let somebody pass now and then, and be soiled in the middle of it */
			for (int j = 0; j < LOCKS; j++)
				atomic_store(&region->locks[j].word, 0);
		if (i % 20 == 10) /* nor is it over for good */
			atomic_store(&region->segment.header->state, PABAL__ALIVE);
		if (!eventually_at_least(&common->calls, calls + 10))
			fail_msg("write %d, to offset %zu: nobody returns from a call any more", i,
				 (size_t)((char *)word - (char *)region->segment.header));
		if (atomic_load(&common->passed) > passed)
			atomic_fetch_add(&common->between, 1);
	}
}

static void garbage_does_not_spread(void **state)
{
	static uint32_t seeds[WORKERS];
	uint64_t random = 2027;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		pid_t pids[WORKERS];
		pabal_region *region;

		assert_int_equal(pabal_region_create("r", SIZE, REGION(.locks = LOCKS, .events = EVENTS), &region), 0);
		atomic_store(&common->stop, 0);
		for (uint32_t i = 0; i < WORKERS; i++) {
			seeds[i] = round * WORKERS + i;
			pids[i] = child_start(work, &seeds[i]);
		}
		assert_true(eventually_at_least(&common->ready, (uint64_t)(round + 1) * WORKERS));
		scribble(region, &random);
		atomic_store(&common->stop, 1);
		for (uint32_t i = 0; i < WORKERS; i++)
			assert_int_equal(child_end(pids[i]), 0);
		pabal_region_close(region);
		unlink(path_of("r"));
	}
	print_message("calls %llu, locks had %llu, writes with locks in between %llu, -EBADMSG %llu, told of events %llu\n",
		      (unsigned long long)common->calls, (unsigned long long)common->passed, (unsigned long long)common->between,
		      (unsigned long long)common->corrupt, (unsigned long long)common->told);
	assert_true(common->between > 0 && common->corrupt > 0 && common->told > 0);
}

/* Each check that refuses a word is hit. */
static void a_word_that_nobody_could_have_written_is_refused(void **state)
{
	struct pabal_check_result account;
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", SIZE, NULL, &region), 0);
	atomic_store(&region->locks->word, UINT64_C(1) << 40); /* free, of some generation */
	assert_int_equal(pabal_region_lock(region, 0, HANG), -EBADMSG);
	assert_int_equal(pabal_check("r", &account), -EBADMSG);
	assert_int_equal(account.corrupt, 1);
	atomic_store(&region->locks->word, UINT64_C(0x80000001)); /* held, with bits that there are not */
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), -EBADMSG);
	assert_int_equal(pabal_check("r", NULL), -EBADMSG);
	atomic_store(&region->locks->word, 1000); /* held by one that never was */
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), PABAL_INHERITED);
	atomic_store(&region->locks->word, 0); /* taken away */
	assert_int_equal(pabal_region_unlock(region, 0), -EBADMSG);
	assert_int_equal(pabal_region_unlock(region, 0), -EINVAL);
	atomic_store(&region->locks->patient, 12345); /* promised to one that never was: let in after a while, and without waiting */
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	assert_int_equal(pabal_region_lock(region, 0, HANG), 0);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_that_nobody_could_have_written_is_refused),
		cmocka_unit_test(garbage_does_not_spread),
	};

	common = shared_memory(sizeof *common);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
