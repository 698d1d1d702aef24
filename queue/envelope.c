/* queue/envelope.c - checks what submitters send; see envelope.h. */
#include "queue/envelope.h"

#include "lib/str.h"
#include "mail/dsn.h"
#include "mail/limits.h"

/* The text of an M or N record. */
static bool
wishes_good(char kind, const char *s, size_t n)
{
	struct dsn_message m = {0};
	struct dsn_rcpt r = {0};
	bool good;

	if (n == 0)             /* nothing is said by no record */
		return false;
	good = (kind == 'M' ? dsn_message_parse(s, n, &m) :
	    dsn_rcpt_parse(s, n, &r)) == 0;
	dsn_message_free(&m);
	dsn_rcpt_free(&r);
	return good;
}

enum qx
envelope_check(const char *s, size_t n, size_t *n_out)
{
	size_t records = 0;
	char before = '\0';

	for (size_t i = 0; i < n;) {
		size_t len = bytes_chr(s + i, n - i, '\0');

		if (len == n - i)
			return len > ADDR_MAX + 1 ? QX_ADDR_LONG : QX_READ;
		if (len == 0) {
			*n_out = i;
			return i > 0 ? QX_OK : QX_PROTO;
		}
		if ((s[i] == 'M' && before == 'F') ||
		    (s[i] == 'N' && before == 'T')) {
			if (!wishes_good(s[i], s + i + 1, len - 1))
				return QX_PROTO;
			before = s[i];
			i += len + 1;
			continue;
		}
		if (s[i] != (i == 0 ? 'F' : 'T'))
			return QX_PROTO;
		before = s[i];
		if (len - 1 > ADDR_MAX)
			return QX_ADDR_LONG;
		if (records++ > ENVELOPE_RCPTS)         /* F is one of them */
			return QX_REFUSED;
		i += len + 1;
	}
	return QX_READ;
}
