/* vpop/manage.c - what all changes of domains and accounts share; see
 * manage.h: what is said when they fail, who is told of them, trees that are
 * on their way out. */
#include "vpop/manage_parts.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "mail/authproto.h"
#include "mail/program.h"
#include "vpop/assign.h"
#include "vpop/vfile.h"
#include "vpop/vtree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOOK_MS 60000           /* after which a hook is killed */
#define LOCK_MS 30000           /* longer than a change takes */

static bool quiet;

enum vpop_error
vmanage_fail(enum vpop_error e, struct str *why, const char *what,
    const char *reason)
{
	int err = errno;

	str_catf(why, "%s: %s", what, reason != NULL ? reason :
	    err == EAGAIN ? "another program holds the lock" : strerror(err));
	return e;
}

enum vpop_error
vmanage_store(struct vcommand *c, enum vstore_status st, enum vpop_error none,
    enum vpop_error exists, const char *what, struct str *why)
{
	const char *reason = vstore_reason_peek(c->store);

	switch (st) {
	case VSTORE_OK:
		return VPOP_OK;
	case VSTORE_NONE:
		str_cats(why, what);
		return none;
	case VSTORE_EXISTS:
		str_cats(why, what);
		return exists;
	case VSTORE_WIDE:
		return vmanage_fail(VPOP_CANNOT_UPDATE, why, what, reason);
	case VSTORE_TEMP:
		break;
	}
	return vmanage_fail(vsetting_is(&c->settings, VSETTING_STORE, "cdb") ?
	    VPOP_FILE : VPOP_NO_AUTH_CONNECTION, why, what, reason);
}

/* -- who is told -- */

void
vmanage_quiet(bool on)
{
	quiet = on;
	assign_set_lazy(on);
}

void
vmanage_changed(struct vcommand *c, const char *domain, const char *user)
{
	(void)c;
	if (!quiet)
		auth_changed(AUTHPROTO_SOCKET, domain, user);
}

enum vpop_error
vmanage_tell(struct vcommand *c, struct str *why)
{
	(void)c;
	if (assign_make_cdbs(why) < 0)
		return VPOP_CANNOT_UPDATE;
	if (assign_tell_send() < 0)
		return vmanage_fail(VPOP_CANNOT_UPDATE, why,
		    "unable to tell qmail-send", NULL);
	return VPOP_OK;
}

/* Could anybody but root have put it there? */
static bool
is_roots(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_uid == 0 &&
	    !S_ISLNK(st.st_mode) && (st.st_mode & 022) == 0;
}

static void
hook_spawn(struct proc_spawn *p, const struct vcommand *c, const char *path)
{
	struct str etc = {0};

	str_catf(&etc, "%s/etc", str_c(&c->home));
	p->drop = geteuid() == 0 && !(is_roots(str_c(&c->home)) &&
	    is_roots(str_c(&etc)) && is_roots(path));
	p->uid = c->uid;
	p->gid = c->gid;
	p->path = path;
	str_free(&etc);
}

static void
hook_run(const struct vcommand *c, const char *path, const char *action,
    const char *arg1, const char *arg2)
{
	const char *const argv[] = {path, action, arg1, arg2, NULL};
	/* what it prints does not become part of our output */
	static const struct proc_fd fds[] = {{-1, 0}, {2, 1}, {2, 2}};
	struct proc_spawn p = {.argv = argv, .fds = fds, .nfds = 3,
	    .dir = "/", .new_session = true};
	char text[32];
	int status;
	pid_t pid;

	if (setenv("VPOP_ACTION", action, 1) < 0 ||
	    setenv("VPOP_ARG1", arg1, 1) < 0 ||
	    (arg2 == NULL ? unsetenv("VPOP_ARG2") :
	    setenv("VPOP_ARG2", arg2, 1)) < 0) {
		log_sys("unable to set the environment of %s", path);
		return;
	}
	hook_spawn(&p, c, path);
	if (proc_spawn(&p, &pid) < 0)
		log_sys("unable to run %s", path);
	else if (program_wait(pid, HOOK_MS, &status) < 0)
		log_warn("%s %s: it ran for too long", path, action);
	else if (status != 0)
		log_warn("%s %s: %s", path, action,
		    proc_status_text(status, text, sizeof text));
}

