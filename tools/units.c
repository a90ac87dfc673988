/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units.c - numbers as people write and read them.
 *
 * Reading is strict: the whole text must be a number with a known unit, signs and blanks are refused, and what does not fit is told apart
 * from what is no number. Fractions are allowed where there is a unit that they can be a fraction of.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "units.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ "TiB", UINT64_C(1) << 40 },
	{ NULL, 0 },
};

static const struct unit durations[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "", 1000000000 },
	{ "m", UINT64_C(60000000000) },
	{ "min", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
	{ NULL, 0 },
};

static int parse_whole(const char *text, int base, uint64_t *ret_number, const char **ret_rest)
{
	char *rest;
	unsigned long long number;

	if (!isdigit((unsigned char)*text)) /* strtoull takes signs and blanks */
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &rest, base);
	if (errno != 0)
		return -ERANGE;
	*ret_number = number;
	*ret_rest = rest;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (strcasecmp(units->name, name) == 0)
			return units;
	return NULL;
}

/* ".25" is 250,000 millionths; more than six digits is more than anybody measures here. */
static int parse_fraction(const char *text, uint64_t *ret_millionths, const char **ret_rest)
{
	uint64_t weight = 100000;

	*ret_millionths = 0;
	if (!isdigit((unsigned char)text[1]))
		return -EINVAL;
	for (text++; isdigit((unsigned char)*text); text++, weight /= 10)
		*ret_millionths += weight * (uint64_t)(*text - '0');
	*ret_rest = text;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *ret_number)
{
	uint64_t number, millionths = 0, part;
	const struct unit *unit;
	int r;

	r = parse_whole(text, 10, &number, &text);
	if (r < 0)
		return r;
	if (*text == '.') {
		r = parse_fraction(text, &millionths, &text);
		if (r < 0)
			return r;
	}
	unit = find_unit(units, text);
	if (!unit)
		return -EINVAL;
	part = unit->factor / 1000000 * millionths + unit->factor % 1000000 * millionths / 1000000;
	if (__builtin_mul_overflow(number, unit->factor, &number) || __builtin_add_overflow(number, part, &number))
		return -ERANGE;
	*ret_number = number;
	return 0;
}

int parse_count(const char *text, uint64_t *ret_count)
{
	uint64_t number;
	int r = parse_whole(text, 10, &number, &text);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret_count = number;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_size)
{
	return parse_with_unit(text, sizes, ret_size);
}

int parse_duration(const char *text, int64_t *ret_duration_ns)
{
	uint64_t number;
	int r = parse_with_unit(text, durations, &number);

	if (r < 0)
		return r;
	if (number > INT64_MAX)
		return -ERANGE;
	*ret_duration_ns = (int64_t)number;
	return 0;
}

int parse_mode(const char *text, uint32_t *ret_mode)
{
	uint64_t number;
	int r = parse_whole(text, 8, &number, &text);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	if (number > 0777)
		return -ERANGE;
	*ret_mode = (uint32_t)number;
	return 0;
}

const char *format_count(char text[UNITS_TEXT_SIZE], uint64_t count)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	char *end = text;

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*end++ = ',';
		*end++ = digits[i];
	}
	*end = '\0';
	return text;
}

const char *format_size(char text[UNITS_TEXT_SIZE], uint64_t size)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double amount = (double)size;
	size_t i = 0;

	for (; amount >= 1024 && i + 1 < sizeof(names) / sizeof(*names); i++)
		amount /= 1024;
	snprintf(text, UNITS_TEXT_SIZE, i == 0 || amount >= 100 ? "%.0f %s" : "%.1f %s", amount, names[i]);
	return text;
}
