/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile_answer - the same to the one who asks: spoilt answers, silence, hanging up.
 *
 * After each the victim's call must have said what is wrong, and left no link and no descriptor. Then each check is left out once.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/enemy.h"
#include "queue/stream.h"

static pabal_process *victim;

/* The enemy holds a name, and listens, by hand. */
struct enemy {
	pabal_process self; /* its holder and its listener alone are used */
	int socket;
};

static void enemy_listens(struct enemy *enemy)
{
	memset(enemy, 0, sizeof *enemy);
	assert_int_equal(pabal__directory_open(true, &enemy->self.directory), 0);
	assert_int_equal(pabal__holder_make(&enemy->self.directory, 0600, ENEMY_MEMORY, &enemy->self.holder), 0);
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
	attempt_give(attempt, fd);
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
static void welcome_no_life_page(struct attempt *attempt)
{
	welcome_right(attempt);
	attempt_give(attempt, dup(0));
}
static void welcome_one_more(struct attempt *attempt)
{
	welcome_no_life_page(attempt);
	attempt_give(attempt, dup(0));
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
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION + 1;
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

static void refuse_full(struct attempt *attempt)
{
	attempt_refuse(attempt, PABAL__REFUSE_FULL);
}
static void refuse_version(struct attempt *attempt)
{
	attempt_refuse(attempt, PABAL__REFUSE_VERSION);
}
static void refuse_stranger(struct attempt *attempt)
{
	attempt_refuse(attempt, PABAL__REFUSE_STRANGER);
}
static void refuse_nonsense(struct attempt *attempt)
{
	attempt_refuse(attempt, PABAL__REFUSE_NONSENSE);
}
static void refuse_unknown(struct attempt *attempt)
{
	attempt_refuse(attempt, 12345);
}
static void refuse_tie(struct attempt *attempt)
{
	attempt_refuse(attempt, PABAL__REFUSE_TIE);
}
static void refuse_duplicate(struct attempt *attempt)
{
	attempt_refuse(attempt, PABAL__REFUSE_DUPLICATE);
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
	{ "a life page that is none", welcome_no_life_page, -EBADMSG, PABAL__FAULT_NONE },
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
	attempt_begin(&attempt, &enemy->self.holder, PABAL__WELCOME, victim->holder.instance);
	spoil(&attempt);
	attempt_send(enemy->socket, &attempt);
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
	/* Directory, file and listener of the enemy; a watch is kept, if there was ever one. */
	assert_int_equal(open_fds(), before - 3 + (victim->watch >= 0));
	pabal_process_close(victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spoilt_answer_is_an_error_and_leaves_nothing),
		cmocka_unit_test(each_check_of_an_answer_is_what_refuses),
		cmocka_unit_test(silence_and_hanging_up_are_waited_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
