/* fuzz_login.c - any bytes as the packet of a talker, and as what a client
 * sends to one.  What parses is within the limits and is said again to the same
 * bytes; lines are those that a search for LF finds, and what follows the last
 * one read is still there. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/login.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_MAX 16384        /* bytes; a socket takes them at once */

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
packet(struct login *l, const char *s, size_t n)
{
	struct login_packet p = {0};
	char back[LOGIN_PACKET + 1];
	int fd[2];

	if (login_parse(s, n, &p) == 0) {
		require(n <= LOGIN_PACKET && p.user.len > 0);
		require(p.user.len + p.secret.len + 3 <= CHECKPW_MAX);
		require(p.tag.len <= LOGIN_TAG);
		for (size_t i = 0; i < p.tag.len; i++)
			require(p.tag.s[i] > ' ' && p.tag.s[i] < 127);
		require(pipe(fd) == 0);
		l->pipe = fd[1];
		require(login_say(l, &p.user, &p.secret, str_c(&p.tag)) == 0);
		require(read(fd[0], back, sizeof back) == (ssize_t)n);
		require(memcmp(back, s, n) == 0);
		(void)close(fd[0]);
		(void)close(fd[1]);
	}
	login_packet_wipe(&p);
}

/* The next line of s at *at as it should be; false: there is none. */
static bool
next_line(const char *s, size_t n, size_t *at, size_t *len)
{
	size_t lf = bytes_chr(s + *at, n - *at, '\n');

	if (lf == n - *at || lf >= LOGIN_LINE)
		return false;
	*len = lf > 0 && s[*at + lf - 1] == '\r' ? lf - 1 : lf;
	return true;
}

static void
client(struct login *l, const char *s, size_t n)
{
	size_t at = 0, len, lines = 0, stop = n > 0 ? (unsigned char)s[0] : 0;
	char c;
	int fd[2];

	if (n > CLIENT_MAX)
		n = CLIENT_MAX;
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	l->rfd = l->wfd = fd[0];
	require(send(fd[1], s, n, 0) == (ssize_t)n);
	require(shutdown(fd[1], SHUT_WR) == 0);
	while (lines++ < stop && next_line(s, n, &at, &len)) {
		require(login_line(l) == LOGIN_LINE_OK);
		require(l->line.len == len);
		require(memcmp(str_c(&l->line), s + at, len) == 0);
		at += bytes_chr(s + at, n - at, '\n') + 1;
	}
	if (lines <= stop) {
		require(login_line(l) == (n - at >= LOGIN_LINE ?
		    LOGIN_LINE_LONG : LOGIN_LINE_GONE));
		at = n - at >= LOGIN_LINE ? at + LOGIN_LINE : n;
	}
	require(recv(fd[0], &c, 1, 0) == (at < n ? 1 : 0));
	require(at == n || c == s[at]);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct login_config cfg = {.idle_ms = 0};
	struct login l = {.cfg = &cfg, .stamp = ""};

	packet(&l, (const char *)data, n);
	client(&l, (const char *)data, n);
	str_free(&l.line);
	str_free(&l.out);
	return 0;
}
