/* send/verp.c - variable envelope return paths; see verp.h. */
#include "send/verp.h"

#include <string.h>

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

bool
verp_wanted(const char *sender)
{
	size_t box, host, hlen;

	return verp_parts(sender, &box, &host, &hlen);
}

void
verp_expand(const char *sender, const char *rcpt, struct str *out)
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
verp_strip(const char *sender, struct str *out)
{
	size_t box, host, hlen;

	if (verp_parts(sender, &box, &host, &hlen))
		str_copyb(out, sender, host + hlen);
	else
		str_copys(out, sender);
}
