/* mail/vplan.c - plans for mail of virtual domains; see vplan.h.
 *
 * authdaemond is believed; the local part is a stranger's and names no file
 * but by mail/dotname.h. */
#include "mail/vplan.h"

#include "mail/dotfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char program[] = "vdelivermail";

bool
vplan_name_ok(const char *local)
{
	static const char other[] = "!#$&'*+-./=?^_`{|}~";

	for (; *local; local++) {
		char c = ascii_lower(*local);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    strchr(other, c) != NULL))
			return false;
	}
	return true;
}

void
vplan_free(struct vplan *p)
{
	dotqmail_free(&p->todo);
	str_free(&p->file);
	str_free(&p->dir);
	str_free(&p->maildir);
	str_free(&p->matched);
	*p = (struct vplan){0};
}

static void
trouble(struct vplan *p, const char *why)
{
	p->kind = VPLAN_TEMP;
	p->why = why;
	p->error = errno;
}

/* Blank lines say nothing; a file of them alone is as good as an empty one. */
static bool
is_blank(const struct str *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->s[i] != '\n' && text->s[i] != ' ' &&
		    text->s[i] != '\t')
			return false;
	return true;
}

static void
take_lines(struct vplan *p, const char *s, size_t n)
{
	size_t blank = 0;

	/* A first line that is blank stops a user of qmail-local only. */
	while (blank < n && (s[blank] == '\n' || s[blank] == ' ' ||
	    s[blank] == '\t'))
		blank++;
	/* Nor does a mode that lets him execute it: whole trees have it. */
	dotqmail_parse(&p->todo, s + blank, n - blank, false);
	p->kind = p->todo.n > 0 ? VPLAN_LINES : VPLAN_NOTHING;
}

/* Does p->dir have a .qmail that says something?  p is complete then. */
static bool
try_dotqmail(struct vplan *p, const char *dash, const char *ext)
{
	struct dotfile f = {0};
	bool done = true;

	switch (dotfile_find(str_c(&p->dir), dash, ext, &f)) {
	case DOTFILE_OK:
		done = !is_blank(&f.text);
		if (!done)
			break;
		take_lines(p, str_c(&f.text), f.text.len);
		str_copy(&p->file, &p->dir);
		str_catc(&p->file, '/');
		str_cat(&p->file, &f.name);
		p->have_matched = f.have_matched;
		if (f.have_matched)
			str_copys(&p->matched, ext + f.matched_at);
		break;
	case DOTFILE_NONE:
		done = false;
		break;
	case DOTFILE_WRITABLE:
		errno = 0;
		trouble(p, "the user's .qmail can be written by everybody");
		break;
	case DOTFILE_TEMP:
		done = errno != EACCES;
		p->closed = !done;
		if (done)
			trouble(p, "the user's .qmail cannot be read");
		break;
	}
	dotfile_free(&f);
	return done;
}

static void
set_dir(struct vplan *p, const char *dir)
{
	str_copys(&p->dir, dir);
	while (p->dir.len > 1 && p->dir.s[p->dir.len - 1] == '/')
		str_trunc(&p->dir, p->dir.len - 1);
	str_copy(&p->maildir, &p->dir);
	str_cats(&p->maildir, "/Maildir/");
}

static bool
is_bounced(const struct auth_answer *a)
{
	const char *flags = auth_value_peek(a, "FLAGS", 0);
	uint64_t u;

	return flags != NULL && scan_u64(flags, &u) > 0 &&
	    (u & VPLAN_FLAG_BOUNCE) != 0;
}

/* The account's Maildir and what it may hold; false: it has no directory. */
static bool
set_mailbox(struct vplan *p, const struct auth_answer *a)
{
	const char *home = auth_value_peek(a, "HOME", 0);
	const char *quota = auth_value_peek(a, "QUOTA", 0);

	if (home == NULL || home[0] != '/')
		return false;
	set_dir(p, home);
	/* A quota that means nothing sets no limit, as ever. */
	p->have_quota = true;
	if (quota != NULL && quota_parse(quota, strlen(quota),
	    &p->quota) < 0)
		p->quota = (struct quota){0};
	return true;
}

static void
plan_user(struct vplan *p, const struct auth_answer *a, const char *user,
    const char *local)
{
	size_t n = strlen(user);

	p->source = VPLAN_USER;
	if (is_bounced(a)) {
		p->kind = VPLAN_REFUSED;
		return;
	}
	if (!set_mailbox(p, a)) {
		errno = 0;
		trouble(p, "the mailbox has no directory");
		return;
	}
	if (strlen(local) > n && memcmp(local, user, n) == 0 &&
	    local[n] == '-' && try_dotqmail(p, "-", local + n + 1))
		return;
	if (!try_dotqmail(p, "", ""))
		p->kind = VPLAN_MAILBOX;
}

