/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - what --json prints, made by json-c. These only save a line at each of many places.
 */
#ifndef PABAL_TOOLS_JSON_H
#define PABAL_TOOLS_JSON_H

#include <json-c/json.h>
#include <stdint.h>

/** json_add_count(), json_add_text() - add a member; a text as text_printable() writes it, whatever bytes it has. */
void json_add_count(struct json_object *object, const char *key, uint64_t count);
void json_add_text(struct json_object *object, const char *key, const char *text);

/** json_print() - write it to standard output and free it. Return: STATUS_DONE, or STATUS_FAILED with the reason reported. */
int json_print(struct json_object *object);

#endif
