/* lib/ip.c - addresses as values; see ip.h.
 *
 * Invariant: bytes of b past those of the family are 0, and so is the scope
 * of whatever is not link-local. */
#include "lib/ip.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
is_link_local(const uint8_t b[16])
{
	return b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

static void
set4(struct ip *out, const uint8_t b[4])
{
	memset(out, 0, sizeof *out);
	out->family = 4;
	memcpy(out->b, b, 4);
}

static void
set6(struct ip *out, const uint8_t b[16], uint32_t scope)
{
	if (memcmp(b, mapped, sizeof mapped) == 0) {
		set4(out, b + sizeof mapped);
		return;
	}
	memset(out, 0, sizeof *out);
	out->family = 6;
	memcpy(out->b, b, 16);
	if (is_link_local(b))
		out->scope = scope;
}

/* Decimal digits without a leading zero, all n of them. */
static int
parse_number(const char *s, size_t n, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 10 || (s[0] == '0' && n > 1))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v > max)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

/* What follows '%': an interface's number or its name. */
static int
parse_scope(const char *s, size_t n, uint32_t *out)
{
	char name[IF_NAMESIZE];

	if (parse_number(s, n, UINT32_MAX, out) == 0)
		return *out > 0 ? 0 : -1;
	if (n == 0 || n >= sizeof name)
		return -1;
	memcpy(name, s, n);
	name[n] = '\0';
	*out = if_nametoindex(name);
	return *out > 0 ? 0 : -1;
}

int
ip_parse(const char *s, size_t n, struct ip *out)
{
	const char *percent = n > 0 ? memchr(s, '%', n) : NULL;
	size_t len = percent == NULL ? n : (size_t)(percent - s);
	uint32_t scope = 0;
	uint8_t b[16];
	char text[INET6_ADDRSTRLEN];

	if (len == 0 || len >= sizeof text || memchr(s, '\0', n) != NULL)
		return -1;
	memcpy(text, s, len);
	text[len] = '\0';
	if (percent == NULL && inet_pton(AF_INET, text, b) == 1) {
		set4(out, b);
		return 0;
	}
	if (inet_pton(AF_INET6, text, b) != 1)
		return -1;
	if (percent != NULL && (!is_link_local(b) ||
	    parse_scope(percent + 1, n - len - 1, &scope) < 0))
		return -1;
	set6(out, b, scope);
	return 0;
}

int
ip_parse_net(const char *s, size_t n, struct ip *out, unsigned *bits_out)
{
	const char *slash = n > 0 ? memchr(s, '/', n) : NULL;
	size_t len = slash == NULL ? n : (size_t)(slash - s);
	uint32_t bits, off = 0;
	struct ip ip;

	if (ip_parse(s, len, &ip) < 0)
		return -1;
	/* a mapped network counts the 96 bits that are gone from it */
	if (ip.family == 4 && memchr(s, ':', len) != NULL)
		off = 96;
	if (slash == NULL)
		bits = ip.family == 4 ? 32 : 128;
	else if (parse_number(slash + 1, n - len - 1,
	    ip.family == 4 ? off + 32 : 128, &bits) < 0 || bits < off)
		return -1;
	else
		bits -= off;
	*out = ip;
	*bits_out = bits;
	return 0;
}

static char *
put_number(char *p, uint32_t v, unsigned base)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

/* The longest run of two or more zero words, the first of equals: 5952:4.2 */
static void
find_zeros(const uint16_t w[8], size_t *at_out, size_t *len_out)
{
	size_t run = 0;

	*at_out = *len_out = 0;
	for (size_t i = 0; i < 8; i++) {
		run = w[i] == 0 ? run + 1 : 0;
		if (run > 1 && run > *len_out) {
			*len_out = run;
			*at_out = i + 1 - run;
		}
	}
}

static char *
put6(char *p, const struct ip *ip)
{
	size_t at, len;
	uint16_t w[8];

	for (size_t i = 0; i < 8; i++)
		w[i] = (uint16_t)(ip->b[2 * i] << 8 | ip->b[2 * i + 1]);
	find_zeros(w, &at, &len);
	for (size_t i = 0; i < 8; i++) {
		if (len > 0 && i == at) {
			*p++ = ':';
			*p++ = ':';
			i += len - 1;
			continue;
		}
		if (i > 0 && (len == 0 || i != at + len))
			*p++ = ':';
		p = put_number(p, w[i], 16);
	}
	if (ip->scope != 0) {
		*p++ = '%';
		p = put_number(p, ip->scope, 10);
	}
	return p;
}

