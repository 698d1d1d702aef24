/* mail/authproto.c - authdaemond's protocol; see authproto.h.
 *
 * Both directions of a request stand here, one below the other.  The reader of
 * requests trusts nothing; the reader of answers trusts authdaemond no further
 * than their form.  What held a secret is wiped. */
#include "mail/authproto.h"

#include "lib/base64.h"
#include "lib/io.h"
#include "lib/sock.h"
#include "lib/tai.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_MAX_META 64        /* bytes of a NAME before = */
#define SERVICE_MAX 64

static void
wipe(struct str *s)
{
	if (s->s != NULL)
		explicit_bzero(s->s, s->cap);
	str_free(s);
}

void
auth_request_free(struct auth_request *r)
{
	wipe(&r->remote_ip);
	wipe(&r->local_ip);
	wipe(&r->service);
	wipe(&r->user);
	wipe(&r->domain);
	wipe(&r->secret);
	wipe(&r->challenge);
	*r = (struct auth_request){0};
}

void
auth_answer_free(struct auth_answer *a)
{
	wipe(&a->text);
}

static const char *
type_text(enum auth_op op)
{
	return op == AUTH_OP_LOGIN ? "login" :
	    op == AUTH_OP_CRAM_MD5 ? "cram-md5" : "apop";
}

/* ---- writing a request ---- */

/* Can it stand between separators? */
static bool
field_ok(const struct str *f, const char *not, bool empty_ok)
{
	if (f->len == 0)
		return empty_ok;
	return !str_has_nul(f) && strcspn(f->s, not) == f->len;
}

static void
cat_base64(struct str *out, const struct str *bytes)
{
	base64_encode(out, str_c(bytes), bytes->len);
}

static int
cat_auth(struct str *out, const struct auth_request *r)
{
	struct str payload = {0}, both = {0};
	bool login = r->op == AUTH_OP_LOGIN;
	bool ok = field_ok(&r->user, login ? "\n" : " \n", false) &&
	    field_ok(&r->secret, login ? "\n" : " \n", login);

	str_reserve(&payload, AUTHPROTO_MAX);
	str_reserve(&both, AUTHPROTO_MAX);
	if (ok && r->user.len + r->secret.len + r->challenge.len <
	    AUTHPROTO_MAX / 2) {
		str_cat(&payload, &r->service);
		str_catf(&payload, "\n%s\n", type_text(r->op));
		if (login) {
			str_cat(&payload, &r->user);
			str_catc(&payload, '\n');
			str_cat(&payload, &r->secret);
		} else {
			cat_base64(&payload, &r->challenge);
			str_catc(&payload, '\n');
			str_cat(&both, &r->user);
			str_catc(&both, ' ');
			str_cat(&both, &r->secret);
			cat_base64(&payload, &both);
		}
		str_catc(&payload, '\n');
		str_catf(out, "AUTH %zu\n", payload.len);
		str_cat(out, &payload);
	} else {
		ok = false;
	}
	wipe(&payload);
	wipe(&both);
	return ok ? 0 : -1;
}

static int
cat_passwd(struct str *out, const struct auth_request *r)
{
	if (!field_ok(&r->user, "\t\n", false) ||
	    !field_ok(&r->secret, "\t\n", true) ||
	    !field_ok(&r->challenge, "\t\n", false))
		return -1;
	str_cats(out, "PASSWD ");
	str_cat(out, &r->service);
	str_catc(out, '\t');
	str_cat(out, &r->user);
	str_catc(out, '\t');
	str_cat(out, &r->secret);
	str_catc(out, '\t');
	str_cat(out, &r->challenge);
	str_catc(out, '\n');
	return 0;
}