static void
plan_path(struct vplan *p, const char *path)
{
	struct str sub = {0};
	struct stat st;

	set_dir(p, path);
	if (try_dotqmail(p, "", ""))
		return;
	p->kind = VPLAN_MAILBOX;
	str_copy(&sub, &p->dir);
	str_cats(&sub, "/new");
	if (stat(str_c(&p->maildir), &st) < 0 && errno == ENOENT &&
	    stat(str_c(&sub), &st) == 0 && S_ISDIR(st.st_mode)) {
		str_copy(&p->maildir, &p->dir);
		str_catc(&p->maildir, '/');
	}
	str_free(&sub);
}

static void
plan_nobody(struct vplan *p, const char *action)
{
	p->source = VPLAN_CATCHALL;
	if (strcmp(action, VPLAN_BOUNCE) == 0) {
		p->kind = VPLAN_NOBODY;
	} else if (strcmp(action, VPLAN_DELETE) == 0) {
		p->kind = VPLAN_NOTHING;
	} else if (*action == '/') {
		plan_path(p, action);
	} else if (*action == '\0' || strpbrk(action, " \t\n") != NULL ||
	    strchr("#|.+", *action) != NULL) {
		errno = 0;
		trouble(p, "what vdelivermail should do with mail for nobody "
		    "is not understood");
	} else {
		dotqmail_parse(&p->todo, action, strlen(action), true);
		p->kind = VPLAN_LINES;
	}
}

static void
plan_alias(struct vplan *p, const struct auth_answer *a)
{
	const char *matched = auth_value_peek(a, "DEFAULT", 0), *line;
	struct str text = {0}, dir = {0};

	for (size_t i = 0; (line = auth_value_peek(a, "ALIAS",
	    i)) != NULL; i++) {
		str_cats(&text, line);
		str_catc(&text, '\n');
	}
	str_copy(&dir, &p->dir);
	if (auth_value_peek(a, "COPY", 0) != NULL && set_mailbox(p, a)) {
		str_cat(&text, &p->maildir);
		str_copy(&p->dir, &dir);
	}
	p->source = VPLAN_ALIAS;
	p->have_matched = matched != NULL;
	str_copys(&p->matched, matched == NULL ? "" : matched);
	take_lines(p, str_c(&text), text.len);
	str_free(&text);
	str_free(&dir);
}

void
vplan_make(struct vplan *p, const struct auth_answer *a, const char *local,
    const char *action)
{
	const char *user = auth_value_peek(a, "USER", 0);
	const char *dir = auth_value_peek(a, "DIR", 0);

	*p = (struct vplan){0};
	str_copys(&p->dir, dir == NULL ? "" : dir);
	if (auth_value_peek(a, "ALIAS", 0) != NULL) {
		plan_alias(p, a);
	} else if (user != NULL) {
		plan_user(p, a, user, local);
	} else {
		plan_nobody(p, action);
	}
}

void
vplan_cat_step(struct str *out, const struct dotqmail *dq, size_t i)
{
	static const char *const verb[] = {
		[DOTQMAIL_PROGRAM] = "program ",
		[DOTQMAIL_MBOX] = "mbox ",
		[DOTQMAIL_MAILDIR] = "maildir ",
		[DOTQMAIL_FORWARD] = "forward ",
		[DOTQMAIL_BLANK_FIRST] = "refused: the first line is blank",
		[DOTQMAIL_NO_FILES] = "refused: only forwards may be here: ",
		[DOTQMAIL_NO_PROGRAMS] =
		    "refused: only forwards may be here: |",
		[DOTQMAIL_NUL] = "refused: a NUL byte",
	};

	str_cats(out, verb[dq->steps[i].kind]);
	str_cats(out, dotqmail_arg(dq, i));
}

/* One word of a command, without its quotes, is appended to out; what follows
 * it. */
static const char *
scan_word(const char *p, struct str *out)
{
	char quote = '\0';

	p += strspn(p, " \t");
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++)
		if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? '\0' : *p;
		else
			str_catc(out, *p);
	return p;
}

bool
vplan_is_call(const char *command, struct str *action_out)
{
	struct str word = {0};
	const char *p = scan_word(command, &word);
	size_t slash = bytes_rchr(str_c(&word), word.len, '/');
	bool is;

	is = strcmp(str_c(&word) + (slash < word.len ? slash + 1 : 0),
	    program) == 0;
	if (is) {
		str_clear(&word);
		p = scan_word(p, &word);
		str_clear(action_out);
		(void)scan_word(p, action_out);
	}
	str_free(&word);
	return is;
}
