/* mail/users.c - lines of users/assign and entries; see users.h.  Pure. */
#include "mail/users.h"

#include <errno.h>
#include <string.h>

#define FIELDS 6                /* user uid gid home dash ext */

void
users_entry_free(struct users_entry *e)
{
	str_free(&e->user);
	str_free(&e->home);
	str_free(&e->dash);
	str_free(&e->ext);
	*e = (struct users_entry){0};
}

/* A whole decimal number below 2^32 - 1: that one means "no such id". */
static int
parse_id(const char *s, size_t n, uint32_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 10)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v >= UINT32_MAX)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

int
users_parse_entry(const char *s, size_t n, struct users_entry *out)
{
	const char *field[FIELDS];
	size_t len[FIELDS];

	for (int i = 0; i < FIELDS; i++) {
		size_t k = bytes_chr(s, n, '\0');

		/* Only the last one may lack its NUL. */
		if (k == n && i != FIELDS - 1)
			goto bad;
		field[i] = s;
		len[i] = k;
		s += k < n ? k + 1 : k;
		n -= k < n ? k + 1 : k;
	}
	if (n > 0 || len[0] == 0 || len[3] == 0 || field[3][0] != '/' ||
	    parse_id(field[1], len[1], &out->uid) < 0 ||
	    parse_id(field[2], len[2], &out->gid) < 0)
		goto bad;
	str_copyb(&out->user, field[0], len[0]);
	str_copyb(&out->home, field[3], len[3]);
	str_copyb(&out->dash, field[4], len[4]);
	str_copyb(&out->ext, field[5], len[5]);
	return 0;
bad:
	errno = EPROTO;
	return -1;
}

static void
cat_field(struct str *out, const char *s)
{
	str_catb(out, s, strlen(s) + 1);
}

void
users_cat_entry(struct str *out, const struct users_entry *e)
{
	cat_field(out, str_c(&e->user));
	str_catu(out, e->uid);
	str_catc(out, '\0');
	str_catu(out, e->gid);
	str_catc(out, '\0');
	cat_field(out, str_c(&e->home));
	cat_field(out, str_c(&e->dash));
	cat_field(out, str_c(&e->ext));
}

const char *
users_parse_line(const char *s, size_t n, struct users_line *out)
{
	struct users_entry e = {0};
	const char *why = NULL;

	str_clear(&out->value);
	if (bytes_chr(s, n, '\0') < n)
		return "it has a NUL byte";
	if (n == 0 || (s[0] != '=' && s[0] != '+'))
		return "it begins with neither = nor +";
	out->wild = s[0] == '+';
	out->name = s + 1;
	out->nname = bytes_chr(s + 1, n - 1, ':');
	if (out->nname == n - 1)
		return "it has no colon";
	s += out->nname + 2;
	n -= out->nname + 2;
	for (int i = 0; i < FIELDS; i++) {
		size_t k = bytes_chr(s, n, ':');

		if (k == n)
			return "it has fewer than seven colons";
		if (i > 0)
			str_catc(&out->value, '\0');
		str_catb(&out->value, s, k);
		s += k + 1;
		n -= k + 1;
	}
	if (users_parse_entry(str_c(&out->value), out->value.len, &e) < 0)
		why = "the user is empty, uid or gid is no number, or the "
		    "home does not begin with a slash";
	users_entry_free(&e);
	return why;
}

void
users_line_free(struct users_line *l)
{
	str_free(&l->value);
	*l = (struct users_line){0};
}

void
users_cat_key(struct str *out, const char *name, size_t n, bool wild)
{
	str_catc(out, '!');
	for (size_t i = 0; i < n; i++)
		str_catc(out, ascii_lower(name[i]));
	if (!wild)
		str_catc(out, '\0');
}

int
users_parse_assign(const char *s, size_t n,
    int (*each)(void *arg, const struct users_line *), void *arg,
    size_t *line_out, const char **why)
{
	struct users_line l = {0};
	int r = 0;

	*why = NULL;
	for (*line_out = 1;; (*line_out)++) {
		size_t len = bytes_chr(s, n, '\n');

		if (len == n) {
			*why = n == 0 ? "the final line \".\" is missing" :
			    "it does not end in a newline";
			break;
		}
		if (len == 1 && s[0] == '.')
			break;
		*why = users_parse_line(s, len, &l);
		if (*why != NULL || (r = each(arg, &l)) < 0)
			break;
		s += len + 1;
		n -= len + 1;
	}
	users_line_free(&l);
	return *why != NULL ? -1 : r;
}
