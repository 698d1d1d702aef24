/* rules.c - rules as text and as a cdb; see rules.h.
 *
 * Addresses become keys in one form only (RFC 5952, host bits cleared), so a
 * look-up is a few exact questions.  Called by tcprules, tcprulescheck and
 * tcpserver. */
#include "supervise/rules.h"

#include "lib/ip.h"
#include "lib/log.h"

#include <errno.h>
#include <string.h>

#define LENGTHS_KEY "/"
#define LENGTHS4 33             /* 0 to 32 bits */
#define LENGTHS6 129            /* 0 to 128 bits */
#define LENGTHS (LENGTHS4 + LENGTHS6)

void
rule_free(struct rule *r)
{
	str_free(&r->key);
	str_free(&r->tail);
	str_free(&r->data);
	*r = (struct rule){0};
}

static bool
has(const char *s, size_t n, char c)
{
	return bytes_chr(s, n, c) < n;
}

static bool
begins(const char *s, size_t n, const char *word)
{
	return n >= strlen(word) && memcmp(s, word, strlen(word)) == 0;
}

/* How many bytes an "allow" or "deny" takes that ends the line or has a comma
 * after it; 0 when neither stands there. */
static size_t
verdict(const char *s, size_t n)
{
	size_t len = begins(s, n, "deny") ? 4 : begins(s, n, "allow") ? 5 : 0;

	return len > 0 && (len == n || s[len] == ',') ? len : 0;
}

