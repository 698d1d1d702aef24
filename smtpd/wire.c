/* smtpd/wire.c - lines in, replies out, and what is logged of them.
 *
 * The client is trusted with nothing.  Every wait has an end that no trickle
 * of bytes moves: a command line has a deadline of its own, data must flow at
 * SMTPD_RATE. */
#include "lib/log.h"
#include "lib/tai.h"
#include "smtpd/session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REPLY_MAX 512           /* bytes: 5321:4.5.3.1.5 */
#define FIELD_MAX 255           /* bytes of a value in a log line */

/* 421 is told where that makes sense; whether it arrives is not our concern. */
static void
gone(struct smtpd *s, enum io_status st)
{
	int e = errno;

	switch (st) {
	case IO_TIMEOUT:
		wire_close(s, "timeout", "421 4.4.2 you were silent or slow "
		    "for too long");
		break;
	case IO_EOF:
		wire_end(s, "lost");
		break;
	case IO_OK:
	case IO_TOOLONG:
	case IO_ERROR:
		wire_end(s, e == EPIPE || e == ECONNRESET ? "lost" : "error");
		break;
	}
}

static enum io_status
fill_until(struct smtpd *s, int64_t until)
{
	int64_t left = until - clock_mono_ms();
	enum io_status st;

	s->io->timeout = left > 0 ? (int)left : 0;
	st = io_fill(s->io);
	s->io->timeout = s->cfg->times.idle;
	return st;
}

/* A byte that no command line may have. */
static enum wire_status
bad_byte(struct smtpd *s, char c)
{
	if (c == '\n')
		wire_close(s, "bare_LF", "521 5.5.2 a line ended with LF "
		    "instead of CR LF");
	else if (c == '\r')
		wire_close(s, "bare_CR", "521 5.5.2 a CR without LF");
	else
		wire_close(s, "NUL", "521 5.5.2 a NUL byte");
	return WIRE_BAD;
}

struct line {
	size_t total;           /* bytes without line end */
	bool cr;                /* the last byte was CR */
	char bad;               /* why the line is none */
	bool ended;
};

/* Takes what belongs to the line from n buffered bytes; how many. */
static size_t
take(struct smtpd *s, struct line *l, const char *p, size_t n, size_t max)
{
	size_t i;

	for (i = 0; i < n && !l->ended; i++) {
		char c = p[i];

		if (c == '\n' && (l->cr || s->cfg->barelf)) {
			l->ended = true;
		} else if (l->cr || c == '\n' || c == '\0') {
			l->bad = l->cr ? '\r' : c;
			l->ended = true;
			s->line.len = l->total < max ? s->line.len : 0;
			return i;
		} else if (c == '\r') {
			l->cr = true;
		} else if (++l->total <= max - 2) {
			str_catc(&s->line, c);
		}
	}
	return i;
}

enum wire_status
wire_line(struct smtpd *s, size_t max)
{
	int64_t until = clock_mono_ms() + s->cfg->times.idle;
	struct line l = {.bad = 1};
	bool begun = false;

	str_clear(&s->line);
	while (!l.ended) {
		enum io_status st = fill_until(s, until);
		const char *p;
		size_t n;

		if (st != IO_OK) {
			gone(s, st);
			return WIRE_GONE;
		}
		if (!begun)
			until = clock_mono_ms() + s->cfg->times.line;
		begun = true;
		n = io_peek(s->io, &p);
		io_skip(s->io, take(s, &l, p, n, max));
		if (l.total > SMTPD_LINE_DROP) {
			wire_close(s, "line_too_long", "521 5.5.2 this line "
			    "has no end");
			return WIRE_BAD;
		}
	}
	if (l.bad != 1)
		return bad_byte(s, l.bad);
	return l.total > max - 2 ? WIRE_TOOLONG : WIRE_OK;
}

int
wire_data(struct smtpd *s)
{
	const int64_t most = s->cfg->times.idle;
	const char *p;
	int64_t now;
	enum io_status st;

	if (io_peek(s->io, &p) > 0)
		return 0;
	now = clock_mono_ms();
	st = fill_until(s, now + (s->patience < most ? s->patience : most));
	if (st != IO_OK) {
		gone(s, st);
		return -1;
	}
	s->patience -= clock_mono_ms() - now;
	s->patience += (int64_t)(io_peek(s->io, &p) * 1000 / SMTPD_RATE);
	if (s->patience > most)
		s->patience = most;
	return 0;
}

