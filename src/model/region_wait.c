/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/region_wait.c - waiting for the events of a region in pabal_wait_many().
 *
 * Who waits remembers the number that the handle was told last, and is told when the event stands at another. A sleeper arms: its bits in the participant's word say of which events it is to be told (descriptor_post.c); then it
 * looks at the number; then it sleeps on the handle's descriptor. Who notifies counts, and then looks whether anybody has armed. So either the look finds the number, or a byte is sent after it was armed. Who is woken
 * empties the socket *first*, then looks, and arms and looks again if it sleeps on. The bits are there while somebody is about to sleep or sleeps, and no longer: so nobody pays for a handle that is not waiting.
 *
 * Several threads of one handle share its descriptor, and each may wait for another event. So who has emptied it nudges the others, who look for themselves; who had armed and has not looked since is among those, since it
 * has its nudge before it arms. Each of them compares with the number that was told when *its* wait began: so all that wait are told of one notify.
 *
 * Who dies, or is stopped, after counting and before sending its byte: a death is told by the watch on the region's file, as with the other descriptors; after either, the bits stand, so the next one who notifies sends its own.
 * A hostile peer can make the number any number, and the bits as well: then we are told of what was not, or of nothing but deaths; it can do as much to the event.
 */
#include "model/region_wait.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/error.h"
#include "model/descriptor_life.h"
#include "model/descriptor_post.h"
#include "model/region.h"

void pabal__region_pollers_init(pabal_region *region)
{
	pthread_mutex_init(&region->pollers.lock, NULL);
}

void pabal__region_pollers_deinit(pabal_region *region, bool name_too)
{
	struct pabal__region_pollers *pollers = &region->pollers;

	pabal__descriptor_unmake(&region->segment, region->id, pollers->descriptor, name_too);
	pabal__nudges_close(&pollers->nudges);
	free((void *)pollers->told);
	pthread_mutex_destroy(&pollers->lock);
}

/* Under the lock: what the first one needs. */
static int prepare(pabal_region *region)
{
	struct pabal__region_pollers *pollers = &region->pollers;

	if (!pollers->told)
		pollers->told = calloc(region->event_count, sizeof *pollers->told); /* pages that are not touched cost nothing */
	if (!pollers->told)
		return -ENOMEM;
	return pollers->descriptor ? 0 : pabal__descriptor_make(&region->segment, region->id, PABAL_READABLE, &pollers->descriptor);
}

