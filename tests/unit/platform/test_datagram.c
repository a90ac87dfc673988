/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_datagram - sockets with a name: they answer from the moment when they have it until they are closed, whoever sweeps the directory meanwhile.
 */
#include "platform/datagram.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int directory;

static int set_up(void **state)
{
	(void)state;
	directory = open(objects_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return close(directory);
}

static bool is_told(int socket)
{
	char byte;

	return recv(socket, &byte, 1, MSG_DONTWAIT) == 1;
}

static void tell(const char *name)
{
	int sender = pabal__datagram_sender();

	assert_true(sender >= 0);
	pabal__datagram_send(sender, directory, name);
	close(sender);
}

static void it_is_dead_when_nobody_holds_it(void **state)
{
	struct stat st;
	int socket = -1;

	(void)state;
	assert_int_equal(pabal__datagram_open(directory, ".s", 0640, &socket), 0);
	assert_int_equal(fstatat(directory, ".s", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_false(pabal__datagram_is_dead(directory, ".s"));
	assert_false(is_told(socket)); /* asking sends nothing */
	tell(".s");
	assert_true(is_told(socket));
	close(socket);
	assert_true(pabal__datagram_is_dead(directory, ".s"));
	assert_int_equal(pabal__datagram_open(directory, ".s", 0600, &socket), 0); /* in the dead one's place */
	assert_false(pabal__datagram_is_dead(directory, ".s"));
	close(socket);
	assert_int_equal(unlinkat(directory, ".s", 0), 0);
	assert_false(pabal__datagram_is_dead(directory, ".s"));
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	char name[PABAL__DATAGRAM_NAME_SIZE + 1], unfinished[PABAL__DATAGRAM_NAME_SIZE];
	int socket = -1;

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	assert_false(pabal__datagram_unfinished(name, unfinished));
	assert_int_equal(pabal__datagram_open(directory, name, 0600, &socket), -ENAMETOOLONG);
	name[PABAL__DATAGRAM_NAME_SIZE - 5] = 0; /* fits, but no path of a socket */
	assert_true(pabal__datagram_unfinished(name, unfinished));
	assert_int_equal(pabal__datagram_open(directory, name, 0600, &socket), -ENAMETOOLONG);
	assert_false(pabal__datagram_is_dead(directory, name));
	assert_int_equal(socket, -1);
}

static _Atomic int round_number;

/* Once a round, the socket in the making loses its name. */
static void *sweep(void *data)
{
	_Atomic uint64_t *hits = data;
	int done = 0;

	while (done >= 0) {
		int now = atomic_load(&round_number);

		if (now != done && (now < 0 || unlinkat(directory, ".s.new", 0) == 0)) {
			*hits += now > 0;
			done = now;
		}
	}
	return NULL;
}

static void one_that_is_swept_in_the_making_is_made_again(void **state)
{
	_Atomic uint64_t hits = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, sweep, &hits), 0);
	for (int i = 1; i < 200000 && hits < 50; i++) {
		int socket = -1;

		atomic_store(&round_number, i);
		assert_int_equal(pabal__datagram_open(directory, ".s", 0600, &socket), 0);
		tell(".s");
		assert_true(is_told(socket));
		close(socket);
		assert_int_equal(unlinkat(directory, ".s", 0), 0);
	}
	atomic_store(&round_number, -1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	print_message("swept in the making: %llu times\n", (unsigned long long)hits);
	assert_int_not_equal(hits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_dead_when_nobody_holds_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_that_is_too_long_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_swept_in_the_making_is_made_again, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
