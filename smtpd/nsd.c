/* smtpd/nsd.c - see nsd.h.  The environment of a connection is tcpserver's,
 * but TCPREMOTEHOST and TCPREMOTEINFO were made by strangers. */
#include "smtpd/nsd.h"

#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/tai.h"
#include "mail/date.h"
#include "mail/quote.h"
#include "mail/verify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUT 255                 /* bytes of a foreign word */

static void
env_copy(struct str *out, const char *name)
{
	const char *v = getenv(name);

	str_copys(out, v != NULL ? v : "");
}

void
nsd_config_load(struct nsd_config *c, bool checks)
{
	const char *failed, *v = getenv("DATABYTES");

	*c = (struct nsd_config){.rcpt_socket = VERIFY_SOCKET};
	env_copy(&c->ip, "TCPREMOTEIP");
	env_copy(&c->host, "TCPREMOTEHOST");
	env_copy(&c->info, "TCPREMOTEINFO");
	env_copy(&c->local, "TCPLOCALHOST");
	if (control_line(CONTROL_ME, &c->me) == CONTROL_TEMP)
		die_sys(111, "unable to read %s/me", control_dir());
	c->databytes = control_need_number(CONTROL_DATABYTES);
	if (v != NULL && scan_u64(v, &c->databytes) == 0)
		log_warn("DATABYTES is no number: %s", v);
	if (!checks)
		return;
	c->relayclient = getenv("RELAYCLIENT");
	(void)control_need_list(CONTROL_LOCALS, &c->locals);
	if (rcpthosts_load(&c->rcpthosts, &failed) < 0)
		die_sys(111, "unable to read %s/%s", control_dir(), failed);
}

void
nsd_config_free(struct nsd_config *c)
{
	str_free(&c->me);
	str_free(&c->ip);
	str_free(&c->host);
	str_free(&c->info);
	str_free(&c->local);
	str_free(&c->locals);
	rcpthosts_free(&c->rcpthosts);
	*c = (struct nsd_config){0};
}

/* A QMAILQUEUE program is executed: there the rights to do that stay.  Where
 * the log is a file it must still grow. */
void
nsd_give_up(void)
{
	static const struct sandbox_limit limits[] = {
		{RLIMIT_NOFILE, 64}, {RLIMIT_AS, 64 << 20},
		{RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0},
	};
	static const char *const none[] = {NULL};
	struct sandbox_fs fs = {.read = none};
	const char *program = getenv("QMAILQUEUE");
	size_t n = sizeof limits / sizeof *limits;
	struct stat log;
	int r;

	if (fstat(STDERR_FILENO, &log) == 0 && S_ISREG(log.st_mode))
		n--;
	if (program != NULL && *program != '\0')
		r = sandbox_undumpable();
	else if ((r = sandbox_limits(limits, n)) == 0)
		r = sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED);
	if (r < 0)
		die_sys(111, "unable to give up rights");
}

/* What host names and addresses are made of; "?" for the rest. */
static void
cat_clean(struct str *out, const struct str *s)
{
	for (size_t i = 0; i < s->len && i < CUT; i++) {
		char c = s->s[i];
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') ||
		    (c != '\0' && strchr("-_.:", c) != NULL);

		str_catc(out, good ? c : '?');
	}
}

static void
cat_name(struct str *out, const struct str *name)
{
	if (name->len > 0)
		cat_clean(out, name);
	else
		str_cats(out, "unknown");
}

/*	Received: from a.example (a.example [192.0.2.1]) (ident=ana)
 *	  by mx.example with QMTP id 12345; 23 Nov 2026 04:35:00 -0000
 * Neither protocol has a greeting: the name is that of DNS both times. */
void
nsd_cat_received(struct str *out, const struct nsd_config *c,
    const char *protocol, uint64_t qp, int64_t now)
{
	const struct str *local = &c->local;

	if (local->len == 0 || memchr(local->s, '.', local->len) == NULL)
		local = &c->me;
	str_cats(out, "Received: from ");
	cat_name(out, &c->host);
	str_cats(out, " (");
	cat_name(out, &c->host);
	if (c->ip.len > 0) {
		str_cats(out, memchr(c->ip.s, ':', c->ip.len) != NULL ?
		    " [IPv6:" : " [");
		cat_clean(out, &c->ip);
		str_catc(out, ']');
	}
	str_catc(out, ')');
	if (c->info.len > 0) {
		str_cats(out, " (ident=");
		cat_clean(out, &c->info);
		str_catc(out, ')');
	}
	str_cats(out, "\n  by ");
	cat_name(out, local);
	str_cats(out, " with ");
	str_cats(out, protocol);
	str_cats(out, " id ");
	str_catu(out, qp);
	str_cats(out, "; ");
	date822_cat(out, now);
	str_catc(out, '\n');
}

struct message *
nsd_begin(const struct nsd_config *c, const char *protocol)
{
	struct message *m = message_open();
	struct str s = {0};

	m->max = c->databytes;
	nsd_cat_received(&s, c, protocol, qsubmit_qp(&m->q), clock_wall());
	qsubmit_put(&m->q, str_c(&s), s.len);
	str_free(&s);
	return m;
}

bool
nsd_is_address(const struct str *addr)
{
	const char *s = str_c(addr);

	for (size_t i = 0, n; i < addr->len; i += n) {
		n = utf8_len(s + i, addr->len - i);
		if (n == 0 || (n == 1 && (s[i] < 32 || s[i] == 127)))
			return false;
	}
	return true;
}

void
nsd_cat_reply(struct str *out, int code, const struct str *words,
    uint64_t qp, int64_t now)
{
	struct str s = {0};

	if (code == 0) {
		str_catf(&s, "Kok %lld qp %llu", (long long)now,
		    (unsigned long long)qp);
	} else {
		str_catc(&s, qx_permanent(code) ? 'D' : 'Z');
		str_cat(&s, words);
		if (memchr(s.s, '#', s.len) == NULL)
			str_cats(&s, qx_permanent(code) ? " (#5.3.0)" :
			    " (#4.3.0)");
	}
	netstring_cat(out, str_c(&s), s.len);
	str_free(&s);
}

void
nsd_log_pair(struct str *out, const char *key, const char *s, size_t n)
{
	str_catc(out, ' ');
	str_cats(out, key);
	str_catc(out, '=');
	log_quote(out, s, n < CUT ? n : CUT);
}

void
nsd_log_begin(const struct nsd_config *c, struct str *out, const char *event)
{
	str_catf(out, "info: %s pid=%ld", event, (long)getpid());
	nsd_log_pair(out, "ip", str_c(&c->ip), c->ip.len);
}

void
nsd_log_end(struct str *line)
{
	log_info("%s", str_c(line));
	str_free(line);
}

int
nsd_end(const struct nsd_config *c, enum netstring_status st,
    const struct netreader *r)
{
	const char *why = "end";
	struct str l = {0};
	int code = 0;

	switch (st) {
	case NETSTRING_OK:
	case NETSTRING_LONG:
	case NETSTRING_END:
		break;
	case NETSTRING_BAD:
		why = "malformed";
		code = 100;
		break;
	case NETSTRING_HUGE:
		why = "too_large";
		code = 111;
		break;
	case NETSTRING_IO:
		why = r->fail == IO_TIMEOUT ? "timeout" :
		    r->fail == IO_EOF ? "cut_off" : "connection_lost";
		break;
	}
	nsd_log_begin(c, &l, "end");
	nsd_log_pair(&l, "reason", why, strlen(why));
	nsd_log_end(&l);
	return code;
}