void
vmanage_hook(struct vcommand *c, const char *action, const char *arg1,
    const char *arg2)
{
	struct str path = {0};

	str_catf(&path, "%s/etc/onchange", str_c(&c->home));
	if (access(str_c(&path), F_OK) == 0)
		hook_run(c, str_c(&path), action, arg1, arg2);
	else if (errno != ENOENT)
		log_sys("unable to run %s", str_c(&path));
	str_free(&path);
}

/* -- trees that go -- */

static void
parent_of(struct str *out, const char *path)
{
	size_t slash = bytes_rchr(path, strlen(path), '/');

	str_copyb(out, path, slash == 0 ? 1 : slash);
}

/* Those that killed programs left: while we hold the lock nobody else's is
 * under way. */
static void
find_old(struct vmanage_trash *t, const char *parent)
{
	DIR *dir = opendir(parent);
	struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, VMANAGE_TRASH,
		    sizeof VMANAGE_TRASH - 1) == 0 &&
		    strcmp(e->d_name, VMANAGE_TRASH_LOCK) != 0) {
			str_catf(&t->trees, "%s/%s", parent, e->d_name);
			str_catc(&t->trees, '\0');
		}
	(void)closedir(dir);
}

static void
trash_free(struct vmanage_trash *t)
{
	if (t->lock >= 0)
		fd_close(t->lock);
	str_free(&t->path);
	str_free(&t->trees);
	*t = (struct vmanage_trash){.lock = -1};
}

/* Also when there is nothing to move: an earlier program may have been killed
 * after that. */
int
vmanage_trash_begin(struct vmanage_trash *t, const char *path)
{
	struct str parent = {0}, to = {0};
	struct stat st;
	int r = 0, e;
	bool there;

	*t = (struct vmanage_trash){.lock = -1};
	there = lstat(path, &st) == 0;
	if (!there && errno != ENOENT && errno != ENOTDIR)
		return -1;
	str_copys(&t->path, path);
	parent_of(&parent, path);
	t->lock = vfile_lock(str_c(&parent), VMANAGE_TRASH_LOCK, LOCK_MS);
	if (t->lock < 0)
		r = there ? -1 : 0;
	if (r == 0 && there) {
		str_catf(&to, "%s/" VMANAGE_TRASH "%s", str_c(&parent),
		    path + bytes_rchr(path, strlen(path), '/') + 1);
		/* one that an earlier program left under this name */
		if ((r = vtree_remove(str_c(&to))) == 0)
			r = rename(path, str_c(&to));
		t->moved = r == 0;
	}
	if (t->moved) {
		str_cat(&t->trees, &to);
		str_catc(&t->trees, '\0');
		r = fs_sync_dir(str_c(&parent));
	}
	if (r == 0 && t->lock >= 0)
		find_old(t, str_c(&parent));
	e = errno;
	if (r < 0)
		vmanage_trash_undo(t, &to);
	str_free(&to);
	str_free(&parent);
	errno = e;
	return r;
}

void
vmanage_trash_undo(struct vmanage_trash *t, struct str *why)
{
	int e = errno;

	if (t->moved && (rename(str_c(&t->trees), str_c(&t->path)) < 0 ||
	    fs_sync_parent(str_c(&t->path)) < 0))
		str_catf(why, "; %s could not be put back: %s",
		    str_c(&t->path), strerror(errno));
	trash_free(t);
	errno = e;
}

void
vmanage_trash_keep(struct vmanage_trash *t)
{
	if (t->lock >= 0)
		fd_close(t->lock);
	t->lock = -1;
}

/* Contents by their owner, the directory itself by that of its place. */
static int
remove_as(const char *path, struct vmanage_owner tree,
    struct vmanage_owner place)
{
	struct vfile_as as;
	int r = vfile_as_begin(&as, tree.uid, tree.gid);

	if (r < 0)
		return -1;
	r = vtree_empty(path);
	if (r < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
		r = 0;                  /* a link, perhaps */
	vfile_as_end(&as);
	if (r == 0 && (r = vfile_as_begin(&as, place.uid, place.gid)) == 0) {
		r = vtree_remove(path);
		vfile_as_end(&as);
	}
	return r;
}

void
vmanage_trash_sweep(struct vmanage_trash *t, struct vmanage_owner tree,
    struct vmanage_owner place)
{
	for (size_t i = 0; i < t->trees.len;
	    i += strlen(t->trees.s + i) + 1)
		/* what an old program left may be another's */
		if (remove_as(t->trees.s + i, tree, place) < 0 && i == 0 &&
		    t->moved)
			log_sys("unable to remove all of %s", t->trees.s);
	trash_free(t);
}
