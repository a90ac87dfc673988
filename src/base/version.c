/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version - which version of the library this is.
 *
 * The text is made from the numbers in the public header, so that the two cannot disagree. A program that was compiled with one version
 * and runs with another can see both: the macros are the one, pabal_version() is the other.
 */
#include <pabal/base.h>

#define TEXT(x) #x
#define NUMBER_TEXT(x) TEXT(x)

const char *pabal_version(void)
{
	return NUMBER_TEXT(PABAL_VERSION_MAJOR) "." NUMBER_TEXT(PABAL_VERSION_MINOR) "." NUMBER_TEXT(PABAL_VERSION_PATCH);
}