static int
cat_op(struct str *out, const struct auth_request *r)
{
	switch (r->op) {
	case AUTH_OP_PRE:
		if (!field_ok(&r->user, "\n", false) || r->user.s[0] == ' ')
			return -1;
		str_cats(out, "PRE . ");
		str_cat(out, &r->service);
		str_catc(out, ' ');
		str_cat(out, &r->user);
		break;
	case AUTH_OP_LOGIN:
	case AUTH_OP_CRAM_MD5:
	case AUTH_OP_APOP:
		return cat_auth(out, r);
	case AUTH_OP_PASSWD:
		return cat_passwd(out, r);
	case AUTH_OP_ENUMERATE:
		str_cats(out, "ENUMERATE");
		break;
	case AUTH_OP_RESOLVE:
		if (!field_ok(&r->user, "\n", false))
			return -1;
		str_cats(out, "RESOLVE ");
		str_cat(out, &r->user);
		break;
	case AUTH_OP_CHANGED:
		if (!field_ok(&r->domain, " \n", false) ||
		    !field_ok(&r->user, "\n", true))
			return -1;
		str_cats(out, "CHANGED ");
		str_cat(out, &r->domain);
		if (r->user.len > 0) {
			str_catc(out, ' ');
			str_cat(out, &r->user);
		}
		break;
	}
	str_catc(out, '\n');
	return 0;
}

static bool
wants_service(enum auth_op op)
{
	return op != AUTH_OP_ENUMERATE && op != AUTH_OP_RESOLVE &&
	    op != AUTH_OP_CHANGED;
}

int
auth_request_cat(struct str *out, const struct auth_request *r)
{
	size_t before = out->len;

	/* One allocation: nothing secret stays behind in a smaller one. */
	str_reserve(out, AUTHPROTO_MAX + 64);
	if (r->remote_ip.len + r->local_ip.len + r->service.len +
	    r->user.len + r->domain.len + r->secret.len + r->challenge.len >=
	    AUTHPROTO_MAX || !field_ok(&r->remote_ip, "\n", true) ||
	    !field_ok(&r->local_ip, "\n", true) ||
	    (wants_service(r->op) && (r->service.len > SERVICE_MAX ||
	    !field_ok(&r->service, " \t\n", false))))
		goto bad;
	if (r->remote_ip.len > 0)
		auth_answer_cat(out, "TCPREMOTEIP", r->remote_ip.s);
	if (r->local_ip.len > 0)
		auth_answer_cat(out, "TCPLOCALIP", r->local_ip.s);
	if (cat_op(out, r) < 0 || out->len - before > AUTHPROTO_MAX)
		goto bad;
	return 0;
bad:
	explicit_bzero(out->s + before, out->cap - before);
	str_trunc(out, before);
	errno = EINVAL;
	return -1;
}

/* ---- reading a request ---- */

struct cut { const char *s; size_t n; };

/* The bytes of c up to sep, which is taken off too; false when there is
 * none. */
static bool
cut_to(struct cut *c, char sep, struct cut *out)
{
	size_t n = bytes_chr(c->s, c->n, sep);

	if (n == c->n)
		return false;
	*out = (struct cut){c->s, n};
	c->s += n + 1;
	c->n -= n + 1;
	return true;
}

static bool
cut_word(struct cut *c, const char *word)
{
	size_t n = strlen(word);

	if (c->n < n || memcmp(c->s, word, n) != 0)
		return false;
	c->s += n;
	c->n -= n;
	return true;
}

static bool
cut_service(struct cut *c, char sep, struct auth_request *out)
{
	struct cut f;

	if (!cut_to(c, sep, &f) || f.n == 0 || f.n > SERVICE_MAX ||
	    bytes_chr(f.s, f.n, ' ') < f.n || bytes_chr(f.s, f.n, '\t') < f.n)
		return false;
	str_copyb(&out->service, f.s, f.n);
	return true;
}

/* Is it NAME=value?  What we do not know is left out. */
static bool
parse_meta(struct cut line, struct auth_request *out)
{
	size_t n = 0;

	while (n < line.n && n < NAME_MAX_META && (line.s[n] == '_' ||
	    (line.s[n] >= 'A' && line.s[n] <= 'Z') ||
	    (line.s[n] >= '0' && line.s[n] <= '9')))
		n++;
	if (n == 0 || n == line.n || line.s[n] != '=')
		return false;
	if (cut_word(&line, "TCPREMOTEIP="))
		str_copyb(&out->remote_ip, line.s, line.n);
	else if (cut_word(&line, "TCPLOCALIP="))
		str_copyb(&out->local_ip, line.s, line.n);
	return true;
}

