/* mail/spawnproto.c - the spawn protocol, both ends; see spawnproto.h. */
#include "mail/spawnproto.h"

#include "mail/limits.h"

#include <assert.h>
#include <string.h>

static void
cat_delnum(struct str *out, bool wide, unsigned delnum)
{
	assert(delnum < (wide ? 65536u : 256u));
	if (wide)
		str_catc(out, (char)(unsigned char)(delnum >> 8));
	str_catc(out, (char)(unsigned char)(delnum & 255));
}

static void
cat_hello(struct str *out, char version, unsigned max)
{
	assert(max >= 1 && max <= SPAWN_WIDE_MAX);
	str_catc(out, '\0');
	str_catc(out, version);
	cat_delnum(out, true, max);
}

void
spawn_cat_hello(struct str *out, unsigned max)
{
	cat_hello(out, 1, max);
}

void
spawn_cat_hello2(struct str *out, unsigned max)
{
	cat_hello(out, 2, max);
}

enum spawn_status
spawn_hello_byte(struct spawn_hello *h, unsigned char c)
{
	if (h->have >= sizeof h->raw)
		return SPAWN_BAD;
	h->raw[h->have++] = c;
	if (h->raw[0] != 0) {
		h->wide = false;
		h->max = h->raw[0];
		return SPAWN_DONE;
	}
	if (h->have >= 2 && (h->raw[1] < 1 || h->raw[1] > 2))
		return SPAWN_BAD;
	if (h->have < 4)
		return SPAWN_MORE;
	h->wide = true;
	h->version = h->raw[1];
	h->max = (unsigned)h->raw[2] << 8 | h->raw[3];
	return h->max >= 1 && h->max <= SPAWN_WIDE_MAX ? SPAWN_DONE :
	    SPAWN_BAD;
}

void
spawn_cat_command(struct str *out, unsigned version, unsigned delnum,
    const char *messid, const char *sender, const char *rcpt)
{
	cat_delnum(out, version > 0, delnum);
	str_catb(out, messid, strlen(messid) + 1);
	str_catb(out, sender, strlen(sender) + 1);
	str_catb(out, rcpt, strlen(rcpt) + 1);
}

void
spawn_cat_options(struct str *out, bool more, const char *params,
    const char *rparams)
{
	str_catb(out, "+", more ? 1 : 0);
	str_catc(out, '\0');
	str_catb(out, params, strlen(params) + 1);
	str_catb(out, rparams, strlen(rparams) + 1);
}

/* States of both parsers: 0 high byte, 1 low byte, then the fields.  The two
 * address fields may grow past ADDR_MAX by VERP and a virtual domain's
 * prefix, hence the factor. */
enum { S_HIGH, S_LOW, S_FIELD };
#define FIELD_MAX ((size_t)4 * ADDR_MAX)

static unsigned
delnum_byte(unsigned *state, bool wide, unsigned delnum, unsigned char c)
{
	if (*state == S_HIGH && wide) {
		*state = S_LOW;
		return (unsigned)c << 8;
	}
	delnum = *state == S_HIGH ? c : delnum | c;
	*state = S_FIELD;
	return delnum;
}

enum spawn_status
spawn_command_parse(struct spawn_command *c, unsigned version, const char *s,
    size_t n, size_t *used)
{
	struct str *field[] = {&c->messid, &c->sender, &c->rcpt, &c->mark,
	    &c->params, &c->rparams};
	const unsigned fields = version < 2 ? 3 : 6;
	size_t i = 0;

	while (i < n) {
		struct str *f;
		size_t len;

		if (c->state < S_FIELD) {
			c->delnum = delnum_byte(&c->state, version > 0,
			    c->delnum, (unsigned char)s[i++]);
			continue;
		}
		f = field[c->state - S_FIELD];
		len = bytes_chr(s + i, n - i, '\0');
		if (f->len + len > FIELD_MAX) {
			*used = i;
			return SPAWN_BAD;
		}
		str_catb(f, s + i, len);
		i += len;
		if (i == n)
			break;
		i++;
		if (++c->state == S_FIELD + fields) {
			*used = i;
			return SPAWN_DONE;
		}
	}
	*used = i;
	return SPAWN_MORE;
}

void
spawn_command_next(struct spawn_command *c)
{
	c->state = S_HIGH;
	c->delnum = 0;
	str_clear(&c->messid);
	str_clear(&c->sender);
	str_clear(&c->rcpt);
	str_clear(&c->mark);
	str_clear(&c->params);
	str_clear(&c->rparams);
}

void
spawn_command_free(struct spawn_command *c)
{
	str_free(&c->messid);
	str_free(&c->sender);
	str_free(&c->rcpt);
	str_free(&c->mark);
	str_free(&c->params);
	str_free(&c->rparams);
	*c = (struct spawn_command){0};
}

bool
spawn_messid_ok(const struct str *m)
{
	size_t slashes = 0;

	if (m->len == 0 || m->len > MSGID_MAX || m->s[0] == '/')
		return false;
	for (size_t i = 0; i < m->len; i++) {
		if (m->s[i] == '/')
			slashes++;
		else if (m->s[i] < '0' || m->s[i] > '9')
			return false;
	}
	return slashes <= 1 && m->s[m->len - 1] != '/';
}

void
spawn_cat_report(struct str *out, unsigned version, unsigned delnum,
    const char *text, size_t n)
{
	cat_delnum(out, version > 0, delnum);
	for (size_t i = 0; i < n; i++)
		if (text[i] != '\0')
			str_catc(out, text[i]);
	str_catc(out, '\0');
}

void
spawn_cat_notes(struct str *out, const char *notes)
{
	str_catb(out, notes, strlen(notes) + 1);
}

enum spawn_status
spawn_report_parse(struct spawn_report *r, unsigned version, const char *s,
    size_t n, size_t *used)
{
	struct str *field[] = {&r->text, &r->notes};
	const unsigned fields = version < 2 ? 1 : 2;
	size_t i = 0;

	while (i < n) {
		struct str *f;
		size_t len, room;

		if (r->state < S_FIELD) {
			r->delnum = delnum_byte(&r->state, version > 0,
			    r->delnum, (unsigned char)s[i++]);
			continue;
		}
		f = field[r->state - S_FIELD];
		len = bytes_chr(s + i, n - i, '\0');
		room = REPORT_MAX - f->len;
		str_catb(f, s + i, len < room ? len : room);
		i += len;
		if (i == n)
			break;
		i++;
		if (++r->state == S_FIELD + fields) {
			*used = i;
			return SPAWN_DONE;
		}
	}
	*used = i;
	return SPAWN_MORE;
}

bool
spawn_note(const char *notes, const char *key, size_t max, struct str *out)
{
	size_t k = strlen(key);

	while (*notes != '\0') {
		size_t n = strcspn(notes, " ");

		if (n > k && n - k - 1 <= max && notes[k] == '=' &&
		    memcmp(notes, key, k) == 0) {
			str_copyb(out, notes + k + 1, n - k - 1);
			return true;
		}
		notes += n + (notes[n] == ' ');
	}
	return false;
}

void
spawn_report_next(struct spawn_report *r)
{
	r->state = S_HIGH;
	r->delnum = 0;
	str_clear(&r->text);
	str_clear(&r->notes);
}

void
spawn_report_free(struct spawn_report *r)
{
	str_free(&r->text);
	str_free(&r->notes);
	*r = (struct spawn_report){0};
}
