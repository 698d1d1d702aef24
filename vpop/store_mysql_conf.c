/* vpop/store_mysql_conf.c - lines of servers; see store_mysql_conf.h.  The
 * file is the administrator's and trusted; mistakes in it are named. */
#include "vpop/store_mysql_conf.h"

#include "lib/fs.h"

#include <errno.h>
#include <string.h>

enum { HOST, PORT, USER, PASSWORD, DATABASE, OPTIONS, FIELDS };

struct field { const char *s; size_t n; };

static bool
is_word(struct field f, const char *word)
{
	return f.n == strlen(word) && memcmp(f.s, word, f.n) == 0;
}

/* "NAME=" at its beginning; then *value is what follows. */
static bool
has_name(struct field f, const char *name, struct field *value)
{
	size_t n = strlen(name);

	if (f.n <= n || memcmp(f.s, name, n) != 0 || f.s[n] != '=')
		return false;
	*value = (struct field){f.s + n + 1, f.n - n - 1};
	return true;
}

/* The number that a field is from end to end, or -1. */
static int
number(struct field f, uint64_t max, unsigned *out)
{
	struct str text = {0};
	uint64_t n = 0;
	size_t used;
	int r = -1;

	str_copyb(&text, f.s, f.n);
	used = scan_u64(str_c(&text), &n);
	if (used > 0 && used == f.n && n <= max) {
		*out = (unsigned)n;
		r = 0;
	}
	str_free(&text);
	return r;
}

/* NULL, or what is wrong. */
static const char *
parse_option(struct field f, struct myconf_server *out)
{
	struct field v;
	struct str *file = NULL;

	if (is_word(f, "read"))
		out->use |= MYCONF_READ;
	else if (is_word(f, "update"))
		out->use |= MYCONF_UPDATE;
	else if (is_word(f, "tls"))
		out->tls = true;
	else if (is_word(f, "tls-verify"))
		out->tls = out->tls_verify = true;
	else if (has_name(f, "tls-ca", &v))
		file = &out->tls_ca;
	else if (has_name(f, "tls-cert", &v))
		file = &out->tls_cert;
	else if (has_name(f, "tls-key", &v))
		file = &out->tls_key;
	else if (has_name(f, "timeout", &v)) {
		if (number(v, MYCONF_TIMEOUT_MAX, &out->timeout) < 0 ||
		    out->timeout == 0)
			return "timeout is not a number of seconds from 1 "
			    "to 3600";
	} else
		return "an option is not known";
	if (file != NULL) {
		if (v.n == 0 || v.s[0] != '/')
			return "a file of TLS needs its whole path";
		str_copyb(file, v.s, v.n);
		out->tls = true;
	}
	return NULL;
}

static const char *
parse_options(struct field f, struct myconf_server *out)
{
	const char *wrong = NULL;

	while (f.n > 0 && wrong == NULL) {
		struct field word = {f.s, bytes_chr(f.s, f.n, ',')};
		size_t used = word.n < f.n ? word.n + 1 : word.n;

		f.s += used;
		f.n -= used;
		while (word.n > 0 && word.s[0] == ' ') {
			word.s++;
			word.n--;
		}
		while (word.n > 0 && word.s[word.n - 1] == ' ')
			word.n--;
		if (word.n > 0)
			wrong = parse_option(word, out);
	}
	if (wrong == NULL && out->tls_verify && out->tls_ca.len == 0)
		return "tls-verify needs tls-ca=FILE";
	if (wrong == NULL && (out->tls_cert.len == 0) !=
	    (out->tls_key.len == 0))
		return "tls-cert and tls-key need each other";
	return wrong;
}

