/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_post.c - a byte to the socket of each handle that has a descriptor.
 *
 * Not everybody reaches every socket: who has set its user since it opened the object may not enter the directory any more, or has no descriptor left to send from. What it still has is the file of the object.
 * So it reads a byte of that, through the descriptor that it has: whoever polls watches the file, for deaths, and hears of a read as well. pabal reads the file through read(2) nowhere else but when it is opened,
 * and all that comes of one read too many is one look too many.
 */
#include "model/descriptor_post.h"

#include <errno.h>
#include <unistd.h>

#include "model/descriptor_names.h"
#include "platform/datagram.h"
#include "platform/file.h"

/* All that may have the bit, by their sockets. false: some were not reached. */
static bool send_to_all(const struct pabal__segment *segment, uint32_t event)
{
	uint32_t high = pabal__participants_high(segment);
	struct pabal__directory directory;
	char name[PABAL__DESCRIPTOR_NAME_SIZE];
	bool reached = true;
	int sender;

	if (pabal__segment_directory(segment, &directory) < 0)
		return false;
	sender = pabal__datagram_sender();
	for (uint32_t id = 1; id <= high && sender >= 0; id++) {
		/* seq_cst: the same */
		if (!(atomic_load_explicit(&pabal__participant_at(segment, id)->waits_index, memory_order_seq_cst) & event))
			continue;
		pabal__descriptor_name(segment, id, event, name);
		reached = pabal__datagram_send(sender, directory.fd, name) == 0 && reached;
	}
	if (sender >= 0)
		close(sender);
	pabal__directory_close(&directory);
	return sender >= 0 && reached;
}

static void read_the_file(const struct pabal__segment *shared)
{
	struct pabal__segment own = *shared; /* the descriptor may have to be found anew */
	int fd = pabal__segment_fd(&own);

	if (fd >= 0)
		pabal__file_tell(fd);
	if (own.fd != shared->fd && own.fd >= 0)
		close(own.fd);
}

void pabal__mailbox_post(const struct pabal__segment *segment, uint32_t event)
{
	int saved = errno;

	/* seq_cst: after the ring; pairs with pabal__descriptor_enroll(), after which the bell is armed */
	if (atomic_load_explicit(&segment->header->descriptors, memory_order_seq_cst) && !send_to_all(segment, event))
		read_the_file(segment);
	errno = saved;
}

void pabal__descriptor_enroll(pabal_mailbox *mailbox, uint32_t event)
{
	/* The bit first: if we are killed after it, our undertaker looks for the socket. seq_cst: before the bell is armed; pairs with pabal__mailbox_post() */
	atomic_fetch_or_explicit(&mailbox->self->waits_index, event, memory_order_seq_cst);
	atomic_store_explicit(&mailbox->segment.header->descriptors, 1, memory_order_seq_cst);
}

void pabal__descriptor_withdraw(pabal_mailbox *mailbox, uint32_t events)
{
	/* release: no more bytes, please */
	atomic_fetch_and_explicit(&mailbox->self->waits_index, ~(uint64_t)events, memory_order_release);
}
