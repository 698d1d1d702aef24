/* remote/deliver.c - from a host name to verdicts; see deliver.h. */
#include "remote/deliver.h"

#include "lib/tai.h"
#include "lib/tcp.h"
#include "remote/idna.h"
#include "remote/tcpto.h"
#include "remote/transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	struct smtp *s;
	const struct remote_config *cfg;
	const char *domain;     /* of the recipients */
	struct job *job;
	struct relay relay;
	bool by_route;          /* relay.name says where to go */
	struct str user, password;
	struct mxlist list;
	bool gone[MX_ADDRESSES_MAX];    /* tried, or resting */
	bool *used;             /* per host: had a session */
	unsigned sessions, perm, temp;  /* how they ended without a verdict */
	struct str words;       /* of the last one that did */
};

/* No host could be asked: the same for every recipient that still waits. */
static void
give_up(struct run *r, enum job_state state, const char *text)
{
	struct str words = {0};

	str_cats(&words, text);
	str_catc(&words, '\n');
	job_event(r->job, state, &words, NULL);
	str_free(&words);
}

static uint16_t
port_of(const struct run *r)
{
	return r->relay.port != 0 ? r->relay.port : r->cfg->port;
}

/* The route's line, with its login.  -1: given up. */
static int
find_route(struct run *r)
{
	struct str text = {0};
	const char *reason;
	int ok = 0;

	switch (routes_find(&r->cfg->routes, r->domain, &r->relay, &reason)) {
	case ROUTES_NONE:
		break;
	case ROUTES_FOUND:
		r->by_route = r->relay.name.len > 0;
		if (r->relay.auth.len == 0)
			break;
		ok = config_auth(r->cfg, str_c(&r->relay.auth), &r->user,
		    &r->password, &text);
		if (ok < 0) {
			str_cats(&text, ". (#4.3.5)");
			give_up(r, JOB_DEFER, str_c(&text));
		}
		break;
	case ROUTES_BAD:
		str_catf(&text, "control/smtproutes is wrong for this host: "
		    "%s. (#4.3.5)", reason);
		give_up(r, JOB_DEFER, str_c(&text));
		ok = -1;
		break;
	}
	str_free(&text);
	return ok;
}

static void
no_hosts(struct run *r, enum mx_status st)
{
	enum job_state state = JOB_FAIL;
	struct str name = {0}, text = {0};

	reply_cat_clean(&name, r->by_route ? str_c(&r->relay.name) :
	    r->domain, strlen(r->by_route ? str_c(&r->relay.name) :
	    r->domain));
	switch (st) {
	case MX_OK:
		break;
	case MX_TEMP:
		state = JOB_DEFER;
		str_catf(&text, "The name servers do not say where mail for "
		    "%s goes. (#4.4.3)", str_c(&name));
		break;
	case MX_NO_DOMAIN:
		str_catf(&text, "There is no host or domain named %s. "
		    "(#5.1.2)", str_c(&name));
		break;
	case MX_NULL:
		str_catf(&text, "The domain %s takes no mail: it says so in "
		    "the name servers. (#5.1.10)", str_c(&name));
		break;
	case MX_NO_ADDRESS:
		str_catf(&text, "No host for %s has an address. (#5.4.4)",
		    str_c(&name));
		break;
	case MX_SELF:
		str_catf(&text, "Mail for %s would come back here: this host "
		    "is its mail exchanger, but does not have it in "
		    "control/locals or control/virtualdomains. (#5.4.6)",
		    str_c(&name));
		break;
	case MX_LITERAL:
		str_catf(&text, "%s is no address of a host. (#5.1.3)",
		    str_c(&name));
		break;
	}
	if (r->by_route && state == JOB_FAIL) {
		/* Our own file is wrong, not the sender. */
		state = JOB_DEFER;
		str_clear(&text);
		str_catf(&text, "The relay %s of control/smtproutes has no "
		    "address. (#4.4.4)", str_c(&name));
	}
	give_up(r, state, str_c(&text));
	str_free(&name);
	str_free(&text);
}

