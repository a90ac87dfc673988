/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/waitable.h - what pabal_wait_many() asks of mailboxes and buffers, without knowing their insides.
 */
#ifndef PABAL_SRC_MODEL_WAITABLE_H
#define PABAL_SRC_MODEL_WAITABLE_H

#include <stdbool.h>
#include <stdint.h>

/* Is it the handle of a mailbox or a buffer? What is @object has a magic number at its beginning. */
bool pabal__waitable_is(const void *object);

/* Its descriptor for this event, or a negative error. */
int pabal__waitable_fd(void *object, uint32_t event);

/* Of these events, whose descriptors are readable: which of them have happened? With PABAL_HANGUP if it has ended. The others' descriptors are silent again. */
uint32_t pabal__waitable_verify(void *object, uint32_t events);

/* Was it interrupted since somebody was told last? */
bool pabal__waitable_interrupted(void *object);

/* Its flags: PABAL_RESTART. */
uint32_t pabal__waitable_flags(const void *object);

#endif