/* 0..255 without leading zeros. */
static bool
is_octet(const char *s, size_t n)
{
	unsigned v = 0;

	if (n == 0 || n > 3 || (n > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	return v <= 255;
}

/* An IPv4 address, or one to three numbers with a dot after each. */
static bool
can_match(const char *s, size_t n)
{
	unsigned dots = 0;
	struct ip ip;

	if (n == 0 || ip_parse(s, n, &ip) == 0)
		return true;
	while (n > 0) {
		size_t len = bytes_chr(s, n, '.');

		if (len == n || !is_octet(s, len))
			return false;
		dots++;
		s += len + 1;
		n -= len + 1;
	}
	return dots <= 3;
}

static void
key_ip(struct str *key, const struct ip *ip, unsigned bits, unsigned full)
{
	char text[IP_TEXT];
	struct ip net = *ip;

	ip_mask(&net, bits);
	net.scope = 0;
	str_cats(key, ip_text(&net, text));
	if (bits < full) {
		str_catc(key, '/');
		str_catu(key, bits);
	}
}

/* Takes the brackets away from [ADDR], [ADDR]/BITS and [ADDR/BITS]. */
static int
unbracket(const char *s, size_t n, struct str *out)
{
	size_t close = bytes_chr(s, n, ']');

	str_clear(out);
	if (n == 0 || s[0] != '[') {
		str_catb(out, s, n);
		return 0;
	}
	if (close == n)
		return -1;
	str_catb(out, s + 1, close - 1);
	str_catb(out, s + close + 1, n - close - 1);
	return 0;
}

/* "2001:db8:" is the network 2001:db8::/32. */
static int
parse_prefix6(const struct str *text, struct ip *ip, unsigned *bits)
{
	struct str full = {0};
	unsigned colons = 0;
	int r = -1;

	for (size_t i = 0; i < text->len; i++)
		colons += text->s[i] == ':';
	if (strstr(str_c(text), "::") == NULL && colons <= 7) {
		str_cat(&full, text);
		str_cats(&full, colons == 7 ? "0" : ":");
		r = ip_parse(full.s, full.len, ip);
		*bits = 16 * colons;
	}
	str_free(&full);
	return r == 0 && ip->family == 6 ? 0 : -1;
}

/* What holds a slash, a colon or a bracket: a network or an IPv6 address. */
static const char *
parse_network(const char *s, size_t n, struct rule *out, bool net_ok)
{
	const char *why = "no address and no network";
	struct str text = {0};
	unsigned bits, full;
	struct ip ip;

	if (unbracket(s, n, &text) < 0 || text.len == 0 ||
	    has(text.s, text.len, '%'))
		goto done;
	if (ip_parse_net(text.s, text.len, &ip, &bits) < 0 &&
	    (text.s[text.len - 1] != ':' ||
	    parse_prefix6(&text, &ip, &bits) < 0))
		goto done;
	full = ip.family == 4 ? 32 : 128;
	if (bits < full && !net_ok) {
		why = "a network cannot stand after @";
		goto done;
	}
	if (bits < full) {
		out->family = ip.family;
		out->bits = bits;
	}
	key_ip(&out->key, &ip, bits, full);
	why = NULL;
done:
	str_free(&text);
	return why;
}

static int
range_number(const char *s, size_t n, unsigned *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 9)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = (unsigned)v;
	return 0;
}

/* "1.2.3-5." stands for 1.2.3. and 1.2.4. and 1.2.5. */
static const char *
parse_range(const char *s, size_t n, struct rule *out)
{
	size_t dash = bytes_chr(s, n, '-');
	size_t left = bytes_rchr(s, dash, '.'), right;
	struct str probe = {0};

	left = left == dash ? 0 : left + 1;
	right = dash + 1 + bytes_chr(s + dash + 1, n - dash - 1, '.');
	if (range_number(s + left, dash - left, &out->low) < 0 ||
	    range_number(s + dash + 1, right - dash - 1, &out->high) < 0)
		return "a range without numbers";
	if (out->high > 255)
		out->high = 255;
	if (out->low > out->high)
		return "an empty range";
	out->range = true;
	str_catb(&out->key, s, left);
	str_catb(&out->tail, s + right, n - right);
	str_cat(&probe, &out->key);
	str_catu(&probe, out->low);
	str_cat(&probe, &out->tail);
	out->useless = !can_match(probe.s, probe.len);
	str_free(&probe);
	return NULL;
}

static const char *
parse_address(const char *s, size_t n, struct rule *out)
{
	size_t at = bytes_rchr(s, n, '@'), from = at == n ? 0 : at + 1;
	const char *host = s + from;
	size_t len = n - from;

	if (has(s, from, ':'))
		return "a colon before @";
	str_catb(&out->key, s, from);
	if (begins(host, len, "=")) {
		if (has(host, len, ':') || has(host, len, '/'))
			return "no host name";
		for (size_t i = 0; i < len; i++)
			str_catc(&out->key, ascii_lower(host[i]));
		return NULL;
	}
	if (has(host, len, '/') || has(host, len, ':') || has(host, len, '['))
		return parse_network(host, len, out, from == 0);
	if (from == 0 && has(s, n, '-'))
		return parse_range(s, n, out);
	str_catb(&out->key, host, len);
	out->useless = len > 0 && !can_match(host, len);
	return NULL;
}

static const char *
parse_variables(const char *s, size_t n, struct str *data)
{
	while (n > 0) {
		size_t eq = bytes_chr(s, n, '='), end;

		if (s[0] != ',')
			return "no comma before a variable";
		if (eq == n || eq + 1 == n)
			return "a variable without a value";
		if (eq == 1)
			return "a variable without a name";
		end = bytes_chr(s + eq + 2, n - eq - 2, s[eq + 1]);
		if (end == n - eq - 2)
			return "a value that does not end";
		str_catc(data, '+');
		str_catb(data, s + 1, eq);
		str_catb(data, s + eq + 2, end);
		str_catc(data, '\0');
		s += eq + 2 + end + 1;
		n -= eq + 2 + end + 1;
	}
	return NULL;
}

enum rules_line
rules_parse(const char *line, size_t n, struct rule *out,
    const char **why_out)
{
	size_t colon, word = 0;
	const char *why;

	*out = (struct rule){0};
	*why_out = NULL;
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (n == 0 || line[0] == '#' || !has(line, n, ':'))
		return RULES_BLANK;
	/* IPv6 has colons too, but none before a verdict. */
	for (colon = 0; colon < n; colon++)
		if (line[colon] == ':' && (word = verdict(line + colon + 1,
		    n - colon - 1)) > 0)
			break;
	if (colon == n)
		why = "neither allow nor deny";
	else if (has(line, n, '\0'))
		why = "a NUL";
	else
		why = parse_address(line, colon, out);
	if (why == NULL) {
		colon++;
		if (line[colon] == 'd')
			str_catb(&out->data, "D", 2);
		why = parse_variables(line + colon + word, n - colon - word,
		    &out->data);
	}
	if (why == NULL)
		return RULES_RULE;
	rule_free(out);
	*why_out = why;
	return RULES_BAD;
}

static int
add_rule(struct cdb_writer *w, const struct rule *r, char *lengths)
{
	struct str key = {0};
	int rc = 0;

	if (r->family != 0)
		lengths[(r->family == 4 ? 0 : LENGTHS4) + r->bits] = '1';
	if (!r->range)
		return cdbwriter_add(w, str_c(&r->key), r->key.len,
		    str_c(&r->data), r->data.len);
	for (unsigned i = r->low; i <= r->high && rc == 0; i++) {
		str_copy(&key, &r->key);
		str_catu(&key, i);
		str_cat(&key, &r->tail);
		rc = cdbwriter_add(w, str_c(&key), key.len, str_c(&r->data),
		    r->data.len);
	}
	str_free(&key);
	return rc;
}

static void
warn_useless(const struct str *line, size_t number)
{
	struct str text = {0};

	log_quote(&text, str_c(line), bytes_chr(str_c(line), line->len, ':'));
	log_warn("line %zu: %s: no client has such an address", number,
	    str_c(&text));
	str_free(&text);
}

enum rules_compiled
rules_compile(struct io *in, struct cdb_writer *w, struct rules_report *rep)
{
	char lengths[LENGTHS];
	struct str *line = &rep->line;
	enum io_status st = IO_OK;
	struct rule r;

	memset(lengths, '0', sizeof lengths);
	rep->number = 0;
	while (st == IO_OK) {
		enum rules_line kind;
		int rc;

		str_clear(line);
		st = io_getdelim(in, line, '\n', RULES_LINE_MAX);
		if (st == IO_ERROR || st == IO_TIMEOUT)
			return RULES_READ;
		rep->number++;
		if (st == IO_TOOLONG) {
			str_trunc(line, 100);
			rep->why = "too long";
			return RULES_SYNTAX;
		}
		kind = rules_parse(str_c(line), line->len, &r, &rep->why);
		if (kind == RULES_BAD)
			return RULES_SYNTAX;
		if (kind == RULES_BLANK)
			continue;
		if (r.useless)
			warn_useless(line, rep->number);
		rc = add_rule(w, &r, lengths);
		rule_free(&r);
		if (rc < 0)
			return RULES_WRITE;
	}
	if (memchr(lengths, '1', sizeof lengths) != NULL &&
	    cdbwriter_add(w, LENGTHS_KEY, 1, lengths, sizeof lengths) < 0)
		return RULES_WRITE;
	return RULES_OK;
}

/* One question to the file; its answer is final unless CDB_NONE. */
struct search {
	struct cdb_file *f;
	struct str *key, *data;
};

static enum cdb_status
ask(struct search *s)
{
	str_clear(s->data);
	return cdbfile_get(s->f, str_c(s->key), s->key->len, s->data);
}

static enum cdb_status
ask_info(struct search *s, const struct rules_client *c, const char *ip,
    const struct str *host)
{
	enum cdb_status st;

	str_copys(s->key, c->info);
	str_catc(s->key, '@');
	str_cats(s->key, ip);
	if ((st = ask(s)) != CDB_NONE || c->host == NULL)
		return st;
	str_copys(s->key, c->info);
	str_cats(s->key, "@=");
	str_cat(s->key, host);
	return ask(s);
}

/* The longest prefix of ip[0..*len) that ends in a dot; *len is then what is
 * left of it for the next one. */
static enum cdb_status
ask_dotted(struct search *s, const char *ip, size_t *len)
{
	while (*len > 0) {
		size_t n = (*len)--;

		if (ip[n - 1] != '.')
			continue;
		str_copyb(s->key, ip, n);
		return ask(s);
	}
	return CDB_NONE;
}

/* The lengths of the networks in the file, as add_rule noted them. */
static enum cdb_status
get_lengths(struct search *s, char lengths[LENGTHS])
{
	enum cdb_status st;

	memset(lengths, '0', LENGTHS);
	str_copys(s->key, LENGTHS_KEY);
	st = ask(s);
	if (st == CDB_OK && s->data->len == LENGTHS)
		memcpy(lengths, s->data->s, LENGTHS);
	return st == CDB_TEMP ? CDB_TEMP : CDB_NONE;
}

static enum cdb_status
ask_networks(struct search *s, const struct ip *ip, const char *text)
{
	unsigned full = ip->family == 6 ? 128 : 32;
	char lengths[LENGTHS];
	enum cdb_status st = get_lengths(s, lengths);
	size_t dotted = strlen(text);

	for (unsigned i = full + 1; i-- > 0 && st == CDB_NONE;) {
		if (ip->family == 4 && i > 0 && i < full && i % 8 == 0 &&
		    (st = ask_dotted(s, text, &dotted)) != CDB_NONE)
			break;
		if (lengths[(ip->family == 6 ? LENGTHS4 : 0) + i] != '1')
			continue;
		str_clear(s->key);
		key_ip(s->key, ip, i, full);
		st = ask(s);
	}
	return st;
}

static enum cdb_status
ask_suffixes(struct search *s, const struct str *host)
{
	enum cdb_status st;

	for (size_t i = 0; i < host->len; i++) {
		if (host->s[i] != '.')
			continue;
		str_copys(s->key, "=");
		str_catb(s->key, host->s + i, host->len - i);
		if ((st = ask(s)) != CDB_NONE)
			return st;
	}
	str_copys(s->key, "=");
	return ask(s);
}

static enum cdb_status
find(struct search *s, const struct rules_client *c, const struct str *host)
{
	char buf[IP_TEXT];
	const char *text = c->ip;
	enum cdb_status st;
	struct ip ip;
	bool known = ip_parse(c->ip, strlen(c->ip), &ip) == 0;

	if (known) {
		ip.scope = 0;
		text = ip_text(&ip, buf);
	}
	if (c->info != NULL && (st = ask_info(s, c, text, host)) != CDB_NONE)
		return st;
	str_copys(s->key, text);
	if ((st = ask(s)) != CDB_NONE)
		return st;
	if (c->host != NULL) {
		str_copys(s->key, "=");
		str_cat(s->key, host);
		if ((st = ask(s)) != CDB_NONE)
			return st;
	}
	if (known) {
		st = ask_networks(s, &ip, text);
	} else {
		size_t len = strlen(text);

		for (st = CDB_NONE; st == CDB_NONE && len > 0;)
			st = ask_dotted(s, text, &len);
	}
	if (st == CDB_NONE && c->host != NULL)
		st = ask_suffixes(s, host);
	if (st != CDB_NONE)
		return st;
	str_clear(s->key);
	return ask(s);
}

enum cdb_status
rules_find(struct cdb_file *f, const struct rules_client *c,
    struct str *key_out, struct str *data_out)
{
	struct search s = {.f = f, .key = key_out, .data = data_out};
	struct str host = {0};
	enum cdb_status st;

	if (c->host != NULL)
		str_copys(&host, c->host);
	str_lower(&host);
	st = find(&s, c, &host);
	str_free(&host);
	return st;
}

enum rules_word
rules_next(const struct str *data, size_t *at, const char **word_out)
{
	while (*at < data->len) {
		const char *s = data->s + *at;
		size_t n = bytes_chr(s, data->len - *at, '\0');

		if (n == data->len - *at)
			break;
		*at += n + 1;
		if (s[0] == 'D')
			return RULES_DENY;
		if (s[0] == '+' && strchr(s + 1, '=') != NULL && s[1] != '=') {
			*word_out = s + 1;
			return RULES_SET;
		}
	}
	return RULES_END;
}
