/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_create.c - pabal create NAME: make a mailbox, with --buffer a buffer, or with --region a region.
 *
 * All options of the interface are here, also those that this version of the library refuses: it says so itself, by name.
 */
#include <string.h>

#include <pabal/pabal.h>

#include "arguments.h"
#include "options.h"
#include "report.h"
#include "verb.h"

enum { DEFAULT_CAPACITY = 1024 /* of a buffer: that of a mailbox */ };

enum {
	KEY_PRIORITIES = OPTION_KEY(0),
	KEY_ON_FULL,
	KEY_RENDEZVOUS,
	KEY_TTL,
	KEY_DELIVERY_LIMIT,
	KEY_DEAD_LETTERS,
	KEY_MODE,
	KEY_DROP_ON_DEATH,
	KEY_TIMESTAMPS,
	KEY_EXIST_OK,
	KEY_REGION,
	KEY_BUFFER,
	KEY_SPSC,
	KEY_LATEST,
	KEY_LOCKS,
	KEY_EVENTS,
	KEY_ON_DEMAND,
	KEY_HUGE_PAGES,
};

static const struct argp_option options[] = {
	{ "capacity", 'c', "N", 0, "Messages that may wait (default 1024)", 0 },
	{ "memory", 'm', "SIZE", 0, "Payload memory, and the largest message (default 16M); a limit, not a reservation", 0 },
	{ "mode", KEY_MODE, "OCTAL", 0, "Permission bits of its file, whatever the umask (default 0600)", 0 },
	{ "drop-on-death", KEY_DROP_ON_DEATH, NULL, 0, "What a killed receiver had taken is dropped and counted, not delivered again", 0 },
	{ "timestamps", KEY_TIMESTAMPS, NULL, 0, "Each message carries the time it was sent", 0 },
	{ "buffer", KEY_BUFFER, "SIZE", 0, "A buffer of items of SIZE bytes instead of a mailbox; --capacity counts items", 0 },
	{ "spsc", KEY_SPSC, NULL, 0, "Buffer: one producer and one consumer", 0 },
	{ "latest", KEY_LATEST, NULL, 0, "Buffer: only the newest item counts", 0 },
	{ "on-full", KEY_ON_FULL, "WHAT", 0, "Buffer: what a put does when it is full: block (default), fail, drop-oldest", 0 },
	{ "exist-ok", KEY_EXIST_OK, NULL, 0, "No error if it exists in the same shape", 0 },
	{ NULL, 0, NULL, 0, "A region, shared memory, instead of a mailbox:", 1 },
	{ "region", KEY_REGION, "SIZE", 0, "Its size; the memory is taken at once", 0 },
	{ "locks", KEY_LOCKS, "N", 0, "How many locks it has (default 1)", 0 },
	{ "events", KEY_EVENTS, "N", 0, "How many events (default 1)", 0 },
	{ "on-demand", KEY_ON_DEMAND, NULL, 0, "Take memory when it is used first", 0 },
	{ "huge-pages", KEY_HUGE_PAGES, NULL, 0, "Use huge pages", 0 },
	{ NULL, 0, NULL, 0, "Refused by this version:", 2 },
	{ "priorities", KEY_PRIORITIES, "N", 0, "Priorities from 0 to N-1 (default 1)", 0 },
	{ "rendezvous", KEY_RENDEZVOUS, NULL, 0, "A send returns when its message was taken", 0 },
	{ "ttl", KEY_TTL, "TIME", 0, "Messages older than this are discarded and counted", 0 },
	{ "delivery-limit", KEY_DELIVERY_LIMIT, "N", 0, "A message delivered N times in vain goes to the dead letters", 0 },
	{ "dead-letters", KEY_DEAD_LETTERS, "N", 0, "Most dead letters that are kept", 0 },
	{ 0 },
};

