/* send/rewrite.c - routing of recipients; see rewrite.h. */
#include "send/rewrite.h"

#include <string.h>

/* Domain of addr in out, or NULL. */
static const char *
vdom_find(const struct config *c, const char *addr, size_t n, size_t at)
{
	const char *host = addr + at + 1;
	size_t hlen = n - at - 1;
	const char *p = map_get(&c->vdoms, addr, n);

	if (p != NULL)
		return p;
	/* The domain itself, then from each dot on, then "". */
	for (size_t i = 0; i <= hlen; i++)
		if (i == 0 || i == hlen || host[i] == '.') {
			p = map_get(&c->vdoms, host + i, hlen - i);
			if (p != NULL)
				return p;
		}
	return NULL;
}

int
rewrite(const struct config *c, const char *rcpt, struct str *out)
{
	const char *prepend;
	size_t at, pct;

	str_copys(out, rcpt);
	if (bytes_rchr(str_c(out), out->len, '@') == out->len) {
		str_catc(out, '@');
		str_cat(out, &c->envnoathost);
	}
	for (;;) {
		at = bytes_rchr(out->s, out->len, '@');
		if (map_get(&c->percenthack, out->s + at + 1,
		    out->len - at - 1) == NULL)
			break;
		pct = bytes_rchr(out->s, at, '%');
		if (pct == at)
			break;
		str_trunc(out, at);
		out->s[pct] = '@';
	}
	if (map_get(&c->locals, out->s + at + 1, out->len - at - 1) != NULL)
		return CHANNEL_LOCAL;
	prepend = vdom_find(c, out->s, out->len, at);
	if (prepend != NULL && *prepend != '\0') {
		struct str full = {0};

		str_cats(&full, prepend);
		str_catc(&full, '-');
		str_cat(&full, out);
		str_free(out);
		*out = full;
		return CHANNEL_LOCAL;
	}
	return CHANNEL_REMOTE;
}

const char *
rewrite_original_peek(const struct config *c, const char *addr)
{
	size_t n = strlen(addr), at = bytes_rchr(addr, n, '@');
	const char *prepend;

	if (at == n || map_get(&c->locals, addr + at + 1, n - at - 1) != NULL)
		return addr;
	/* A key that is a whole address is looked for behind each dash. */
	for (size_t i = 0; i < at; i++)
		if (addr[i] == '-') {
			prepend = map_get(&c->vdoms, addr + i + 1, n - i - 1);
			if (prepend != NULL && strlen(prepend) == i &&
			    memcmp(prepend, addr, i) == 0)
				return addr + i + 1;
		}
	prepend = vdom_find(c, addr, n, at);
	if (prepend != NULL && *prepend != '\0') {
		size_t plen = strlen(prepend);

		if (plen < at && memcmp(prepend, addr, plen) == 0 &&
		    addr[plen] == '-')
			return addr + plen + 1;
	}
	return addr;
}

/* The length of "box-" and the place of "host" in "box-@host-@[]". */
static bool
verp_parts(const char *sender, size_t *box, size_t *host, size_t *hlen)
{
	size_t n = strlen(sender), at;

	if (n < 4 || memcmp(sender + n - 4, "-@[]", 4) != 0)
		return false;
	at = bytes_rchr(sender, n - 4, '@');
	if (at == n - 4)
		return false;
	*box = at;
	*host = at + 1;
	*hlen = n - 4 - at - 1;
	return true;
}

void
rewrite_verp(const char *sender, const char *rcpt, struct str *out)
{
	size_t box, host, hlen, n = strlen(rcpt);
	size_t at = bytes_rchr(rcpt, n, '@');

	if (at == n || !verp_parts(sender, &box, &host, &hlen)) {
		str_copys(out, sender);
		return;
	}
	str_copyb(out, sender, box);
	str_catb(out, rcpt, at);
	str_catc(out, '=');
	str_catb(out, rcpt + at + 1, n - at - 1);
	str_catc(out, '@');
	str_catb(out, sender + host, hlen);
}

void
rewrite_unverp(const char *sender, struct str *out)
{
	size_t box, host, hlen;

	if (verp_parts(sender, &box, &host, &hlen))
		str_copyb(out, sender, host + hlen);
	else
		str_copys(out, sender);
}
