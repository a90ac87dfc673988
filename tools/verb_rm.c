/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_rm.c - pabal rm NAME...: remove objects. Each failure is reported, and the others are removed all the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <pabal/pabal.h>

#include "absent.h"
#include "arguments.h"
#include "object.h"
#include "options.h"
#include "report.h"
#include "verb.h"

struct names {
	char **names;
	int count;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct names *names = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		names->names[names->count++] = text;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What it is decides by which call it goes; what cannot be looked into is a mailbox until that call says otherwise. What is not there is none of any kind. */
static int destroy(const char *name, uint32_t kind)
{
	int r = kind ? 0 : pabal_check(name, NULL);

	if (r == -ENOENT)
		return r;
	switch (kind) {
	case PABAL_KIND_REGION:
		return pabal_region_destroy(name);
	case PABAL_KIND_BUFFER:
		return pabal_buffer_destroy(name);
	default:
		return pabal_mailbox_destroy(name);
	}
}

static int remove_one(const char *text)
{
	const char *name = plain_name(text);
	uint32_t kind = object_find_kind(name);
	int r;

	if (kind == PABAL_KIND_PROCESS)
		return report("'%s' is a process: its name goes when the process ends, and \"pabal gc\" removes what the dead left", text);
	if (process_name(text))
		return report_no_process(name, "rm");
	r = destroy(name, kind);
	return r < 0 ? report_call(r) : STATUS_DONE;
}

int verb_rm(int argc, char **argv)
{
	static const struct argp argp = {
		NULL, parse, "NAME...", "Remove objects: whoever waits on one is told; what is waiting in a mailbox can still be received.",
		NULL, NULL,  NULL,
	};
	struct names names = { .names = calloc((size_t)argc, sizeof(*names.names)) };
	int status = STATUS_DONE;

	if (!names.names)
		return report("out of memory");
	arguments_parse(&argp, argc, argv, 0, &names);
	for (int i = 0; i < names.count; i++) {
		int removed = remove_one(names.names[i]);

		if (removed != STATUS_DONE)
			status = removed;
	}
	free(names.names);
	return status;
}
