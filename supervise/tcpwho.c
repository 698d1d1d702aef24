/* tcpwho.c - hosts, names and idents for connections; see tcpwho.h.
 *
 * The peer, its name servers and its identification server are strangers:
 * waits are bounded, and only letters, digits and a few marks come through. */
#include "supervise/tcpwho.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/tai.h"
#include "lib/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESOLV_MAX 65536        /* bytes of resolv.conf */
#define SEARCH_MAX 6            /* domains, as resolv(5) has it */
#define LABEL_MAX 63            /* bytes: 1035:2.3.4 */
#define IDENT_PORT 113
#define IDENT_LINE_MAX 1000     /* bytes; 1413:4 is within */

/* 127.000.000.001 is four decimal numbers here, as it always was. */
static int
parse_dotted(const char *s, size_t n, struct ip *out)
{
	struct str plain = {0};
	int r;

	for (size_t i = 0; i < n; i++) {
		bool first = i == 0 || s[i - 1] == '.';

		while (first && s[i] == '0' && i + 1 < n && s[i + 1] >= '0' &&
		    s[i + 1] <= '9')
			i++;
		str_catc(&plain, s[i]);
	}
	r = ip_parse(str_c(&plain), plain.len, out);
	str_free(&plain);
	return r;
}

static int
parse_literal(const char *host, struct ip *out)
{
	size_t n = strlen(host);

	if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	return memchr(host, ':', n) != NULL ? ip_parse(host, n, out) :
	    parse_dotted(host, n, out);
}

/* Such a name cannot be asked for, which says nothing about its host. */
static bool
label_too_long(const char *name)
{
	size_t run = 0;

	for (; *name != '\0'; name++) {
		run = *name == '.' ? 0 : run + 1;
		if (run > LABEL_MAX)
			return true;
	}
	return false;
}

/* Words of s up to its NUL or LF, each with a NUL, at most SEARCH_MAX. */
static void
split_words(const char *s, struct str *out)
{
	str_clear(out);
	for (size_t count = 0; count < SEARCH_MAX; count++) {
		size_t n;

		s += strspn(s, " \t\r");
		n = strcspn(s, " \t\r\n");
		if (n == 0)
			return;
		str_catb(out, s, n);
		str_catc(out, '\0');
		s += n;
	}
}

/* The last line that gives a search list counts. */
static void
search_list(struct str *out)
{
	const char *local = getenv("LOCALDOMAIN");
	struct str file = {0};

	str_clear(out);
	if (local != NULL) {
		split_words(local, out);
		return;
	}
	if (fs_read("/etc/resolv.conf", &file, RESOLV_MAX) < 0)
		return;
	for (const char *p = str_c(&file); *p != '\0';) {
		size_t n = strcspn(p, "\n");

		if (strncmp(p, "search", 6) == 0 && strchr(" \t", p[6]) != NULL)
			split_words(p + 6, out);
		else if (strncmp(p, "domain", 6) == 0 &&
		    strchr(" \t", p[6]) != NULL)
			split_words(p + 6, out);
		p += n + (p[n] == '\n');
	}
	str_free(&file);
}

/* dns_addresses in our words; TCPWHO_TEMP has ETIMEDOUT, the usual reason. */
static enum tcpwho_status
ask(const struct dns *dns, const char *name, int family,
    struct ip out[TCPWHO_ADDRS], size_t *n_out)
{
	struct dns_answer a = {0};
	enum dns_status st;

	*n_out = 0;
	if (label_too_long(name)) {
		errno = EPROTO;
		return TCPWHO_TEMP;
	}
	st = family == 4 ? dns_ask(dns, name, DNS_A, &a) :
	    family == 6 ? dns_ask(dns, name, DNS_AAAA, &a) :
	    dns_addresses(dns, name, &a);
	for (size_t i = 0; st == DNS_OK && i < a.n; i++)
		if (a.rec[i].ip.family != 0 && *n_out < TCPWHO_ADDRS)
			out[(*n_out)++] = a.rec[i].ip;
	dns_answer_free(&a);
	if (st == DNS_TEMP) {
		errno = ETIMEDOUT;
		return TCPWHO_TEMP;
	}
	return *n_out > 0 ? TCPWHO_OK : TCPWHO_NONE;
}

static enum tcpwho_status
find_name(const struct dns *dns, const char *host, int family,
    struct ip out[TCPWHO_ADDRS], size_t *n_out)
{
	enum tcpwho_status st = TCPWHO_NONE;
	struct str list = {0}, full = {0};

	if (strchr(host, '.') == NULL)
		search_list(&list);
	for (size_t at = 0; at < list.len && st == TCPWHO_NONE;
	    at += strlen(list.s + at) + 1) {
		str_copys(&full, host);
		str_catc(&full, '.');
		str_cats(&full, list.s + at);
		st = ask(dns, str_c(&full), family, out, n_out);
	}
	if (st == TCPWHO_NONE)
		st = ask(dns, host, family, out, n_out);
	str_free(&list);
	str_free(&full);
	return st;
}

static bool
is_localhost(const char *host)
{
	return bytes_caseeq(host, strlen(host), "localhost", 9) ||
	    bytes_caseeq(host, strlen(host), "localhost.", 10);
}

