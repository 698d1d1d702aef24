/* vpop/vbox.c - Maildirs of virtual users; see vbox.h.
 *
 * Runs as the domain's user.  The mailbox is told apart from a stranger's by
 * its path alone, which authdaemond or a .qmail file gave. */
#include "vpop/vbox.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "mail/date.h"
#include "mail/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_SUBS 3

static const char *const subs[N_SUBS] = {"tmp", "new", "cur"};

bool
vbox_is_below(const char *base, const char *path)
{
	size_t n = strlen(base);

	while (n > 1 && base[n - 1] == '/')
		n--;
	if (n == 0 || strncmp(base, path, n) != 0 ||
	    (path[n] != '\0' && path[n] != '/'))
		return false;
	for (const char *p = path; (p = strstr(p, "/..")) != NULL; p += 3)
		if (p[3] == '\0' || p[3] == '/')
			return false;
	return true;
}

static int
make_dir(const char *path)
{
	if (mkdir(path, 0700) == 0)
		return fs_sync_parent(path);
	return errno == EEXIST ? 0 : -1;
}

int
vbox_make(const char *base, const char *maildir)
{
	size_t n = strlen(maildir), from = 1;
	struct str path = {0};
	int r = 0;

	while (n > 1 && maildir[n - 1] == '/')
		n--;
	if (vbox_is_below(base, maildir)) {
		from = strlen(base) + 1;
	} else {
		/* Elsewhere only the mailbox and its Maildir. */
		str_copyb(&path, maildir, n);
		from = bytes_rchr(str_c(&path), bytes_rchr(str_c(&path), n,
		    '/'), '/') + 1;
	}
	for (size_t i = from; r == 0 && i <= n; i++)
		if (i == n || maildir[i] == '/') {
			str_copyb(&path, maildir, i);
			r = make_dir(str_c(&path));
		}
	for (size_t i = 0; r == 0 && i < N_SUBS; i++) {
		str_copyb(&path, maildir, n);
		str_catc(&path, '/');
		str_cats(&path, subs[i]);
		r = make_dir(str_c(&path));
	}
	str_free(&path);
	return r;
}

static bool
cat_file(struct str *out, const char *dir, const char *name)
{
	struct str path = {0}, text = {0};
	bool got;

	str_catf(&path, "%s/%s", dir, name);
	got = fs_read(str_c(&path), &text, VBOX_TEXT_MAX) == 0;
	if (got) {
		str_cat(out, &text);
		if (text.len > 0 && text.s[text.len - 1] != '\n')
			str_catc(out, '\n');
	}
	str_free(&path);
	str_free(&text);
	return got;
}

bool
vbox_cat_text(struct str *out, const char *dir, const char *global,
    const char *name, const char *fallback)
{
	if (cat_file(out, dir, name) ||
	    (*global != '\0' && cat_file(out, global, name)))
		return true;
	str_cats(out, fallback);
	return false;
}

static int
soft(struct str *words, const char *what, const char *name)
{
	int e = errno;

	str_catf(words, "Unable to %s ", what);
	log_quote(words, name, strlen(name));
	str_catf(words, ": %s. (#4.3.0)\n", strerror(e));
	return VERDICT_SOFT;
}

static int
over_quota(const struct vbox_config *c, struct str *words)
{
	bool hard = c->policy == VBOX_BOUNCE;

	(void)vbox_cat_text(words, c->dir, c->global, ".over-quota.msg",
	    hard ? "user is over quota (#5.2.2)\n" :
	    "user is over quota (#4.2.2)\n");
	return hard ? VERDICT_HARD : VERDICT_SOFT;
}

/* Below quota with this message more?  VERDICT_OK: yes, or it does not
 * matter. */
static int
check_quota(struct vbox *b, const struct vbox_config *c,
    const char *maildir, const struct quota *quota, struct str *words)
{
	bool over = false;
	int r;

	if (maildirsize_root(maildir, &b->root) < 0)
		return soft(words, "examine", maildir);
	if (quota != NULL)
		b->quota = *quota;
	else if (maildirsize_quota(str_c(&b->root), &b->quota) < 0)
		return soft(words, "read maildirsize of", str_c(&b->root));
	/* Where nobody is refused nobody counts the mail for every message. */
	if (!quota_is_limited(&b->quota))
		r = 0;
	else if (c->policy == VBOX_ACCEPT)
		r = maildirsize_get(str_c(&b->root), &b->quota, &b->used);
	else
		r = maildirsize_fits(str_c(&b->root), &b->quota,
		    (int64_t)(c->size + c->nhead), 1, &b->used, &over);
	if (r < 0)
		return soft(words, "count the mail in", str_c(&b->root));
	return over ? over_quota(c, words) : VERDICT_OK;
}

static bool
is_missing(const char *maildir)
{
	struct str path = {0};
	bool missing = false;

	for (size_t i = 0; i < N_SUBS && !missing; i++) {
		struct stat st;

		str_clear(&path);
		str_catf(&path, "%s/%s", maildir, subs[i]);
		missing = stat(str_c(&path), &st) < 0 && errno == ENOENT;
	}
	str_free(&path);
	return missing;
}

