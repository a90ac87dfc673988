/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/holder.h - the name of an announced process: the file that says so, and the table in it for those who look on.
 *
 * The file has the head of every object (magic, version, kind), the instance (128 random bits: who announced, and when), and then what its owner tells of itself: its links and what it waits
 * for. Only the owner may write it, so its mode never gives others more than reading; others read it with pread(2), so that nothing in it can hurt them. That the owner lives is said by the kernel:
 * it holds byte 2^40 + 1 of the file, as any participant does. Its socket is named by the instance, so a connect never reaches a later holder of the name.
 *
 *   ".new-<instance>"  --the socket ".sock-<instance>" listens--> renamed to NAME, if nobody has that --close, or death--> removed by its owner, the next holder, or gc
 *
 * Killed at any point: the file is not held, and whoever wants its name, or gc, removes both. A socket whose ".new" file is held may not listen yet; any other one that refuses is dead.
 */
#ifndef PABAL_SRC_MEMORY_HOLDER_H
#define PABAL_SRC_MEMORY_HOLDER_H

#include "memory/segment.h"

enum {
	PABAL__INSTANCE_SIZE = 16,
	PABAL__HOLDER_SOCKET_SIZE = 48, /* ".sock-", 32 hex digits and an end */
	PABAL__HOLDER_ENTRIES = 1024,   /* links that are told; a guess: a process may have more */
	PABAL__HOLDER_WAITS = 16,       /* threads of one process whose waits are told; a guess */
};

/* What an entry is. */
enum { PABAL__ENTRY_FREE, PABAL__ENTRY_OPENING, PABAL__ENTRY_LINKED };

/* One link, or one that is being opened. Written by the owner alone: word with state FREE, the rest, word with the state; so who reads the same word before and after has read a whole entry. */
struct pabal__holder_entry {
	_Alignas(64) pabal__word word; /* changes:32 | state:32 */
	pabal__word identity;          /* pid:32 | uid:32 of the peer, as the owner sees it */
	pabal__word waits[3]; /* 0, or since when and how long somebody waits on this link for a message, for room, for a reply (wait/waiting.h) */
	char peer[PABAL_NAME_SIZE];
	char reserved[24];
};

_Static_assert(sizeof(struct pabal__holder_entry) == 192, "192 bytes an entry are in the layout");

/* What one thread of the owner sleeps for in a call by name; what it sleeps for on a link stands in the entry. */
struct pabal__holder_wait {
	pabal__word word;    /* entry + 1:32 | what:32; 0: nobody sleeps here */
	pabal__word waiting; /* since when and how long (wait/waiting.h); written once the word is set */
};

struct pabal__holder_page { /* NOLINT(clang-analyzer-optin.performance.Padding): what is written once has a line of its own */
	/* As struct pabal__header begins. Written before the file has a name. */
	uint64_t magic;
	uint32_t version, kind;
	unsigned char instance[PABAL__INSTANCE_SIZE];
	uint32_t pid, uid; /* claims */
	uint64_t memory_max;

	/* Written by the owner while it lives. */
	_Alignas(64) pabal__word entries_high; /* entries 0 .. this - 1 have memory */
	struct pabal__holder_wait waits[PABAL__HOLDER_WAITS];
};

_Static_assert(sizeof(struct pabal__holder_page) <= PABAL__PAGE, "the page is one page");

struct pabal__holder {
	struct pabal__holder_page *page; /* the whole file, mapped */
	void *hold;
	int fd;
	dev_t dev;
	ino_t ino;
	bool named;
	unsigned char instance[PABAL__INSTANCE_SIZE];
	char name[PABAL_NAME_SIZE];
	char socket_name[PABAL__HOLDER_SOCKET_SIZE];
};

/* A new instance, alive, without a name yet. The caller has called pabal__fork_init(). */
int pabal__holder_make(const struct pabal__directory *directory, uint32_t mode, uint64_t memory_max, struct pabal__holder *ret_holder);

/* Give it its name; its socket listens. A dead holder makes room. -EADDRINUSE: a living one has it; -EEXIST: an object of another kind. */
int pabal__holder_name(const struct pabal__directory *directory, struct pabal__holder *holder, const char *name);

/* Give up name and socket. @left: false in a fork child, which gives up nothing of its parent's. */
void pabal__holder_close(const struct pabal__directory *directory, struct pabal__holder *holder, bool left);

/* What the file of an announced process says. */
struct pabal__holder_info {
	unsigned char instance[PABAL__INSTANCE_SIZE];
	char socket_name[PABAL__HOLDER_SOCKET_SIZE];
	uint32_t claimed_pid, claimed_uid;
	uint64_t memory_max;
	uid_t uid; /* owner of the file */
	mode_t mode;
	bool alive;
};

/* Look at it. -ENOENT, -EINVAL (another kind), -EACCES, -EPERM, -EPROTO, -EBADMSG, -EMFILE, with the sentence. @ret_fd: NULL, or the descriptor, to read the table by (memory/telling.h). */
int pabal__holder_look(const struct pabal__directory *directory, const char *name, struct pabal__holder_info *ret_info, int *ret_fd);

/* Remove the name of a dead holder, and its socket. 1: done; 0: it lives, or is no process, or is gone. */
int pabal__holder_bury(const struct pabal__directory *directory, const char *name);

/* Remove files and sockets of those who died before they had a name, or after they had lost it. Returns how many. */
uint32_t pabal__holder_sweep(const struct pabal__directory *directory);

#endif
