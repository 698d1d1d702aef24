/* smtpd/proxy.c - see proxy.h. */
#include "smtpd/proxy.h"

#include "lib/str.h"

#include <string.h>

#define V1_MAX 107              /* bytes, CRLF included */
#define V2_HEAD 16

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* The word at *s, ended by end: moves behind it; its length, or 0. */
static size_t
word(const char **s, const char *stop, char end, const char **out)
{
	const char *p = *s;
	size_t n = bytes_chr(p, (size_t)(stop - p), end);

	*out = p;
	*s = p + n + (p + n < stop ? 1 : 0);
	return p + n < stop || end == '\r' ? n : 0;
}

static int
port(const char *s, size_t n, uint16_t *out)
{
	unsigned v = 0;

	if (n == 0 || n > 5 || (n > 1 && s[0] == '0'))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*out = (uint16_t)v;
	return v > 65535 ? -1 : 0;
}

/* "PROXY TCP4 1.2.3.4 5.6.7.8 1234 25", without its CRLF. */
static enum proxy_status
parse_line(const char *s, size_t n, struct proxy_facts *out)
{
	const char *stop = s + n, *w;
	uint8_t family;
	size_t k;

	(void)word(&s, stop, ' ', &w);
	k = word(&s, stop, ' ', &w);
	if (k == 0 && stop - w >= 7 && memcmp(w, "UNKNOWN", 7) == 0)
		return PROXY_LOCAL;
	if (k == 7 && memcmp(w, "UNKNOWN", 7) == 0)
		return PROXY_LOCAL;
	if (k != 4 || memcmp(w, "TCP", 3) != 0 || (w[3] != '4' && w[3] != '6'))
		return PROXY_BAD;
	family = w[3] == '4' ? 4 : 6;
	k = word(&s, stop, ' ', &w);
	if ((memchr(w, ':', k) != NULL) != (family == 6) ||
	    ip_parse(w, k, &out->from) < 0)
		return PROXY_BAD;
	k = word(&s, stop, ' ', &w);
	if ((memchr(w, ':', k) != NULL) != (family == 6) ||
	    ip_parse(w, k, &out->to) < 0)
		return PROXY_BAD;
	k = word(&s, stop, ' ', &w);
	if (port(w, k, &out->from_port) < 0 ||
	    port(s, (size_t)(stop - s), &out->to_port) < 0)
		return PROXY_BAD;
	return PROXY_OK;
}

static enum proxy_status
parse_v1(const char *s, size_t n, struct proxy_facts *out, size_t *used)
{
	size_t len = bytes_chr(s, n < V1_MAX ? n : V1_MAX, '\n');

	if (len == n || len == V1_MAX)
		return n >= V1_MAX ? PROXY_BAD : PROXY_MORE;
	*used = len + 1;
	if (len == 0 || s[len - 1] != '\r' ||
	    memchr(s, '\r', len - 1) != NULL)
		return PROXY_BAD;
	return parse_line(s, len - 1, out);
}

static unsigned
be16(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

/* An address of the wire: 4 or 16 bytes, made one by its kernel form, so that
 * mapped ones become IPv4. */
static int
take_ip(const char *p, uint8_t family, struct ip *out)
{
	struct sockaddr_storage sa;
	struct ip raw = {.family = family};
	uint16_t unused;

	memcpy(raw.b, p, family == 4 ? 4 : 16);
	(void)ip_to_sockaddr(&raw, 0, &sa);
	return ip_from_sockaddr(&sa, out, &unused);
}

static enum proxy_status
parse_v2(const char *s, size_t n, struct proxy_facts *out, size_t *used)
{
	unsigned kind, family;
	size_t len, size;

	if (n < V2_HEAD)
		return PROXY_MORE;
	kind = (unsigned char)s[12];
	family = (unsigned char)s[13];
	len = be16(s + 14);
	if ((kind != 0x20 && kind != 0x21) || V2_HEAD + len > PROXY_MAX)
		return PROXY_BAD;
	if (n < V2_HEAD + len)
		return PROXY_MORE;
	*used = V2_HEAD + len;
	if (kind == 0x20)
		return PROXY_LOCAL;
	size = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
	if (size == 0)          /* 0: the balancer does not know either */
		return family == 0 ? PROXY_LOCAL : PROXY_BAD;
	if (len < 2 * size + 4)
		return PROXY_BAD;
	s += V2_HEAD;
	if (take_ip(s, size == 4 ? 4 : 6, &out->from) < 0 ||
	    take_ip(s + size, size == 4 ? 4 : 6, &out->to) < 0)
		return PROXY_BAD;
	out->from_port = (uint16_t)be16(s + 2 * size);
	out->to_port = (uint16_t)be16(s + 2 * size + 2);
	return PROXY_OK;
}

enum proxy_status
proxy_parse(const char *s, size_t n, struct proxy_facts *out, size_t *used)
{
	size_t k = n < sizeof signature ? n : sizeof signature;

	*used = 0;
	if (memcmp(s, signature, k) == 0)
		return k < sizeof signature ? PROXY_MORE :
		    parse_v2(s, n, out, used);
	k = n < 6 ? n : 6;
	if (memcmp(s, "PROXY ", k) != 0)
		return PROXY_BAD;
	return k < 6 ? PROXY_MORE : parse_v1(s, n, out, used);
}