enum tcpwho_status
tcpwho_host(const struct dns *dns, const char *host, const struct ip *zero,
    int family, struct ip out[TCPWHO_ADDRS], size_t *n_out)
{
	*n_out = 0;
	if (*host == '\0' || strcmp(host, "0") == 0) {
		out[(*n_out)++] = *zero;
		return TCPWHO_OK;
	}
	if (parse_literal(host, &out[0]) == 0) {
		if (family != 0 && out[0].family != family)
			return TCPWHO_NONE;
		*n_out = 1;
		return TCPWHO_OK;
	}
	if (is_localhost(host)) {
		if (family != 6)
			out[(*n_out)++] = (struct ip){.family = 4,
			    .b = {127, 0, 0, 1}};
		if (family != 4)
			out[(*n_out)++] = (struct ip){.family = 6,
			    .b = {[15] = 1}};
		return TCPWHO_OK;
	}
	return find_name(dns, host, family, out, n_out);
}

static bool
has_address(const struct dns *dns, const char *name, const struct ip *ip)
{
	struct dns_answer a = {0};
	bool found = false;

	if (dns_ask(dns, name, ip->family == 6 ? DNS_AAAA : DNS_A, &a) ==
	    DNS_OK)
		for (size_t i = 0; i < a.n; i++)
			found |= ip_equal(&a.rec[i].ip, ip);
	dns_answer_free(&a);
	return found;
}

bool
tcpwho_name(const struct dns *dns, const struct ip *ip, bool paranoid,
    struct str *out)
{
	struct dns_answer a = {0};
	bool found = false;

	str_clear(out);
	if (dns_name_of(dns, ip, &a) == DNS_OK)
		for (size_t i = 0; i < a.n && !found; i++) {
			const char *name = str_c(&a.rec[i].data);

			if (*name == '\0' ||
			    (paranoid && !has_address(dns, name, ip)))
				continue;
			str_copys(out, name);
			found = true;
		}
	dns_answer_free(&a);
	return found;
}

/* What a shell, a log line or a header field takes as nothing but text. */
static char
clean(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("-_.+=/@,[]", c) != NULL))
		return c;
	return '_';
}

/* A field of the answer: up to the next colon, blanks around it cut off. */
static const char *
field(const char **p, const char *end, size_t *n_out)
{
	const char *s = *p;
	size_t n = bytes_chr(s, (size_t)(end - s), ':');

	*p = s + n < end ? s + n + 1 : end;
	while (n > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	*n_out = n;
	return s;
}

/* "6193 , 23", the port of the asked machine first: 1413:4. */
static bool
ports_match(const char *s, size_t n, uint16_t first, uint16_t second)
{
	struct str pair = {0}, want = {0};
	bool same;

	for (size_t i = 0; i < n; i++)
		if (s[i] != ' ' && s[i] != '\t')
			str_catc(&pair, s[i]);
	str_catf(&want, "%u,%u", first, second);
	same = pair.len == want.len && memcmp(pair.s, want.s, want.len) == 0;
	str_free(&pair);
	str_free(&want);
	return same;
}

bool
tcpwho_parse_ident(const char *line, size_t n, uint16_t remote_port,
    uint16_t local_port, struct str *out)
{
	const char *p = line, *end = line + n, *s;
	size_t len;

	str_clear(out);
	s = field(&p, end, &len);
	if (!ports_match(s, len, remote_port, local_port))
		return false;
	s = field(&p, end, &len);
	if (!bytes_caseeq(s, len, "USERID", 6))
		return false;
	(void)field(&p, end, &len);     /* operating system */
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	for (; p < end && out->len < TCPWHO_INFO_MAX; p++)
		str_catc(out, clean(*p));
	return out->len > 0;
}

bool
tcpwho_ident(const struct ip *local, uint16_t local_port,
    const struct ip *remote, uint16_t remote_port, int timeout_ms,
    struct str *out)
{
	const struct tcp_options opt = {.port = IDENT_PORT,
	    .source4 = local->family == 4 ? local : NULL,
	    .source6 = local->family == 6 ? local : NULL,
	    .each_ms = timeout_ms, .total_ms = timeout_ms,
	    .head_ms = TCP_ONE_BY_ONE};
	int64_t until = clock_mono_ms() + timeout_ms;
	struct str line = {0};
	struct io io;
	int fd, left;
	char c = 0;
	bool found = false;

	str_clear(out);
	if (timeout_ms <= 0 ||
	    (fd = tcp_connect(remote, 1, &opt, NULL, NULL)) < 0)
		return false;
	str_catf(&line, "%u , %u\r\n", remote_port, local_port);
	io_init(&io, fd, fd, timeout_ms);
	(void)io_put(&io, str_c(&line), line.len);
	str_clear(&line);
	while (line.len < IDENT_LINE_MAX &&
	    (left = (int)(until - clock_mono_ms())) > 0) {
		size_t got;

		io.timeout = left;
		if (io_get(&io, &c, 1, &got) != IO_OK || c == '\n')
			break;
		str_catc(&line, c);
	}
	if (line.len > 0 && line.s[line.len - 1] == '\r')
		str_trunc(&line, line.len - 1);
	if (c == '\n')
		found = tcpwho_parse_ident(str_c(&line), line.len,
		    remote_port, local_port, out);
	str_free(&line);
	(void)close(fd);
	return found;
}
