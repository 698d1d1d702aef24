/* fuzz_popup.c - any bytes as a client before its login: what is answered are
 * lines of POP3, few of them errors; there is a packet for the monitor exactly
 * when it is asked, and it can read it; what is left unread is what follows a
 * line.  The first byte chooses why and how there is a talker. */
#include "pop3d/popup.h"

#include "lib/io.h"
#include "TESTS/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
check_line(const char *s, size_t n, bool *inside, unsigned *errors)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 32 || s[i] > 126)
			abort();
	if (*inside) {
		*inside = !(n == 1 && *s == '.');
	} else if (n > 4 && memcmp(s, "-ERR ", 5) == 0) {
		(*errors)++;
	} else if (n > 3 && memcmp(s, "+OK ", 4) == 0) {
		*inside = n == 9 && memcmp(s + 4, "these", 5) == 0;
	} else if (n < 2 || memcmp(s, "+ ", 2) != 0) {
		abort();
	}
}

static void
check_answers(const struct str *out)
{
	const char *p = str_c(out), *end = p + out->len;
	unsigned errors = 0;
	bool inside = false;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (lf == NULL || lf == p || lf[-1] != '\r')
			abort();
		check_line(p, (size_t)(lf - p) - 1, &inside, &errors);
		p = lf + 1;
	}
	/* one for why, a dozen for commands, one for the end */
	if (inside || errors > POPUP_ERRORS + 2)
		abort();
}

static void
check_packet(enum login_end end, int fd)
{
	struct login_packet p = {0};
	char buf[LOGIN_PACKET + 1];
	ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

	if (end != LOGIN_OVER && end != LOGIN_ASK && end != LOGIN_STARTTLS)
		abort();
	if ((end == LOGIN_ASK) != (n > 0))
		abort();
	if (n > 0 && (login_parse(buf, (size_t)n, &p) < 0 ||
	    p.user.len == 0 || p.tag.len > 0))
		abort();
	login_packet_wipe(&p);
}

static void
check_rest(enum login_end end, int fd, const char *in, size_t n)
{
	static char buf[1 << 17];
	ssize_t left = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	size_t k = left > 0 ? (size_t)left : 0;

	if (k > n || memcmp(buf, in + n - k, k) != 0)
		abort();
	if (end != LOGIN_OVER && (k == n || in[n - k - 1] != '\n'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how = size > 0 ? data[0] : 0;
	size_t n = size > 1 ? size - 1 : 0;
	const char *in = n > 0 ? (const char *)data + 1 : "";
	struct login_config cfg = {.idle_ms = 1000};
	struct popup_config popup = {.delay_s = how & 64 ? 10 : 0};
	struct login l = {.cfg = &cfg, .tag = "",
	    .why = (enum login_why)((how & 7) % 5),
	    .tls = how & 8, .can_plain = how & 24, .can_starttls = how & 32,
	    .stamp = how & 128 ? "<1.2.3@mx.example>" : ""};
	int net[2], word[2];
	enum login_end end;

	if (n > 1 << 16 || socketpair(AF_UNIX, SOCK_STREAM, 0, net) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, word) < 0)
		return 0;
	if (fd_write_all(net[1], in, n) < 0 || shutdown(net[1], SHUT_WR) < 0)
		abort();
	l.rfd = l.wfd = net[0];
	l.pipe = word[0];
	end = popup_talk(&l, &popup);
	check_answers(&l.out);
	check_packet(end, word[1]);
	check_rest(end, net[0], in, n);
	str_free(&l.out);
	str_free(&l.line);
	for (size_t i = 0; i < 2; i++) {
		(void)close(net[i]);
		(void)close(word[i]);
	}
	return 0;
}
