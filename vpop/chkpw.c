/* vpop/chkpw.c - checking a login for vchkpw; see chkpw.h.
 *
 * The lines it logs are those that people have let fail2ban look for since
 * vpopmail:
 *	vchkpw-smtp: (PLAIN) login success jo@example.com:192.0.2.1
 *	vchkpw-smtp: password fail jo@example.com:192.0.2.1
 *	vchkpw-pop3: vpopmail user not found jo@example.com:192.0.2.1
 *	vchkpw-pop3: pop access denied jo@example.com:192.0.2.1
 * and, because the filter that fail2ban brings is for courier's, of a login that
 * failed, without our name before it and without the stranger's words:
 *	LOGIN FAILED, method=PLAIN, ip=[192.0.2.1] */
#include "vpop/chkpw.h"

#include "lib/ip.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "vpop/authd_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SHOWN 300          /* bytes of a name in a line, which must hold
                                 * the address that follows */

void
chkpw_free(struct chkpw *c)
{
	str_wipe(&c->user);
	str_wipe(&c->secret);
	str_wipe(&c->stamp);
	str_free(&c->home);
	*c = (struct chkpw){0};
}

enum chkpw_code
chkpw_parse(const char *s, size_t n, struct chkpw *out)
{
	size_t user, secret, stamp;

	chkpw_free(out);
	if (n == 0 || n > CHKPW_MAX)
		return CHKPW_INPUT;
	user = bytes_chr(s, n, '\0');
	if (user == 0)
		return CHKPW_NO_USER;
	if (user == n)
		return CHKPW_NO_PASSWORD;
	secret = bytes_chr(s + user + 1, n - user - 1, '\0');
	if (secret == 0)
		return CHKPW_NO_PASSWORD;
	str_copyb(&out->user, s, user);
	str_copyb(&out->secret, s + user + 1, secret);
	if (user + secret + 2 < n) {
		s += user + secret + 2;
		n -= user + secret + 2;
		stamp = bytes_chr(s, n, '\0');
		str_copyb(&out->stamp, s, stamp);
	}
	return CHKPW_OK;
}

/* ---- which service ---- */

static const struct port {
	const char *port, *name;
} ports[] = {
	{"25", "smtp"}, {"465", "smtps"}, {"587", "submission"},
	{"110", "pop3"}, {"995", "pop3s"}, {"143", "imap"}, {"993", "imaps"},
};

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

void
chkpw_service(const struct chkpw_where *w, struct str *log_out,
    struct str *service_out, bool *smtp_out, bool *pop_out)
{
	const char *name = w->service, *port = w->local_port;
	bool known = false;

	for (size_t i = 0; i < sizeof ports / sizeof *ports && port != NULL;
	    i++)
		if (strcmp(port, ports[i].port) == 0) {
			known = true;
			if (name == NULL || *name == '\0')
				name = ports[i].name;
		}
	if (name == NULL || *name == '\0')
		name = w->program == NULL ? "pop3" :
		    strstr(w->program, "true") != NULL ? "smtp" :
		    strstr(w->program, "imap") != NULL ? "imap" : "pop3";
	str_copys(log_out, AUTHD_OURS);
	if (known || port == NULL || *port == '\0')
		log_quote(log_out, name, strlen(name));
	else
		log_quote(log_out, port, strlen(port));
	str_copys(service_out, AUTHD_OURS);
	str_cats(service_out, name);
	*smtp_out = begins(name, "smtp") || strcmp(name, "submission") == 0 ||
	    strcmp(name, "esmtp") == 0;
	*pop_out = begins(name, "pop");
}

/* ---- the question ---- */

struct asking {
	const struct chkpw_where *w;
	struct chkpw *c;
	struct auth_request q;
	struct auth_answer a;
	struct str log;         /* vchkpw-smtp */
	const char *method;     /* PLAIN, CRAM-MD5, APOP */
	bool smtp, pop;
};

/* "PREFIX: TEXT user@domain:address"; no colon of a stranger's stands before
 * the one that is looked for. */
