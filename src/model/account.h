/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/account.h - where every block is, counted.
 */
#ifndef PABAL_SRC_MODEL_ACCOUNT_H
#define PABAL_SRC_MODEL_ACCOUNT_H

#include <pabal/base.h>

#include "memory/segment.h"

/* Count all blocks of the segment by state. -ENOMEM, or 0. What changes during the count is looked at again. */
int pabal__account(struct pabal__segment *segment, struct pabal_check_result *ret_result);

#endif
