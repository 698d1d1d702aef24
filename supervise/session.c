/* session.c - what is known about a connection; see session.h.
 *
 * Used by the accepting process itself when nothing slow is asked for, else by
 * a child of it.  Trusts the rules; the client's names and info were cleaned
 * by tcpwho, and are cleaned once more for the log. */
#include "supervise/session.h"

#include "supervise/rules.h"
#include "supervise/tcpwho.h"

#include "lib/dns.h"
#include "lib/tcp.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define LOG_WORD 100            /* bytes of a word in a log line */

enum cdb_status
ruleset_refresh(struct ruleset *r)
{
	enum cdb_status st;

	if (r->path == NULL)
		return CDB_NONE;
	if (r->f != NULL && !cdbfile_stale(r->f, r->path))
		return CDB_OK;
	cdbfile_close(r->f);
	r->f = NULL;
	st = cdbfile_open(r->path, &r->f);
	if (st == CDB_NONE && !r->optional) {
		errno = ENOENT;
		return CDB_TEMP;
	}
	return st;
}

/* NAME=value entries of a rule, one by one: NULL at the end. */
static const char *
next_setting(const struct str *data, size_t *at, bool *denied)
{
	enum rules_word word;
	const char *text;

	while ((word = rules_next(data, at, &text)) == RULES_DENY)
		*denied = true;
	return word == RULES_SET ? text : NULL;
}

bool
ruleset_sets(struct ruleset *r, const struct ip *ip, const char *name)
{
	char text[IP_TEXT];
	struct rules_client c = {.ip = ip_text(ip, text)};
	struct str key = {0}, data = {0};
	bool found = false, denied = false;
	size_t n = strlen(name), at = 0;
	const char *s;

	if (ruleset_refresh(r) == CDB_OK &&
	    rules_find(r->f, &c, &key, &data) == CDB_OK)
		while ((s = next_setting(&data, &at, &denied)) != NULL)
			found |= strncmp(s, name, n) == 0 && s[n] == '=';
	str_free(&key);
	str_free(&data);
	return found && !denied;
}

int
session_init(struct session *s, const struct server_conf *conf, int fd,
    const struct ip *remote, uint16_t port)
{
	*s = (struct session){.conf = conf, .fd = fd, .remote = *remote,
	    .remote_port = port};
	if (conf->local_name != NULL) {
		str_copys(&s->local_name, conf->local_name);
		s->has_local_name = true;
	}
	return tcp_local(fd, &s->local, &s->local_port);
}

void
session_free(struct session *s)
{
	str_free(&s->local_name);
	str_free(&s->remote_name);
	str_free(&s->info);
	toolenv_free(&s->env);
}

bool
session_is_slow(const struct server_conf *c)
{
	return c->remote_name || c->remote_info || c->local_name == NULL ||
	    c->banner != NULL;
}

int
session_ask(struct session *s)
{
	const struct server_conf *c = s->conf;
	struct dns dns;

	if (c->banner != NULL &&
	    fd_write_all(s->fd, c->banner, strlen(c->banner)) < 0)
		return -1;
	dns_init(&dns);
	if (c->local_name == NULL)
		s->has_local_name = tcpwho_name(&dns, &s->local, false,
		    &s->local_name);
	if (c->remote_name)
		s->has_remote_name = tcpwho_name(&dns, &s->remote,
		    c->paranoid, &s->remote_name);
	if (c->remote_info)
		s->has_info = tcpwho_ident(&s->local, s->local_port,
		    &s->remote, s->remote_port, c->info_ms, &s->info);
	return 0;
}

/* TCPLOCALIP and its kin; once more as TCP6LOCALIP for IPv6. */
static void
set_var(struct session *s, const char *name, const char *value)
{
	bool six = s->remote.family == 6;
	struct str full = {0};

	str_cats(&full, "TCP");
	str_cats(&full, name);
	toolenv_set(&s->env, str_c(&full), value);
	str_copys(&full, "TCP6");
	str_cats(&full, name);
	toolenv_set(&s->env, str_c(&full), six ? value : NULL);
	str_free(&full);
}

static void
set_end(struct session *s, const char *ip, const char *port,
    const struct ip *addr, uint16_t number)
{
	char text[IP_TEXT];
	struct str digits = {0};
	struct ip plain = *addr;

	plain.scope = 0;        /* TCP6INTERFACE has it */
	set_var(s, ip, ip_text(&plain, text));
	str_catu(&digits, number);
	set_var(s, port, str_c(&digits));
	str_free(&digits);
}

static void
set_env(struct session *s)
{
	char name[IF_NAMESIZE];

	toolenv_init(&s->env);
	toolenv_set(&s->env, "PROTO", s->remote.family == 6 ? "TCP6" : "TCP");
	set_end(s, "LOCALIP", "LOCALPORT", &s->local, s->local_port);
	set_end(s, "REMOTEIP", "REMOTEPORT", &s->remote, s->remote_port);
	set_var(s, "LOCALHOST", s->has_local_name ?
	    str_c(&s->local_name) : NULL);
	set_var(s, "REMOTEHOST", s->has_remote_name ?
	    str_c(&s->remote_name) : NULL);
	set_var(s, "REMOTEINFO", s->has_info ? str_c(&s->info) : NULL);
	toolenv_set(&s->env, "TCP6INTERFACE", s->remote.scope != 0 ?
	    if_indextoname(s->remote.scope, name) : NULL);
}

static void
set_from_rule(struct toolenv *env, const char *setting)
{
	size_t n = strcspn(setting, "=");
	struct str name = {0};

	str_catb(&name, setting, n);
	toolenv_set(env, str_c(&name), setting + n + 1);
	str_free(&name);
}

enum session_status
session_decide(struct session *s, struct ruleset *r)
{
	char text[IP_TEXT];
	const struct rules_client c = {.ip = ip_text(&s->remote, text),
	    .host = s->has_remote_name ? str_c(&s->remote_name) : NULL,
	    .info = s->has_info ? str_c(&s->info) : NULL};
	struct str key = {0}, data = {0};
	bool denied = false;
	enum cdb_status st;
	const char *setting;
	size_t at = 0;

	set_env(s);
	st = ruleset_refresh(r);
	if (st == CDB_OK)
		st = rules_find(r->f, &c, &key, &data);
	if (st == CDB_TEMP)
		server_drop(s->conf, "unable to read %s", r->path);
	if (st == CDB_OK)
		while ((setting = next_setting(&data, &at, &denied)) != NULL)
			set_from_rule(&s->env, setting);
	str_free(&key);
	str_free(&data);
	return st == CDB_TEMP ? SESSION_DROP :
	    denied ? SESSION_DENIED : SESSION_OK;
}

/* A word for the log: its own separators, and what is not printable, go. */
static void
put_word(struct str *out, const char *s)
{
	for (size_t i = 0; s[i] != '\0'; i++) {
		bool safe = s[i] > ' ' && s[i] <= '~' && s[i] != '%' &&
		    s[i] != ':';

		if (i == LOG_WORD) {
			str_cats(out, "...");
			return;
		}
		str_catc(out, safe ? s[i] : '?');
	}
}

void
session_text(const struct session *s, struct str *out)
{
	char text[IP_TEXT];

	put_word(out, str_c(&s->local_name));
	str_catf(out, ":%s:%u ", ip_text(&s->local, text), s->local_port);
	put_word(out, str_c(&s->remote_name));
	str_catf(out, ":%s:", ip_text(&s->remote, text));
	put_word(out, str_c(&s->info));
	str_catf(out, ":%u", s->remote_port);
}
