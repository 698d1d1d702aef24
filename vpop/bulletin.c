/* vpop/bulletin.c - one message for many mailboxes; see bulletin.h. */
#include "vpop/bulletin.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/tai.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/maildirsize.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD_MAX ((size_t)1 << 20)     /* bytes of one, and of all */

static int
look_at(struct bulletin *b)
{
	struct io in;
	struct header h;
	enum header_status st;
	int r = 0;

	io_init(&in, b->fd, -1, IO_FOREVER);
	header_init(&h, &in, FIELD_MAX, FIELD_MAX);
	while ((st = header_next(&h)) == HEADER_FIELD) {
		b->has_header = true;
		if (h.id == HEADER_TO || h.id == HEADER_CC ||
		    h.id == HEADER_BCC)
			b->has_to = true;
		if (h.id == HEADER_DATE)
			b->has_date = true;
	}
	if (st == HEADER_TOOLONG || st == HEADER_TOOBIG) {
		errno = EFBIG;
		r = -1;
	} else if (st == HEADER_ERROR) {
		r = -1;
	}
	header_free(&h);
	return r;
}

int
bulletin_open(struct bulletin *b, const char *path, enum bulletin_how how,
    bool dry, bulletin_told_fn *told, void *arg)
{
	struct stat st;
	char *real;

	*b = (struct bulletin){.how = how, .dry = dry, .told = told,
	    .arg = arg};
	b->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (b->fd < 0)
		return -1;
	if (fstat(b->fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		errno = EINVAL;
		return -1;
	}
	b->size = (uint64_t)st.st_size;
	real = realpath(path, NULL);
	if (real == NULL)
		return -1;
	str_copys(&b->path, real);
	free(real);
	return look_at(b);
}

void
bulletin_close(struct bulletin *b)
{
	if (b->fd >= 0)
		fd_close(b->fd);
	str_free(&b->path);
	for (size_t i = 0; i < BULLETIN_BATCH; i++) {
		str_free(&b->copy[i].user);
		str_free(&b->copy[i].maildir);
	}
}

static void
told(struct bulletin *b, const char *user, enum bulletin_status st,
    const char *verb, int error)
{
	struct str reason = {0};

	if (st == BULLETIN_FAILED)
		str_catf(&reason, "unable to %s: %s", verb, strerror(error));
	b->told(b->arg, user, st, str_c(&reason));
	str_free(&reason);
}

/* What was written comes into the mailboxes. */
static void
commit(struct bulletin *b)
{
	struct maildir_file *files[BULLETIN_BATCH];
	enum maildir_status st[BULLETIN_BATCH];
	int error[BULLETIN_BATCH];
	struct vfile_as as;
	bool acting = vfile_as_begin(&as, b->d->uid, b->d->gid) == 0;

	for (size_t i = 0; i < b->n; i++)
		files[i] = &b->copy[i].file;
	if (acting && b->n > 0)
		maildir_commit(files, b->n);
	for (size_t i = 0; i < b->n; i++) {
		struct bulletin_copy *c = &b->copy[i];

		st[i] = acting ? c->file.status : MAILDIR_PLACE;
		error[i] = acting ? c->file.error : EPERM;
		/* a count that is short is made again by itself */
		if (st[i] == MAILDIR_OK &&
		    maildirsize_add(str_c(&c->maildir), c->bytes, 1) < 0)
			error[i] = errno;
		maildir_free(&c->file);
	}
	vfile_as_end(&as);
	for (size_t i = 0; i < b->n; i++)
		told(b, str_c(&b->copy[i].user), st[i] == MAILDIR_OK ?
		    BULLETIN_OK : BULLETIN_FAILED, maildir_verb(st[i]),
		    error[i]);
	b->n = 0;
}

static void
cat_head(struct str *out, const struct bulletin *b, const struct vuser *u)
{
	if (!b->has_to)
		str_catf(out, "To: %s@%s\n", str_c(&u->name), b->d->name);
	if (!b->has_date) {
		str_cats(out, "Date: ");
		date822_cat_local(out, clock_wall());
		str_catc(out, '\n');
	}
	if (!b->has_header)
		str_catc(out, '\n');
}

static void
copy(struct bulletin *b, const struct vuser *u, const struct str *maildir,
    const struct str *head)
{
	struct bulletin_copy *c = &b->copy[b->n];
	enum maildir_status st;

	str_copy(&c->user, &u->name);
	str_copy(&c->maildir, maildir);
	c->bytes = (int64_t)(b->size + head->len);
	st = maildir_write(&c->file, str_c(maildir), str_c(head), head->len,
	    b->fd, NULL);
	if (st == MAILDIR_OK) {
		b->n++;
		return;
	}
	told(b, str_c(&u->name), BULLETIN_FAILED, maildir_verb(st),
	    c->file.error);
	maildir_free(&c->file);
}

/* A link leads to what its reader may read, or it would be a message that
 * nobody can open. */
static int
is_readable(const struct bulletin *b)
{
	int fd = open(str_c(&b->path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	fd_close(fd);
	return 0;
}

static int
make_link(struct bulletin *b, struct vfile_as *as, int dir, const char *name)
{
	int r;

	if (b->how == BULLETIN_SYMLINK)
		return symlinkat(str_c(&b->path), dir, name);
	/* an owner may not link what is not his */
	vfile_as_end(as);
	r = linkat(AT_FDCWD, str_c(&b->path), dir, name, 0);
	if (r < 0) {
		int e = errno;

		if (vfile_as_begin(as, b->d->uid, b->d->gid) == 0)
			errno = e;
		return -1;
	}
	return vfile_as_begin(as, b->d->uid, b->d->gid);
}

static void
cat_link_name(struct str *out, struct bulletin *b)
{
	struct timespec t = clock_wall_ns();
	char host[HOST_NAME_MAX + 1];

	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	for (char *p = host; *p != '\0'; p++)
		if (*p == '/' || *p == ':')
			*p = '_';
	str_catf(out, "%lld.M%06ldP%ldQ%u.%s,S=%llu", (long long)t.tv_sec,
	    t.tv_nsec / 1000, (long)getpid(), ++b->links, host,
	    (unsigned long long)b->size);
}

static void
lay_link(struct bulletin *b, struct vfile_as *as, const struct vuser *u,
    const struct str *maildir)
{
	struct str new = {0}, name = {0};
	const char *verb = "read the message as this user";
	int dir = -1, e = 0;

	str_catf(&new, "%snew", str_c(maildir));
	cat_link_name(&name, b);
	if (is_readable(b) < 0) {
		e = errno;
	} else if ((dir = open(str_c(&new), O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) < 0) {
		verb = "open new/";
		e = errno;
	} else if (make_link(b, as, dir, str_c(&name)) < 0) {
		verb = "make the link";
		e = errno;
	} else if (fsync(dir) < 0) {
		verb = "sync new/";
		e = errno;
	}
	if (dir >= 0)
		fd_close(dir);
	if (e == 0 && maildirsize_add(str_c(maildir), (int64_t)b->size,
	    1) < 0)
		errno = 0;              /* it is counted again by itself */
	vfile_as_end(as);
	told(b, str_c(&u->name), e == 0 ? BULLETIN_OK : BULLETIN_FAILED, verb,
	    e);
	str_free(&new);
	str_free(&name);
}

/* As the owner: is there room?  -1: told. */
static int
fits(const struct vuser *u, const struct str *maildir, int64_t bytes,
    bool *over)
{
	struct maildirsize now;
	struct quota q;
	struct stat st;

	*over = false;
	if (stat(str_c(maildir), &st) < 0)
		return -1;
	if (quota_parse(str_c(&u->quota), u->quota.len, &q) < 0 ||
	    !quota_is_limited(&q))
		return 0;
	return maildirsize_fits(str_c(maildir), &q, bytes, 1, &now, over);
}

void
bulletin_user(struct bulletin *b, const struct vuser *u)
{
	struct str maildir = {0}, head = {0};
	struct vfile_as as;
	bool over;

	if (u->dir.len == 0) {
		b->told(b->arg, str_c(&u->name), BULLETIN_FAILED,
		    "there is no mailbox yet");
		return;
	}
	str_catf(&maildir, "%s/Maildir/", str_c(&u->dir));
	if (b->how == BULLETIN_COPY)
		cat_head(&head, b, u);
	if (vfile_as_begin(&as, b->d->uid, b->d->gid) < 0) {
		told(b, str_c(&u->name), BULLETIN_FAILED,
		    "become the domain's owner", errno);
	} else if (fits(u, &maildir, (int64_t)(b->size + head.len), &over) < 0) {
		int e = errno;

		vfile_as_end(&as);
		told(b, str_c(&u->name), BULLETIN_FAILED, "look into Maildir",
		    e);
	} else if (over || b->dry) {
		vfile_as_end(&as);
		told(b, str_c(&u->name), over ? BULLETIN_OVER : BULLETIN_OK,
		    "", 0);
	} else if (b->how != BULLETIN_COPY) {
		lay_link(b, &as, u, &maildir);
	} else {
		copy(b, u, &maildir, &head);
		vfile_as_end(&as);
		if (b->n == BULLETIN_BATCH)
			commit(b);
	}
	str_free(&maildir);
	str_free(&head);
}

void
bulletin_domain_begin(struct bulletin *b, const struct vdomain_ref *d)
{
	b->d = d;
}

void
bulletin_domain_end(struct bulletin *b)
{
	commit(b);
	b->d = NULL;
}
