/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/options.c - one reader for all options structs, so that every call treats an unknown member alike.
 */
#include "base/options.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

enum { STRUCT_SIZE_MAX = 4096 }; /* a guess, far above any real struct: a larger one is a variable that was never set */

int pabal__options_copy(const void *given, void *ret_own, size_t size)
{
	const unsigned char *bytes = given;
	size_t given_size;

	memset(ret_own, 0, size);
	if (!given)
		return 0;
	memcpy(&given_size, given, sizeof given_size);
	if (given_size < sizeof given_size || given_size > STRUCT_SIZE_MAX)
		return pabal__fail(-EINVAL, "struct_size is %zu: set it to sizeof of the options struct", given_size);
	for (size_t i = size; i < given_size; i++)
		if (bytes[i])
			return pabal__fail(-E2BIG, "byte %zu of the options is set, but this version of pabal knows only %zu: upgrade the library", i,
					   size);
	memcpy(ret_own, given, given_size < size ? given_size : size);
	return 0;
}
