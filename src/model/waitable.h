/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/waitable.h - what pabal_wait_many() asks of mailboxes and buffers (wait_kind.c), which are alike.
 */
#ifndef PABAL_SRC_MODEL_WAITABLE_H
#define PABAL_SRC_MODEL_WAITABLE_H

#include <stdbool.h>

#include "model/wait_kind.h"

/* Is it the handle of a mailbox or a buffer? What is @object has a magic number at its beginning. */
bool pabal__waitable_is(const void *object);

/* What pabal_wait_many() asks of it. */
struct pabal__wait_kind pabal__waitable_kind(void *object);

#endif
