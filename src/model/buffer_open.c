/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_open.c - create, open, interrupt, close and destroy a buffer.
 *
 * Options in, an object (object.c), a handle out. The handle's memory is there before the object is, so that nothing can fail once there is one. Killed while closing: an
 * undertaker gives back what close does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "model/buffer.h"
#include "model/descriptor.h"
#include "model/options.h"

enum {
	OPEN_FLAGS = PABAL_READ_ONLY | PABAL_WAIT_EXISTS | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART,
	CREATE_FLAGS = PABAL_EXIST_OK | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART | PABAL_EPHEMERAL |
		       PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST,
	SHAPE_FLAGS = PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST | PABAL_EPHEMERAL,
};

/* The one who makes something happen in these forms does it with a plain store, and the bell is one that all are woken by (buffer_spsc.c). */
static void wait_for_stores(pabal_buffer *buffer)
{
	buffer->base.sending.waiter.memory_bell = buffer->base.sending.waiter.bell;
	buffer->base.receiving.waiter.memory_bell = buffer->base.receiving.waiter.bell;
}

static struct pabal__spsc_end end_of(const pabal_buffer *buffer, bool producer)
{
	return (struct pabal__spsc_end){
		.shared = &buffer->shared->positions,
		.items = pabal__segment_at(&buffer->base.segment, PABAL__SPSC_ITEMS_AT),
		.item_size = buffer->item_size,
		.capacity = buffer->base.segment.shape.capacity,
		.producer = producer,
	};
}

static void init_form(pabal_buffer *buffer)
{
	const struct pabal__segment *segment = &buffer->base.segment;

	buffer->item_size = segment->shape.item_size;
	if (segment->shape.flags & PABAL_BUFFER_SPSC) {
		buffer->form = &pabal__buffer_form_spsc;
		buffer->shared = pabal__buffer_spsc_of(segment);
		buffer->producer = end_of(buffer, true);
		buffer->consumer = end_of(buffer, false);
		wait_for_stores(buffer);
	} else if (segment->shape.flags & PABAL_BUFFER_LATEST) {
		buffer->form = &pabal__buffer_form_latest;
		buffer->latest = pabal__buffer_latest_of(segment, buffer->base.id);
		wait_for_stores(buffer);
	} else {
		buffer->form = &pabal__buffer_form_many;
	}
}

static int make_handle(const struct pabal__object_request *request, int (*get)(const struct pabal__object_request *, struct pabal__seat *),
		       pabal_buffer **ret_buffer)
{
	pabal_buffer *buffer = aligned_alloc(_Alignof(pabal_buffer), sizeof *buffer);
	struct pabal__seat seat;
	int r;

	if (!buffer)
		return pabal__fail(-ENOMEM, "no memory for a handle of '%s'", request->name);
	r = get(request, &seat);
	if (r < 0) {
		free(buffer);
		return r;
	}
	memset(buffer, 0, sizeof *buffer);
	pabal__mailbox_init(&buffer->base, &seat, request->flags);
	buffer->base.magic = PABAL__BUFFER_MAGIC;
	buffer->base.sending.waiter.calls = &pabal__put_calls;
	buffer->base.receiving.waiter.calls = &pabal__get_calls;
	init_form(buffer);
	*ret_buffer = buffer;
	return 0;
}

static int check_numbers(uint64_t item_size, uint32_t capacity, const struct pabal_buffer_opts *opts)
{
	bool spsc = opts->flags & PABAL_BUFFER_SPSC;
	uint32_t most = spsc ? (uint32_t)PABAL__SPSC_CAPACITY_MAX : (uint32_t)PABAL__CAPACITY_MAX;

	if (item_size < 1 || item_size > PABAL__ITEM_SIZE_MAX)
		return pabal__fail(-EINVAL, "item_size is %llu: it can be 1 to 2^32 bytes", (unsigned long long)item_size);
	if (capacity < 1 || capacity > most)
		return pabal__fail(-EINVAL, "capacity is %u: it can be 1 to %u items", capacity, most);
	if (capacity * item_size > PABAL__MEMORY_MAX)
		return pabal__fail(-EINVAL, "%u items of %llu bytes are more than 2^40 bytes", capacity, (unsigned long long)item_size);
	if (opts->mode & ~0777u)
		return pabal__fail(-EINVAL, "mode is 0%o: only permission bits, up to 0777", opts->mode);
	if (opts->on_full > PABAL_FULL_DROP_OLDEST)
		return pabal__fail(-EINVAL, "on_full is %u: it is one of PABAL_FULL_BLOCK, _FAIL, _DROP_OLDEST", opts->on_full);
	if (spsc && opts->flags & PABAL_BUFFER_LATEST)
		return pabal__fail_with(-EINVAL, "PABAL_BUFFER_SPSC and PABAL_BUFFER_LATEST exclude each other: choose one");
	if (spsc && opts->on_full == PABAL_FULL_DROP_OLDEST)
		return pabal__fail_with(-ENOTSUP,
					"PABAL_FULL_DROP_OLDEST does not go with PABAL_BUFFER_SPSC, where only the consumer may take: leave one out");
	return 0;
}