const char *
ip_text(const struct ip *ip, char buf[IP_TEXT])
{
	char *p = buf;

	if (ip->family == 6)
		p = put6(p, ip);
	else if (ip->family == 4)
		for (size_t i = 0; i < 4; i++) {
			if (i > 0)
				*p++ = '.';
			p = put_number(p, ip->b[i], 10);
		}
	*p = '\0';
	return buf;
}

bool
ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && a->scope == b->scope &&
	    memcmp(a->b, b->b, sizeof a->b) == 0;
}

void
ip_mask(struct ip *ip, unsigned bits)
{
	for (unsigned i = 0; i < sizeof ip->b; i++) {
		unsigned have = bits < 8 * i ? 0 : bits - 8 * i;

		if (have < 8)
			ip->b[i] = (uint8_t)(ip->b[i] & 0xff00 >> have);
	}
}

bool
ip_in(const struct ip *ip, const struct ip *net, unsigned bits)
{
	struct ip a = *ip, b = *net;

	ip_mask(&a, bits);
	ip_mask(&b, bits);
	if (b.scope == 0)
		a.scope = 0;
	return a.family != 0 && ip_equal(&a, &b);
}

bool
ip_is_loopback(const struct ip *ip)
{
	static const struct ip one = {.family = 6, .b = {[15] = 1}};

	return (ip->family == 4 && ip->b[0] == 127) || ip_equal(ip, &one);
}

bool
ip_is_unspecified(const struct ip *ip)
{
	static const struct ip none = {.family = 6};

	return (ip->family == 4 && ip->b[0] == 0) || ip_equal(ip, &none);
}

bool
ip_is_own(const struct ip *ip)
{
	struct ifaddrs *all, *a;
	bool own = false;

	if (ip->family == 0)
		return false;
	if (ip_is_loopback(ip) || ip_is_unspecified(ip))
		return true;
	if (getifaddrs(&all) < 0)
		return false;
	for (a = all; a != NULL && !own; a = a->ifa_next) {
		struct sockaddr_storage ss = {0};
		struct ip here;

		if (a->ifa_addr == NULL)
			continue;
		if (a->ifa_addr->sa_family == AF_INET)
			memcpy(&ss, a->ifa_addr, sizeof(struct sockaddr_in));
		else if (a->ifa_addr->sa_family == AF_INET6)
			memcpy(&ss, a->ifa_addr, sizeof(struct sockaddr_in6));
		if (ip_from_sockaddr(&ss, &here, NULL) < 0)
			continue;
		if (ip->scope == 0)
			here.scope = 0;
		own = ip_equal(ip, &here);
	}
	freeifaddrs(all);
	return own;
}

socklen_t
ip_to_sockaddr(const struct ip *ip, uint16_t port,
    struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (ip->family == 4) {
		struct sockaddr_in sa = {.sin_family = AF_INET,
		    .sin_port = htons(port)};

		memcpy(&sa.sin_addr, ip->b, 4);
		memcpy(out, &sa, sizeof sa);
		return sizeof sa;
	}
	if (ip->family == 6) {
		struct sockaddr_in6 sa = {.sin6_family = AF_INET6,
		    .sin6_port = htons(port), .sin6_scope_id = ip->scope};

		memcpy(&sa.sin6_addr, ip->b, 16);
		memcpy(out, &sa, sizeof sa);
		return sizeof sa;
	}
	return (socklen_t)-1;
}

int
ip_from_sockaddr(const struct sockaddr_storage *ss, struct ip *out,
    uint16_t *port_out)
{
	uint16_t port;

	if (ss->ss_family == AF_INET) {
		struct sockaddr_in sa;
		uint8_t b[4];

		memcpy(&sa, ss, sizeof sa);
		memcpy(b, &sa.sin_addr, sizeof b);
		set4(out, b);
		port = ntohs(sa.sin_port);
	} else if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 sa;
		uint8_t b[16];

		memcpy(&sa, ss, sizeof sa);
		memcpy(b, &sa.sin6_addr, sizeof b);
		set6(out, b, sa.sin6_scope_id);
		port = ntohs(sa.sin6_port);
	} else {
		return -1;
	}
	if (port_out != NULL)
		*port_out = port;
	return 0;
}
