/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls/answer NAME - answer calls with how long their text is. A request "later" is kept, and answered after the one that comes next: replies need not
 * be in the order of the requests. "stop" is the last one.
 */
#include <pabal/pabal.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is(const struct pabal_message *request, const char *text)
{
	return request->size == strlen(text) && memcmp(request->data, text, request->size) == 0;
}

static int reply_and_release(pabal_link *link, struct pabal_message *request)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%zu letters", request->size);
	r = pabal_link_reply(link, request, text, strlen(text), PABAL_FOREVER);
	pabal_link_release(link, request);
	return r;
}

/* Until "stop", or until the caller has gone. */
static int serve(pabal_link *link)
{
	struct pabal_message request, kept = { .data = NULL };
	bool is_last = false;
	int r = 0;

	while (r == 0 && !is_last) {
		r = pabal_link_take(link, NULL, &request, PABAL_FOREVER);
		if (r < 0)
			break;
		is_last = is(&request, "stop");
		if (is(&request, "later") && !kept.data) {
			kept = request; /* it stays ours until it is released */
			continue;
		}
		r = reply_and_release(link, &request);
		if (r == 0 && kept.data)
			r = reply_and_release(link, &kept);
	}
	return r;
}

int main(int argc, char **argv)
{
	pabal_process *self = NULL;
	pabal_link *link = NULL;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: answer NAME\n");
		return 2;
	}
	r = pabal_process_announce(argv[1], NULL, &self);
	if (r == 0)
		r = pabal_process_accept(self, &link, PABAL_FOREVER);
	if (r == 0)
		r = serve(link);
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "answer: %s\n", pabal_error_detail());
	pabal_link_close(link);
	pabal_process_close(self);
	return r < 0 && r != -EPIPE;
}
