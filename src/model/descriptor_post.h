/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_post.h - who has a descriptor, and telling them: the shared side of model/descriptor.h.
 *
 * pabal__mailbox_post(), which whoever rings a bell calls, is declared in model/mailbox.h.
 */
#ifndef PABAL_SRC_MODEL_DESCRIPTOR_POST_H
#define PABAL_SRC_MODEL_DESCRIPTOR_POST_H

#include "model/mailbox.h"

/* From now on we are to be told of @event. Before the socket has its name, and before the bell is armed. */
void pabal__descriptor_enroll(pabal_mailbox *mailbox, uint32_t event);

/* No longer of @events; the sockets have no name any more. */
void pabal__descriptor_withdraw(pabal_mailbox *mailbox, uint32_t events);

#endif
