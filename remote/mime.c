/* remote/mime.c - Content-Type and Content-Transfer-Encoding; see mime.h. */
#include "remote/mime.h"

#include "mail/header.h"

#include <string.h>

size_t
mime_field_len(const char *s, size_t n)
{
	size_t i = 0;

	do {
		i += bytes_chr(s + i, n - i, '\n');
		i += i < n ? 1 : 0;
	} while (i < n && (s[i] == ' ' || s[i] == '\t'));
	return i;
}

bool
mime_field_is(const char *s, size_t n, const char *name)
{
	size_t value, len = header_scan_name(s, n, &value);

	return bytes_caseeq(s, len, name, strlen(name));
}

struct scan {
	const char *s, *end;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip(struct scan *c)
{
	unsigned depth = 0;

	for (; c->s < c->end; c->s++) {
		if (depth > 0 && *c->s == '\\' && c->s + 1 < c->end)
			c->s++;
		else if (*c->s == '(')
			depth++;
		else if (depth > 0 && *c->s == ')')
			depth--;
		else if (depth == 0 && !is_space(*c->s))
			return;
	}
}

/* A token (2045:5.1) or a quoted string; false when there is neither. */
static bool
word(struct scan *c, struct str *out)
{
	str_clear(out);
	skip(c);
	if (c->s < c->end && *c->s == '"') {
		for (c->s++; c->s < c->end && *c->s != '"'; c->s++) {
			if (*c->s == '\\' && c->s + 1 < c->end)
				c->s++;
			if (*c->s != '\n' && *c->s != '\r')
				str_catc(out, *c->s);
		}
		if (c->s < c->end)
			c->s++;
		return true;
	}
	while (c->s < c->end && !is_space(*c->s) &&
	    strchr("()<>@,;:\\\"/[]?=", *c->s) == NULL)
		str_catc(out, *c->s++);
	return out->len > 0;
}

static bool
take(struct scan *c, char what)
{
	skip(c);
	if (c->s == c->end || *c->s != what)
		return false;
	c->s++;
	return true;
}

static void
parameters(struct mime *m, struct scan *c)
{
	struct str key = {0}, value = {0};

	while (take(c, ';')) {
		if (!word(c, &key) || !take(c, '=') || !word(c, &value))
			continue;
		str_lower(&key);
		if (str_eqs(&key, "boundary") && m->boundary.len == 0)
			str_copy(&m->boundary, &value);
	}
	str_free(&key);
	str_free(&value);
}

static void
content_type(struct mime *m, const char *s, size_t n)
{
	struct scan c = {s, s + n};
	struct str type = {0}, sub = {0};

	m->has_type = true;
	m->kind = MIME_OTHER;
	if (word(&c, &type) && take(&c, '/') && word(&c, &sub)) {
		str_lower(&type);
		str_lower(&sub);
		if (str_eqs(&type, "text"))
			m->kind = MIME_TEXT;
		else if (str_eqs(&type, "multipart"))
			m->kind = MIME_MULTIPART;
		else if (str_eqs(&type, "message"))
			m->kind = str_eqs(&sub, "rfc822") ||
			    str_eqs(&sub, "global") ? MIME_MESSAGE :
			    MIME_RIGID;
		m->is_signed = str_eqs(&sub, "signed");
		m->is_digest = str_eqs(&sub, "digest");
		parameters(m, &c);
	}
	str_free(&type);
	str_free(&sub);
}

static void
transfer_encoding(struct mime *m, const char *s, size_t n)
{
	static const struct { const char *name; enum mime_cte cte; } t[] = {
		{"7bit", MIME_7BIT}, {"8bit", MIME_8BIT},
		{"binary", MIME_8BIT}, {"quoted-printable", MIME_QP},
		{"base64", MIME_BASE64},
	};
	struct scan c = {s, s + n};
	struct str name = {0};

	m->cte = MIME_UNKNOWN;
	if (word(&c, &name)) {
		str_lower(&name);
		for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
			if (str_eqs(&name, t[i].name))
				m->cte = t[i].cte;
	}
	str_free(&name);
}

void
mime_parse(struct mime *m, const char *s, size_t n, bool inside_digest)
{
	*m = (struct mime){.kind = inside_digest ? MIME_MESSAGE : MIME_TEXT};
	for (size_t i = 0, len; i < n; i += len) {
		size_t value;

		len = mime_field_len(s + i, n - i);
		if (header_scan_name(s + i, len, &value) == 0)
			continue;
		/* The first of each counts. */
		if (mime_field_is(s + i, len, "MIME-Version"))
			m->has_version = true;
		else if (!m->has_type &&
		    mime_field_is(s + i, len, "Content-Type"))
			content_type(m, s + i + value, len - value);
		else if (m->cte == MIME_7BIT && mime_field_is(s + i, len,
		    "Content-Transfer-Encoding"))
			transfer_encoding(m, s + i + value, len - value);
	}
}

void
mime_free(struct mime *m)
{
	str_free(&m->boundary);
}