/* The hosts.  -1: given up. */
static int
find_hosts(struct run *r)
{
	enum mx_status st;

	st = r->by_route ?
	    mxlist_relay(&r->list, &r->cfg->source, str_c(&r->relay.name)) :
	    mxlist_find(&r->list, &r->cfg->source, r->domain);
	if (st == MX_OK) {
		r->used = mem_alloc(r->list.nhost, sizeof(bool));
		/* A host that may take it was not asked. */
		r->temp += r->list.unknown;
		return 0;
	}
	no_hosts(r, st);
	return -1;
}

/* The next host with an address to try; one that was not asked yet comes
 * first.  -1: none. */
static int
next_host(const struct run *r)
{
	int again = -1;

	for (size_t i = 0; i < r->list.naddr; i++) {
		size_t h = r->list.addr[i].host;

		if (r->gone[i])
			continue;
		if (!r->used[h])
			return (int)h;
		if (again < 0)
			again = (int)h;
	}
	return again;
}

static int
race(struct run *r, const struct ip *ip, size_t n, int *outcome, size_t *won)
{
	const struct tcp_options opt = {.port = port_of(r),
	    .each_ms = r->cfg->connect_ms};
	int fd = tcp_connect(ip, n, &opt, outcome, won);

	for (size_t i = 0; i < n; i++)
		if (outcome[i] != TCP_UNTRIED && outcome[i] != TCP_LOST) {
			int e = errno;

			tcpto_note(r->cfg->tcpto, &ip[i],
			    outcome[i] == ETIMEDOUT, clock_wall());
			errno = e;
		}
	return fd;
}

/* A connection to the host; -1: none of its addresses answers. */
static int
connect_host(struct run *r, size_t host, struct ip *ip_out)
{
	size_t place[MX_ADDRESSES_MAX], n = 0, won = 0;
	int outcome[MX_ADDRESSES_MAX], fd;
	struct ip ip[MX_ADDRESSES_MAX];
	char text[IP_TEXT];

	for (size_t i = 0; i < r->list.naddr; i++) {
		if (r->list.addr[i].host != host || r->gone[i])
			continue;
		if (tcpto_is_dead(r->cfg->tcpto, &r->list.addr[i].ip,
		    clock_wall(), (unsigned)getpid())) {
			r->gone[i] = true;
			str_clear(&r->words);
			str_catf(&r->words, "%s did not answer lately, so it "
			    "rests for a while. (#4.4.1)\n",
			    ip_text(&r->list.addr[i].ip, text));
			continue;
		}
		place[n] = i;
		ip[n++] = r->list.addr[i].ip;
	}
	if (n == 0)
		return -1;
	fd = race(r, ip, n, outcome, &won);
	for (size_t i = 0; i < n; i++)
		r->gone[place[i]] = outcome[i] != TCP_UNTRIED &&
		    outcome[i] != TCP_LOST;
	if (fd >= 0) {
		*ip_out = ip[won];
		return fd;
	}
	str_clear(&r->words);
	str_catf(&r->words, "Unable to connect to %s: %s. (#4.4.1)\n",
	    ip_text(&ip[n - 1], text), strerror(errno));
	for (size_t i = 0; i < n; i++)
		r->gone[place[i]] = true;
	return -1;
}

/* A session: over the connection, or over a new one to the same address when
 * the first showed how it must be begun. */
static enum smtp_status
open_session(struct run *r, int fd, struct smtp_peer *p)
{
	enum smtp_status st = smtp_open_take(r->s, r->cfg, fd, p);

	while (st == SMTP_AGAIN_CLEAR || st == SMTP_AGAIN_HELO) {
		int outcome;
		size_t won;

		if (st == SMTP_AGAIN_CLEAR ? p->in_clear : p->with_helo)
			return SMTP_TEMP;
		p->in_clear = p->in_clear || st == SMTP_AGAIN_CLEAR;
		p->with_helo = p->with_helo || st == SMTP_AGAIN_HELO;
		fd = race(r, &p->ip, 1, &outcome, &won);
		if (fd < 0)
			return SMTP_TEMP;       /* why says what was before */
		st = smtp_open_take(r->s, r->cfg, fd, p);
	}
	return st;
}

static void
failed(struct run *r, enum smtp_status st)
{
	if (st == SMTP_PERM)
		r->perm++;
	else
		r->temp++;
	str_copy(&r->words, &r->s->why);
}

/* The name servers do not say what TLS the host must speak: it is passed
 * over, with all its addresses. */
