/* local/drain.c - from a Maildir to an mbox; see drain.h. */
#include "local/drain.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "local/mbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct message {
	char *path;
	int64_t when;
};

struct messages {
	struct message *m;
	size_t n, cap;
};

static int
complain(const char *what, const char *path)
{
	log_sys("unable to %s %s", what, path);
	return -1;
}

static int
add_message(struct messages *all, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		/* A reader may have moved it just now. */
		return errno == ENOENT ? 0 : complain("examine", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (all->n == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 64;
		all->m = mem_resize(all->m, all->cap, sizeof *all->m);
	}
	all->m[all->n++] = (struct message){mem_dup_copy(path), st.st_mtime};
	return 0;
}

static int
list_dir(struct messages *all, const char *maildir, const char *sub)
{
	struct str path = {0};
	const struct dirent *e;
	size_t base;
	int r = 0;
	DIR *d;

	str_catf(&path, "%s/%s", maildir, sub);
	d = opendir(str_c(&path));
	if (d == NULL) {
		r = complain("read", str_c(&path));
		str_free(&path);
		return r;
	}
	str_catc(&path, '/');
	base = path.len;
	while (r == 0 && (errno = 0, e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		str_trunc(&path, base);
		str_cats(&path, e->d_name);
		r = add_message(all, str_c(&path));
	}
	if (r == 0 && errno != 0)
		r = complain("read", maildir);
	(void)closedir(d);
	str_free(&path);
	return r;
}

static int
older(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	if (x->when != y->when)
		return x->when < y->when ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* The envelope sender, where qmail-local noted it in the first line. */
static void
find_sender(struct str *out, int fd)
{
	static const char field[] = "Return-Path: <";
	const size_t skip = sizeof field - 1;
	char buf[2048];
	ssize_t n = pread(fd, buf, sizeof buf, 0);
	size_t len, end;

	if (n < (ssize_t)skip || memcmp(buf, field, skip) != 0)
		return;
	len = bytes_chr(buf, (size_t)n, '\n');
	end = bytes_rchr(buf, len, '>');
	if (end < len && end >= skip)
		str_catb(out, buf + skip, end - skip);
}

static int
copy_one(int out, const struct message *m)
{
	struct str sender = {0}, head = {0};
	int r, fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return complain("open", m->path);
	find_sender(&sender, fd);
	mbox_cat_from(&head, str_has_nul(&sender) ? "" : str_c(&sender),
	    m->when);
	r = mbox_write(out, str_c(&head), head.len, fd);
	if (r < 0)
		(void)complain("copy", m->path);
	(void)close(fd);
	str_free(&sender);
	str_free(&head);
	return r;
}

static int
copy_mbox(int out, int in, const char *mail, const char *tmp)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof buf)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return complain("read", mail);
		if (fd_write_all(out, buf, (size_t)n) < 0)
			return complain("write", tmp);
	}
	return 0;
}

/* The whole new mbox takes the old one's place; in is locked. */
static int
rebuild(const struct messages *all, int in, const char *mail, const char *tmp)
{
	struct stat st;
	int r, out;

	if (fstat(in, &st) < 0)
		return complain("examine", mail);
	if (!mbox_is_still(&st, mail)) {
		log_warn("unable to use %s: it was replaced meanwhile", mail);
		return -1;
	}
	out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		return complain("write", tmp);
	r = copy_mbox(out, in, mail, tmp);
	for (size_t i = 0; i < all->n && r == 0; i++)
		r = copy_one(out, &all->m[i]);
	if (r == 0 && (fchmod(out, st.st_mode & 07777) < 0 ||
	    fsync(out) < 0))
		r = complain("write", tmp);
	if (r == 0 && (rename(tmp, mail) < 0 || fs_sync_parent(mail) < 0))
		r = complain("replace", mail);
	(void)close(out);
	return r;
}

static int
move_all(const struct messages *all, const char *mail, const char *tmp,
    int lock_ms)
{
	struct mbox_lock lock;
	int r, in = open(mail, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (in < 0)
		return complain("open", mail);
	if (mbox_lock(&lock, in, mail, lock_ms) != MBOX_OK) {
		log_warn("unable to lock %s: another program has it", mail);
		(void)close(in);
		return -1;
	}
	r = rebuild(all, in, mail, tmp);
	mbox_unlock(&lock);
	(void)close(in);
	for (size_t i = 0; r == 0 && i < all->n; i++)
		if (unlink(all->m[i].path) < 0 && errno != ENOENT)
			log_sys("unable to remove %s, which is in %s now",
			    all->m[i].path, mail);
	return r;
}

int
drain_maildir(const char *maildir, const char *mail, const char *tmp,
    int lock_ms)
{
	struct messages all = {0};
	int r = 0;

	if (list_dir(&all, maildir, "new") < 0 ||
	    list_dir(&all, maildir, "cur") < 0)
		r = -1;
	if (r == 0 && all.n > 0) {
		qsort(all.m, all.n, sizeof *all.m, older);
		r = move_all(&all, mail, tmp, lock_ms);
	}
	for (size_t i = 0; i < all.n; i++)
		free(all.m[i].path);
	free(all.m);
	return r;
}
