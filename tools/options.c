/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - values of options, checked as they are read.
 *
 * A value that cannot be what it says (no number, no known unit, zero where the library would take zero for "the default") is a usage
 * error. Whether the library accepts it is for the library to say: its limits are not repeated here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "options.h"
#include "text.h"
#include "units.h"

void usage_error(const struct argp_state *state, const char *format, ...)
{
	char said[1024], line[4 * sizeof(said)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(said, sizeof(said), format, arguments);
	va_end(arguments);
	argp_error(state, "%s", text_printable(line, sizeof(line), said));
}

static void refuse(const struct argp_state *state, const char *option, const char *text, const char *wanted, int r)
{
	if (r == -ERANGE)
		usage_error(state, "%s: '%s' is out of range", option, text);
	else
		usage_error(state, "%s: '%s' is not %s", option, text, wanted);
}

uint64_t option_count(const struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max)
{
	uint64_t count = 0;
	int r = parse_count(text, &count);

	if (r < 0)
		refuse(state, option, text, "a number", r);
	else if (count < min || count > max)
		usage_error(state, "%s: '%s' is not from %" PRIu64 " to %" PRIu64, option, text, min, max);
	return count;
}

uint64_t option_size(const struct argp_state *state, const char *option, const char *text, uint64_t min)
{
	uint64_t size = 0;
	int r = parse_size(text, &size);

	if (r < 0)
		refuse(state, option, text, "a size (such as 512, 64K, 16M or 1G)", r);
	else if (size < min)
		usage_error(state, "%s: '%s' is less than %" PRIu64 " bytes", option, text, min);
	return size;
}

int64_t option_duration(const struct argp_state *state, const char *option, const char *text, int64_t min_ns)
{
	int64_t duration_ns = 0;
	int r = parse_duration(text, &duration_ns);

	if (r < 0)
		refuse(state, option, text, "a time (such as 10ms, 2s or 1m)", r);
	else if (duration_ns < min_ns)
		usage_error(state, "%s: '%s' is too short", option, text);
	return duration_ns;
}

uint32_t option_mode(const struct argp_state *state, const char *option, const char *text)
{
	uint32_t mode = 0;
	int r = parse_mode(text, &mode);

	if (r < 0 || mode == 0)
		refuse(state, option, text, "a file mode in octal (such as 0600 or 0660)", r);
	return mode;
}

void option_name(const struct argp_state *state, const char **name, const char *text)
{
	if (*name)
		usage_error(state, "one name is enough: what is '%s'?", text);
	*name = text;
}

const char *process_name(const char *text)
{
	return *text == '@' ? text + 1 : NULL;
}

const char *plain_name(const char *text)
{
	return *text == '@' ? text + 1 : text;
}

enum { KEY_JSON = OPTION_KEY(0x100) };

const struct argp_option look_options[] = {
	{ "json", KEY_JSON, NULL, 0, "As JSON", 0 },
	{ 0 },
};

error_t option_look(int key, bool *json)
{
	if (key != KEY_JSON)
		return ARGP_ERR_UNKNOWN;
	*json = true;
	return 0;
}

error_t parse_look(int key, char *text, struct argp_state *state)
{
	struct look *look = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		option_name(state, &look->name, text);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return option_look(key, &look->json);
	}
}
