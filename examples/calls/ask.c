/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls/ask PEER TEXT[:SECONDS]... - call PEER with each text, one after the other, and wait so long for each reply (for ever unless told).
 *
 *   ask adder hello later:0.5 bye
 *
 * A call whose time is up may have been carried out all the same. Its reply may still come; it is never taken for that of another call, but dropped and counted.
 */
#include <pabal/pabal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(pabal_link *link, char *text)
{
	int64_t timeout_ns = PABAL_FOREVER;
	char *colon = strchr(text, ':'), reply[100];
	size_t size;
	int r;

	if (colon) {
		*colon = '\0';
		timeout_ns = (int64_t)(strtod(colon + 1, NULL) * 1e9);
	}
	r = pabal_link_call(link, text, strlen(text), reply, sizeof(reply), &size, timeout_ns);
	if (r == 0)
		printf("%s: %.*s\n", text, (int)size, reply);
	else if (r == -ETIMEDOUT)
		printf("%s: no answer in time\n", text);
	return r == -ETIMEDOUT ? 0 : r;
}

int main(int argc, char **argv)
{
	struct pabal_link_stats stats = { .struct_size = sizeof(stats) };
	pabal_process *self = NULL;
	pabal_link *link = NULL;
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: ask PEER TEXT[:SECONDS]...\n");
		return 2;
	}
	r = pabal_process_announce(NULL, NULL, &self); /* any name will do */
	if (r == 0)
		r = pabal_process_link(self, argv[1], &link, PABAL_FOREVER);
	for (int i = 2; i < argc && r == 0; i++)
		r = ask(link, argv[i]);
	if (r == 0)
		r = pabal_link_stat(link, &stats);
	if (r == 0)
		printf("%d calls, %d late replies\n", (int)stats.calls, (int)stats.late_replies);
	else
		fprintf(stderr, "ask: %s\n", pabal_error_detail());
	pabal_link_close(link);
	pabal_process_close(self);
	return r < 0;
}
