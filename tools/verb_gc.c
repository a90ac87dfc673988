/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_gc.c - pabal gc: bury the dead in all objects and give unused memory back.
 */
#include <stdbool.h>
#include <stdio.h>

#include <pabal/base.h>

#include "arguments.h"
#include "json.h"
#include "options.h"
#include "report.h"
#include "units.h"
#include "verb.h"

static error_t parse(int key, char *text, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		usage_error(state, "it goes over all objects: what is '%s'?", text);
		return 0;
	default:
		return option_look(key, state->input);
	}
}

static int print_json(const struct pabal_gc_result *result)
{
	struct json_object *json = json_object_new_object();

	json_add_count(json, "objects", result->objects);
	json_add_count(json, "buried", result->buried);
	json_add_count(json, "redelivered", result->redelivered);
	json_add_count(json, "bytes", result->bytes);
	json_add_count(json, "destroyed", result->destroyed);
	return json_print(json);
}

static void print_text(const struct pabal_gc_result *result)
{
	char objects[UNITS_TEXT_SIZE], buried[UNITS_TEXT_SIZE], redelivered[UNITS_TEXT_SIZE], bytes[UNITS_TEXT_SIZE], destroyed[UNITS_TEXT_SIZE];

	printf("objects looked at     %s\n"
	       "dead buried           %s\n"
	       "messages redelivered  %s\n"
	       "memory given back     %s\n"
	       "objects destroyed     %s\n",
	       format_count(objects, result->objects), format_count(buried, result->buried), format_count(redelivered, result->redelivered),
	       format_size(bytes, result->bytes), format_count(destroyed, result->destroyed));
}

int verb_gc(int argc, char **argv)
{
	static const struct argp argp = {
		look_options,
		parse,
		NULL,
		"Bury the dead in all objects and give unused memory back.\v"
		"The living bury the dead as they go; this is for objects that nobody is using. Names and sockets of the dead are removed as well.",
		NULL,
		NULL,
		NULL,
	};
	struct pabal_gc_result result = { 0 };
	bool json = false;
	int r;

	arguments_parse(&argp, argc, argv, 0, &json);
	r = pabal_gc(&result);
	if (r < 0)
		return report_call(r);
	if (json)
		return print_json(&result);
	print_text(&result);
	return STATUS_DONE;
}
