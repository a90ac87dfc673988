/* SPDX-License-Identifier: Apache-2.0 */
/* holder REGION INDEX - take a lock and keep it, to be looked at by the command, until killed. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <pabal/region.h>

int main(int argc, char **argv)
{
	pabal_region *region;

	if (argc != 3 || pabal_region_open(argv[1], NULL, &region) < 0 ||
	    pabal_region_lock(region, (uint32_t)strtoul(argv[2], NULL, 10), PABAL_FOREVER) < 0) {
		fprintf(stderr, "holder: %s\n", pabal_error_detail());
		return 1;
	}
	for (;;)
		pause();
}
