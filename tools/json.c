/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - what --json prints, made by json-c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "report.h"
#include "text.h"
#include "verb.h"

void json_add_count(struct json_object *object, const char *key, uint64_t count)
{
	json_object_object_add(object, key, json_object_new_uint64(count));
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
	size_t size = 4 * strlen(text) + 1;
	char *printable = malloc(size);

	/* JSON is UTF-8, and what is in a string may reach a terminal. */
	json_object_object_add(object, key, json_object_new_string(printable ? text_printable(printable, size, text) : "?"));
	free(printable);
}

int json_print(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	int status = STATUS_DONE;

	if (!text)
		status = report("out of memory");
	else
		puts(text);
	json_object_put(object);
	return status;
}
