/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer - the least that somebody else's program does with pabal: include it, link it, and ask which one it got.
 */
#include <pabal/pabal.h>

#include <stdio.h>

int main(void)
{
	return printf("pabal %s\n", pabal_version()) < 0;
}
