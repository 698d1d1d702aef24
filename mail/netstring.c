/* mail/netstring.c - see netstring.h.  The peer may be anybody. */
#include "mail/netstring.h"

#include "lib/tai.h"

void
netreader_init(struct netreader *r, struct io *io)
{
	*r = (struct netreader){.io = io};
}

/* The time that is left for the next wait; false when there is none. */
static bool
set_timeout(struct netreader *r)
{
	int64_t left;

	if (r->until == 0)
		return true;
	left = r->until - clock_mono_ms();
	if (left <= 0) {
		r->fail = IO_TIMEOUT;
		return false;
	}
	if (left < INT32_MAX && (r->io->timeout == IO_FOREVER ||
	    r->io->timeout > (int)left))
		r->io->timeout = (int)left;
	return true;
}

enum netstring_status
netreader_get(struct netreader *r, char *buf, size_t n, size_t *got)
{
	*got = 0;
	if (r->nested && n > r->left) {
		if (r->left == 0)
			return NETSTRING_BAD;
		n = (size_t)r->left;
	}
	if (!set_timeout(r))
		return NETSTRING_IO;
	r->fail = io_get(r->io, buf, n, got);
	if (r->fail != IO_OK)
		return NETSTRING_IO;
	if (r->nested)
		r->left -= *got;
	return NETSTRING_OK;
}

enum netstring_status
netreader_head(struct netreader *r, uint64_t *len_out)
{
	uint64_t len = 0;

	for (unsigned digits = 0;; digits++) {
		enum netstring_status st;
		size_t got;
		char c;

		st = netreader_get(r, &c, 1, &got);
		if (st == NETSTRING_IO && r->fail == IO_EOF && digits == 0 &&
		    !r->nested)
			return NETSTRING_END;
		if (st != NETSTRING_OK)
			return st;
		if (c == ':' && digits > 0)
			break;
		if (c < '0' || c > '9' || (digits > 0 && len == 0))
			return NETSTRING_BAD;
		if (digits == NETSTRING_DIGITS)
			return NETSTRING_HUGE;
		len = len * 10 + (uint64_t)(c - '0');
	}
	if (r->nested && len >= r->left)        /* the comma is inside too */
		return NETSTRING_BAD;
	*len_out = len;
	return NETSTRING_OK;
}

enum netstring_status
netreader_comma(struct netreader *r)
{
	enum netstring_status st;
	size_t got;
	char c;

	st = netreader_get(r, &c, 1, &got);
	if (st == NETSTRING_OK && c != ',')
		return NETSTRING_BAD;
	return st;
}

enum netstring_status
netreader_str(struct netreader *r, struct str *out, size_t max)
{
	enum netstring_status st;
	uint64_t len;
	bool keep;

	str_clear(out);
	if ((st = netreader_head(r, &len)) != NETSTRING_OK)
		return st;
	keep = len <= max;
	while (len > 0) {
		char buf[1024];
		size_t got;

		st = netreader_get(r, buf, len < sizeof buf ? (size_t)len :
		    sizeof buf, &got);
		if (st != NETSTRING_OK)
			return st;
		if (keep)
			str_catb(out, buf, got);
		len -= got;
	}
	if ((st = netreader_comma(r)) != NETSTRING_OK)
		return st;
	return keep ? NETSTRING_OK : NETSTRING_LONG;
}

void
netreader_enter(struct netreader *r, uint64_t len)
{
	r->nested = true;
	r->left = len;
}

enum netstring_status
netreader_leave(struct netreader *r)
{
	if (r->left != 0)
		return NETSTRING_BAD;
	r->nested = false;
	return netreader_comma(r);
}

void
netstring_cat_head(struct str *s, uint64_t len)
{
	str_catu(s, len);
	str_catc(s, ':');
}

void
netstring_cat(struct str *s, const void *bytes, size_t n)
{
	netstring_cat_head(s, n);
	str_catb(s, bytes, n);
	str_catc(s, ',');
}

uint64_t
netstring_size(uint64_t len)
{
	uint64_t size = len + 2;

	do
		size++;
	while ((len /= 10) > 0);
	return size;
}