static void
say(const struct asking *k, const char *text)
{
	struct str line = {0};
	size_t at;

	str_cat(&line, &k->log);
	str_catf(&line, ": %s ", text);
	at = line.len;
	log_quote(&line, str_c(&k->q.user), k->q.user.len < NAME_SHOWN ?
	    k->q.user.len : NAME_SHOWN);
	for (; at < line.len; at++)
		if (line.s[at] == ':')
			line.s[at] = '_';
	str_catc(&line, ':');
	log_quote(&line, str_c(&k->q.remote_ip), k->q.remote_ip.len);
	log_info("%s", str_c(&line));
	str_free(&line);
}

static void
say_failed(const struct asking *k)
{
	struct str line = {0};
	struct ip ip;

	if (ip_parse(str_c(&k->q.remote_ip), k->q.remote_ip.len, &ip) == 0) {
		str_catf(&line, "LOGIN FAILED, method=%s, ip=[%s]\n",
		    k->method, str_c(&k->q.remote_ip));
		/* Nowhere to say that nobody hears it. */
		if (write(STDERR_FILENO, line.s, line.len) < 0)
			line.len = 0;
	}
	str_free(&line);
}

static bool
is_hex_digest(const struct str *s)
{
	return s->len == 32 && strspn(s->s, "0123456789abcdef") == 32;
}

/* A challenge was given, and what came may be the response to it; a POP3
 * client that sends its password is given one too. */
static enum auth_status
ask(struct asking *k)
{
	bool digest = k->c->stamp.len > 0 && is_hex_digest(&k->c->secret) &&
	    (k->smtp || k->pop);
	enum auth_status st;

	if (digest) {
		k->q.op = k->smtp ? AUTH_OP_CRAM_MD5 : AUTH_OP_APOP;
		k->method = k->smtp ? "CRAM-MD5" : "APOP";
		st = auth_ask(k->w->socket, &k->q, &k->a);
		if (st != AUTH_FAIL || k->smtp)
			return st;
	}
	k->q.op = AUTH_OP_LOGIN;
	k->method = "PLAIN";
	return auth_ask(k->w->socket, &k->q, &k->a);
}

static bool
id_value(const struct auth_answer *a, const char *name, uint64_t *out)
{
	const char *v = auth_value_peek(a, name, 0);
	size_t n = v != NULL ? scan_u64(v, out) : 0;

	return n > 0 && v[n] == '\0' && *out > 0 && *out < UINT32_MAX;
}

static enum chkpw_code
take_answer(struct asking *k)
{
	const char *home = auth_value_peek(&k->a, "HOME", 0);
	const char *denied = auth_value_peek(&k->a, "DENIED", 0);
	struct str text = {0};
	uint64_t uid, gid;

	if (denied != NULL) {
		str_catf(&text, "%s access denied", denied);
		say(k, str_c(&text));
		str_free(&text);
		return CHKPW_DENIED;
	}
	/* Never root, whatever anybody says. */
	if (home == NULL || *home != '/' || !id_value(&k->a, "UID", &uid) ||
	    !id_value(&k->a, "GID", &gid)) {
		say(k, "no directory or user for");
		return CHKPW_TEMP;
	}
	str_copys(&k->c->home, home);
	k->c->uid = (uid_t)uid;
	k->c->gid = (gid_t)gid;
	k->c->stays = k->smtp;
	str_catf(&text, "(%s) login success", k->method);
	say(k, str_c(&text));
	str_free(&text);
	return CHKPW_OK;
}

/* Only the log says which it was. */
static enum chkpw_code
refused(struct asking *k)
{
	k->q.op = AUTH_OP_PRE;
	say(k, auth_ask(k->w->socket, &k->q, &k->a) == AUTH_FAIL ?
	    "vpopmail user not found" : "password fail");
	say_failed(k);
	return CHKPW_WRONG;
}

