/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.h - what the messages of demo and torture contain: an id, their size, a checksum, and bytes that follow from the id.
 */
#ifndef PABAL_TOOLS_PAYLOAD_H
#define PABAL_TOOLS_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_SIZE_MIN 16

/** payload_fill() - write a message. @size: at least PAYLOAD_SIZE_MIN. */
void payload_fill(void *data, size_t size, uint64_t id);

/** payload_check() - read a message. Return: it is whole: exactly the bytes that payload_fill() wrote for the id in it. */
bool payload_check(const void *data, size_t size, uint64_t *ret_id);

#endif