static bool
parse_response(struct cut line64, struct auth_request *out)
{
	struct str both = {0};
	size_t at;
	bool ok = false;

	str_reserve(&both, line64.n);
	if (base64_decode(&both, line64.s, line64.n) == 0 && both.len > 0 &&
	    !str_has_nul(&both) && bytes_chr(both.s, both.len, '\n') ==
	    both.len) {
		at = bytes_rchr(both.s, both.len, ' ');
		ok = at > 0 && at + 1 < both.len;
		if (ok) {
			str_copyb(&out->user, both.s, at);
			str_copyb(&out->secret, both.s + at + 1,
			    both.len - at - 1);
			/* What we could not say ourselves is no answer. */
			ok = bytes_chr(both.s, at, ' ') == at;
		}
	}
	wipe(&both);
	return ok;
}

static bool
parse_payload(struct cut p, struct auth_request *out)
{
	struct cut type, a, b;

	if (!cut_service(&p, '\n', out) || !cut_to(&p, '\n', &type) ||
	    !cut_to(&p, '\n', &a))
		return false;
	/* The last LF may be missing. */
	if (!cut_to(&p, '\n', &b)) {
		b = p;
		p.n = 0;
	}
	if (p.n > 0)
		return false;
	if (type.n == 5 && memcmp(type.s, "login", 5) == 0) {
		out->op = AUTH_OP_LOGIN;
		if (a.n == 0)
			return false;
		str_copyb(&out->user, a.s, a.n);
		str_copyb(&out->secret, b.s, b.n);
		return true;
	}
	if (type.n == 8 && memcmp(type.s, "cram-md5", 8) == 0)
		out->op = AUTH_OP_CRAM_MD5;
	else if (type.n == 4 && memcmp(type.s, "apop", 4) == 0)
		out->op = AUTH_OP_APOP;
	else
		return false;
	return base64_decode(&out->challenge, a.s, a.n) == 0 &&
	    !str_has_nul(&out->challenge) && parse_response(b, out);
}

static enum auth_parse
parse_auth(struct cut line, struct cut rest, struct auth_request *out)
{
	uint64_t n;
	size_t k = 0;

	while (k < line.n && line.s[k] >= '0' && line.s[k] <= '9')
		k++;
	/* LF follows the digits, so they end there. */
	if (k == 0 || k != line.n || scan_u64(line.s, &n) != k ||
	    n > AUTHPROTO_MAX)
		return AUTH_PARSE_BAD;
	if (rest.n < n)
		return AUTH_PARSE_MORE;
	rest.n = (size_t)n;
	return parse_payload(rest, out) ? AUTH_PARSE_DONE : AUTH_PARSE_BAD;
}

static bool
parse_pre(struct cut c, struct auth_request *out)
{
	struct cut module;

	if (!cut_to(&c, ' ', &module) || module.n == 0 ||
	    !cut_service(&c, ' ', out) || c.n == 0 || c.s[0] == ' ')
		return false;
	out->op = AUTH_OP_PRE;
	str_copyb(&out->user, c.s, c.n);
	return true;
}

static bool
parse_passwd(struct cut c, struct auth_request *out)
{
	struct cut user, old;

	if (!cut_service(&c, '\t', out) || !cut_to(&c, '\t', &user) ||
	    !cut_to(&c, '\t', &old) || user.n == 0 || c.n == 0 ||
	    bytes_chr(c.s, c.n, '\t') < c.n)
		return false;
	out->op = AUTH_OP_PASSWD;
	str_copyb(&out->user, user.s, user.n);
	str_copyb(&out->secret, old.s, old.n);
	str_copyb(&out->challenge, c.s, c.n);
	return true;
}

static bool
parse_changed(struct cut c, struct auth_request *out)
{
	struct cut domain = c;

	if (cut_to(&c, ' ', &domain)) {
		if (c.n == 0)
			return false;
		str_copyb(&out->user, c.s, c.n);
	}
	out->op = AUTH_OP_CHANGED;
	str_copyb(&out->domain, domain.s, domain.n);
	return domain.n > 0;
}

