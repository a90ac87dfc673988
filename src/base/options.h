/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/options.h - options structs that grow: the caller says with struct_size how much of one it knows.
 *
 * A newer caller may hand us a longer struct: good as long as what we do not know is zero. An older caller's shorter one is filled up with zeros.
 */
#ifndef PABAL_SRC_BASE_OPTIONS_H
#define PABAL_SRC_BASE_OPTIONS_H

#include <stddef.h>

/* Copy @given (NULL: all defaults) into @ret_own of @size bytes. -EINVAL: struct_size is not set; -E2BIG: an unknown member is not zero. */
int pabal__options_copy(const void *given, void *ret_own, size_t size);

#endif
