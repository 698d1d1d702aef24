/* lspawn/pw2u.c - passwd lines to assign lines; see pw2u.h.
 *
 * For each account that is included and not excluded: its mail names (its own
 * name where mailnames has none), exact and with extensions, then the
 * subusers that are its.  alias takes what is left over. */
#include "lspawn/pw2u.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define FIELDS 7                /* of a passwd line */

struct account {
	const char *field[FIELDS];
	size_t len[FIELDS];
};
enum { NAME, PASSWORD, UID, GID, GECOS, HOME, SHELL };

struct convert {
	const struct pw2u_options *opt;
	const struct pw2u_lists *lists;
	struct str *out, *why;
	bool have_alias;
};

void
pw2u_lists_free(struct pw2u_lists *l)
{
	str_free(&l->include);
	str_free(&l->exclude);
	str_free(&l->mailnames);
	str_free(&l->subusers);
	str_free(&l->append);
	*l = (struct pw2u_lists){0};
}

/* Next line of text from *at, without LF and blanks at its end. */
static bool
next_line(const char *s, size_t n, size_t *at, const char **line, size_t *len)
{
	if (*at >= n)
		return false;
	*line = s + *at;
	*len = bytes_chr(*line, n - *at, '\n');
	*at += *len + 1;
	while (*len > 0 && strchr(" \t\r", (*line)[*len - 1]) != NULL)
		--*len;
	return true;
}

static bool
same(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen == blen && memcmp(a, b, alen) == 0;
}

static bool
listed(const struct str *list, const char *name, size_t n)
{
	const char *line;
	size_t at = 0, len;

	while (next_line(str_c(list), list->len, &at, &line, &len))
		if (same(line, len, name, n))
			return true;
	return false;
}

/* "=local:user:uid:gid:home:dash:ext:" or the "+" line. */
static void
cat_line(struct convert *c, char kind, const char *local, size_t nlocal,
    const struct account *a, bool dash, const char *ext, size_t next)
{
	struct str *o = c->out;
	char sep[2] = {c->opt->separator, '\0'};

	str_catc(o, kind);
	str_catb(o, local, nlocal);
	if (kind == '+' && nlocal > 0)
		str_cats(o, sep);
	for (int i = 0; i < 4; i++) {
		static const int order[] = {NAME, UID, GID, HOME};

		str_catc(o, ':');
		str_catb(o, a->field[order[i]], a->len[order[i]]);
	}
	str_cats(o, !dash ? ":" : c->opt->slash ? ":-/" : ":-");
	str_catc(o, ':');
	str_catb(o, ext, next);
	if (kind == '+' && next > 0)
		str_cats(o, sep);
	str_cats(o, ":\n");
}

static void
cat_address(struct convert *c, const char *local, size_t n,
    const struct account *a, const char *ext, size_t next)
{
	/* Between a subuser and its extension stands a dash. */
	cat_line(c, '=', local, n, a, next > 0, ext, next);
	if (c->opt->separator != '\0')
		cat_line(c, '+', local, n, a, true, ext, next);
}

/* mailnames: user:name:name...; the line of this user names all of them. */
static bool
cat_mailnames(struct convert *c, const struct account *a)
{
	const struct str *t = &c->lists->mailnames;
	const char *line;
	size_t at = 0, len;

	while (next_line(str_c(t), t->len, &at, &line, &len)) {
		size_t k = bytes_chr(line, len, ':');

		if (k == len || !same(line, k, a->field[NAME], a->len[NAME]))
			continue;
		while (k < len) {
			const char *name = line + k + 1;
			size_t n = bytes_chr(name, len - k - 1, ':');

			if (n > 0)
				cat_address(c, name, n, a, "", 0);
			k += n + 1;
		}
		return true;
	}
	return false;
}

