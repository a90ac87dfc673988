/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - a message to a file descriptor, wholly.
 */
#ifndef PABAL_TOOLS_OUTPUT_H
#define PABAL_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * output_message() - write a message.
 * @from: NULL, or a name that is written before it, and a tab between them.
 * @line: and a newline after it.
 *
 * Return: 0; -ECANCELED: a signal came while it would have had to wait, or SIGPIPE; else why it could not be written.
 */
int output_message(int fd, const char *from, const void *data, size_t size, bool line);

/** output_wait() - wait until a descriptor that does not block can be written. Return: 0 or negative. */
int output_wait(int fd);

/** output_advance() - go past @written bytes. Return: the first of @count pieces that is not done; it may have been cut short. */
struct iovec;
unsigned output_advance(struct iovec *pieces, unsigned first, unsigned count, size_t written);

#endif
