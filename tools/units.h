/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units.h - numbers as people write and read them: 64K, 10ms, 1,234,567.
 */
#ifndef PABAL_TOOLS_UNITS_H
#define PABAL_TOOLS_UNITS_H

#include <stdint.h>

/** Room for any number that is printed by this file. */
#define UNITS_TEXT_SIZE 40

/** parse_count() - a plain number of things. Return: 0, -EINVAL if it is none, -ERANGE if it does not fit. */
int parse_count(const char *text, uint64_t *ret_count);

/** parse_size() - bytes: "512", "64K", "1.5M", "16MiB"; K, M, G and T are powers of 1024. Return: as parse_count(). */
int parse_size(const char *text, uint64_t *ret_size);

/** parse_duration() - nanoseconds from "10ms", "2s", "1.5", "5m": ns, us, ms, s, m or h; a bare number is seconds. Return: as parse_count(). */
int parse_duration(const char *text, int64_t *ret_duration_ns);

/** parse_mode() - permission bits in octal, "0660". Return: as parse_count(). */
int parse_mode(const char *text, uint32_t *ret_mode);

/** format_count() - with commas: "1,234,567". Return: @text. */
const char *format_count(char text[UNITS_TEXT_SIZE], uint64_t count);

/** format_size() - in the unit that fits: "512 B", "1.5 MiB". Return: @text. */
const char *format_size(char text[UNITS_TEXT_SIZE], uint64_t size);

#endif
