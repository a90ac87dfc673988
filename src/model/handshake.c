/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/handshake.c - writing letters, and looking at everything in one before it is believed.
 */
#include "model/handshake.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "memory/name.h"
#include "platform/socket.h"

#define LETTER_MAGIC UINT64_C(0x6c6c616261700001) /* "\1\0paball" read as a little-endian word */

int pabal__letter_send(int socket, uint32_t kind, uint32_t reason, const struct pabal__holder *self, uint64_t memory_max, const unsigned char *to,
		       const int *fds, uint32_t fd_count)
{
	struct pabal__letter letter = {
		.magic = LETTER_MAGIC,
		.kind = kind,
		.reason = reason,
		.version_min = PABAL__LINK_VERSION,
		.version_max = PABAL__LINK_VERSION,
		.memory_max = memory_max,
	};

	memcpy(letter.from, self->instance, sizeof letter.from);
	if (to)
		memcpy(letter.to, to, sizeof letter.to);
	memcpy(letter.name, self->name, sizeof letter.name);
	return pabal__packet_send(socket, &letter, sizeof letter, fds, fd_count);
}

void pabal__post_close(struct pabal__post *post)
{
	for (uint32_t i = 0; i < post->fd_count; i++)
		if (post->fds[i] >= 0)
			close(post->fds[i]);
	post->fd_count = 0;
}

static int check_letter(const struct pabal__letter *letter)
{
	if (letter->magic != LETTER_MAGIC && !PABAL__FAULT(NO_MAGIC_CHECK))
		return -EBADMSG;
	if (letter->version_min > letter->version_max || letter->version_min > PABAL__LINK_VERSION || letter->version_max < PABAL__LINK_VERSION)
		return -EPROTO;
	if (letter->kind != PABAL__HELLO && letter->kind != PABAL__WELCOME && letter->kind != PABAL__REFUSE)
		return -EBADMSG;
	/* A name without an end is one that is too long. */
	return pabal__name_is_valid(letter->name) ? 0 : -EBADMSG;
}

static int check_fds(const struct pabal__post *post)
{
	static const uint32_t wanted[] = { [PABAL__HELLO] = 1, [PABAL__WELCOME] = 2, [PABAL__REFUSE] = 0 };

	if (post->fd_count != wanted[post->letter.kind] && (post->letter.kind == PABAL__REFUSE || post->fd_count != wanted[post->letter.kind] + 1))
		return -EBADMSG;
	return post->letter.kind == PABAL__WELCOME && !pabal__socket_is_packet(post->fds[1]) && !PABAL__FAULT(NO_CHANNEL_CHECK) ? -EBADMSG : 0;
}

int pabal__letter_receive(int socket, struct pabal__post *ret_post)
{
	struct pabal__letter *letter = &ret_post->letter;
	bool lost = false;
	ssize_t size;
	int r = 0;

	ret_post->fd_count = 0;
	memset(letter, 0, sizeof *letter);
	size = pabal__packet_receive(socket, letter, sizeof *letter, ret_post->fds, PABAL__LETTER_FDS, &ret_post->fd_count, &lost);
	if (size <= 0) { /* an empty packet may bring descriptors, too */
		pabal__post_close(ret_post);
		return size == 0 ? -EPIPE : (int)size;
	}
	if (size != sizeof *letter)
		r = -EBADMSG;
	if (r == 0)
		r = check_letter(letter);
	/* Fewer than the kind has, and the kernel says that some were lost: we had no numbers for them, which is not the sender's fault. */
	if (r == 0 && lost)
		r = ret_post->fd_count < PABAL__LETTER_FDS ? -EMFILE : -EBADMSG;
	if (r == 0)
		r = check_fds(ret_post);
	if (r < 0)
		pabal__post_close(ret_post);
	return r;
}