static void
pass_over(struct run *r, size_t h)
{
	r->temp++;
	str_clear(&r->words);
	str_catf(&r->words, "The name servers do not say how %s is to be "
	    "verified. (#4.7.5)\n", str_c(&r->list.host[h].name));
	for (size_t i = 0; i < r->list.naddr; i++)
		r->gone[i] = r->gone[i] || r->list.addr[i].host == h;
}

static void
ask_host(struct run *r, size_t h)
{
	const struct mx_host *host = &r->list.host[h];
	struct tls_policy tls;
	struct smtp_peer p = {.name = str_c(&host->name), .tls = &tls,
	    .user = r->relay.auth.len > 0 ? str_c(&r->user) : NULL,
	    .password = str_c(&r->password)};
	enum smtp_status st = SMTP_TEMP;
	int fd;

	if (tls_policy_find(&tls, &r->cfg->source, r->relay.tls, host,
	    port_of(r), r->domain) < 0) {
		pass_over(r, h);
	} else if ((fd = connect_host(r, h, &p.ip)) < 0) {
		r->temp++;
	} else {
		r->used[h] = true;
		r->sessions++;
		p.tls_first = port_of(r) == ROUTES_PORT_SMTPS &&
		    tls.level != TLS_NEVER;
		st = open_session(r, fd, &p);
		if (st == SMTP_OK)
			st = transaction_run(r->s, r->job);
		if (st != SMTP_OK)
			failed(r, st);
	}
	tls_policy_free(&tls);
}

/* The session that was kept.  It may have ended meanwhile, or take no more
 * mail: then everything is as if there had been none.  When it gave answers
 * and some recipients want to ask elsewhere, *heard is its address. */
static void
use_kept(struct run *r, struct str *heard)
{
	if (!r->s->open)
		return;
	if (!wire_disturbed(&r->s->wire) &&
	    transaction_run(r->s, r->job) == SMTP_OK)
		str_copy(heard, &r->s->ip);
}

static void
leave_out(struct run *r, const struct str *heard)
{
	char text[IP_TEXT];

	for (size_t i = 0; heard->len > 0 && i < r->list.naddr; i++)
		if (str_eqs(heard, ip_text(&r->list.addr[i].ip, text))) {
			r->gone[i] = true;
			r->used[r->list.addr[i].host] = true;
		}
}

static void
run(struct run *r, const struct str *heard)
{
	int h;

	if (find_route(r) < 0 || find_hosts(r) < 0)
		return;
	leave_out(r, heard);
	while (job_pending(r->job) > 0 &&
	    r->sessions < DELIVER_SESSIONS_MAX && (h = next_host(r)) >= 0) {
		ask_host(r, (size_t)h);
		/* What it left undone, another host must do. */
		if (job_pending(r->job) > 0)
			smtp_close(r->s);
	}
}

/* The recipients nobody gave an answer for. */
static void
conclude(struct run *r)
{
	bool *todo = mem_alloc(r->job->n, sizeof *todo), any = false;

	for (size_t i = 0; i < r->job->n; i++) {
		todo[i] = r->job->rcpt[i].state == JOB_TODO;
		any = any || todo[i];
	}
	if (any)
		job_event(r->job, r->perm > 0 && r->temp == 0 ? JOB_FAIL :
		    JOB_DEFER, &r->words, todo);
	free(todo);
}

void
deliver(struct smtp *s, const struct remote_config *cfg, const char *host,
    struct job *job)
{
	struct run r = {.s = s, .cfg = cfg, .domain = host, .job = job};
	struct str heard = {0}, ascii = {0};

	/* What cannot be a name is said not to be one by the resolver. */
	if (idna_cat_domain(&ascii, host, strlen(host)) == 0)
		r.domain = str_c(&ascii);
	use_kept(&r, &heard);
	if (job_pending(job) > 0) {
		smtp_close(s);
		run(&r, &heard);
		conclude(&r);
	}
	str_free(&heard);
	str_free(&ascii);
	relay_free(&r.relay);
	if (r.password.cap > 0)
		explicit_bzero(r.password.s, r.password.cap);
	str_free(&r.user);
	str_free(&r.password);
	str_free(&r.words);
	mxlist_free(&r.list);
	free(r.used);
}
