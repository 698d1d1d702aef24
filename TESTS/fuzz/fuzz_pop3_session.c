/* fuzz_pop3_session.c - any bytes as a client: however they are cut the
 * replies are the same; there is one for each line, well-formed; and nothing
 * is removed unless it said so. */
#include "pop3d/session.h"

#include "TESTS/fuzz/fuzz.h"
#include "TESTS/unit/pop3_fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX 100000                /* fits into a pair of sockets */
#define PACKETS 64                      /* with room to spare */

void __wrap_log_info(const char *, ...);
void __wrap_log_sys(const char *, ...);

/* Lines are not wanted, but what they are made of is. */
void
__wrap_log_info(const char *fmt, ...)
{
	struct str line = {0};
	va_list ap;

	va_start(ap, fmt);
	str_cats(&line, va_arg(ap, const char *));
	va_end(ap);
	for (size_t i = 0; i < line.len; i++)
		if (line.s[i] < ' ' || line.s[i] > '~')
			abort();
	str_free(&line);
}

void
__wrap_log_sys(const char *fmt, ...)
{
	(void)fmt;
}

static void
play(const char *s, size_t n, size_t cut, struct str *said)
{
	static const char *const box[] = {
		"Subject: 1\n\nbody\n", ".\n..\n\n.\n.", "", "a\rb\r\n\r\n.\r\n"
	};
	static const struct session_config cfg = {.timeout_ms = 60000,
	    .user = "u", .ip = "", .tls = ""};
	int in[2], out = memfd_create("out", MFD_CLOEXEC);
	off_t size;

	if (out < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, in) < 0)
		abort();
	for (size_t i = 0; i < n; i += cut)
		if (send(in[0], s + i, cut < n - i ? cut : n - i,
		    MSG_DONTWAIT) < 0)
			abort();
	(void)close(in[0]);
	pop3_fake_box(box, 4);
	session_run(&cfg, in[1], out);
	(void)close(in[1]);
	size = lseek(out, 0, SEEK_END);
	str_reserve(said, (size_t)size);
	if (pread(out, said->s, (size_t)size, 0) != size)
		abort();
	said->len = (size_t)size;
	(void)close(out);
	if (pop3_fake.frees != 1)
		abort();
}

/* The line at *at without its CR LF; false at the end. */
static bool
next(const struct str *s, size_t *at, const char **line, size_t *n)
{
	const char *lf;

	if (*at == s->len)
		return false;
	*line = s->s + *at;
	lf = memchr(*line, '\n', s->len - *at);
	if (lf == NULL || lf == *line || lf[-1] != '\r')
		abort();
	*n = (size_t)(lf - *line) - 1;
	*at += *n + 2;
	return true;
}

static bool
is(const char *line, size_t n, const char *what)
{
	return n == strlen(what) && memcmp(line, what, n) == 0;
}

/* Replies of more than one line are told by their first. */
static bool
has_more(const char *line, size_t n)
{
	return is(line, n, "+OK these") || (n > 10 &&
	    memcmp(line + n - 7, " octets", 7) == 0);
}

/* How many replies; bye_out: the last was that to QUIT.  A bare +OK is that of
 * TOP or LIST, or of a command that says no more: only that there is an end
 * to what does not begin like a reply can be seen. */
static size_t
count(const struct str *s, bool *bye_out)
{
	const char *line;
	size_t at = 0, n, replies = 0;

	*bye_out = false;
	while (next(s, &at, &line, &n)) {
		if (*bye_out)
			abort();
		replies++;
		*bye_out = is(line, n, "+OK bye");
		if (has_more(line, n) || (is(line, n, "+OK") && at < s->len &&
		    s->s[at] != '+' && s->s[at] != '-'))
			do
				if (!next(s, &at, &line, &n))
					abort();
			while (!is(line, n, "."));
		else if (n < 3 || (*line != '+' && *line != '-'))
			abort();
	}
	return replies;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str whole = {0}, parts = {0};
	const char *s = (const char *)data;
	size_t lines = 0, replies, cut;
	unsigned updates;
	bool bye;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	cut = 1 + data[0];
	s++;
	size--;
	if (cut < size / PACKETS + 1)
		cut = size / PACKETS + 1;
	for (size_t i = 0; i < size; i++)
		lines += s[i] == '\n';
	play(s, size, size, &whole);
	updates = pop3_fake.updates;
	play(s, size, cut, &parts);
	if (whole.len != parts.len || updates != pop3_fake.updates ||
	    memcmp(whole.s, parts.s, whole.len) != 0)
		abort();
	replies = count(&whole, &bye);
	if (updates != bye || replies > lines + 1 ||
	    (replies < lines + 1 && !bye && size < SESSION_DROP))
		abort();
	str_free(&whole);
	str_free(&parts);
	return 0;
}