static int region_fd(void *object, uint32_t event)
{
	pabal_region *region = object;
	struct pabal__region_pollers *pollers = &region->pollers;
	int r = pabal__region_check(region, true, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (event != PABAL_READABLE)
		return pabal__fail(-EINVAL,
				   "'%s' is a region, which has no PABAL_WRITABLE: ask for PABAL_READABLE | PABAL_EVENT(index), or PABAL_HANGUP",
				   region->segment.name);
	pthread_mutex_lock(&pollers->lock);
	r = prepare(region);
	pthread_mutex_unlock(&pollers->lock);
	if (r == 0 && !pabal__descriptor_fds_are_ours(&pollers->descriptor->fds))
		r = -EBADF;
	return r < 0 ? pabal__descriptor_say(r, &region->segment) : pollers->descriptor->fds.group;
}

/* There is one descriptor for all. */
static int region_end_fds(void *object, uint32_t events, int *ret_fds, short *ret_events)
{
	int r = events & PABAL_READABLE ? -1 : region_fd(object, PABAL_READABLE);

	if (events & PABAL_READABLE)
		return 0;
	ret_fds[0] = r;
	ret_events[0] = POLLIN;
	return r < 0 ? r : 0;
}

static bool region_has_ended(void *object, bool told)
{
	(void)told;
	return pabal__object_ended(&((pabal_region *)object)->segment);
}

static bool region_is_lost(void *object)
{
	return pabal__descriptor_fds_are_lost(&((pabal_region *)object)->pollers.descriptor->fds);
}

/* From now on we are told of what it is for; the caller looks, and then sleeps. */
static void arm(pabal_region *region, const struct pabal__wait_number *number)
{
	uint64_t bits = (number->events & PABAL_READABLE ? pabal__told_of(number->index) : 0) | PABAL__TOLD_END;

	if (!PABAL__FAULT(POLLER_NOT_ARMED))
		pabal__descriptor_enroll(&region->segment, region->id, bits);
	if (!pabal__descriptor_fds_watches(&region->pollers.descriptor->fds))
		pabal__descriptor_fds_set_in(&region->pollers.descriptor->fds, PABAL__DESCRIPTOR_SLICE_NS);
}

static int region_begin(void *object, uint32_t events, bool sleeps, struct pabal__wait_number *ret_number)
{
	pabal_region *region = object;
	struct pabal__region_pollers *pollers = &region->pollers;
	uint32_t index = events >> 16;

	if (index >= region->event_count)
		return pabal__region_no_index(region, index);
	*ret_number = (struct pabal__wait_number){ .index = index, .events = events };
	/* relaxed, alone: what this handle was told. What is newer is seen by the look. */
	ret_number->seen = atomic_load_explicit(&pollers->told[index], memory_order_relaxed);
	if (!sleeps)
		return 0;
	pthread_mutex_lock(&pollers->lock);
	atomic_fetch_add_explicit(&pollers->inside, 1, memory_order_seq_cst); /* before it arms; pairs with region_empty() */
	pthread_mutex_unlock(&pollers->lock);
	arm(region, ret_number);
	return 0;
}

/* The last one takes the bits with it. Under the lock, so that it does not take those of one who has just come. */
static void region_end(void *object)
{
	pabal_region *region = object;
	struct pabal__region_pollers *pollers = &region->pollers;

	pthread_mutex_lock(&pollers->lock);
	if (atomic_fetch_sub_explicit(&pollers->inside, 1, memory_order_relaxed) == 1) /* the lock orders it */
		pabal__descriptor_withdraw(&region->segment, region->id, PABAL__TOLD_ALL);
	pthread_mutex_unlock(&pollers->lock);
}

static bool has_changed(pabal_region *region, struct pabal__wait_number *number)
{
	/* seq_cst: after it was armed, and before the data is looked at; pairs with the count of pabal_region_notify() */
	number->now = atomic_load_explicit(&region->events[number->index].count, memory_order_seq_cst);
	return ((number->events & PABAL_READABLE) && number->now != number->seen) || pabal__object_ended(&region->segment);
}

/* Others who wait on this handle look, too, if there are any: whoever is not counted yet has not armed, and so looks later. */
static void empty(pabal_region *region)
{
	struct pabal__region_pollers *pollers = &region->pollers;

	if (!pabal__descriptor_empty(&region->segment, pollers->descriptor) || PABAL__FAULT(NEWS_SWALLOWED))
		return;
	/* seq_cst: after the bytes; pairs with region_begin() */
	if (atomic_load_explicit(&pollers->inside, memory_order_seq_cst) > 1)
		pabal__nudge_all(&pollers->nudges);
}

static bool region_look(void *object, struct pabal__wait_number *number, bool told, bool woken)
{
	pabal_region *region = object;

	if (told)
		empty(region);
	if (has_changed(region, number))
		return true;
	if (!woken)
		return false;
	arm(region, number);
	return has_changed(region, number);
}

static void region_note(void *object, const struct pabal__wait_number *number)
{
	pabal_region *region = object;
	uint32_t seen = number->seen;

	/* Relaxed, alone. Where another thread was told meanwhile, its number stands: it may not have seen ours. */
	atomic_compare_exchange_strong_explicit(&region->pollers.told[number->index], &seen, number->now, memory_order_relaxed, memory_order_relaxed);
}

struct pabal__wait_kind pabal__region_wait_kind(pabal_region *region)
{
	static const struct pabal__wait_number_calls numbers = {
		.begin = region_begin,
		.look = region_look,
		.note = region_note,
		.end = region_end,
	};
	static const struct pabal__wait_calls_of_kind calls = {
		.fd = region_fd,
		.end_fds = region_end_fds,
		.has_ended = region_has_ended,
		.is_lost = region_is_lost,
		.numbers = &numbers,
	};

	return (struct pabal__wait_kind){ .calls = &calls, .flags = region->flags, .nudges = &region->pollers.nudges };
}
