/* remote/crlf.c - line ends for the wire; see crlf.h. */
#include "remote/crlf.h"

#include "lib/str.h"

static int
end_line(struct crlf *c)
{
	c->cr = c->inside = false;
	return c->put(c->arg, "\r\n", 2);
}

int
crlf_feed(struct crlf *c, const char *s, size_t n)
{
	size_t i = 0, lf = 0, len;

	while (i < n) {
		if (s[i] == '\n') {
			if (end_line(c) < 0)
				return -1;
			i++;
			continue;
		}
		if (c->cr) {
			c->cr = false;
			c->inside = true;
			if (c->put(c->arg, " ", 1) < 0)
				return -1;
		}
		if (s[i] == '\r') {
			c->cr = true;
			i++;
			continue;
		}
		if (c->dots && !c->inside && s[i] == '.' &&
		    c->put(c->arg, ".", 1) < 0)
			return -1;
		/* Looked for once a line, or many CRs would take long. */
		if (lf <= i)
			lf = i + bytes_chr(s + i, n - i, '\n');
		len = bytes_chr(s + i, lf - i, '\r');
		c->inside = true;
		if (c->put(c->arg, s + i, len) < 0)
			return -1;
		i += len;
	}
	return 0;
}

int
crlf_end(struct crlf *c)
{
	return c->inside || c->cr ? end_line(c) : 0;
}
