/* vpop/check_left.c - what killed commands leave; see check.h.
 *
 * A file is taken away under the lock of those who write it: who holds that is
 * at work, and then it is no leftover. */
#include "vpop/check.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "vpop/dirs.h"
#include "vpop/vfile.h"
#include "vpop/vtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_MS 200             /* whoever holds it is at work */
#define NEW ".new."             /* of vfile_replace */

static int
fail(struct str *why)
{
	str_cats(why, errno == EAGAIN ? "it is being worked on" :
	    strerror(errno));
	return -1;
}

bool
check_is_place(const char *name)
{
	return name[0] != '\0' && name[1] == '\0' &&
	    strchr(VDIRS_LIST, name[0]) != NULL;
}

bool
check_is_trash(const char *name)
{
	return strncmp(name, VMANAGE_TRASH, sizeof VMANAGE_TRASH - 1) == 0;
}

/* -- trees -- */

struct tree { const char *dir, *path; };

/* What is in it by its owner, itself by that of its place: no link in it leads
 * further than they may go. */
static int
remove_tree(const struct tree *t)
{
	struct vfile_as as;
	struct stat st;
	int r, lock;

	if (vfile_as_owner(&as, t->dir) < 0)
		return -1;
	lock = vfile_lock(t->dir, VMANAGE_TRASH_LOCK, LOCK_MS);
	r = lock < 0 || lstat(t->path, &st) < 0 ? -1 : 0;
	vfile_as_end(&as);
	if (r == 0 && S_ISDIR(st.st_mode)) {
		r = vfile_as_begin(&as, st.st_uid, st.st_gid);
		if (r == 0) {
			r = vtree_empty(t->path);
			vfile_as_end(&as);
		}
	}
	if (r == 0 && (r = vfile_as_owner(&as, t->dir)) == 0) {
		r = vtree_remove(t->path);
		vfile_as_end(&as);
	}
	if (lock >= 0)
		fd_close(lock);
	return r;
}

static int
fix_tree(struct check *k, void *arg, struct str *why)
{
	(void)k;
	return remove_tree(arg) < 0 ? fail(why) : 0;
}

/* Is somebody removing it just now? */
static bool
is_busy(const char *dir, const char *name)
{
	struct vfile_as as;
	int lock;

	if (vfile_as_owner(&as, dir) < 0)
		return false;
	lock = vfile_lock(dir, name, LOCK_MS);
	vfile_as_end(&as);
	if (lock >= 0)
		fd_close(lock);
	return lock < 0 && errno == EAGAIN;
}

void
check_leftover_tree(struct check *k, const char *domain, const char *dir,
    const char *name)
{
	struct str path = {0};
	struct tree t;

	if (is_busy(dir, VMANAGE_TRASH_LOCK))
		return;
	str_catf(&path, "%s/%s", dir, name);
	t = (struct tree){dir, str_c(&path)};
	check_report(k, domain, "leftover", fix_tree, &t,
	    "%s was being deleted", str_c(&path));
	str_free(&path);
}

/* -- files -- */

struct file {
	const struct vdomain *d;
	const char *name, *lock;
};

static int
fix_file(struct check *k, void *arg, struct str *why)
{
	const struct file *f = arg;
	struct str path = {0};
	struct vfile_as as;
	int lock = -1, r = vfile_as_begin(&as, f->d->uid, f->d->gid);

	(void)k;
	str_catf(&path, "%s/%s", str_c(&f->d->dir), f->name);
	if (r == 0) {
		lock = vfile_lock(str_c(&f->d->dir), f->lock, LOCK_MS);
		r = lock < 0 ? -1 : unlink(str_c(&path));
		if (r == 0)
			r = fs_sync_dir(str_c(&f->d->dir));
		if (r < 0)
			r = fail(why);
		if (lock >= 0)
			fd_close(lock);
		vfile_as_end(&as);
	} else {
		r = fail(why);
	}
	str_free(&path);
	return r;
}

/* Whose lock keeps that file from being a leftover; NULL: it is none. */
static const char *
lock_of(const char *name)
{
	if (strcmp(name, ".vpasswd.new") == 0 ||
	    strcmp(name, ".vpasswd.cdb.new") == 0)
		return ".vpasswd.lock";
	if (strncmp(name, NEW, sizeof NEW - 1) != 0)
		return NULL;
	return strcmp(name, NEW "dir-control") == 0 ||
	    strcmp(name, NEW "dir_control_free") == 0 ?
	    ".dir_control_free.lock" : ".files.lock";
}

void
check_leftover_files(struct check *k, const struct vdomain *d)
{
	DIR *dir = opendir(str_c(&d->dir));
	struct dirent *e;

	if (dir == NULL) {
		check_blind(k, str_c(&d->name), "%s: %s", str_c(&d->dir),
		    strerror(errno));
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		struct file f = {d, e->d_name, lock_of(e->d_name)};

		if (f.lock != NULL && !is_busy(str_c(&d->dir), f.lock))
			check_report(k, str_c(&d->name), "leftover",
			    fix_file, &f, "%s/%s was not finished",
			    str_c(&d->dir), e->d_name);
	}
	(void)closedir(dir);
}