bool
wire_ahead(struct smtpd *s)
{
	const char *p;
	int n = 0;

	return io_peek(s->io, &p) > 0 ||
	    (ioctl(s->io->rfd, FIONREAD, &n) == 0 && n > 0);
}

void
wire_sleep(struct smtpd *s, int ms)
{
	wire_flush(s);
	if (ms > 0)
		(void)poll(NULL, 0, ms);
}

void
wire_reply(struct smtpd *s, const char *text)
{
	char buf[REPLY_MAX];
	size_t n = 0;

	if (s->errors > SMTPD_ERRORS_SLOW)
		wire_sleep(s, s->cfg->times.slow);
	for (; text[n] != '\0' && n < sizeof buf - 2; n++)
		buf[n] = text[n] < 32 || text[n] > 126 ? '?' : text[n];
	buf[n++] = '\r';
	buf[n++] = '\n';
	/* A failure comes out of the next read. */
	(void)io_put(s->io, buf, n);
}

void
wire_replyf(struct smtpd *s, const char *fmt, ...)
{
	char buf[2 * REPLY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	wire_reply(s, buf);
}

void
wire_flush(struct smtpd *s)
{
	(void)io_flush(s->io);
}

void
wire_log_pair(struct str *out, const char *key, const char *p, size_t n)
{
	str_catc(out, ' ');
	str_cats(out, key);
	str_catc(out, '=');
	log_quote(out, p, n < FIELD_MAX ? n : FIELD_MAX);
}

void
wire_log_begin(const struct smtpd *s, struct str *out, const char *event)
{
	str_catf(out, "info: %s pid=%ld", event, (long)getpid());
	wire_log_pair(out, "ip", str_c(&s->peer.ip), s->peer.ip.len);
	if (s->peer.helo.len > 0)
		wire_log_pair(out, "helo", str_c(&s->peer.helo),
		    s->peer.helo.len);
	if (s->login.len > 0)
		wire_log_pair(out, "auth", str_c(&s->login), s->login.len);
}

void
wire_log_end(struct str *line)
{
	log_info("%s", str_c(line));
	str_free(line);
}

void
wire_log_rcpts(const struct smtpd *s, struct str *out)
{
	if (s->nrcpts == 0)
		return;
	wire_log_pair(out, "to", str_c(&s->rcpts), strlen(str_c(&s->rcpts)));
	str_catf(out, " rcpts=%zu", s->nrcpts);
}

void
wire_log_others(const struct smtpd *s)
{
	const char *r = str_c(&s->rcpts);

	for (size_t i = 1; i < s->nrcpts; i++) {
		struct str l = {0};

		r += strlen(r) + 1;
		wire_log_begin(s, &l, "recipient");
		wire_log_pair(&l, "from", str_c(&s->from), s->from.len);
		wire_log_pair(&l, "to", r, strlen(r));
		wire_log_end(&l);
	}
}

void
wire_refuse(struct smtpd *s, const char *to, const char *text)
{
	struct str l = {0};
	size_t code = strcspn(text, " ");

	wire_log_begin(s, &l, "refuse");
	wire_log_pair(&l, "cmd", s->verb, strlen(s->verb));
	wire_log_pair(&l, "code", text, code);
	if (s->state & (SMTPD_FROM | SMTPD_TO | SMTPD_CHUNK))
		wire_log_pair(&l, "from", str_c(&s->from), s->from.len);
	if (to != NULL)
		wire_log_pair(&l, "to", to, strlen(to));
	else
		wire_log_rcpts(s, &l);
	if (text[code] != '\0')
		code++;
	wire_log_pair(&l, "reason", text + code, strlen(text + code));
	wire_log_end(&l);
	s->refused++;
	if (text[0] == '5')
		s->errors++;
	wire_reply(s, text);
}

void
wire_close(struct smtpd *s, const char *reason, const char *text)
{
	wire_refuse(s, NULL, text);
	wire_end(s, reason);
}

void
wire_end(struct smtpd *s, const char *reason)
{
	if (!s->over)
		s->reason = reason;
	s->over = true;
}