/* subusers: sub:user:pre: - sub is user with extension pre. */
static int
cat_subusers(struct convert *c, const struct account *a)
{
	const struct str *t = &c->lists->subusers;
	const char *line;
	size_t at = 0, len;

	while (next_line(str_c(t), t->len, &at, &line, &len)) {
		size_t sub = bytes_chr(line, len, ':'), user, pre;

		if (len == 0 || line[0] == '#')
			continue;
		if (sub == len)
			goto bad;
		user = bytes_chr(line + sub + 1, len - sub - 1, ':');
		if (user == len - sub - 1)
			goto bad;
		pre = bytes_chr(line + sub + user + 2, len - sub - user - 2,
		    ':');
		if (!same(line + sub + 1, user, a->field[NAME],
		    a->len[NAME]))
			continue;
		cat_address(c, line, sub, a, line + sub + user + 2, pre);
	}
	return 0;
bad:
	str_cats(c->why, "a line of subusers is not sub:user:pre:");
	return -1;
}

/* Takes the account's mail? 1 yes, 0 skip, -1 stop. */
static int
judge_home(struct convert *c, const struct account *a, uint64_t uid)
{
	struct str home = {0};
	struct stat st;
	int r = 1;

	if (c->opt->homes == PW2U_IGNORE)
		return 1;
	str_copyb(&home, a->field[HOME], a->len[HOME]);
	if (stat(str_c(&home), &st) == 0) {
		r = st.st_uid == uid;
	} else if (errno != ENOENT && errno != ENOTDIR) {
		str_catf(c->why, "unable to examine %s: %s", str_c(&home),
		    strerror(errno));
		r = -1;
	} else if (c->opt->homes == PW2U_STOP) {
		str_catf(c->why, "home %s of %.*s does not exist",
		    str_c(&home), (int)a->len[NAME], a->field[NAME]);
		r = -1;
	} else {
		r = 0;
	}
	str_free(&home);
	return r;
}

static bool
wanted(const struct convert *c, const struct account *a)
{
	const char *name = a->field[NAME];
	size_t n = a->len[NAME];

	if (!c->opt->upper)
		for (size_t i = 0; i < n; i++)
			if (name[i] >= 'A' && name[i] <= 'Z')
				return false;
	if (c->lists->has_include && !listed(&c->lists->include, name, n))
		return false;
	return !listed(&c->lists->exclude, name, n);
}

static int
split(const char *line, size_t len, struct account *a)
{
	for (int i = 0; i < FIELDS; i++) {
		size_t k = bytes_chr(line, len, ':');

		if ((k == len) != (i == FIELDS - 1))
			return -1;
		a->field[i] = line;
		a->len[i] = k;
		line += k < len ? k + 1 : k;
		len -= k < len ? k + 1 : k;
	}
	return a->len[NAME] > 0 ? 0 : -1;
}

static int
add_account(struct convert *c, const char *line, size_t len)
{
	struct account a;
	uint64_t uid;
	int r;

	if (split(line, len, &a) < 0 ||
	    scan_u64(a.field[UID], &uid) != a.len[UID]) {
		str_cats(c->why, "a passwd line has not its seven fields: ");
		str_catb(c->why, line, bytes_chr(line, len, ':'));
		return -1;
	}
	if (uid == 0)
		return 0;               /* root gets no mail */
	if (same(a.field[NAME], a.len[NAME], "alias", 5)) {
		cat_line(c, '+', "", 0, &a, true, "", 0);
		c->have_alias = true;
	}
	if (!wanted(c, &a))
		return 0;
	r = judge_home(c, &a, uid);
	if (r <= 0)
		return r;
	if (!cat_mailnames(c, &a))
		cat_address(c, a.field[NAME], a.len[NAME], &a, "", 0);
	return cat_subusers(c, &a);
}

int
pw2u_convert(const char *passwd, size_t n, const struct pw2u_options *opt,
    const struct pw2u_lists *lists, struct str *out, struct str *why)
{
	struct convert c = {.opt = opt, .lists = lists, .out = out,
	    .why = why};
	const char *line;
	size_t at = 0, len;

	while (next_line(passwd, n, &at, &line, &len))
		if (len > 0 && add_account(&c, line, len) < 0)
			return -1;
	if (!c.have_alias) {
		str_cats(why, "there is no account alias in the input");
		return -1;
	}
	str_cat(out, &lists->append);
	if (lists->append.len > 0 && out->s[out->len - 1] != '\n')
		str_catc(out, '\n');
	str_cats(out, ".\n");
	return 0;
}
