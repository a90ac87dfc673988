/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/attach.h - for tests alone: a second handle on the mapping of a first one.
 *
 * ThreadSanitizer knows memory by its address. Two handles that map the file twice share nothing in its eyes, so no race between participants can be seen. A handle
 * that is attached is a participant like any other, with a slot and a life of its own, but it uses the mapping of the first, which must be closed last.
 */
#ifndef PABAL_SRC_MODEL_ATTACH_H
#define PABAL_SRC_MODEL_ATTACH_H

#ifdef PABAL_TEST
#include <pabal/buffer.h>
#include <pabal/mailbox.h>

#include "memory/segment.h"

/* Open @first's mailbox once more, on the same mapping. */
int pabal__mailbox_attach_shared(pabal_mailbox *first, uint32_t flags, pabal_mailbox **ret_mailbox);

/* Close a handle that was attached. */
void pabal__mailbox_detach_shared(pabal_mailbox *mailbox);

/* The same for a buffer. */
int pabal__buffer_attach_shared(pabal_buffer *first, uint32_t flags, pabal_buffer **ret_buffer);
void pabal__buffer_detach_shared(pabal_buffer *buffer);

/* The segment of a handle, for tests that write into it. */
struct pabal__segment *pabal__mailbox_segment(pabal_mailbox *mailbox);
#endif

#endif
