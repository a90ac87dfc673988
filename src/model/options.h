/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/options.h - what a caller of create and open may ask for.
 */
#ifndef PABAL_SRC_MODEL_OPTIONS_H
#define PABAL_SRC_MODEL_OPTIONS_H

#include <pabal/mailbox.h>

#include "memory/layout.h"

/* Check the options of create, with defaults filled into the shape. -EINVAL, -E2BIG, -ENOTSUP, with the sentence. */
int pabal__options_create(const struct pabal_mailbox_opts *given, struct pabal_mailbox_opts *ret_opts, struct pabal__shape *ret_shape);

/* The same for open, of which flags and wait_ns count. */
int pabal__options_open(const struct pabal_mailbox_opts *given, struct pabal_mailbox_opts *ret_opts);

/* Only flags that @call knows, and no two that exclude each other. */
int pabal__options_check_flags(uint32_t flags, uint32_t known, const char *call);

#endif
