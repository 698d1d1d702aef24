/* mail/verify.c - asking whether a recipient exists; see verify.h.
 *
 * Whatever keeps the answer from coming - no service, a full backlog, a
 * service that dies or keeps silent, nonsense - is VERIFY_TEMP. */
#include "mail/verify.h"

#include "lib/io.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/limits.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum outcome { ANSWERED, LOST, SILENT };

void
verify_close(struct verify *v)
{
	if (v->fd >= 0)
		(void)close(v->fd);
	v->fd = -1;
}

static void
cat_clean(struct str *out, const char *s, size_t n)
{
	if (n > VERIFY_TEXT_MAX)
		n = VERIFY_TEXT_MAX;
	for (size_t i = 0; i < n; i++)
		str_catc(out, s[i] < 32 || s[i] > 126 ? '?' : s[i]);
}

static const char letters[] = {
	[VERIFY_OK] = 'K', [VERIFY_NO] = 'D', [VERIFY_FULL] = 'F',
	[VERIFY_TEMP] = 'Z',
};

void
verify_cat_answer(struct str *out, enum verify_status st, const char *text)
{
	str_catc(out, letters[st]);
	cat_clean(out, text, strlen(text));
}

enum verify_status
verify_parse_answer(const char *s, size_t n, struct str *text)
{
	const char *at = n == 0 ? NULL :
	    memchr(letters, s[0], sizeof letters);

	str_clear(text);
	if (at == NULL) {
		str_cats(text, "the recipient service talks nonsense");
		return VERIFY_TEMP;
	}
	cat_clean(text, s + 1, n - 1);
	return (enum verify_status)(at - letters);
}

/* A service that is being started again is waited for. */
static int
connect_patiently(struct verify *v, const char *path)
{
	int64_t until = clock_mono_ms() + VERIFY_PATIENCE_MS;

	for (;;) {
		v->fd = sock_connect(path, SOCK_SEQPACKET, VERIFY_PATIENCE_MS);
		if (v->fd >= 0) {
			v->down = false;
			return 0;
		}
		if (v->down || (errno != ENOENT && errno != ECONNREFUSED &&
		    errno != EAGAIN) || clock_mono_ms() >= until)
			break;
		(void)poll(NULL, 0, 50);
	}
	v->down = true;
	return -1;
}

static enum outcome
exchange(int fd, const char *addr, int64_t until, char *buf, size_t size,
    size_t *got)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;
	int r;

	do
		n = send(fd, addr, strlen(addr), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? SILENT : LOST;
	do {
		int64_t left = until - clock_mono_ms();

		r = poll(&p, 1, left < 0 ? 0 : (int)left);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return SILENT;
	do
		n = recv(fd, buf, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	*got = n > 0 ? (size_t)n : 0;
	return n > 0 ? ANSWERED : LOST;
}

enum verify_status
verify_ask(struct verify *v, const char *path, const char *addr,
    struct str *text)
{
	int64_t until = clock_mono_ms() + VERIFY_WAIT_MS;
	char buf[1 + VERIFY_TEXT_MAX];
	size_t n = strlen(addr), got;

	str_clear(text);
	if (n == 0 || n > ADDR_MAX) {
		str_cats(text, n == 0 ? "empty address" : "address too long");
		return VERIFY_NO;
	}
	for (int i = 0; i < 2; i++) {
		enum outcome o;

		if (v->fd < 0 && connect_patiently(v, path) < 0) {
			str_cats(text, "the recipient service is not there");
			return VERIFY_TEMP;
		}
		o = exchange(v->fd, addr, until, buf, sizeof buf, &got);
		if (o == ANSWERED)
			return verify_parse_answer(buf, got, text);
		/* What it may still say would answer another question. */
		verify_close(v);
		if (o == SILENT) {
			str_cats(text, "the recipient service is silent");
			return VERIFY_TEMP;
		}
	}
	str_cats(text, "the recipient service ended");
	return VERIFY_TEMP;
}
