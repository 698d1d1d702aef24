/* vpop/check_domain.c - one virtual domain: qmail's files, its directory, its
 * counter; see check.h. */
#include "vpop/check.h"

#include "lib/fs.h"
#include "mail/authproto.h"
#include "vpop/assign.h"
#include "vpop/dirs.h"
#include "vpop/store_mysql_tools.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT ".qmail-default"

static int
fail(struct str *why)
{
	str_cats(why, strerror(errno));
	return -1;
}

/* -- qmail's files -- */

static int
fix_assign(struct check *k, void *arg, struct str *why)
{
	const struct vdomain *d = arg;

	k->told = true;
	if (assign_domain_add(d, why) < 0)
		return -1;
	auth_changed(AUTHPROTO_SOCKET, str_c(&d->name), NULL);
	return 0;
}

static void
check_assign(struct check *k, const struct vdomain *d)
{
	struct assign_state s;
	struct str why = {0};
	const char *name = str_c(&d->name);
	void *arg = (void *)(uintptr_t)d;

	if (assign_look(d, &s, &why) < 0) {
		check_blind(k, name, "%s", str_c(&why));
		str_free(&why);
		return;
	}
	if (!s.assign)
		check_report(k, name, "users/assign", fix_assign, arg,
		    "its line is not written as it should be");
	if (!s.cdb)
		check_report(k, name, "users/cdb", fix_assign, arg,
		    "it says something else than users/assign");
	if (!s.virtualdomains)
		check_report(k, name, "virtualdomains", fix_assign, arg,
		    "there is no line %s:%s", name, name);
	if (s.locals)
		check_report(k, name, "locals", fix_assign, arg,
		    "it is there, so its mail is taken for system users");
	if (!s.rcpthosts && !s.more)
		check_report(k, name, "rcpthosts", fix_assign, arg,
		    "it is neither there nor in morercpthosts, so its mail "
		    "is refused");
	else if (!s.rcpthosts && !s.more_cdb)
		check_report(k, name, "morercpthosts.cdb", fix_assign, arg,
		    "it is in morercpthosts only, so its mail is refused");
	str_free(&why);
}

static void
check_alias(struct check *k, const struct vdomain *d)
{
	const struct vdomain *real = check_domain_peek(k, str_c(&d->real));

	if (real == NULL)
		check_report(k, str_c(&d->name), "users/assign", NULL, NULL,
		    "it is an alias of %s, which is no domain",
		    str_c(&d->real));
	else if (vdomain_is_alias(real))
		check_report(k, str_c(&d->name), "users/assign", NULL, NULL,
		    "it is an alias of %s, which is an alias itself",
		    str_c(&d->real));
	else if (!str_eqs(&real->dir, str_c(&d->dir)))
		check_report(k, str_c(&d->name), "users/assign", NULL, NULL,
		    "its directory is not that of %s", str_c(&d->real));
}

/* -- the directory -- */

/* As root: the directory is opened, and what it is given is what is open. */
struct dirfix {
	const struct vdomain *d;
	int fd;
	mode_t mode;
	gid_t gid;
};

static int
fix_owner(struct check *k, void *arg, struct str *why)
{
	const struct dirfix *f = arg;

	(void)k;
	return fchown(f->fd, f->d->uid, f->gid) < 0 ||
	    fchmod(f->fd, f->mode) < 0 || fsync(f->fd) < 0 ? fail(why) : 0;
}

/* Who may be its group: the domain's, or vpopmail's where that has to read
 * it; see manage.h. */
static bool
is_group(const struct check *k, const struct vdomain *d, gid_t gid)
{
	return gid == d->gid || gid == k->c.gid;
}

static void
check_mode(struct check *k, const struct vdomain *d, int fd, const char *what)
{
	struct dirfix f = {.d = d, .fd = fd};
	struct stat st;
	bool dir;
	mode_t need;

	if (fstat(fd, &st) < 0) {
		check_blind(k, str_c(&d->name), "%s: %s", what,
		    strerror(errno));
		return;
	}
	dir = S_ISDIR(st.st_mode);
	need = dir ? 0700 : 0600;
	f.mode = (st.st_mode & 07777 & ~(mode_t)022) | need;
	f.gid = is_group(k, d, st.st_gid) ? st.st_gid : d->gid;
	if (st.st_uid != d->uid || st.st_gid != f.gid)
		check_report(k, str_c(&d->name), "owner", fix_owner, &f,
		    "%s belongs to %lu:%lu, not to %lu:%lu", what,
		    (unsigned long)st.st_uid, (unsigned long)st.st_gid,
		    (unsigned long)d->uid, (unsigned long)f.gid);
	else if (f.mode != (st.st_mode & 07777))
		check_report(k, str_c(&d->name), "mode", fix_owner, &f,
		    "%s has mode %04o, which %s", what,
		    (unsigned)(st.st_mode & 07777),
		    (st.st_mode & 022) != 0 ? "lets others write" :
		    "keeps its owner out");
}

