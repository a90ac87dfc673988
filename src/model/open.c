/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/open.c - create and open a mailbox: options in, an object (object.c), a handle out.
 *
 * The handle's memory is there before the object is, so that nothing can fail once there is one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/mailbox.h"
#include "model/options.h"

static void init_side(pabal_mailbox *mailbox, struct pabal__side *side, const struct pabal__wait_calls *calls, pabal__bell_word *bell)
{
	struct pabal__header *header = mailbox->segment.header;

	pthread_mutex_init(&side->lock, NULL);
	pabal__sleepers_init(&side->sleepers, side == &mailbox->sending ? &mailbox->self->waits_room : &mailbox->self->waits_message, NULL, 0);
	side->look_at = side->stride = PABAL__LOOK_FIRST;
	side->waiter.calls = calls;
	side->waiter.bell = bell;
	side->waiter.memory_bell = &header->memory_bell;
	side->waiter.late_wakes = &mailbox->self->late_wakes;
	side->waiter.sleepers = &side->sleepers;
	side->waiter.interrupts = &mailbox->interrupts;
	side->waiter.acknowledged = &mailbox->acknowledged;
	side->waiter.flags = mailbox->flags;
	pabal__spin_init(&side->waiter.spin);
}

void pabal__mailbox_init(pabal_mailbox *mailbox, const struct pabal__seat *seat, uint32_t flags)
{
	memset(mailbox, 0, sizeof *mailbox);
	mailbox->segment = seat->segment;
	mailbox->id = seat->id;
	mailbox->hold = seat->hold;
	mailbox->flags = flags;
	mailbox->magic = PABAL__HANDLE_MAGIC;
	mailbox->generation = pabal__fork_generation();
	mailbox->self = pabal__participant_at(&mailbox->segment, mailbox->id);
	pabal__ring_init(&mailbox->ring, &mailbox->segment, mailbox->id);
	mailbox->pool = (struct pabal__pool){ .segment = &mailbox->segment, .me = mailbox->id };
	pabal__redeliver_init(&mailbox->redeliver, &mailbox->segment, mailbox->id);
	init_side(mailbox, &mailbox->sending, &pabal__send_calls, &mailbox->segment.header->room_bell);
	init_side(mailbox, &mailbox->receiving, &pabal__receive_calls, &mailbox->segment.header->items_bell);
	mailbox->seen_notice = UINT64_MAX; /* not a number that was seen: the first call looks */
}

/* What both calls do once the options are understood. */
static int make_handle(const struct pabal__object_request *request, int (*get)(const struct pabal__object_request *, struct pabal__seat *),
		       pabal_mailbox **ret_mailbox)
{
	pabal_mailbox *mailbox = aligned_alloc(_Alignof(pabal_mailbox), sizeof *mailbox);
	struct pabal__seat seat;
	int r;

	if (!mailbox)
		return pabal__fail(-ENOMEM, "no memory for a handle of '%s'", request->name);
	r = get(request, &seat);
	if (r < 0) {
		free(mailbox);
		return r;
	}
	pabal__mailbox_init(mailbox, &seat, request->flags);
	*ret_mailbox = mailbox;
	return 0;
}

int pabal_mailbox_create(const char *name, const struct pabal_mailbox_opts *given, pabal_mailbox **ret_mailbox)
{
	struct pabal__object_request request = { .kind = &pabal__mailbox_kind, .name = name };
	struct pabal_mailbox_opts opts = { 0 };
	int r;

	if (!ret_mailbox)
		return pabal__fail_with(-EINVAL, "ret_mailbox is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = pabal__options_create(given, &opts, &request.shape);
	if (r < 0)
		return r;
	request.flags = opts.flags;
	request.mode = opts.mode;
	return make_handle(&request, pabal__object_create, ret_mailbox);
}

int pabal_mailbox_open(const char *name, const struct pabal_mailbox_opts *given, pabal_mailbox **ret_mailbox)
{
	struct pabal__object_request request = { .kind = &pabal__mailbox_kind, .name = name };
	struct pabal_mailbox_opts opts = { 0 };
	int r;

	if (!ret_mailbox)
		return pabal__fail_with(-EINVAL, "ret_mailbox is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = pabal__options_open(given, &opts);
	if (r < 0)
		return r;
	request.flags = opts.flags;
	request.wait_ns = opts.wait_ns;
	return make_handle(&request, pabal__object_open, ret_mailbox);
}
