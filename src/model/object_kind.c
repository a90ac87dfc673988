/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/object_kind.c - the table of kinds. A new kind is a line here and a declaration in object.h.
 */
#include "model/object.h"

const struct pabal__segment_kind *const pabal__object_kinds[] = {
	&pabal__buffer_kind.segment,
	&pabal__mailbox_kind.segment,
	&pabal__region_kind.segment,
	NULL,
};
