/* pop3d/session.c - the table of commands and the loop around it; see
 * session.h.
 *
 * One struct session, no state elsewhere.  A handler is called with as many
 * arguments as its line of the table allows, and when that says so with a
 * message that is there and not deleted. */
#include "pop3d/transact.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "mail/login.h"
#include "pop3d/capa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 2000                  /* a refused client may read why */
#define FIELD_MAX 255                   /* bytes of a value in a log line */

enum {                                  /* of a command */
	MESSAGE = 1,                    /* its first argument is one */
};

struct command {
	const char *verb;
	size_t min, max;                /* arguments */
	unsigned flags;
	void (*run)(struct session *, const struct args *);
};

void
transact_say(struct session *s, const char *reply)
{
	out_puts(&s->out, reply);
	out_puts(&s->out, "\r\n");
}

void
transact_end(struct session *s, const char *why)
{
	s->over = true;
	s->why = why;
}

bool
transact_number(const struct args *a, size_t i, uint64_t *out)
{
	return scan_u64(a->at[i], out) == a->len[i];
}

static void
do_noop(struct session *s, const struct args *a)
{
	(void)a;
	transact_say(s, "+OK");
}

static void
do_capa(struct session *s, const struct args *a)
{
	const struct capa c = {.passwords = s->cfg->passwords,
	    .stls = s->cfg->stls, .delay_s = s->cfg->box.delay_s};
	struct str reply = {0};

	(void)a;
	capa_cat(&reply, &c);
	out_put(&s->out, str_c(&reply), reply.len);
	str_free(&reply);
}

static void
do_lang(struct session *s, const struct args *a)
{
	struct str reply = {0}, range = {0};

	if (a->n > 0)
		str_copyb(&range, a->at[0], a->len[0]);
	(void)capa_lang(&reply, str_c(&range));
	out_put(&s->out, str_c(&reply), reply.len);
	str_free(&reply);
	str_free(&range);
}

static void
do_too_late(struct session *s, const struct args *a)
{
	(void)a;
	transact_say(s, "-ERR you are logged in already");
}

static const struct command commands[] = {
	{"RETR", 1, 1, MESSAGE, messages_retr},
	{"DELE", 1, 1, MESSAGE, messages_dele},
	{"TOP", 2, 2, MESSAGE, messages_top},
	{"UIDL", 0, 1, MESSAGE, messages_uidl},
	{"LIST", 0, 1, MESSAGE, messages_list},
	{"STAT", 0, 0, 0, messages_stat},
	{"QUIT", 0, 0, 0, messages_quit},
	{"NOOP", 0, 0, 0, do_noop},
	{"RSET", 0, 0, 0, messages_rset},
	{"CAPA", 0, 0, 0, do_capa},
	{"LAST", 0, 0, 0, messages_last},
	{"LANG", 0, 1, 0, do_lang},
	/* Of the authorization state, 6856:2 among them. */
	{"USER", 0, TRANSACT_ARGS, 0, do_too_late},
	{"PASS", 0, TRANSACT_ARGS, 0, do_too_late},
	{"APOP", 0, TRANSACT_ARGS, 0, do_too_late},
	{"AUTH", 0, TRANSACT_ARGS, 0, do_too_late},
	{"STLS", 0, TRANSACT_ARGS, 0, do_too_late},
	{"UTF8", 0, TRANSACT_ARGS, 0, do_too_late},
};

/* Cuts the line into words: the first is the verb, and n counts those that
 * did not fit too. */
static void
split(const char *p, const char **verb, size_t *verb_len, struct args *a)
{
	size_t k = strcspn(p, " ");

	*verb = p;
	*verb_len = k;
	*a = (struct args){0};
	for (;;) {
		p += k;
		p += strspn(p, " ");
		if (*p == '\0')
			return;
		k = strcspn(p, " ");
		if (a->n < TRANSACT_ARGS) {
			a->at[a->n] = p;
			a->len[a->n] = k;
		}
		a->n++;
	}
}

/* What is wrong with the arguments; NULL: nothing. */
static const char *
check(const struct session *s, const struct command *c, struct args *a)
{
	uint64_t n;

	if (a->n < c->min)
		return "-ERR an argument is missing";
	if (a->n > c->max && c->run != do_too_late)
		return "-ERR too many arguments";
	if (!(c->flags & MESSAGE) || a->n == 0)
		return NULL;
	if (!transact_number(a, 0, &n))
		return "-ERR that is no number";
	if (n == 0 || n > s->count)
		return "-ERR there is no such message";
	a->msg = (size_t)n - 1;
	if (box_deleted(s->box, a->msg))
		return "-ERR that message is deleted";
	return NULL;
}

static void
obey(struct session *s)
{
	struct args a;
	const char *verb, *wrong;
	size_t n;

	if (s->len > SESSION_LINE - 2) {
		transact_say(s, "-ERR the line is too long");
		return;
	}
	if (memchr(s->line, '\0', s->len) != NULL) {
		transact_say(s, "-ERR a NUL is no text");
		return;
	}
	split(s->line, &verb, &n, &a);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];

		if (!bytes_caseeq(verb, n, c->verb, strlen(c->verb)))
			continue;
		if ((wrong = check(s, c, &a)) != NULL)
			transact_say(s, wrong);
		else
			c->run(s, &a);
		return;
	}
	transact_say(s, "-ERR I do not know that command");
}

/* ---- lines ---- */

