/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile_opening - forged letters, wrong descriptors, memory that is not sealed, floods: to the one who answers and to the one who asks.
 *
 * The enemy speaks the protocol by hand, with a name of its own that it rightly holds, and gets one thing wrong at a time. After each attempt the victim must have said so, have no link, and have no
 * descriptor more than before. Then each check is left out once (base/fault.h), to see that the very attempt which is to find that succeeds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/process.h"
#include "platform/file.h"
#include "platform/sealed.h"
#include "queue/stream.h"
#include "support/support.h"

enum { MEMORY = 1 << 20, ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL };

static pabal_process *victim;

static int open_fds(void)
{
	DIR *listing = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(listing);
	while (readdir(listing))
		count++;
	closedir(listing);
	return count;
}

static pabal_process *announce(const char *name)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .memory_max = MEMORY };
	pabal_process *self = NULL;

	if (pabal_process_announce(name, &opts, &self) < 0)
		child_failed("announce", name, 0);
	return self;
}

/* The victim goes about its business: it looks for messages, and there are none. */
static void victim_works(void)
{
	char byte;

	for (int i = 0; i < 3; i++)
		assert_int_equal(pabal_process_receive(victim, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
}

/* What an attempt sends, right in all but what its case changes. */
struct attempt {
	struct pabal__letter letter;
	size_t size;
	int fds[PABAL__PACKET_FDS];
	uint32_t fd_count;
	uint64_t memory_size;
	int seals;
	bool no_format;
};

static int make_memory(const struct attempt *attempt)
{
	uint64_t size = pabal__stream_size(MEMORY);
	int fd = memfd_create("enemy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *data;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(data != MAP_FAILED);
	if (!attempt->no_format)
		pabal__stream_format(data, MEMORY);
	munmap(data, size);
	if (attempt->memory_size != size)
		assert_int_equal(ftruncate(fd, (off_t)attempt->memory_size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, attempt->seals), 0);
	return fd;
}

static void begin(struct attempt *attempt, const pabal_process *from, uint32_t kind, const unsigned char *to)
{
	memset(attempt, 0, sizeof *attempt);
	attempt->letter.magic = UINT64_C(0x6c6c616261700001);
	attempt->letter.kind = kind;
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION;
	attempt->letter.memory_max = MEMORY;
	memcpy(attempt->letter.from, from->holder.instance, PABAL__INSTANCE_SIZE);
	memcpy(attempt->letter.to, to, PABAL__INSTANCE_SIZE);
	memcpy(attempt->letter.name, from->holder.name, PABAL_NAME_SIZE);
	attempt->size = sizeof attempt->letter;
	attempt->memory_size = pabal__stream_size(MEMORY);
	attempt->seals = ALL_SEALS;
}

/* Memory first, if the case brought no other descriptor. */
static void complete(struct attempt *attempt)
{
	if (attempt->fd_count == 0)
		attempt->fds[attempt->fd_count++] = make_memory(attempt);
	else if (attempt->fds[0] == -1)
		attempt->fds[0] = make_memory(attempt);
	if (attempt->fds[0] == -2) /* none at all */
		attempt->fd_count = 0;
}

static void send_attempt(int socket, struct attempt *attempt)
{
	char packet[70000] = { 0 };

	memcpy(packet, &attempt->letter, sizeof attempt->letter);
	assert_int_equal(pabal__packet_send(socket, packet, attempt->size, attempt->fds, attempt->fd_count), 0);
	for (uint32_t i = 0; i < attempt->fd_count; i++)
		close(attempt->fds[i]);
}

static void size_less(struct attempt *attempt)
{
	attempt->size--;
}
static void size_one(struct attempt *attempt)
{
	attempt->size = 1;
}
static void size_more(struct attempt *attempt)
{
	attempt->size++;
}
static void size_much(struct attempt *attempt)
{
	attempt->size = 65536;
}
static void size_none(struct attempt *attempt)
{
	attempt->size = 0;
}
static void magic(struct attempt *attempt)
{
	attempt->letter.magic ^= 1;
}
static void kind_none(struct attempt *attempt)
{
	attempt->letter.kind = 0;
}
static void kind_unknown(struct attempt *attempt)
{
	attempt->letter.kind = 99;
}
static void kind_refuse(struct attempt *attempt)
{
	attempt->letter.kind = PABAL__REFUSE;
	attempt->fds[0] = -2;
	attempt->fd_count = 1;
}
static void version_later(struct attempt *attempt)
{
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION + 1;
}
static void version_earlier(struct attempt *attempt)
{
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION - 1;
}
static void version_crossed(struct attempt *attempt)
{
	attempt->letter.version_min = 2;
	attempt->letter.version_max = 1;
}
static void name_empty(struct attempt *attempt)
{
	attempt->letter.name[0] = 0;
}
static void name_endless(struct attempt *attempt)
{
	memset(attempt->letter.name, 'e', sizeof attempt->letter.name);
}
static void name_path(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "../evil");
}
static void name_hidden(struct attempt *attempt)
{
	strcpy(attempt->letter.name, ".evil");
}
static void name_nobodys(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "nobody");
}
static void name_anothers(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "honest");
}
static void name_the_victims(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "victim");
}
static void instance_other(struct attempt *attempt)
{
	attempt->letter.from[3] ^= 1;
}
static void addressee_other(struct attempt *attempt)
{
	attempt->letter.to[3] ^= 1;
}
static void memory_max_none(struct attempt *attempt)
{
	attempt->letter.memory_max = 0;
}
static void memory_max_huge(struct attempt *attempt)
{
	attempt->letter.memory_max = UINT64_MAX;
}
static void memory_max_more(struct attempt *attempt)
{
	attempt->letter.memory_max = 2 * MEMORY;
}
static void memory_short(struct attempt *attempt)
{
	attempt->memory_size -= 4096;
}
static void memory_long(struct attempt *attempt)
{
	attempt->memory_size += 4096;
}
static void memory_empty(struct attempt *attempt)
{
	attempt->memory_size = 0;
}
static void memory_unsealed(struct attempt *attempt)
{
	attempt->seals = 0;
}
static void memory_may_shrink(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_SHRINK;
}
static void memory_may_grow(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_GROW;
}
static void memory_may_be_written(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_FUTURE_WRITE;
}
static void memory_may_be_sealed(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_SEAL;
}
static void memory_is_no_stream(struct attempt *attempt)
{
	attempt->no_format = true;
}
static void no_descriptor(struct attempt *attempt)
{
	attempt->fds[0] = -2;
	attempt->fd_count = 1;
}

