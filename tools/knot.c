/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knot.c - processes that wait for each other, and for nobody else.
 *
 * A process may go on if one of its threads does not wait, if a wait of it ends by itself, or if one who may go on could end a wait of it. Begin with those who may go on by
 * themselves, and add whom they could wake until nobody is added: who is left is stuck, and each of them waits only for others who are left. A wait that nobody
 * known could end is no deadlock: somebody may come. We err on that side: what is called a deadlock is one, but for a newcomer (wait->is_open).
 */
#include "knot.h"

/* Who goes on without being woken. A process that cannot be seen may do anything. */
static bool goes_on_by_itself(const struct party *party)
{
	return party->threads == 0 || party->waits < party->threads;
}

static bool could_end(const struct waits *waits, const struct wait *wait)
{
	if (wait->info.deadline_ns != INT64_MAX || wait->waker_count == 0)
		return true;
	for (uint32_t i = 0; i < wait->waker_count; i++)
		if (!waits->parties[wait->wakers[i]].is_stuck)
			return true;
	return false;
}

void knot_find(struct waits *waits)
{
	bool is_changed = true;

	for (uint32_t i = 0; i < waits->party_count; i++)
		waits->parties[i].is_stuck = !goes_on_by_itself(&waits->parties[i]);
	while (is_changed) {
		is_changed = false;
		for (uint32_t i = 0; i < waits->count; i++) {
			struct party *party = &waits->parties[waits->waits[i].party];

			if (party->is_stuck && could_end(waits, &waits->waits[i])) {
				party->is_stuck = false;
				is_changed = true;
			}
		}
	}
}

static uint32_t first_wait_of(const struct waits *waits, uint32_t party)
{
	uint32_t i = 0;

	while (waits->waits[i].party != party)
		i++;
	return i;
}

uint32_t knot_cycle(const struct waits *waits, uint32_t party, uint32_t *ret_waits)
{
	uint32_t count = 0, begin, wait;

	if (!waits->parties[party].is_stuck)
		return 0;
	/* Every waker of a stuck one is stuck, so going to the first one each time must come back to somebody. */
	for (;;) {
		for (begin = 0; begin < count && waits->waits[ret_waits[begin]].party != party; begin++)
			;
		if (begin < count)
			break;
		wait = first_wait_of(waits, party);
		ret_waits[count++] = wait;
		party = waits->waits[wait].wakers[0];
	}
	for (uint32_t i = begin; i < count; i++)
		ret_waits[i - begin] = ret_waits[i];
	return count - begin;
}
