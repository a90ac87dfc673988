/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/options.c - reading the options of create and open. A new option of a mailbox begins here.
 *
 * Nothing is touched before all options are understood; each mistake has a sentence that names the option. What a later version will have is refused by name.
 */
#include "model/options.h"

#include <errno.h>

#include "base/error.h"
#include "base/options.h"

enum {
	OPEN_FLAGS =
		PABAL_READ_ONLY | PABAL_WAIT_EXISTS | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART | PABAL_DEAD_LETTERS,
	CREATE_FLAGS = PABAL_EXIST_OK | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART | PABAL_EPHEMERAL |
		       PABAL_MAILBOX_RENDEZVOUS | PABAL_MAILBOX_DROP_ON_DEATH | PABAL_TIMESTAMPS,
	SHAPE_FLAGS = PABAL_MAILBOX_DROP_ON_DEATH | PABAL_TIMESTAMPS | PABAL_EPHEMERAL,
	DEFAULT_CAPACITY = 1024,
	DEFAULT_MEMORY = 16 << 20,
};

static int refuse_unsupported(const struct pabal_mailbox_opts *opts)
{
	const char *what = NULL;

	if (opts->priorities > 1)
		what = "priorities";
	else if (opts->on_full != PABAL_FULL_BLOCK)
		what = "on_full other than PABAL_FULL_BLOCK";
	else if (opts->delivery_limit)
		what = "delivery_limit";
	else if (opts->dead_letters_max)
		what = "dead_letters_max";
	else if (opts->ttl_ns)
		what = "ttl_ns";
	else if (opts->flags & PABAL_MAILBOX_RENDEZVOUS)
		what = "PABAL_MAILBOX_RENDEZVOUS";
	else if (opts->flags & PABAL_DEAD_LETTERS)
		what = "PABAL_DEAD_LETTERS";
	return what ? pabal__fail(-ENOTSUP, "this version of pabal does not have %s yet: leave the option out", what) : 0;
}

int pabal__options_check_flags(uint32_t flags, uint32_t known, const char *call)
{
	uint32_t unknown = flags & ~known;

	if (unknown)
		return pabal__fail(-EINVAL, "flag 0x%x makes no sense for %s: leave it out", unknown & -unknown, call);
	if ((flags & PABAL_WAIT_SPIN) && (flags & PABAL_WAIT_BLOCK))
		return pabal__fail(-EINVAL, "PABAL_WAIT_SPIN and PABAL_WAIT_BLOCK exclude each other: choose one, or neither for adaptive waiting");
	return 0;
}

int pabal__options_create(const struct pabal_mailbox_opts *given, struct pabal_mailbox_opts *ret_opts, struct pabal__shape *ret_shape)
{
	struct pabal_mailbox_opts opts = { 0 };
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r == 0)
		r = pabal__options_check_flags(opts.flags, CREATE_FLAGS, "pabal_mailbox_create()");
	if (r == 0 && opts.on_full > PABAL_FULL_DROP_OLDEST)
		r = pabal__fail(-EINVAL, "on_full is %u: it is one of PABAL_FULL_BLOCK, _FAIL, _DROP_OLDEST", opts.on_full);
	if (r == 0 && (opts.mode & ~0777u))
		r = pabal__fail(-EINVAL, "mode is 0%o: only permission bits, up to 0777", opts.mode);
	if (r == 0 && opts.capacity > PABAL__CAPACITY_MAX)
		r = pabal__fail(-EINVAL, "capacity is %u: it can be 1 to %d messages", opts.capacity, PABAL__CAPACITY_MAX);
	if (r == 0 && opts.memory_max > PABAL__MEMORY_MAX)
		r = pabal__fail(-EINVAL, "memory_max is %llu: it can be up to 2^40 bytes", (unsigned long long)opts.memory_max);
	if (r == 0 && opts.ttl_ns < 0)
		r = pabal__fail(-EINVAL, "ttl_ns is negative");
	if (r == 0)
		r = refuse_unsupported(&opts);
	if (r < 0)
		return r;
	ret_shape->flags = opts.flags & SHAPE_FLAGS;
	ret_shape->capacity = opts.capacity ? opts.capacity : DEFAULT_CAPACITY;
	ret_shape->memory_max = opts.memory_max ? opts.memory_max : DEFAULT_MEMORY;
	*ret_opts = opts;
	return 0;
}

int pabal__options_open(const struct pabal_mailbox_opts *given, struct pabal_mailbox_opts *ret_opts)
{
	struct pabal_mailbox_opts opts;
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r == 0)
		r = pabal__options_check_flags(opts.flags, OPEN_FLAGS, "pabal_mailbox_open()");
	if (r == 0 && (opts.flags & PABAL_DEAD_LETTERS))
		r = refuse_unsupported(&(struct pabal_mailbox_opts){ .flags = PABAL_DEAD_LETTERS });
	if (r == 0 && opts.wait_ns < PABAL_FOREVER)
		r = pabal__fail(-EINVAL, "wait_ns is %lld: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds", (long long)opts.wait_ns);
	if (r == 0)
		*ret_opts = opts;
	return r;
}
