/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_fsck.c - pabal fsck NAME: account for every block. It changes nothing; it can be run while the object is used.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include <pabal/base.h>

#include "absent.h"
#include "arguments.h"
#include "json.h"
#include "object.h"
#include "options.h"
#include "report.h"
#include "verb.h"

static int print_json(const struct look *arguments, const struct pabal_check_result *result, bool sound)
{
	struct json_object *json = json_object_new_object();

	json_add_text(json, "name", arguments->name);
	json_object_object_add(json, "sound", json_object_new_boolean(sound));
	json_add_count(json, "blocks", result->blocks);
	json_add_count(json, "free", result->free);
	json_add_count(json, "queued", result->queued);
	json_add_count(json, "loaned", result->loaned);
	json_add_count(json, "leased", result->leased);
	json_add_count(json, "redeliver", result->redeliver);
	json_add_count(json, "held_by_dead", result->held_by_dead);
	json_add_count(json, "lost", result->lost);
	json_add_count(json, "corrupt", result->corrupt);
	json_add_count(json, "bytes", result->bytes);
	return json_print(json);
}

struct line {
	const char *label;
	uint64_t count;
};

static void print_lines(const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%-20s %15" PRIu64 "\n", lines[i].label, lines[i].count);
}

/* The blocks of a region are its locks. */
static void print_locks(const struct pabal_check_result *result)
{
	const struct line lines[] = {
		{ "locks", result->blocks },    { "  free", result->free },
		{ "  held", result->leased },   { "  held by the dead", result->held_by_dead },
		{ "corrupt", result->corrupt }, { "bytes in use", result->bytes },
	};

	print_lines(lines, sizeof(lines) / sizeof(*lines));
}

static void print_text(const struct pabal_check_result *result)
{
	const struct line lines[] = {
		{ "blocks", result->blocks },
		{ "  free", result->free },
		{ "  queued", result->queued },
		{ "  loaned", result->loaned },
		{ "  leased", result->leased },
		{ "  to redeliver", result->redeliver },
		{ "  held by the dead", result->held_by_dead },
		{ "lost", result->lost },
		{ "corrupt", result->corrupt },
		{ "bytes in use", result->bytes },
	};

	print_lines(lines, sizeof(lines) / sizeof(*lines));
}

int verb_fsck(int argc, char **argv)
{
	static const struct argp argp = {
		look_options, parse_look, "NAME", "Account for every block of an object: each must be in exactly one state. Nothing is changed.",
		NULL,         NULL,       NULL,
	};
	struct look arguments = { 0 };
	struct pabal_check_result result = { 0 };
	const char *name;
	uint32_t kind;
	int r, status = STATUS_DONE;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	name = plain_name(arguments.name);
	kind = object_find_kind(name);
	if (kind == PABAL_KIND_PROCESS)
		return report("'%s' is a process: it has no blocks to account for; \"pabal show %s\" tells about it", arguments.name, arguments.name);
	if (process_name(arguments.name))
		return report_no_process(name, "fsck");
	r = pabal_check(name, &result);
	if (r < 0 && result.lost == 0 && result.corrupt == 0)
		return report_call(r); /* it could not be opened: there is no account */
	if (arguments.json)
		status = print_json(&arguments, &result, r == 0);
	else if (kind == PABAL_KIND_REGION)
		print_locks(&result);
	else
		print_text(&result);
	return r < 0 ? report_call(r) : status;
}
