/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c - a library that breaks pabal on purpose, to see whether torture notices.
 *
 * Preloaded, it stands between the command and the library, and does one of the things that must never happen, about once in a thousand
 * calls: $PABAL_FAULT says which. It knows nothing of the inside; these are the mistakes as a user would see them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <pabal/mailbox.h>

#define EVERY 1000

static unsigned calls;

/* Now and then, and only if it is that fault. */
static bool is_time(const char *fault)
{
	const char *wanted = getenv("PABAL_FAULT");

	return wanted && strcmp(wanted, fault) == 0 && ++calls % EVERY == EVERY / 2;
}

static void *next(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

typedef int send_function(pabal_mailbox *mailbox, const void *data, size_t size, int64_t timeout_ns);
typedef int take_function(pabal_mailbox *mailbox, const struct pabal_take_opts *opts, struct pabal_message *ret_message, int64_t timeout_ns);
typedef int release_function(pabal_mailbox *mailbox, struct pabal_message *message);

/* lose: say that it is sent. double: send it twice. invent, damage, shorten: send something else. reorder: send it after the next one. */
PABAL_EXPORT int pabal_mailbox_send(pabal_mailbox *mailbox, const void *data, size_t size, int64_t timeout_ns)
{
	static unsigned char late[4096];
	static size_t late_size;
	send_function *real = (send_function *)next("pabal_mailbox_send");
	unsigned char copy[4096];
	int r;

	if (size > sizeof(copy) || is_time("lose"))
		return 0;
	memcpy(copy, data, size);
	if (is_time("double") && real(mailbox, data, size, timeout_ns) < 0)
		return -EIO;
	if (is_time("damage"))
		copy[size - 1] ^= 1;
	if (is_time("shorten"))
		size--;
	if (late_size == 0 && is_time("reorder")) {
		memcpy(late, data, size);
		late_size = size;
		return 0;
	}
	r = real(mailbox, copy, size, timeout_ns);
	if (r == 0 && late_size > 0) {
		r = real(mailbox, late, late_size, timeout_ns);
		late_size = 0;
	}
	return r;
}

/* invent: the message says that it was never delivered before, or that it was delivered too often to be true. */
PABAL_EXPORT int pabal_mailbox_take(pabal_mailbox *mailbox, const struct pabal_take_opts *opts, struct pabal_message *ret_message, int64_t timeout_ns)
{
	take_function *real = (take_function *)next("pabal_mailbox_take");
	int r = real(mailbox, opts, ret_message, timeout_ns);

	if (r == 0 && is_time("invent"))
		ret_message->delivery_count = 0;
	return r;
}

/* again: say that it is released, and put it back. leak: say that it is released, and keep it. crash: end by a signal. */
PABAL_EXPORT int pabal_mailbox_release(pabal_mailbox *mailbox, struct pabal_message *message)
{
	release_function *real = (release_function *)next("pabal_mailbox_release");

	if (is_time("again"))
		return ((release_function *)next("pabal_mailbox_requeue"))(mailbox, message);
	if (is_time("leak"))
		return 0;
	if (is_time("crash"))
		raise(SIGSEGV);
	return real(mailbox, message);
}