static void give(struct attempt *attempt, int fd)
{
	assert_true(fd >= 0);
	attempt->fds[attempt->fd_count++] = fd;
}

static void a_file(struct attempt *attempt)
{
	int fd = open(getenv("PABAL_DIR"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, (off_t)pabal__stream_size(MEMORY)), 0);
	give(attempt, fd);
}
static void a_directory(struct attempt *attempt)
{
	give(attempt, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
static void a_device(struct attempt *attempt)
{
	give(attempt, open("/dev/zero", O_RDWR | O_CLOEXEC));
}
static void a_socket(struct attempt *attempt)
{
	give(attempt, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}
static void two_memories(struct attempt *attempt)
{
	attempt->fds[0] = -1;
	attempt->fd_count = 1;
	give(attempt, make_memory(attempt));
}
static void a_flood_of_descriptors(struct attempt *attempt)
{
	attempt->fds[0] = -1;
	attempt->fd_count = 1;
	while (attempt->fd_count < PABAL__PACKET_FDS)
		give(attempt, dup(0));
}

struct hostile_case {
	const char *name;
	void (*spoil)(struct attempt *attempt);
	uint32_t refusal;        /* 0: hung up on without a word */
	enum pabal__fault fault; /* the check that finds it */
};

#define CASE(spoil, refusal, fault)                                          \
	{                                                                    \
#spoil, spoil, PABAL__REFUSE_##refusal, PABAL__FAULT_##fault \
	}

static const struct hostile_case hello_cases[] = {
	CASE(size_less, NONSENSE, NONE),
	CASE(size_one, NONSENSE, NONE),
	CASE(size_more, NONSENSE, NONE),
	CASE(size_much, NONSENSE, NONE),
	{ "size_none", size_none, 0, PABAL__FAULT_NONE },
	CASE(magic, NONSENSE, NO_MAGIC_CHECK),
	CASE(kind_none, NONSENSE, NONE),
	CASE(kind_unknown, NONSENSE, NONE),
	CASE(kind_refuse, NONSENSE, NONE),
	CASE(version_later, VERSION, NONE),
	CASE(version_earlier, VERSION, NONE),
	CASE(version_crossed, VERSION, NONE),
	CASE(name_empty, NONSENSE, NONE),
	CASE(name_endless, NONSENSE, NONE),
	CASE(name_path, NONSENSE, NONE),
	CASE(name_hidden, NONSENSE, NONE),
	CASE(name_nobodys, STRANGER, NO_STRANGER_CHECK),
	CASE(name_anothers, STRANGER, NO_STRANGER_CHECK),
	CASE(name_the_victims, STRANGER, NONE),
	CASE(instance_other, STRANGER, NO_STRANGER_CHECK),
	CASE(addressee_other, STRANGER, NONE),
	CASE(memory_max_none, NONSENSE, NONE),
	CASE(memory_max_huge, NONSENSE, NONE),
	CASE(memory_max_more, NONSENSE, NONE),
	CASE(memory_short, NONSENSE, NO_SIZE_CHECK),
	CASE(memory_long, NONSENSE, NO_SIZE_CHECK),
	CASE(memory_empty, NONSENSE, NONE),
	CASE(memory_unsealed, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_shrink, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_grow, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_be_written, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_be_sealed, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_is_no_stream, NONSENSE, NONE),
	CASE(no_descriptor, NONSENSE, NONE),
	CASE(a_file, NONSENSE, NONE),
	CASE(a_directory, NONSENSE, NONE),
	CASE(a_device, NONSENSE, NONE),
	CASE(a_socket, NONSENSE, NONE),
	CASE(two_memories, NONSENSE, NONE),
	CASE(a_flood_of_descriptors, NONSENSE, NONE),
};

/* Say a spoilt HELLO to the victim. What it answered: a refusal, 0: nothing, or UINT32_MAX: WELCOME. */
static uint32_t say_hello(const pabal_process *enemy, const struct hostile_case *hostile)
{
	struct attempt attempt;
	struct pabal__post post;
	uint32_t answer = 0;
	int socket, r;

	begin(&attempt, enemy, PABAL__HELLO, victim->holder.instance);
	if (hostile)
		hostile->spoil(&attempt);
	complete(&attempt);
	assert_int_equal(pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket), 0);
	send_attempt(socket, &attempt);
	victim_works();
	r = pabal__letter_receive(socket, &post);
	if (r == 0) {
		answer = post.letter.kind == PABAL__WELCOME ? UINT32_MAX : post.letter.reason;
		pabal__post_close(&post);
	} else {
		assert_int_equal(r, -EPIPE);
	}
	close(socket);
	victim_works();
	return answer;
}

static void a_spoilt_hello_is_refused_and_leaves_nothing(void **state)
{
	pabal_process *enemy = announce("enemy"), *honest = announce("honest");
	int before;

	(void)state;
	victim = announce("victim");
	before = open_fds();
	for (size_t i = 0; i < sizeof hello_cases / sizeof *hello_cases; i++) {
		uint32_t answer = say_hello(enemy, &hello_cases[i]);

		if (answer != hello_cases[i].refusal)
			fail_msg("%s: answered %u, not %u", hello_cases[i].name, answer, hello_cases[i].refusal);
		if (victim->party_count || open_fds() != before)
			fail_msg("%s: %u links, %d descriptors more", hello_cases[i].name, victim->party_count, open_fds() - before);
	}
	/* And the enemy, once it behaves, is as welcome as anybody. */
	assert_int_equal(say_hello(enemy, NULL), UINT32_MAX);
	assert_int_equal(open_fds(), before); /* it hung up, all is received: the link is gone as well */
	pabal_process_close(victim);
	pabal_process_close(enemy);
	pabal_process_close(honest);
}

static void each_check_is_what_refuses(void **state)
{
	pabal_process *enemy = announce("enemy"), *honest = announce("honest");

	(void)state;
	for (size_t i = 0; i < sizeof hello_cases / sizeof *hello_cases; i++) {
		const struct hostile_case *hostile = &hello_cases[i];

		if (hostile->fault == PABAL__FAULT_NONE)
			continue;
		victim = announce("victim");
		pabal__fault_hits = 0;
		pabal__fault_on = hostile->fault;
		if (say_hello(enemy, hostile) != UINT32_MAX || !pabal__fault_hits)
			fail_msg("%s is refused without its check, too", hostile->name);
		pabal__fault_on = PABAL__FAULT_NONE;
		pabal_process_close(victim);
	}
	pabal_process_close(enemy);
	pabal_process_close(honest);
}

/* The other way round: the victim asks, and the enemy answers. The enemy holds a name, and listens, by hand. */
struct enemy {
	pabal_process self; /* its holder and its listener alone are used */
	int socket;
};

static void enemy_listens(struct enemy *enemy)
{
	memset(enemy, 0, sizeof *enemy);
	assert_int_equal(pabal__directory_open(true, &enemy->self.directory), 0);
	assert_int_equal(pabal__holder_make(&enemy->self.directory, 0600, MEMORY, &enemy->self.holder), 0);
	assert_int_equal(pabal__socket_listen(enemy->self.directory.fd, enemy->self.holder.socket_name, 0600, &enemy->self.listener), 0);
	assert_int_equal(pabal__holder_name(&enemy->self.directory, &enemy->self.holder, "enemy"), 0);
}

static void enemy_leaves(struct enemy *enemy)
{
	close(enemy->self.listener);
	pabal__holder_close(&enemy->self.directory, &enemy->self.holder, true);
	pabal__directory_close(&enemy->self.directory);
}

/* The victim has asked; take its HELLO in. */
static void enemy_accepts(struct enemy *enemy)
{
	struct pabal__post post;

	assert_int_equal(pabal__socket_accept(enemy->self.listener, &enemy->socket), 0);
	assert_int_equal(pabal__letter_receive(enemy->socket, &post), 0);
	assert_int_equal(post.letter.kind, PABAL__HELLO);
	pabal__post_close(&post);
}

static void channel(struct attempt *attempt, int fd)
{
	attempt->fds[0] = -1;
	attempt->fd_count = 1;
	give(attempt, fd);
}

static int packet_socket(void)
{
	int pair[2];

	assert_int_equal(pabal__socket_pair(pair), 0);
	close(pair[1]);
	return pair[0];
}

static void welcome_right(struct attempt *attempt)
{
	channel(attempt, packet_socket());
}
static void welcome_no_channel(struct attempt *attempt)
{
	(void)attempt;
}
static void welcome_pipe(struct attempt *attempt)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	channel(attempt, ends[0]);
}
static void welcome_stream_socket(struct attempt *attempt)
{
	channel(attempt, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static void welcome_one_more(struct attempt *attempt)
{
	welcome_right(attempt);
	give(attempt, dup(0));
}
static void welcome_unsealed(struct attempt *attempt)
{
	attempt->seals = 0;
	welcome_right(attempt);
}
static void welcome_short(struct attempt *attempt)
{
	attempt->memory_size -= 4096;
	welcome_right(attempt);
}
static void welcome_another_instance(struct attempt *attempt)
{
	attempt->letter.from[0] ^= 1;
	welcome_right(attempt);
}
static void welcome_another_name(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "honest");
	welcome_right(attempt);
}
static void welcome_magic(struct attempt *attempt)
{
	attempt->letter.magic = 0;
	welcome_right(attempt);
}
static void welcome_version(struct attempt *attempt)
{
	version_later(attempt);
	welcome_right(attempt);
}
static void welcome_cut(struct attempt *attempt)
{
	attempt->size = 100;
	welcome_right(attempt);
}
static void hello_instead(struct attempt *attempt)
{
	attempt->letter.kind = PABAL__HELLO;
}

static void refusal(struct attempt *attempt, uint32_t reason)
{
	kind_refuse(attempt);
	attempt->letter.reason = reason;
}
static void refuse_full(struct attempt *attempt)
{
	refusal(attempt, PABAL__REFUSE_FULL);
}
static void refuse_version(struct attempt *attempt)
{
	refusal(attempt, PABAL__REFUSE_VERSION);
}
static void refuse_stranger(struct attempt *attempt)
{
	refusal(attempt, PABAL__REFUSE_STRANGER);
}
static void refuse_nonsense(struct attempt *attempt)
{
	refusal(attempt, PABAL__REFUSE_NONSENSE);
}
static void refuse_unknown(struct attempt *attempt)
{
	refusal(attempt, 12345);
}
static void refuse_tie(struct attempt *attempt)
{
	refusal(attempt, PABAL__REFUSE_TIE);
}
static void refuse_duplicate(struct attempt *attempt)
{
	refusal(attempt, PABAL__REFUSE_DUPLICATE);
}

static const struct {
	const char *name;
	void (*spoil)(struct attempt *attempt);
	int result; /* of the victim's next call; -EAGAIN: it will ask again, later */
	enum pabal__fault fault;
} answer_cases[] = {
	{ "no channel", welcome_no_channel, -EBADMSG, PABAL__FAULT_NONE },
	{ "a pipe as channel", welcome_pipe, -EBADMSG, PABAL__FAULT_NO_CHANNEL_CHECK },
	{ "a stream socket as channel", welcome_stream_socket, -EBADMSG, PABAL__FAULT_NO_CHANNEL_CHECK },
	{ "one descriptor more", welcome_one_more, -EBADMSG, PABAL__FAULT_NONE },
	{ "unsealed memory", welcome_unsealed, -EBADMSG, PABAL__FAULT_NO_SEAL_CHECK },
	{ "memory cut short", welcome_short, -EBADMSG, PABAL__FAULT_NO_SIZE_CHECK },
	{ "another instance", welcome_another_instance, -EBADMSG, PABAL__FAULT_NO_INSTANCE_CHECK },
	{ "another name", welcome_another_name, -EBADMSG, PABAL__FAULT_NONE },
	{ "another magic", welcome_magic, -EBADMSG, PABAL__FAULT_NO_MAGIC_CHECK },
	{ "another version", welcome_version, -EPROTO, PABAL__FAULT_NONE },
	{ "a letter cut short", welcome_cut, -EBADMSG, PABAL__FAULT_NONE },
	{ "HELLO as an answer", hello_instead, -EBADMSG, PABAL__FAULT_NONE },
	{ "REFUSE full", refuse_full, -EMFILE, PABAL__FAULT_NONE },
	{ "REFUSE version", refuse_version, -EPROTO, PABAL__FAULT_NONE },
	{ "REFUSE stranger", refuse_stranger, -EPERM, PABAL__FAULT_NONE },
	{ "REFUSE nonsense", refuse_nonsense, -EBADMSG, PABAL__FAULT_NONE },
	{ "REFUSE for no known reason", refuse_unknown, -EBADMSG, PABAL__FAULT_NONE },
	{ "REFUSE tie", refuse_tie, -EAGAIN, PABAL__FAULT_NONE },
	{ "REFUSE duplicate", refuse_duplicate, -EAGAIN, PABAL__FAULT_NONE },
};

/* The victim asks, the enemy gives the spoilt answer, the victim calls again. */
static int answer_spoilt(struct enemy *enemy, void (*spoil)(struct attempt *attempt))
{
	pabal_link *link = NULL;
	struct attempt attempt;
	int r;

	assert_int_equal(pabal_process_link(victim, "enemy", &link, PABAL_NOWAIT), -EAGAIN);
	enemy_accepts(enemy);
	begin(&attempt, &enemy->self, PABAL__WELCOME, victim->holder.instance);
	spoil(&attempt);
	complete(&attempt);
	send_attempt(enemy->socket, &attempt);
	r = pabal_process_link(victim, "enemy", &link, PABAL_NOWAIT);
	close(enemy->socket);
	return r;
}

static void a_spoilt_answer_is_an_error_and_leaves_nothing(void **state)
{
	struct enemy enemy;
	int before;

	(void)state;
	victim = announce("victim");
	enemy_listens(&enemy);
	before = open_fds();
	for (size_t i = 0; i < sizeof answer_cases / sizeof *answer_cases; i++) {
		int r = answer_spoilt(&enemy, answer_cases[i].spoil);

		/* One that is to ask again, later, may have done so by now: socket and memory. */
		int more = open_fds() - before, allowed = r == -EAGAIN ? 2 : 0;

		if (r != answer_cases[i].result || victim->party_count || (more != 0 && more != allowed))
			fail_msg("%s: %d, not %d; %u links, %d descriptors more", answer_cases[i].name, r, answer_cases[i].result,
				 victim->party_count, more);
	}
	assert_int_equal(answer_spoilt(&enemy, welcome_right), 0);
	pabal_process_close(victim);
	enemy_leaves(&enemy);
}

static void each_check_of_an_answer_is_what_refuses(void **state)
{
	struct enemy enemy;

	(void)state;
	enemy_listens(&enemy);
	for (size_t i = 0; i < sizeof answer_cases / sizeof *answer_cases; i++) {
		if (answer_cases[i].fault == PABAL__FAULT_NONE)
			continue;
		victim = announce("victim");
		pabal__fault_hits = 0;
		pabal__fault_on = answer_cases[i].fault;
		if (answer_spoilt(&enemy, answer_cases[i].spoil) != 0 || !pabal__fault_hits)
			fail_msg("%s is refused without its check, too", answer_cases[i].name);
		pabal__fault_on = PABAL__FAULT_NONE;
		pabal_process_close(victim);
	}
	enemy_leaves(&enemy);
}

/* A listener under the enemy's feet: it never answers, and hangs up now and then. Who asks goes on asking, not too fast, and gives up when its time is over. */
static void silence_and_hanging_up_are_waited_out(void **state)
{
	struct enemy enemy;
	pabal_link *link;
	int before;

	(void)state;
	victim = announce("victim");
	enemy_listens(&enemy);
	before = open_fds();
	for (int i = 0; i < 5; i++) { /* it is asked again each time, however long it takes */
		do {
			assert_int_equal(pabal_process_link(victim, "enemy", &link, 1000000), -ETIMEDOUT);
		} while (pabal__socket_accept(enemy.self.listener, &enemy.socket) == -EAGAIN);
		assert_int_equal(pabal_process_link(victim, "enemy", &link, 1000000), -ETIMEDOUT); /* silence */
		close(enemy.socket);
	}
	enemy_leaves(&enemy);
	assert_int_equal(pabal_process_link(victim, "enemy", &link, 1000000), -ETIMEDOUT);
	while (victim->openings) /* it learns that nobody has the name */
		assert_int_equal(pabal_process_link(victim, "enemy", &link, 1000000), -ETIMEDOUT);
	assert_int_equal(open_fds(), before - 3); /* directory, file and listener of the enemy */
	pabal_process_close(victim);
}

enum { FLOOD = 1000 };

static int connect_honestly(void *data)
{
	pabal_process *self = announce("honest");

	(void)data;
	child_equal(pabal_process_send(self, "victim", "hello", 5, PABAL_FOREVER), 0);
	pabal_process_close(self);
	return 0;
}

/* Connections that say nothing: bounded, and no reason not to answer others. */
static void a_flood_of_connections_is_bounded(void **state)
{
	int sockets[FLOOD], before, most = 0, count = 0;
	char text[8];
	pid_t pid;

	(void)state;
	victim = announce("victim");
	before = open_fds();
	for (int i = 0; i < FLOOD; i++) {
		int socket;

		while (pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket) == -EAGAIN)
			victim_works();
		sockets[count++] = socket;
		if (open_fds() - before - count > most)
			most = open_fds() - before - count;
	}
	victim_works();
	assert_true(most > 0 && most <= PABAL__CALLERS);
	pid = child_start(connect_honestly, NULL);
	assert_int_equal(pabal_process_receive(victim, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	while (count)
		close(sockets[--count]);
	victim_works();
	victim_works();
	assert_int_equal(open_fds(), before);
	pabal_process_close(victim);
}

static void without_the_limit_the_flood_is_kept(void **state)
{
	int before, socket;

	(void)state;
	victim = announce("victim");
	before = open_fds();
	pabal__fault_hits = 0;
	pabal__fault_on = PABAL__FAULT_NO_CALLER_LIMIT;
	for (int i = 0; i < 3 * PABAL__CALLERS; i++) {
		assert_int_equal(pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket), 0);
		victim_works();
		fcntl(socket, F_DUPFD_CLOEXEC, 0); /* left open */
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(pabal__fault_hits > 0);
	assert_true(open_fds() - before > 3 * PABAL__CALLERS * 2 + PABAL__CALLERS); /* more than the limit allows: the check above would see it */
	pabal_process_close(victim);
}

/* Packets of all sizes, with descriptors, on the socket of a link: swallowed in bounded pieces, and the link goes on. */
static void a_flood_on_the_link_is_swallowed(void **state)
{
	char junk[4096] = { 0 }, byte;
	pabal_process *enemy = announce("enemy");
	int before, fds[PABAL__PACKET_FDS], sent = 0;
	pabal_link *link, *other = NULL;

	(void)state;
	victim = announce("victim");
	while (pabal_process_link(victim, "enemy", &link, PABAL_NOWAIT) == -EAGAIN)
		pabal_process_accept(enemy, &other, PABAL_NOWAIT);
	assert_non_null(other);
	for (uint32_t i = 0; i < PABAL__PACKET_FDS; i++)
		fds[i] = 0;
	before = open_fds();
	for (int round = 0; round < 50; round++) {
		while (pabal__packet_send(other->bell.socket, junk, (size_t)(sent % 4096) + 1, fds, sent % 3 ? 0 : PABAL__PACKET_FDS) == 0)
			sent++;
		assert_int_equal(pabal_link_send(other, "x", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_process_receive(victim, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), 0);
		victim_works();
		assert_int_equal(open_fds(), before);
	}
	assert_true(sent > 500);
	pabal_process_close(victim);
	pabal_process_close(enemy);
}

static int ask_in_vain(void *data)
{
	pabal_process *self = announce("honest");
	pabal_link *link;

	(void)data;
	child_equal(pabal_process_link(self, "victim", &link, PABAL_FOREVER), -EMFILE);
	pabal_process_close(self);
	return 0;
}

/* No descriptor left: it says so, and does not leave the other one waiting; nor does it spin. */
static void without_descriptors_it_refuses(void **state)
{
	struct rlimit old, limit;
	char text[8];
	pid_t pid;

	(void)state;
	victim = announce("victim");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int spare = 0; spare < 8; spare++) {
		int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);

		close(lowest);
		pid = child_start(ask_in_vain, NULL);
		limit = old;
		limit.rlim_cur = (rlim_t)(lowest + spare);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (spare < 5) {
			int status = 0;

			while (waitpid(pid, &status, WNOHANG) == 0)
				assert_int_equal(pabal_process_receive(victim, NULL, NULL, text, sizeof text, NULL, 1000000), -ETIMEDOUT);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		} else {
			child_kill(pid);
		}
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
	pid = child_start(connect_honestly, NULL);
	assert_int_equal(pabal_process_receive(victim, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	pabal_process_close(victim);
	assert_int_equal(pabal_gc(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spoilt_hello_is_refused_and_leaves_nothing),
		cmocka_unit_test(each_check_is_what_refuses),
		cmocka_unit_test(a_spoilt_answer_is_an_error_and_leaves_nothing),
		cmocka_unit_test(each_check_of_an_answer_is_what_refuses),
		cmocka_unit_test(silence_and_hanging_up_are_waited_out),
		cmocka_unit_test(a_flood_of_connections_is_bounded),
		cmocka_unit_test(without_the_limit_the_flood_is_kept),
		cmocka_unit_test(a_flood_on_the_link_is_swallowed),
		cmocka_unit_test(without_descriptors_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