static void
out_failed(struct session *s)
{
	transact_end(s, s->out.fail == IO_TIMEOUT ? "timeout" : "eof");
}

/* At least a byte more, until then: else the session is over.  The replies so
 * far leave first. */
static bool
fill(struct session *s, int64_t until)
{
	int64_t left;
	enum io_status st;

	out_flush(&s->out);
	if (s->out.fail != IO_OK) {
		out_failed(s);
		return false;
	}
	left = until - clock_mono_ms();
	s->in.timeout = left > 0 ? (int)left : 0;
	st = io_fill(&s->in);
	if (st == IO_OK)
		return true;
	if (st == IO_TIMEOUT)
		transact_end(s, "timeout");
	else
		transact_end(s, st == IO_EOF || errno == ECONNRESET ? "eof" :
		    "error");
	return false;
}

/* The next line, without its LF or CR LF; of one that is too long so much
 * that it can be seen.  A line has one deadline, however it trickles. */
static bool
read_line(struct session *s)
{
	int64_t until = clock_mono_ms() + s->cfg->timeout_ms;
	size_t total = 0;

	s->len = 0;
	for (;;) {
		const char *p;
		size_t n = io_peek(&s->in, &p), k = bytes_chr(p, n, '\n');
		size_t keep = SESSION_LINE - s->len;

		if (keep > k)
			keep = k;
		memcpy(s->line + s->len, p, keep);
		s->len += keep;
		total += k;
		io_skip(&s->in, k < n ? k + 1 : k);
		if (k < n)
			break;
		if (total > SESSION_DROP) {
			transact_end(s, "error");
			return false;
		}
		if (!fill(s, until))
			return false;
	}
	if (s->len > 0 && s->line[s->len - 1] == '\r')
		s->len--;
	s->line[s->len] = '\0';
	return true;
}

/* ---- beginning and end ---- */

static const struct {
	const char *why, *reply;
} refusals[] = {
	[BOX_NONE] = {"none", "-ERR [SYS/PERM] there is no mailbox"},
	[BOX_BUSY] = {"busy", "-ERR [IN-USE] too many sessions have this "
	    "mailbox open"},
	[BOX_SOON] = {"soon", "-ERR [LOGIN-DELAY] the last login was too "
	    "short a time ago"},
	[BOX_TEMP] = {"error", "-ERR [SYS/TEMP] mail service unavailable"},
};

/* A connection that is closed with something unread is reset, and a client
 * that has sent more commands would not see why it is refused. */
static void
linger(struct session *s)
{
	int64_t until = clock_mono_ms() + LINGER_MS;

	out_flush(&s->out);
	if (!s->out.is_socket || shutdown(s->out.fd, SHUT_WR) < 0)
		return;
	do {
		const char *p;

		io_skip(&s->in, io_peek(&s->in, &p));
	} while (fill(s, until));
}

static void
refuse(struct session *s, enum box_status st)
{
	if (st == BOX_TEMP)
		log_sys("unable to open the mailbox");
	transact_say(s, refusals[st].reply);
	linger(s);
	transact_end(s, refusals[st].why);
}

static void
pair(struct str *out, const char *key, const char *value)
{
	size_t n = strlen(value);

	str_catf(out, " %s=", key);
	log_quote(out, value, n < FIELD_MAX ? n : FIELD_MAX);
}

static void
log_end(struct session *s)
{
	struct str l = {0};

	str_catf(&l, "info: end pid=%ld", (long)s->cfg->pid);
	pair(&l, "user", s->cfg->user);
	pair(&l, "ip", s->cfg->ip);
	if (*s->cfg->tls != '\0')
		pair(&l, "tls", s->cfg->tls);
	pair(&l, "why", s->why);
	str_catf(&l, " messages=%zu", s->count);
	if (s->sized)
		str_catf(&l, " size=%llu", (unsigned long long)s->size);
	str_catf(&l, " retr=%llu top=%llu dele=%llu in=%llu out=%llu "
	    "seconds=%lld", (unsigned long long)s->retr,
	    (unsigned long long)s->top, (unsigned long long)s->dele,
	    (unsigned long long)s->in.nread, (unsigned long long)s->out.total,
	    (long long)(clock_mono_ms() - s->begun) / 1000);
	log_info("%s", str_c(&l));
	str_free(&l);
}

static void
serve(struct session *s)
{
	s->count = box_count(s->box);
	out_puts(&s->out, "+OK ");
	out_putu(&s->out, s->count);
	out_puts(&s->out, " messages\r\n");
	while (!s->over && read_line(s))
		obey(s);
	/* First of all: who is told that it is over may come again at once. */
	box_free(s->box);
	out_flush(&s->out);
}

void
session_run(const struct session_config *cfg, int rfd, int wfd)
{
	struct session *s = mem_alloc(1, sizeof *s);
	enum box_status st;
	int e;

	s->cfg = cfg;
	s->begun = clock_mono_ms();
	io_init(&s->in, rfd, -1, cfg->timeout_ms);
	out_init(&s->out, wfd, cfg->timeout_ms);
	st = box_open(&s->box, &cfg->box);
	/* Before it, what has no memory for a mailbox may end without a word:
	 * the login says then that this is no time for it. */
	e = errno;
	login_taken();
	errno = e;
	if (st == BOX_OK)
		serve(s);
	else
		refuse(s, st);
	log_end(s);
	free(s);
}
