/* crlf.c - adding, repairing and removing CRs; see crlf.h. */
#include "supervise/crlf.h"

void
crlf_add(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			str_catc(out, '\r');
		str_catc(out, s[i]);
	}
}

void
crlf_fix(struct crlf *c, struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' && !c->cr)
			str_catc(out, '\r');
		str_catc(out, s[i]);
		c->cr = s[i] == '\r';
	}
}

void
crlf_del(struct crlf *c, struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c->cr && s[i] != '\n')
			str_catc(out, '\r');
		c->cr = s[i] == '\r';
		if (!c->cr)
			str_catc(out, s[i]);
	}
}

void
crlf_del_end(struct crlf *c, struct str *out)
{
	if (c->cr)
		str_catc(out, '\r');
	c->cr = false;
}
