/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - values of options. Each reads the text of one option and ends the program with a usage error if it is not what it must be.
 */
#ifndef PABAL_TOOLS_OPTIONS_H
#define PABAL_TOOLS_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/** Keys of options that have no letter: beyond any character, as argp wants them. */
#define OPTION_KEY(n) (0x1000 + (n))

/** usage_error() - argp_error(), with names and texts as they can be printed. */
void usage_error(const struct argp_state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** option_count() - a number from @min to @max. @option: its name, for the message. */
uint64_t option_count(const struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max);

/** option_size() - bytes, at least @min: "64K". */
uint64_t option_size(const struct argp_state *state, const char *option, const char *text, uint64_t min);

/** option_duration() - nanoseconds, at least @min_ns: "10ms". */
int64_t option_duration(const struct argp_state *state, const char *option, const char *text, int64_t min_ns);

/** option_mode() - permission bits in octal, not 0. */
uint32_t option_mode(const struct argp_state *state, const char *option, const char *text);

/** The options of all verbs that look at something: --json. */
extern const struct argp_option look_options[];

/** option_look() - --json into @json. Return: 0, or ARGP_ERR_UNKNOWN: it is something else. */
error_t option_look(int key, bool *json);

/** What a verb is told that looks at one object, and how it is parsed: NAME and look_options. The input of the parser is a struct look. */
struct look {
	const char *name;
	bool json;
};
error_t parse_look(int key, char *text, struct argp_state *state);

/** process_name() - the name in "@NAME"; NULL: @text names no process. */
const char *process_name(const char *text);

/** plain_name() - @text without the "@" that it may have, where only a process can be meant. */
const char *plain_name(const char *text);

/** option_name() - the argument NAME, of which there is one: the first into @name, a second is a usage error. */
void option_name(const struct argp_state *state, const char **name, const char *text);

#endif