static void
set_question(struct asking *k)
{
	const struct chkpw_where *w = k->w;
	const char *ip = w->remote_ip != NULL ? w->remote_ip : "";

	chkpw_service(w, &k->log, &k->q.service, &k->smtp, &k->pop);
	if (begins(ip, "::ffff:"))
		ip += 7;
	str_copys(&k->q.remote_ip, ip);
	if (w->local_ip != NULL)
		str_copys(&k->q.local_ip, w->local_ip);
	str_copy(&k->q.user, &k->c->user);
	if (w->domain != NULL && *w->domain != '\0' &&
	    strpbrk(str_c(&k->q.user), "@%/") == NULL) {
		str_catc(&k->q.user, '@');
		str_cats(&k->q.user, w->domain);
	}
	str_copy(&k->q.secret, &k->c->secret);
	str_copy(&k->q.challenge, &k->c->stamp);
}

enum chkpw_code
chkpw_check(const struct chkpw_where *w, struct chkpw *c)
{
	struct asking k = {.w = w, .c = c};
	enum chkpw_code code = CHKPW_TEMP;

	set_question(&k);
	switch (ask(&k)) {
	case AUTH_OK:
		code = take_answer(&k);
		break;
	case AUTH_FAIL:
		code = refused(&k);
		break;
	case AUTH_TEMP:
		say(&k, "no answer from authdaemond about");
		break;
	}
	auth_request_free(&k.q);
	auth_answer_free(&k.a);
	str_free(&k.log);
	return code;
}

/* ---- becoming the user ---- */

/* Each directory of path that is missing, for its owner alone. */
static int
make_path(const char *path)
{
	struct str part = {0};
	int r = 0;

	for (size_t at = 1; r == 0 && path[at - 1] != '\0'; at++) {
		at += strcspn(path + at, "/");
		str_copyb(&part, path, at);
		if (mkdir(str_c(&part), 0700) < 0 && errno != EEXIST &&
		    access(str_c(&part), X_OK) < 0)
			r = -1;
		if (path[at] == '\0')
			break;
	}
	str_free(&part);
	return r;
}

static int
make_maildir(void)
{
	static const char *const parts[] = {"Maildir", "Maildir/tmp",
	    "Maildir/new", "Maildir/cur"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (mkdir(parts[i], 0700) < 0 && errno != EEXIST)
			return -1;
	return 0;
}

static enum chkpw_code
enter(const struct chkpw *c)
{
	if (chdir(str_c(&c->home)) == 0)
		return CHKPW_OK;
	if (errno != ENOENT) {
		log_sys("unable to enter %s", str_c(&c->home));
		return CHKPW_DIR;
	}
	if (make_path(str_c(&c->home)) < 0 || chdir(str_c(&c->home)) < 0 ||
	    make_maildir() < 0) {
		log_sys("unable to make %s", str_c(&c->home));
		return CHKPW_MAKE;
	}
	return CHKPW_OK;
}

static int
set_environment(const struct chkpw *c)
{
	struct str name = {0};
	int r;

	str_copyb(&name, c->user.s, strcspn(c->user.s, "@%/"));
	r = setenv("USER", str_c(&name), 1) < 0 ||
	    setenv("HOME", str_c(&c->home), 1) < 0 ||
	    setenv("SHELL", "NOLOGIN", 1) < 0 ||
	    setenv("VPOPUSER", c->user.s, 1) < 0;
	str_free(&name);
	return r ? -1 : 0;
}

enum chkpw_code
chkpw_become(const struct chkpw *c)
{
	enum chkpw_code code = CHKPW_OK;

	if (!c->stays) {
		if (getuid() != 0) {
			/* As whom else, if not as itself? */
			if (getgid() != c->gid)
				code = CHKPW_GID;
			else if (getuid() != c->uid)
				code = CHKPW_UID;
			errno = EPERM;
		} else if (proc_drop(c->uid, c->gid) < 0) {
			code = CHKPW_UID;
		}
		if (code != CHKPW_OK)
			log_sys("unable to become uid %lu gid %lu",
			    (unsigned long)c->uid, (unsigned long)c->gid);
		else
			code = enter(c);
	}
	if (code == CHKPW_OK && set_environment(c) < 0)
		code = CHKPW_TEMP;
	return code;
}
