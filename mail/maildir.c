/* mail/maildir.c - Maildir deliveries in two phases; see maildir.h.
 *
 * Invariant: nothing appears in new/ before its bytes are on the disk, and
 * nothing is reported before its name is.  Syncs: of one file fsync, of
 * several files of one file system one syncfs; then one fsync per new/.
 * Runs as the owner of the Maildir and trusts it: links in it lead where the
 * owner may go anyway. */
#include "mail/maildir.h"

#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 5                 /* names taken before it is given up */
#define COPY_BUF 65536          /* bytes a read; most mail is one read */

struct maildir_key
maildir_key_of(const struct stat *st, const char *local, const char *host)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_add(&h, local, strlen(local));
	hash_add(&h, "@", 1);
	hash_add(&h, host, strlen(host));
	return (struct maildir_key){.inode = st->st_ino,
	    .sec = st->st_mtim.tv_sec, .nsec = st->st_mtim.tv_nsec,
	    .rcpt = hash_end(&h)};
}

uint64_t
maildir_key_hash(const struct maildir_key *k)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_add(&h, &k->inode, sizeof k->inode);
	hash_add(&h, &k->sec, sizeof k->sec);
	hash_add(&h, &k->nsec, sizeof k->nsec);
	hash_add(&h, &k->rcpt, sizeof k->rcpt);
	return hash_end(&h);
}

/* This host's name as a file name may have it. */
static void
cat_host(struct str *out)
{
	char host[HOST_NAME_MAX + 1];

	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	for (const char *p = host; *p; p++)
		if (*p == '/')
			str_cats(out, "\\057");
		else if (*p == ':')
			str_cats(out, "\\072");
		else
			str_catc(out, *p);
}

/* No two calls on this host give the same, clock and pid permitting; where
 * they do not, the exclusive create and rename notice. */
static void
cat_unique(struct str *out)
{
	struct timespec t = clock_wall_ns();

	str_catf(out, "%lld.M%06ldN%03ldP%ld.", (long long)t.tv_sec,
	    t.tv_nsec / 1000, t.tv_nsec % 1000, (long)getpid());
	cat_host(out);
}

/* Hashed to be short: an identifier of POP3 has 70 bytes.  Two keys of one
 * microsecond have one name as often as two recipients have one hash. */
static void
cat_keyed(struct str *out, const struct maildir_key *k)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_add(&h, &k->inode, sizeof k->inode);
	hash_add(&h, &k->nsec, sizeof k->nsec);
	hash_add(&h, &k->rcpt, sizeof k->rcpt);
	hash_add(&h, &k->step, sizeof k->step);
	hash_add(&h, &k->copy, sizeof k->copy);
	str_catf(out, "%lld.M%06ldK%016llx.", (long long)k->sec,
	    k->nsec / 1000, (unsigned long long)hash_end(&h));
	cat_host(out);
}