static int
try_write(struct vbox *b, const struct vbox_config *c, const char *maildir,
    const struct quota *quota, struct str *words)
{
	int code = check_quota(b, c, maildir, quota, words);

	if (code != VERDICT_OK)
		return code;
	if (maildir_write(&b->file, maildir, c->head, c->nhead, c->mfd,
	    NULL) == MAILDIR_OK)
		return VERDICT_OK;
	/* The file system's quota is a quota too. */
	if (b->file.error == EDQUOT && c->policy != VBOX_ACCEPT)
		return over_quota(c, words);
	errno = b->file.error;
	return soft(words, maildir_verb(b->file.status), maildir);
}

int
vbox_write(struct vbox *b, const struct vbox_config *c, const char *maildir,
    const struct quota *quota, bool make, struct str *words)
{
	struct str trouble = {0};
	int code;

	*b = (struct vbox){.file = {.fd = -1}};
	code = try_write(b, c, maildir, quota, &trouble);
	if (code == VERDICT_SOFT && make && is_missing(maildir)) {
		vbox_free(b);
		str_clear(&trouble);
		code = vbox_make(c->dir, maildir) < 0 ?
		    soft(&trouble, "make", maildir) :
		    try_write(b, c, maildir, quota, &trouble);
	}
	str_cat(words, &trouble);
	str_free(&trouble);
	return code;
}

int
vbox_commit(struct vbox *const *boxes, size_t n, struct str *words)
{
	struct maildir_file **files = mem_alloc(n + 1, sizeof *files);
	int code = VERDICT_OK;

	for (size_t i = 0; i < n; i++)
		files[i] = &boxes[i]->file;
	maildir_commit(files, n);
	for (size_t i = 0; i < n; i++)
		if (files[i]->status != MAILDIR_OK) {
			errno = files[i]->error;
			code = soft(words, maildir_verb(files[i]->status),
			    str_c(&files[i]->dir));
		}
	free(files);
	return code;
}

/* Opens the file whose time says when the user was warned last, if it is time
 * to warn him again: it is noted first, because no warning is better than one
 * with every message.  Who makes or locks it warns; -1: not now. */
static int
open_mark(const char *path)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	struct stat st;

	if (fd >= 0)
		return fd;
	fd = errno == EEXIST ? open(path, flags) : -1;
	if (fd < 0) {
		log_sys("unable to open %s", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
	    clock_wall() - st.st_mtim.tv_sec >= VBOX_WARN_S &&
	    futimens(fd, NULL) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void
write_warning(const struct vbox *b, const struct vbox_config *c, int text)
{
	struct maildir_file f, *one = &f;
	struct str head = {0};
	struct stat st;

	str_cats(&head, c->dtline);
	str_cats(&head, "Date: ");
	date822_cat(&head, clock_wall());
	str_catc(&head, '\n');
	if (maildir_write(&f, str_c(&b->root), str_c(&head), head.len, text,
	    NULL) == MAILDIR_OK)
		maildir_commit(&one, 1);
	if (f.status != MAILDIR_OK) {
		errno = f.error;
		log_sys("unable to %s %s", maildir_verb(f.status),
		    str_c(&b->root));
	} else if (fstat(text, &st) == 0 && maildirsize_add(str_c(&b->root),
	    (int64_t)head.len + st.st_size, 1) < 0) {
		log_sys("unable to append to %smaildirsize",
		    str_c(&b->root));
	}
	maildir_free(&f);
	str_free(&head);
}

static int
open_warning(const char *dir)
{
	struct str path = {0};
	int fd = -1;

	if (*dir != '\0') {
		str_catf(&path, "%s/.quotawarn.msg", dir);
		fd = open(str_c(&path), O_RDONLY | O_NONBLOCK | O_NOCTTY |
		    O_CLOEXEC);
	}
	str_free(&path);
	return fd;
}

static void
warn_user(const struct vbox *b, const struct vbox_config *c)
{
	struct str path = {0};
	int mark, text = open_warning(c->dir);

	if (text < 0)
		text = open_warning(c->global);
	if (text < 0)
		return;
	str_catf(&path, "%squotawarn", str_c(&b->root));
	mark = open_mark(str_c(&path));
	if (mark >= 0) {
		write_warning(b, c, text);
		(void)close(mark);
	}
	(void)close(text);
	str_free(&path);
}

void
vbox_finish(struct vbox *b, const struct vbox_config *c)
{
	int64_t size = (int64_t)(c->size + c->nhead);

	if (maildirsize_add(str_c(&b->root), size, 1) < 0)
		log_sys("unable to append to %smaildirsize",
		    str_c(&b->root));
	if (quota_percent(&b->quota, b->used.bytes + size,
	    b->used.count + 1) >= VBOX_WARN_PERCENT)
		warn_user(b, c);
}

void
vbox_free(struct vbox *b)
{
	maildir_free(&b->file);
	str_free(&b->root);
	*b = (struct vbox){.file = {.fd = -1}};
}
