/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/buffer.h - what the measurements of buffers share.
 */
#ifndef PABAL_BENCH_BUFFER_H
#define PABAL_BENCH_BUFFER_H

#include <pabal/buffer.h>

#include "contest.h"

/* Under a name of its own, which goes to @ret_name. */
int buffer_create(size_t item_size, uint32_t capacity, uint32_t flags, char ret_name[64]);
int buffer_open(const char *name, uint32_t flags, pabal_buffer **ret_buffer);

/* An item handed over in place, there and back. */
void buffer_hand_over(const struct settings *settings);

#endif