static enum auth_parse
parse_line(struct cut line, struct cut rest, struct auth_request *out)
{
	bool ok = false;

	if (cut_word(&line, "AUTH ")) {
		return parse_auth(line, rest, out);
	} else if (cut_word(&line, "PRE ")) {
		ok = parse_pre(line, out);
	} else if (cut_word(&line, "PASSWD ")) {
		ok = parse_passwd(line, out);
	} else if (cut_word(&line, "ENUMERATE")) {
		out->op = AUTH_OP_ENUMERATE;
		ok = line.n == 0;
	} else if (cut_word(&line, "RESOLVE ")) {
		out->op = AUTH_OP_RESOLVE;
		str_copyb(&out->user, line.s, line.n);
		ok = line.n > 0;
	} else if (cut_word(&line, "CHANGED ")) {
		ok = parse_changed(line, out);
	}
	return ok ? AUTH_PARSE_DONE : AUTH_PARSE_BAD;
}

enum auth_parse
auth_request_parse(const char *s, size_t n, struct auth_request *out)
{
	struct cut all = {s, n < AUTHPROTO_MAX ? n : AUTHPROTO_MAX}, line;
	enum auth_parse st = AUTH_PARSE_MORE;

	auth_request_free(out);
	if (memchr(s, '\0', all.n) != NULL)
		return AUTH_PARSE_BAD;
	while (cut_to(&all, '\n', &line)) {
		if (parse_meta(line, out))
			continue;
		st = parse_line(line, all, out);
		break;
	}
	if (st == AUTH_PARSE_MORE && n >= AUTHPROTO_MAX)
		st = AUTH_PARSE_BAD;
	if (st != AUTH_PARSE_DONE)
		auth_request_free(out);
	return st;
}

/* ---- answers ---- */

void
auth_answer_cat(struct str *out, const char *name, const char *value)
{
	str_cats(out, name);
	str_catc(out, '=');
	str_catb(out, value, strcspn(value, "\n"));
	str_catc(out, '\n');
}

enum auth_status
auth_answer_parse(const char *s, size_t n, struct auth_answer *out)
{
	struct cut c = {s, n}, line;

	auth_answer_free(out);
	if (memchr(s, '\0', n) != NULL || n > AUTHPROTO_ANSWER_MAX)
		return AUTH_TEMP;
	if (n == 5 && memcmp(s, "FAIL\n", 5) == 0)
		return AUTH_FAIL;
	if (n == 3 && memcmp(s, "OK\n", 3) == 0)
		return AUTH_OK;
	str_reserve(&out->text, n);
	while (cut_to(&c, '\n', &line)) {
		if (line.n == 1 && line.s[0] == '.')
			return AUTH_OK;
		if (bytes_chr(line.s, line.n, '=') == line.n)
			break;
		str_catb(&out->text, line.s, line.n);
		str_catc(&out->text, '\0');
	}
	auth_answer_free(out);
	return AUTH_TEMP;
}

const char *
auth_value_peek(const struct auth_answer *a, const char *name, size_t i)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < a->text.len;) {
		const char *line = a->text.s + at;

		if (strncmp(line, name, n) == 0 && line[n] == '=' && i-- == 0)
			return line + n + 1;
		at += strlen(line) + 1;
	}
	return NULL;
}

/* ---- the client ---- */

