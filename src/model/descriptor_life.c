/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_life.c - making, emptying and closing one descriptor.
 *
 * Killed while making it: the bit comes first, so our undertaker looks for the socket, under both names that it may have. While closing it: the name goes first, and then the bit.
 */
#include "model/descriptor_life.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "model/bury.h"
#include "model/descriptor_post.h"
#include "platform/datagram.h"

enum { SOON_NS = 20000000 /* a death was seen: the kernel needs tenths of a millisecond to let go of a small process; a guess */ };

/* The name first, then the bit: if we are killed in between, our undertaker looks for the socket. */
static void remove_name(struct pabal__segment *segment, uint32_t id, const struct pabal__descriptor *descriptor)
{
	struct pabal__directory directory;

	if (pabal__segment_directory(segment, &directory) == 0) {
		unlinkat(directory.fd, descriptor->name, 0);
		pabal__directory_close(&directory);
	}
	pabal__descriptor_withdraw(segment, id, descriptor->event);
}

void pabal__descriptor_unmake(struct pabal__segment *segment, uint32_t id, struct pabal__descriptor *descriptor, bool name_too)
{
	if (!descriptor)
		return;
	if (name_too)
		remove_name(segment, id, descriptor);
	pabal__descriptor_fds_close(&descriptor->fds);
	free(descriptor);
}

bool pabal__descriptor_empty(struct pabal__segment *segment, struct pabal__descriptor *descriptor)
{
	struct pabal__burial burial = { 0 };

	if (!pabal__descriptor_fds_are_ours(&descriptor->fds))
		return false;
	if (pabal__descriptor_fds_drain(&descriptor->fds)) {
		pabal__bury_dead(segment, &burial);
		pabal__descriptor_fds_set_in(&descriptor->fds, SOON_NS);
	}
	return true;
}

static int open_all(struct pabal__segment *segment, uint32_t id, struct pabal__descriptor *descriptor)
{
	struct pabal__directory directory;
	uint32_t mode = segment->mode & 0666;
	int r = pabal__segment_directory(segment, &directory), socket;

	if (r < 0)
		return r;
	pabal__descriptor_name(segment, id, descriptor->event, descriptor->name);
	pabal__descriptor_enroll(segment, id, descriptor->event);
	r = pabal__datagram_open(directory.fd, descriptor->name, mode, &socket);
	pabal__directory_close(&directory);
	if (r == 0)
		r = pabal__descriptor_fds_open(segment, socket, &descriptor->fds);
	if (r < 0)
		remove_name(segment, id, descriptor);
	return r;
}

int pabal__descriptor_make(struct pabal__segment *segment, uint32_t id, uint32_t event, struct pabal__descriptor **ret_descriptor)
{
	struct pabal__descriptor *descriptor = malloc(sizeof *descriptor);
	int r;

	if (!descriptor)
		return -ENOMEM;
	descriptor->event = event;
	r = open_all(segment, id, descriptor);
	if (r < 0)
		free(descriptor);
	else
		*ret_descriptor = descriptor;
	return r;
}

int pabal__descriptor_say(int error, const struct pabal__segment *segment)
{
	if (error == -EBADF)
		return pabal__fail(
			error,
			"the program closed the descriptor of '%s', which belongs to its handle (closefrom?): close the handle, and open it anew",
			segment->name);
	if (error == -ENOENT)
		return pabal__fail(error, "cannot make a descriptor for '%s': its directory %s is gone, or another one is in its place",
				   segment->name, segment->place.path);
	return pabal__fail(error, "cannot make a descriptor for '%s': %s", segment->name,
			   error == -EMFILE || error == -ENFILE ? "too many open files"
								: "no memory, or no permission to make a socket in the directory");
}