void
maildir_count_add(struct maildir_count *c, const char *s, size_t n)
{
	const char *end = s + n;

	if (n == 0)
		return;
	for (const char *p = s;
	    (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		if ((p == s ? c->last : p[-1]) != '\r')
			c->bare++;
	c->last = end[-1];
	c->size += n;
}

/* A unique name is the one in tmp/, so it is known to be new. */
static void
set_final(struct maildir_file *f, const struct maildir_count *c,
    const struct maildir_key *key)
{
	str_copy(&f->final, &f->dir);
	str_cats(&f->final, "new/");
	if (key != NULL)
		cat_keyed(&f->final, key);
	else
		str_cats(&f->final, str_c(&f->tmp) + f->dir.len + 4);
	str_cats(&f->final, ",S=");
	str_catu(&f->final, c->size);
	/* What ends in the middle of a line is two bytes longer for POP3 than
	 * for IMAP, so no number would be right for both. */
	if (c->size == 0 || c->last == '\n') {
		str_cats(&f->final, ",W=");
		str_catu(&f->final, c->size + c->bare);
	}
}

static enum maildir_status
failed(struct maildir_file *f, enum maildir_status status)
{
	f->error = errno;
	return f->status = status;
}

static int
create_tmp(struct maildir_file *f)
{
	for (int i = 0; i < TRIES; i++) {
		str_copy(&f->tmp, &f->dir);
		str_cats(&f->tmp, "tmp/");
		cat_unique(&f->tmp);
		f->fd = open(str_c(&f->tmp),
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (f->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	str_clear(&f->tmp);
	return -1;
}

/* head goes out with the first bytes of the message in one write. */
static enum maildir_status
copy_message(struct maildir_file *f, const char *head, size_t nhead, int mfd,
    struct maildir_count *out)
{
	struct str buf = {0};
	enum maildir_status st = MAILDIR_OK;
	off_t at = 0;

	str_copyb(&buf, head, nhead);
	*out = (struct maildir_count){0};
	for (;;) {
		ssize_t n;

		str_reserve(&buf, COPY_BUF);
		n = pread(mfd, buf.s + buf.len, COPY_BUF, at);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			st = failed(f, MAILDIR_READ);
			break;
		}
		at += n;
		buf.len += (size_t)n;
		if (buf.len > 0 && fd_write_all(f->fd, buf.s, buf.len) < 0) {
			st = failed(f, MAILDIR_WRITE);
			break;
		}
		maildir_count_add(out, buf.s, buf.len);
		buf.len = 0;
		if (n == 0)
			break;
	}
	str_free(&buf);
	return st;
}

enum maildir_status
maildir_write(struct maildir_file *f, const char *dir, const char *head,
    size_t nhead, int mfd, const struct maildir_key *key)
{
	enum maildir_status status;
	struct stat st;
	struct maildir_count count;

	*f = (struct maildir_file){.fd = -1, .replace = key != NULL};
	str_copys(&f->dir, dir);
	if (create_tmp(f) < 0)
		return failed(f, MAILDIR_CREATE);
	status = copy_message(f, head, nhead, mfd, &count);
	if (status != MAILDIR_OK)
		return status;
	if (fstat(f->fd, &st) < 0)
		return failed(f, MAILDIR_WRITE);
	f->dev = st.st_dev;
	set_final(f, &count, key);
	return MAILDIR_OK;
}

/* syncfs tells of write errors since the descriptor was opened, so the file
 * opened first answers for all that follow it. */
static void
sync_files(struct maildir_file *const *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		dev_t dev = files[i]->dev;
		bool first = true, alone = true;
		int r;

		if (files[i]->status != MAILDIR_OK)
			continue;
		for (size_t j = 0; j < i && first; j++)
			first = files[j]->status != MAILDIR_OK ||
			    files[j]->dev != dev;
		for (size_t j = i + 1; j < n && alone; j++)
			alone = files[j]->status != MAILDIR_OK ||
			    files[j]->dev != dev;
		if (!first)
			continue;
		r = alone ? fsync(files[i]->fd) : fs_syncfs(files[i]->fd);
		for (size_t j = i; r < 0 && j < n; j++)
			if (files[j]->status == MAILDIR_OK &&
			    files[j]->dev == dev)
				(void)failed(files[j], MAILDIR_SYNC);
	}
}

/* Never over another file, unless its name says that it is the same one. */
static int
place(struct maildir_file *f)
{
	const char *tmp = str_c(&f->tmp), *final = str_c(&f->final);

	if (f->replace)
		return rename(tmp, final);
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, final, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system without it, NFS for one. */
	return link(tmp, final) < 0 ? -1 : unlink(tmp);
}

static bool
same_dir(const struct maildir_file *a, const struct maildir_file *b)
{
	return a->dir.len == b->dir.len &&
	    memcmp(a->dir.s, b->dir.s, a->dir.len) == 0;
}

static void
sync_dirs(struct maildir_file *const *files, size_t n)
{
	struct str path = {0};

	for (size_t i = 0; i < n; i++) {
		int r;

		if (files[i]->status != MAILDIR_OK || files[i]->dirsynced)
			continue;
		str_copy(&path, &files[i]->dir);
		str_cats(&path, "new");
		r = fs_sync_dir(str_c(&path));
		for (size_t j = i; j < n; j++) {
			if (files[j]->status != MAILDIR_OK ||
			    !same_dir(files[i], files[j]))
				continue;
			files[j]->dirsynced = true;
			if (r < 0 && j != i)
				(void)failed(files[j], MAILDIR_DIRSYNC);
		}
		if (r < 0)
			(void)failed(files[i], MAILDIR_DIRSYNC);
	}
	str_free(&path);
}

void
maildir_commit(struct maildir_file *const *files, size_t n)
{
	sync_files(files, n);
	for (size_t i = 0; i < n; i++) {
		if (files[i]->status != MAILDIR_OK)
			continue;
		if (place(files[i]) < 0)
			(void)failed(files[i], MAILDIR_PLACE);
		else
			str_clear(&files[i]->tmp);
	}
	sync_dirs(files, n);
}

void
maildir_free(struct maildir_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->tmp.len > 0)
		(void)unlink(str_c(&f->tmp));
	str_free(&f->dir);
	str_free(&f->tmp);
	str_free(&f->final);
	*f = (struct maildir_file){.fd = -1};
}

const char *
maildir_verb(enum maildir_status st)
{
	switch (st) {
	case MAILDIR_OK:
		break;
	case MAILDIR_CREATE:
		return "create a file in tmp/ of";
	case MAILDIR_READ:
		return "read the message for";
	case MAILDIR_WRITE:
		return "write to";
	case MAILDIR_SYNC:
		return "sync a file in";
	case MAILDIR_PLACE:
		return "move a file to new/ of";
	case MAILDIR_DIRSYNC:
		return "sync new/ of";
	}
	return "deliver to";
}

int
maildir_make(const char *path)
{
	static const char *const sub[] = {"/tmp", "/new", "/cur"};
	struct str s = {0};
	int r = mkdir(path, 0700);

	for (size_t i = 0; r == 0 && i < sizeof sub / sizeof *sub; i++) {
		str_copys(&s, path);
		str_cats(&s, sub[i]);
		r = mkdir(str_c(&s), 0700);
	}
	str_free(&s);
	if (r < 0 || fs_sync_dir(path) < 0)
		return -1;
	return fs_sync_parent(path);
}