static bool
wait_for(int fd, short what, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = what};
	int r;

	do {
		int64_t left = until - clock_mono_ms();

		r = left <= 0 ? 0 : poll(&p, 1, (int)left);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

static bool
say(int fd, const struct str *q, int64_t until)
{
	for (size_t at = 0; at < q->len;) {
		ssize_t n = send(fd, q->s + at, q->len - at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			at += (size_t)n;
		else if (n < 0 && errno == EAGAIN) {
			if (!wait_for(fd, POLLOUT, until))
				return false;
		} else if (n == 0 || errno != EINTR)
			return false;
	}
	return true;
}

/* Up to the end of the file. */
static bool
hear(int fd, struct str *out, int64_t until)
{
	for (;;) {
		ssize_t n;

		if (out->len > AUTHPROTO_ANSWER_MAX ||
		    !wait_for(fd, POLLIN, until))
			return false;
		/* All at once, so that no copy is left behind by growing. */
		str_reserve(out, AUTHPROTO_ANSWER_MAX + 1);
		n = recv(fd, out->s + out->len, AUTHPROTO_ANSWER_MAX + 1 -
		    out->len, MSG_DONTWAIT);
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			out->len += (size_t)n;
			out->s[out->len] = '\0';
		}
	}
}

/* A service that is being started again is waited for a little. */
static int
connect_patiently(const char *path, int64_t until)
{
	int64_t patience = clock_mono_ms() + AUTHPROTO_PATIENCE_MS;
	int fd;

	if (patience > until)
		patience = until;
	while ((fd = sock_connect(path, SOCK_STREAM,
	    AUTHPROTO_PATIENCE_MS)) < 0 &&
	    (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN) &&
	    clock_mono_ms() < patience)
		(void)poll(NULL, 0, 50);
	return fd;
}

enum auth_status
auth_ask(const char *path, const struct auth_request *r,
    struct auth_answer *out)
{
	int64_t until = clock_mono_ms() + AUTHPROTO_WAIT_MS;
	enum auth_status st = AUTH_TEMP;
	struct str q = {0}, a = {0};
	int fd = -1;

	auth_answer_free(out);
	if (auth_request_cat(&q, r) < 0)
		st = AUTH_FAIL;
	else
		fd = connect_patiently(path, until);
	if (fd >= 0) {
		if (say(fd, &q, until) && hear(fd, &a, until))
			st = auth_answer_parse(str_c(&a), a.len, out);
		fd_close(fd);
	}
	wipe(&q);
	wipe(&a);
	return st;
}

static struct str
copied(const char *s)
{
	struct str out = {0};

	if (s != NULL)
		str_copys(&out, s);
	return out;
}

enum auth_status
auth_pre(const char *path, const char *service, const char *address,
    struct auth_answer *out)
{
	struct auth_request r = {.op = AUTH_OP_PRE,
	    .service = copied(service), .user = copied(address)};
	enum auth_status st = auth_ask(path, &r, out);

	auth_request_free(&r);
	return st;
}

enum auth_status
auth_login(const char *path, const char *service, const char *remote_ip,
    const char *user, const char *password, struct auth_answer *out)
{
	struct auth_request r = {.op = AUTH_OP_LOGIN,
	    .service = copied(service), .remote_ip = copied(remote_ip),
	    .user = copied(user), .secret = copied(password)};
	enum auth_status st = auth_ask(path, &r, out);

	auth_request_free(&r);
	return st;
}

enum auth_status
auth_resolve(const char *path, const char *address, struct auth_answer *out)
{
	struct auth_request r = {.op = AUTH_OP_RESOLVE,
	    .user = copied(address)};
	enum auth_status st = auth_ask(path, &r, out);

	auth_request_free(&r);
	return st;
}

enum auth_status
auth_passwd(const char *path, const char *service, const char *remote_ip,
    const char *user, const char *oldpw, const char *newpw)
{
	struct auth_request r = {.op = AUTH_OP_PASSWD,
	    .service = copied(service), .remote_ip = copied(remote_ip),
	    .user = copied(user), .secret = copied(oldpw),
	    .challenge = copied(newpw)};
	struct auth_answer a = {0};
	enum auth_status st = auth_ask(path, &r, &a);

	auth_answer_free(&a);
	auth_request_free(&r);
	return st;
}

/* Nobody there has nothing cached, so nobody is waited for. */
void
auth_changed(const char *path, const char *domain, const char *user)
{
	struct auth_request r = {.op = AUTH_OP_CHANGED,
	    .domain = copied(domain), .user = copied(user)};
	int64_t until = clock_mono_ms() + AUTHPROTO_CHANGED_MS;
	struct str q = {0}, a = {0};
	int fd = -1;

	if (auth_request_cat(&q, &r) == 0)
		fd = sock_connect(path, SOCK_STREAM, AUTHPROTO_CHANGED_MS);
	if (fd >= 0) {
		if (say(fd, &q, until))
			(void)hear(fd, &a, until);
		fd_close(fd);
	}
	wipe(&q);
	wipe(&a);
	auth_request_free(&r);
}