int pabal_buffer_create(const char *name, size_t item_size, uint32_t capacity, const struct pabal_buffer_opts *given, pabal_buffer **ret_buffer)
{
	struct pabal__object_request request = { .kind = &pabal__buffer_kind, .name = name };
	struct pabal_buffer_opts opts = { 0 };
	int r;

	if (!ret_buffer)
		return pabal__fail_with(-EINVAL, "ret_buffer is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = pabal__options_copy(given, &opts, sizeof opts);
	if (r == 0)
		r = pabal__options_check_flags(opts.flags, CREATE_FLAGS, "pabal_buffer_create()");
	if (r == 0)
		r = check_numbers(item_size, capacity, &opts);
	if (r < 0)
		return r;
	request.flags = opts.flags;
	request.mode = opts.mode;
	request.shape.flags = opts.flags & SHAPE_FLAGS;
	request.shape.capacity = capacity;
	request.shape.item_size = item_size;
	request.shape.on_full = opts.on_full;
	return make_handle(&request, pabal__object_create, ret_buffer);
}

int pabal_buffer_open(const char *name, const struct pabal_buffer_opts *given, pabal_buffer **ret_buffer)
{
	struct pabal__object_request request = { .kind = &pabal__buffer_kind, .name = name };
	struct pabal_buffer_opts opts = { 0 };
	int r;

	if (!ret_buffer)
		return pabal__fail_with(-EINVAL, "ret_buffer is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = pabal__options_copy(given, &opts, sizeof opts);
	if (r == 0)
		r = pabal__options_check_flags(opts.flags, OPEN_FLAGS, "pabal_buffer_open()");
	if (r == 0 && opts.wait_ns < PABAL_FOREVER)
		r = pabal__fail(-EINVAL, "wait_ns is %lld: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds", (long long)opts.wait_ns);
	if (r < 0)
		return r;
	request.flags = opts.flags;
	request.wait_ns = opts.wait_ns;
	return make_handle(&request, pabal__object_open, ret_buffer);
}

int pabal_buffer_interrupt(pabal_buffer *buffer)
{
	/* For signal handlers: atomics and one system call, no lock, and no sentence, which is not safe there. */
	if (!buffer || buffer->base.magic != PABAL__BUFFER_MAGIC)
		return -EINVAL;
	if (buffer->base.generation != pabal__fork_generation())
		return -ESTALE;
	if (buffer->base.flags & PABAL_READ_ONLY)
		return -EPERM;
	pabal__mailbox_stop_waits(&buffer->base);
	return 0;
}

static void add_late_wakes(const pabal_buffer *buffer)
{
	/* statistics, before the slot goes */
	atomic_fetch_add_explicit(&buffer->base.segment.header->late_wakes,
				  atomic_load_explicit(&buffer->base.self->late_wakes, memory_order_relaxed), memory_order_relaxed);
}

pabal_buffer *pabal_buffer_close(pabal_buffer *buffer)
{
	if (!buffer || buffer->base.magic != PABAL__BUFFER_MAGIC)
		return NULL;
	pabal__descriptor_close(&buffer->base, buffer->base.generation == pabal__fork_generation());
	/* A fork child gives back nothing of its parent's. Its copy of the descriptor and of the mapping go all the same. */
	if (!(buffer->base.flags & PABAL_READ_ONLY) && buffer->base.generation == pabal__fork_generation()) {
		if (buffer->form != &pabal__buffer_form_many)
			add_late_wakes(buffer);
		buffer->form->leave(buffer);
	}
	buffer->base.magic = 0;
	pthread_mutex_destroy(&buffer->base.sending.lock);
	pthread_mutex_destroy(&buffer->base.receiving.lock);
	pabal__sleepers_deinit(&buffer->base.sending.sleepers);
	pabal__sleepers_deinit(&buffer->base.receiving.sleepers);
	pabal__segment_close(&buffer->base.segment);
	free(buffer);
	return NULL;
}

int pabal_buffer_destroy(const char *name)
{
	return pabal__object_destroy(&pabal__buffer_kind, name);
}
