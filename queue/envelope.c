/* queue/envelope.c - checks what submitters send; see envelope.h. */
#include "queue/envelope.h"

#include "lib/str.h"
#include "mail/limits.h"

enum qx
envelope_check(const char *s, size_t n, size_t *n_out)
{
	size_t records = 0;

	for (size_t i = 0; i < n;) {
		size_t len = bytes_chr(s + i, n - i, '\0');

		if (len == n - i)
			return len > ADDR_MAX + 1 ? QX_ADDR_LONG : QX_READ;
		if (len == 0) {
			*n_out = i;
			return i > 0 ? QX_OK : QX_PROTO;
		}
		if (s[i] != (i == 0 ? 'F' : 'T'))
			return QX_PROTO;
		if (len - 1 > ADDR_MAX)
			return QX_ADDR_LONG;
		if (records++ > ENVELOPE_RCPTS)         /* F is one of them */
			return QX_REFUSED;
		i += len + 1;
	}
	return QX_READ;
}
