/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/wait_kind.c - the kinds of handles that pabal_wait_many() waits for.
 */
#include "model/wait_kind.h"

#include <errno.h>
#include <poll.h>

#include <pabal/process.h>

#include "base/error.h"
#include "model/link.h"
#include "model/process.h"
#include "model/region.h"
#include "model/region_wait.h"
#include "model/waitable.h"

static int link_fd(void *object, uint32_t event)
{
	return pabal_link_fd(object, event);
}

static bool link_verify(void *object, uint32_t event)
{
	return pabal__link_verify(object, event);
}

/* The kernel tells: whoever closes a link shuts its socket down as well. A message that waits makes the socket readable, but does not hang it up. */
static int link_end_fds(void *object, uint32_t events, int *ret_fds, short *ret_events)
{
	pabal_link *link = object;
	int r = pabal__link_check(link, PABAL_NOWAIT);

	(void)events;
	if (r < 0)
		return r;
	ret_fds[0] = link->bell.socket;
	ret_events[0] = POLLRDHUP;
	ret_fds[1] = link->bell.pidfd;
	ret_events[1] = POLLIN;
	return 0;
}

static bool link_has_ended(void *object, bool told)
{
	pabal_link *link = object;

	if (told)
		pabal__doorbell_ask_kernel(&link->bell);
	return pabal__doorbell_end(&link->bell) != 0;
}

static int process_fd(void *object, uint32_t event)
{
	return pabal_process_fd(object, event);
}

static bool process_verify(void *object, uint32_t event)
{
	(void)event;
	return pabal__process_verify(object);
}

/* It has no end that could be waited for. */
static bool process_has_ended(void *object, bool told)
{
	(void)object, (void)told;
	return false;
}

static const struct pabal__wait_calls_of_kind link_calls = {
	.fd = link_fd,
	.verify = link_verify,
	.end_fds = link_end_fds,
	.has_ended = link_has_ended,
};

static const struct pabal__wait_calls_of_kind process_calls = {
	.fd = process_fd,
	.verify = process_verify,
	.has_ended = process_has_ended,
};

static struct pabal__wait_kind of_link(pabal_link *link)
{
	return (struct pabal__wait_kind){
		.calls = &link_calls,
		.flags = link->flags,
		.interrupts = &link->bell.interrupts,
		.acknowledged = &link->bell.acknowledged,
		.nudges = &link->bell.nudges,
	};
}

static struct pabal__wait_kind of_process(pabal_process *self)
{
	return (struct pabal__wait_kind){
		.calls = &process_calls,
		.flags = self->flags,
		.interrupts = &self->interrupts,
		.acknowledged = &self->acknowledged,
		.nudges = &self->nudges,
	};
}

int pabal__wait_kind_of(void *object, struct pabal__wait_kind *ret_kind)
{
	uint32_t magic = object ? *(const uint32_t *)object : 0;

	if (pabal__waitable_is(object))
		*ret_kind = pabal__waitable_kind(object);
	else if (magic == PABAL__LINK_MAGIC)
		*ret_kind = of_link(object);
	else if (magic == PABAL__PROCESS_MAGIC)
		*ret_kind = of_process(object);
	else if (magic == PABAL__REGION_MAGIC)
		*ret_kind = pabal__region_wait_kind(object);
	else
		return pabal__fail_with(-EINVAL, "an object is no open handle of a mailbox, buffer, region, process or link");
	return 0;
}
