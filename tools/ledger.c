/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.c - what senders and receivers swear to have done. How it stays sound when its writer is killed is told in ledger.h.
 */
#include <sys/mman.h>
#include <time.h>

#include "ledger.h"

struct ledger *ledger_new(void)
{
	void *ledger = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return ledger == MAP_FAILED ? NULL : ledger;
}

struct ledger *ledger_free(struct ledger *ledger)
{
	if (ledger)
		munmap(ledger, sizeof(*ledger));
	return NULL;
}

void ledger_write(struct ledger_log *log, uint64_t id, uint32_t delivery_count, enum ledger_event event)
{
	static const struct timespec moment = { .tv_nsec = 100000 };
	uint64_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);

	/* acquire: pairs with the release in ledger_read(), which is done with the cell */
	while (tail - atomic_load_explicit(&log->head, memory_order_acquire) >= LEDGER_LOG_ROOM)
		nanosleep(&moment, NULL);
	log->entries[tail % LEDGER_LOG_ROOM] = (struct ledger_entry){ .id = id, .delivery_count = delivery_count, .event = event };
	/* release: pairs with the acquire in ledger_read(); until here the entry does not exist */
	atomic_store_explicit(&log->tail, tail + 1, memory_order_release);
}

bool ledger_read(struct ledger_log *log, struct ledger_entry *ret_entry)
{
	uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);

	/* acquire: pairs with the release in ledger_write() */
	if (head == atomic_load_explicit(&log->tail, memory_order_acquire))
		return false;
	*ret_entry = log->entries[head % LEDGER_LOG_ROOM];
	/* release: pairs with the acquire in ledger_write() */
	atomic_store_explicit(&log->head, head + 1, memory_order_release);
	return true;
}