static const char *
parse_server(const char *line, size_t n, struct myconf_server *out)
{
	struct field f[FIELDS];
	size_t count = 0, at = 0;

	memset(f, 0, sizeof f);
	for (;;) {
		size_t len = bytes_chr(line + at, n - at, '|');

		if (count == FIELDS)
			return "too many fields";
		f[count++] = (struct field){line + at, len};
		if (at + len == n)
			break;
		at += len + 1;
	}
	if (count <= DATABASE)
		return "too few fields: "
		    "server|port|user|password|database is wanted";
	if (f[PORT].n > 0 && f[PORT].s[0] == '/')
		str_copyb(&out->socket, f[PORT].s, f[PORT].n);
	else if (number(f[PORT], 65535, &out->port) < 0)
		return "the port is neither a number up to 65535 nor the "
		    "path of a socket";
	if (f[HOST].n == 0 && out->socket.len == 0)
		return "there is no server name";
	if (f[USER].n == 0)
		return "there is no user";
	if (f[DATABASE].n == 0)
		return "there is no database";
	str_copyb(&out->host, f[HOST].s, f[HOST].n);
	str_copyb(&out->user, f[USER].s, f[USER].n);
	str_copyb(&out->password, f[PASSWORD].s, f[PASSWORD].n);
	str_copyb(&out->database, f[DATABASE].s, f[DATABASE].n);
	if (out->host.len == 0)
		str_copys(&out->host, "localhost");
	out->timeout = MYCONF_TIMEOUT;
	return parse_options(f[OPTIONS], out);
}

/* What the lines without a use are for: NULL, or what is wrong. */
static const char *
give_uses(struct myconf *c)
{
	size_t plain[2] = {0, 0}, nplain = 0;
	unsigned all = 0;

	for (size_t i = 0; i < c->n; i++) {
		all |= c->server[i].use;
		if (c->server[i].use != 0)
			continue;
		if (nplain == 2)
			return "a third server must say what it is for: "
			    "read, update or both as options";
		plain[nplain++] = i;
	}
	if (nplain > 0)
		c->server[plain[0]].use = nplain > 1 ||
		    (all & MYCONF_UPDATE) != 0 ? MYCONF_READ :
		    MYCONF_READ | MYCONF_UPDATE;
	if (nplain > 1)
		c->server[plain[1]].use = MYCONF_UPDATE;
	all = 0;
	for (size_t i = 0; i < c->n; i++)
		all |= c->server[i].use;
	if ((all & MYCONF_UPDATE) == 0)
		return "no server is for updates";
	return NULL;
}

int
myconf_parse(const char *text, size_t n, struct myconf *out,
    struct str *reason_out)
{
	const char *wrong = NULL;
	size_t lineno = 0;

	*out = (struct myconf){0};
	str_clear(reason_out);
	for (size_t at = 0, len; at < n && wrong == NULL; at += len + 1) {
		const char *line = text + at;
		size_t end;

		len = bytes_chr(line, n - at, '\n');
		end = len;
		lineno++;
		while (end > 0 && (line[end - 1] == ' ' ||
		    line[end - 1] == '\t' || line[end - 1] == '\r'))
			end--;
		if (end == 0 || line[0] == '#')
			continue;
		if (memchr(line, '\0', end) != NULL)
			wrong = "there is a NUL in it";
		else if (out->n == MYCONF_SERVERS)
			wrong = "there are more than 16 servers";
		else
			wrong = parse_server(line, end,
			    &out->server[out->n++]);
	}
	if (wrong != NULL)
		str_catf(reason_out, "line %zu: %s", lineno, wrong);
	else if (out->n == 0)
		str_copys(reason_out, "no line names a server");
	else if ((wrong = give_uses(out)) != NULL)
		str_copys(reason_out, wrong);
	if (reason_out->len == 0)
		return 0;
	myconf_free(out);
	return -1;
}

int
myconf_load(const char *path, struct myconf *out, struct str *reason_out)
{
	struct str text = {0}, why = {0};
	int r = -1;

	*out = (struct myconf){0};
	if (fs_read(path, &text, MYCONF_FILE_MAX) < 0)
		str_copys(&why, strerror(errno));
	else
		r = myconf_parse(str_c(&text), text.len, out, &why);
	str_clear(reason_out);
	if (r < 0)
		str_catf(reason_out, "%s: %s", path, str_c(&why));
	if (text.len > 0)
		explicit_bzero(text.s, text.len);
	str_free(&text);
	str_free(&why);
	return r;
}

void
myconf_free(struct myconf *c)
{
	for (size_t i = 0; i < MYCONF_SERVERS; i++) {
		struct myconf_server *s = &c->server[i];

		if (s->password.len > 0)
			explicit_bzero(s->password.s, s->password.len);
		str_free(&s->host);
		str_free(&s->user);
		str_free(&s->password);
		str_free(&s->database);
		str_free(&s->socket);
		str_free(&s->tls_ca);
		str_free(&s->tls_cert);
		str_free(&s->tls_key);
	}
	*c = (struct myconf){0};
}