struct arguments {
	const char *name;
	uint64_t item_size; /* of a buffer; 0: a mailbox */
	uint32_t buffer_flags;
	struct pabal_mailbox_opts mailbox;
	bool is_region;
	const char *of_mailbox, *of_region; /* the last option that only a mailbox, or a region, has */
	size_t size;
	struct pabal_region_opts region;
};

static uint32_t parse_on_full(const struct argp_state *state, const char *text)
{
	static const struct {
		const char *name;
		uint32_t value;
	} choices[] = { { "block", PABAL_FULL_BLOCK }, { "fail", PABAL_FULL_FAIL }, { "drop-oldest", PABAL_FULL_DROP_OLDEST } };

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++)
		if (strcmp(text, choices[i].name) == 0)
			return choices[i].value;
	usage_error(state, "--on-full: '%s' is not block, fail or drop-oldest", text);
	return 0;
}

/* What a message is like on its way; the rest is parse(). */
static error_t parse_policy(int key, char *text, const struct argp_state *state, struct pabal_mailbox_opts *mailbox)
{
	switch (key) {
	case KEY_PRIORITIES:
		mailbox->priorities = (uint32_t)option_count(state, "--priorities", text, 1, UINT32_MAX);
		return 0;
	case KEY_ON_FULL:
		mailbox->on_full = parse_on_full(state, text);
		return 0;
	case KEY_RENDEZVOUS:
		mailbox->flags |= PABAL_MAILBOX_RENDEZVOUS;
		return 0;
	case KEY_TTL:
		mailbox->ttl_ns = option_duration(state, "--ttl", text, 1);
		return 0;
	case KEY_DELIVERY_LIMIT:
		mailbox->delivery_limit = (uint32_t)option_count(state, "--delivery-limit", text, 1, UINT32_MAX);
		return 0;
	case KEY_DEAD_LETTERS:
		mailbox->dead_letters_max = option_count(state, "--dead-letters", text, 1, UINT64_MAX);
		return 0;
	case KEY_DROP_ON_DEATH:
		mailbox->flags |= PABAL_MAILBOX_DROP_ON_DEATH;
		return 0;
	case KEY_TIMESTAMPS:
		mailbox->flags |= PABAL_TIMESTAMPS;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Options of the one kind of object make no sense for the other. */
static void check(const struct argp_state *state, const struct arguments *arguments)
{
	const struct pabal_mailbox_opts *mailbox = &arguments->mailbox;

	if (!arguments->item_size && arguments->buffer_flags)
		usage_error(state, "--spsc and --latest are for buffers: give --buffer SIZE as well");
	if (arguments->item_size && (mailbox->memory_max || mailbox->priorities || mailbox->ttl_ns || mailbox->delivery_limit ||
				     mailbox->dead_letters_max || (mailbox->flags & ~(uint32_t)PABAL_EXIST_OK)))
		usage_error(state, "a buffer has --capacity, --mode, --on-full, --spsc, --latest and --exist-ok, and nothing else");
}

static int create_buffer(const struct arguments *arguments)
{
	const struct pabal_mailbox_opts *given = &arguments->mailbox;
	struct pabal_buffer_opts opts = { .struct_size = sizeof(opts), .mode = given->mode, .on_full = given->on_full };
	pabal_buffer *buffer;
	int r;

	opts.flags = arguments->buffer_flags | (given->flags & PABAL_EXIST_OK);
	r = pabal_buffer_create(arguments->name, arguments->item_size, given->capacity ? given->capacity : DEFAULT_CAPACITY, &opts, &buffer);
	if (r < 0)
		return report_call(r);
	pabal_buffer_close(buffer);
	return STATUS_DONE;
}

static error_t parse_region(int key, char *text, const struct argp_state *state, struct arguments *arguments)
{
	switch (key) {
	case KEY_REGION:
		arguments->is_region = true;
		arguments->size = option_size(state, "--region", text, 1);
		return 0;
	case KEY_LOCKS:
		arguments->of_region = "--locks";
		arguments->region.locks = (uint32_t)option_count(state, "--locks", text, 1, UINT32_MAX);
		return 0;
	case KEY_EVENTS:
		arguments->of_region = "--events";
		arguments->region.events = (uint32_t)option_count(state, "--events", text, 1, UINT32_MAX);
		return 0;
	case KEY_ON_DEMAND:
		arguments->of_region = "--on-demand";
		arguments->region.flags |= PABAL_REGION_ON_DEMAND;
		return 0;
	case KEY_HUGE_PAGES:
		arguments->of_region = "--huge-pages";
		arguments->region.flags |= PABAL_REGION_HUGE_PAGES;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void check_kind(const struct argp_state *state, const struct arguments *arguments)
{
	if (arguments->is_region && (arguments->item_size || arguments->buffer_flags))
		usage_error(state, "--region and --buffer exclude each other: leave out one, and its options");
	if (arguments->is_region && arguments->of_mailbox)
		usage_error(state, "%s is for mailboxes: leave it out, or --region", arguments->of_mailbox);
	if (!arguments->is_region && arguments->of_region)
		usage_error(state, "%s is for regions: add --region SIZE", arguments->of_region);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	error_t r;

	switch (key) {
	case 'c':
		arguments->of_mailbox = "--capacity";
		arguments->mailbox.capacity = (uint32_t)option_count(state, "--capacity", text, 1, UINT32_MAX);
		return 0;
	case 'm':
		arguments->of_mailbox = "--memory";
		arguments->mailbox.memory_max = option_size(state, "--memory", text, 1);
		return 0;
	case KEY_MODE:
		arguments->mailbox.mode = option_mode(state, "--mode", text);
		return 0;
	case KEY_EXIST_OK:
		arguments->mailbox.flags |= PABAL_EXIST_OK;
		return 0;
	case KEY_BUFFER:
		arguments->item_size = option_size(state, "--buffer", text, 1);
		return 0;
	case KEY_SPSC:
		arguments->buffer_flags |= PABAL_BUFFER_SPSC;
		return 0;
	case KEY_LATEST:
		arguments->buffer_flags |= PABAL_BUFFER_LATEST;
		return 0;
	case ARGP_KEY_ARG:
		option_name(state, &arguments->name, text);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	case ARGP_KEY_END:
		check_kind(state, arguments);
		check(state, arguments);
		return 0;
	default:
		r = parse_region(key, text, state, arguments);
		if (r != ARGP_ERR_UNKNOWN)
			return r;
		r = parse_policy(key, text, state, &arguments->mailbox);
		if (r == 0)
			arguments->of_mailbox = "an option of its messages";
		return r;
	}
}

static int create_region(struct arguments *arguments)
{
	pabal_region *region;
	int r;

	arguments->region.flags |= arguments->mailbox.flags & PABAL_EXIST_OK; /* what both kinds have */
	arguments->region.mode = arguments->mailbox.mode;
	r = pabal_region_create(arguments->name, arguments->size, &arguments->region, &region);
	if (r < 0)
		return report_call(r);
	pabal_region_close(region);
	return STATUS_DONE;
}

int verb_create(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "NAME", "Make a mailbox, a buffer or a region. It stays until \"pabal rm\", or until the machine restarts.",
		NULL,    NULL,  NULL
	};
	struct arguments arguments = { .mailbox.struct_size = sizeof(arguments.mailbox), .region.struct_size = sizeof(arguments.region) };
	pabal_mailbox *mailbox;
	int r;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	if (arguments.item_size)
		return create_buffer(&arguments);
	if (arguments.is_region)
		return create_region(&arguments);
	r = pabal_mailbox_create(arguments.name, &arguments.mailbox, &mailbox);
	if (r < 0)
		return report_call(r);
	pabal_mailbox_close(mailbox);
	return STATUS_DONE;
}