static int
write_default(struct check *k, const struct vdomain *d)
{
	struct str text = {0};
	struct vfile_as as;
	int e, r = vfile_as_begin(&as, d->uid, d->gid);

	str_catf(&text, "| %s/bin/vdelivermail '' bounce-no-mailbox\n",
	    str_c(&k->c.home));
	if (r == 0) {
		struct stat st;

		/* as where vpopmail reads by its group */
		r = vfile_replace(str_c(&d->dir), DEFAULT, str_c(&text),
		    text.len, stat(str_c(&d->dir), &st) == 0 &&
		    (st.st_mode & 040) != 0 ? 0640 : 0600);
		e = errno;
		vfile_as_end(&as);
		errno = e;
	}
	str_free(&text);
	return r;
}

static int
fix_default(struct check *k, void *arg, struct str *why)
{
	return write_default(k, arg) < 0 ? fail(why) : 0;
}

/* What it says is the administrator's; that it says something is ours. */
static void
check_default(struct check *k, const struct vdomain *d, int dir)
{
	struct stat st;
	void *arg = (void *)(uintptr_t)d;
	int fd;

	if (fstatat(dir, DEFAULT, &st, 0) < 0) {
		if (errno != ENOENT)
			check_blind(k, str_c(&d->name), "%s/" DEFAULT ": %s",
			    str_c(&d->dir), strerror(errno));
		else
			check_report(k, str_c(&d->name), DEFAULT, fix_default,
			    arg, "there is none, so no mailbox gets mail");
		return;
	}
	if (S_ISREG(st.st_mode) && st.st_size == 0) {
		check_report(k, str_c(&d->name), DEFAULT, fix_default, arg,
		    "it is empty, so no mailbox gets mail");
		return;
	}
	fd = openat(dir, DEFAULT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	if (fd >= 0) {
		check_mode(k, d, fd, DEFAULT);
		(void)close(fd);
	}
}

/* A database knows the accounts, so their mail only lacks its place; with the
 * cdb store accounts are gone with the directory, and mail has to wait. */
static int
fix_missing(struct check *k, void *arg, struct str *why)
{
	const struct vdomain *d = arg;
	struct str parent = {0};
	struct vfile_as as;
	int fd = -1, r;

	str_copyb(&parent, str_c(&d->dir),
	    bytes_rchr(str_c(&d->dir), d->dir.len, '/'));
	r = vfile_as_owner(&as, str_c(&parent));
	if (r == 0) {
		r = mkdir(str_c(&d->dir), 0700);
		if (r == 0)
			fd = open(str_c(&d->dir), O_RDONLY | O_DIRECTORY |
			    O_NOFOLLOW | O_CLOEXEC);
		vfile_as_end(&as);
	}
	if (fd >= 0) {
		r = fchown(fd, d->uid, d->gid);
		(void)close(fd);
	} else {
		r = -1;
	}
	if (r == 0)
		r = fs_sync_parent(str_c(&d->dir));
	if (r == 0)
		r = write_default(k, d);
	str_free(&parent);
	return r < 0 ? fail(why) : 0;
}

static int
open_dir(struct check *k, const struct vdomain *d)
{
	int fd = open(str_c(&d->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENOTDIR)
		check_report(k, str_c(&d->name), "directory", k->cdb ? NULL :
		    fix_missing, (void *)(uintptr_t)d, "%s: %s%s",
		    str_c(&d->dir), strerror(errno), k->cdb ?
		    ": accounts were in it" : "");
	else
		check_blind(k, str_c(&d->name), "%s: %s", str_c(&d->dir),
		    strerror(errno));
	return k->repair && !k->cdb ? open(str_c(&d->dir),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int
fix_unfinished(struct check *k, void *arg, struct str *why)
{
	k->told = true;
	return vmanage_domain_finish(&k->c, arg, why) == VPOP_OK ? 0 : -1;
}

static void
check_tree(struct check *k, const struct vdomain *d, int fd)
{
	static const char *const files[] = {"vpasswd", "vpasswd.cdb"};
	struct stat st;

	check_mode(k, d, fd, str_c(&d->dir));
	check_default(k, d, fd);
	for (size_t i = 0; k->cdb && i < 2; i++) {
		int f = openat(fd, files[i], O_RDONLY | O_NOFOLLOW |
		    O_CLOEXEC | O_NONBLOCK);

		if (f < 0)
			continue;
		check_mode(k, d, f, files[i]);
		(void)close(f);
	}
	if (fstatat(fd, VMANAGE_UNFINISHED, &st, AT_SYMLINK_NOFOLLOW) == 0)
		check_report(k, str_c(&d->name), "leftover", fix_unfinished,
		    (void *)(uintptr_t)d, "a vadddomain was stopped");
	check_leftover_files(k, d);
}

/* -- users -- */

static int
gather(void *arg, const struct vuser *u)
{
	struct check_users *l = arg;
	struct vuser *to;

	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 256 : 2 * l->cap;
		l->u = mem_resize(l->u, l->cap, sizeof *l->u);
	}
	to = &l->u[l->n++];
	*to = (struct vuser){0};
	str_copy(&to->name, &u->name);
	str_copy(&to->dir, &u->dir);
	return 0;
}

/* Those who have a place. */
static uint64_t
places(const struct check_users *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->u[i].dir.len > 0;
	return n;
}

static void
users_free(struct check_users *l)
{
	for (size_t i = 0; i < l->n; i++)
		vuser_free(&l->u[i]);
	free(l->u);
	*l = (struct check_users){0};
}

static bool
load(struct check *k, const struct vdomain_ref *d, struct check_users *l)
{
	int ended;

	users_free(l);
	if (vstore_user_each(k->c.store, d, gather, l, &ended) == VSTORE_OK)
		return true;
	return false;
}

/* -- the counter -- */

struct counter { const struct vdomain *d; uint64_t users; bool rebuild; };

static int
fix_counter(struct check *k, void *arg, struct str *why)
{
	const struct counter *f = arg;
	struct vdomain_ref ref = vdomain_ref_peek(f->d);
	struct check_users now = {0};
	struct vdirctl fresh = {0};
	struct vdirs p;
	enum vstore_status st;

	vdirs_init(&fresh);
	for (uint64_t i = 0; f->rebuild && i < f->users; i++)
		vdirs_count(&fresh);
	/* what makes no sense is written over before it is counted under the
	 * lock */
	st = !f->rebuild ? VSTORE_OK : vstore_dirctl_set(k->c.store,
	    ref.name, ref.dir, &fresh);
	str_free(&fresh.dir);
	if (st == VSTORE_OK)
		st = vdirs_begin(&p, k->c.store, ref.name, ref.dir);
	if (st == VSTORE_OK) {
		bool ok = load(k, &ref, &now);

		p.ctl.users = places(&now);
		p.changed = true;
		st = vdirs_end(&p, ok);
	}
	users_free(&now);
	if (st == VSTORE_OK)
		return 0;
	str_cats(why, vstore_reason_peek(k->c.store));
	return -1;
}

static void
check_counter(struct check *k, const struct vdomain *d, uint64_t users)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct counter f = {.d = d, .users = users};
	struct vdirctl c = {0};
	enum vstore_status st = vstore_dirctl_get(k->c.store, ref.name,
	    ref.dir, &c);

	f.rebuild = st != VSTORE_OK;
	if (st == VSTORE_TEMP)
		check_report(k, ref.name, "counter", fix_counter, &f, "%s",
		    vstore_reason_peek(k->c.store));
	else if (st == VSTORE_NONE && users > 0)
		check_report(k, ref.name, "counter", fix_counter, &f,
		    "there is none, but %llu users",
		    (unsigned long long)users);
	else if (st == VSTORE_OK && c.users != users)
		check_report(k, ref.name, "counter", fix_counter, &f,
		    "it says %llu, there are %llu users",
		    (unsigned long long)c.users, (unsigned long long)users);
	str_free(&c.dir);
}

/* -- logins -- */

struct stray { struct check *k; struct str names; };

static int
take_stray(void *arg, const char *user, const char *domain)
{
	struct stray *s = arg;

	(void)domain;
	str_catb(&s->names, user, strlen(user) + 1);
	return 0;
}

struct login { const char *domain, *user; };

static int
fix_login(struct check *k, void *arg, struct str *why)
{
	const struct login *l = arg;

	if (vmysql_lastauth_del(k->c.store, l->domain, l->user) == VSTORE_OK)
		return 0;
	str_cats(why, vstore_reason_peek(k->c.store));
	return -1;
}

static void
check_logins(struct check *k, const struct vdomain_ref *d)
{
	struct stray s = {.k = k};
	enum vstore_status st = vmysql_lastauth_strays(k->c.store, d,
	    take_stray, &s);

	if (st == VSTORE_TEMP)
		check_blind(k, d->name, "%s", vstore_reason_peek(k->c.store));
	for (size_t i = 0; i < s.names.len;
	    i += strlen(s.names.s + i) + 1) {
		struct login l = {d->name, s.names.s + i};

		check_report(k, d->name, "lastauth", fix_login, &l,
		    "there is no user %s", l.user);
	}
	str_free(&s.names);
}

static void
check_real(struct check *k, const struct vdomain *d)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct check_users l = {0};
	size_t bad = 0;
	int fd = open_dir(k, d);

	if (fd < 0)
		return;
	check_tree(k, d, fd);
	(void)close(fd);
	if (k->cdb)
		bad = check_vpasswd(k, d);
	if (load(k, &ref, &l)) {
		check_users(k, d, &l);
		check_counter(k, d, places(&l));
		check_logins(k, &ref);
	} else if (bad == 0) {
		check_blind(k, ref.name, "%s",
		    vstore_reason_peek(k->c.store));
	}
	users_free(&l);
}

void
check_domain(struct check *k, const struct vdomain *d)
{
	check_assign(k, d);
	if (vdomain_is_alias(d))
		check_alias(k, d);
	else
		check_real(k, d);
}
