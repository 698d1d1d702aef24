/* mail/remoteproto.c - commands for a qmail-remote that stays; see
 * remoteproto.h.  Pure: bytes in, structs out. */
#include "mail/remoteproto.h"

#include "mail/dsn.h"
#include "mail/limits.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(REMOTE_PACKET_MAX >
    (REMOTE_RCPTS_MAX + 1) * (ADDR_MAX + DSN_TEXT_MAX + 2),
    "a full transaction fits");

static void
cat_field(struct str *out, const char *s)
{
	str_catb(out, s, strlen(s) + 1);
}

void
remote_cat_command(struct str *out, const struct remote_command *c)
{
	assert(c->n >= 1 && c->n <= REMOTE_RCPTS_MAX);
	cat_field(out, c->sender);
	cat_field(out, c->params);
	for (size_t i = 0; i < c->n; i++) {
		cat_field(out, c->rcpt[i].addr);
		cat_field(out, c->rcpt[i].params);
	}
}

static int
bad(void)
{
	errno = EPROTO;
	return -1;
}

/* Two fields at *s; -1 when they are not there. */
static int
take_pair(const char **s, size_t *n, const char **a, const char **b)
{
	const char **const field[] = {a, b};

	for (int i = 0; i < 2; i++) {
		size_t len = bytes_chr(*s, *n, '\0');

		if (len == *n)
			return bad();
		*field[i] = *s;
		*s += len + 1;
		*n -= len + 1;
	}
	return 0;
}

int
remote_parse_command(const char *s, size_t n, struct remote_command *out)
{
	out->n = 0;
	if (n > REMOTE_PACKET_MAX ||
	    take_pair(&s, &n, &out->sender, &out->params) < 0)
		return bad();
	do {
		struct remote_rcpt *r = &out->rcpt[out->n];

		if (out->n == REMOTE_RCPTS_MAX ||
		    take_pair(&s, &n, &r->addr, &r->params) < 0)
			return bad();
		out->n++;
	} while (n > 0);
	return 0;
}
