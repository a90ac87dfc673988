/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - bytes that others chose, as text that can be printed: in one line, and without commanding a terminal.
 */
#ifndef PABAL_TOOLS_TEXT_H
#define PABAL_TOOLS_TEXT_H

#include <stddef.h>

#include <pabal/base.h>

/** Room for any name that pabal_list() tells. */
#define TEXT_NAME_SIZE (4 * PABAL_NAME_SIZE)

/**
 * text_printable() - @text, its control characters and what is no UTF-8 written as \n and \x1b.
 * @ret_text, @size: where to; four times the bytes of @text always suffice, and what does not fit is left out.
 *
 * Return: @ret_text.
 */
const char *text_printable(char *ret_text, size_t size, const char *text);

#endif
