/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absent.c - saying why there is no such object, or no such process, and what to type instead.
 *
 * For names that pabal_list() does not tell, or tells as something else than what was asked for. The library says what is in the way, if it is not simply that there is nothing.
 */
#include <errno.h>

#include <pabal/base.h>

#include "absent.h"
#include "object.h"
#include "report.h"

int report_absent(const char *name)
{
	int r = pabal_check(name, NULL); /* of any kind */

	if (r < 0)
		return report_call(r);
	/* made in this very moment */
	return report("'%s' is there only now; try again", name);
}

int report_no_process(const char *name, const char *verb)
{
	uint32_t kind = object_find_kind(name);
	int r;

	if (kind)
		return report("nobody has announced '%s': it is a %s; \"pabal %s %s\" is about that", name, object_kind(kind), verb, name);
	r = pabal_check(name, NULL);
	if (r < 0 && r != -ENOENT)
		return report_call(r);
	return report("nobody has announced '%s': \"pabal ls\" lists what there is", name);
}
