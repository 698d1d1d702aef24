/* vpop/manage_domain.c - domains: adding them and taking them away; see
 * manage.h.
 *
 * Added: the tree, the store's part, the postmaster, the count of directories,
 * all of which no mail can reach yet; then qmail's files (assign.h), which is
 * when mail may come; then the mark VMANAGE_UNFINISHED goes.  Taken away: the
 * tree gets another name, so that mail is deferred; qmail's files; the store's
 * part; the tree. */
#include "vpop/manage_parts.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vpop/assign.h"
#include "vpop/vfile.h"
#include "vpop/vtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOMAINS "/domains"
#define DOMAINS_MODE 0711       /* other users' domains are below it too */
#define DEFAULT ".qmail-default"
#define BOUNCE "bounce-no-mailbox"
#define PLACE_LEVELS 3          /* letters in a place of dirs.h */

struct adding {
	struct vcommand *c;
	const struct vmanage_domain *m;
	struct str *why;
	struct str domains, key;        /* where domains are, and its counter */
	struct vmanage_owner place;     /* whose domains is */
	struct vdomain d;
	struct vdirs dirs;
	bool counting;                  /* dirs is begun */
	bool counted, made, stored;
};

/* -- where domains are -- */

/* A link to another's directory is followed only when root has laid it. */
static int
owner_of(const char *domains, struct vmanage_owner *out)
{
	struct stat link, st;

	if (lstat(domains, &link) < 0 || stat(domains, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	if (S_ISLNK(link.st_mode) && link.st_uid != 0 &&
	    link.st_uid != st.st_uid) {
		errno = EPERM;
		return -1;
	}
	*out = (struct vmanage_owner){st.st_uid, st.st_gid};
	return 0;
}

/* Gives a directory, just made and open, to somebody. */
static int
hand_over(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if ((st.st_uid != uid || st.st_gid != gid) &&
	    fchown(fd, uid, gid) < 0)
		return -1;
	return fchmod(fd, mode) < 0 ? -1 : fsync(fd);
}

/* mkdir as the owner of its place, then given to another: what is opened was
 * made here, or it is the same owner's. */
static int
make_dir(const char *path, struct vmanage_owner place, uid_t uid, gid_t gid,
    mode_t mode)
{
	struct vfile_as as;
	struct stat st;
	int fd = -1, r = -1;

	if (vfile_as_begin(&as, place.uid, place.gid) < 0)
		return -1;
	if (mkdir(path, 0700) == 0)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	vfile_as_end(&as);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		errno = EPERM;
		if (geteuid() != 0 || st.st_uid == place.uid)
			r = hand_over(fd, uid, gid, mode);
	}
	fd_close(fd);
	if (r == 0)
		r = fs_sync_parent(path);
	if (r < 0) {
		int e = errno;

		if (vfile_as_begin(&as, place.uid, place.gid) == 0) {
			(void)rmdir(path);
			vfile_as_end(&as);
		}
		errno = e;
	}
	return r;
}

static int
find_place(struct adding *a)
{
	const char *base = a->m->base != NULL ? a->m->base :
	    str_c(&a->c->home);
	struct stat st;

	str_catf(&a->domains, "%s" DOMAINS, base);
	str_catf(&a->key, "dom_%lu", (unsigned long)a->m->uid);
	if (owner_of(str_c(&a->domains), &a->place) == 0)
		return 0;
	if (errno != ENOENT || stat(base, &st) < 0)
		return -1;
	/* VPOPMAIL is root's, what is in it is not */
	if (st.st_uid == 0 && make_dir(str_c(&a->domains),
	    (struct vmanage_owner){0, 0}, a->c->uid, a->c->gid,
	    DOMAINS_MODE) < 0)
		return -1;
	if (st.st_uid != 0 && make_dir(str_c(&a->domains),
	    (struct vmanage_owner){st.st_uid, st.st_gid}, st.st_uid,
	    st.st_gid, DOMAINS_MODE) < 0)
		return -1;
	return owner_of(str_c(&a->domains), &a->place);
}

/* -- marks -- */

/* An empty file; with something in it once the store has got the domain. */
static int
mark(const struct vdomain *d, bool on, bool stored)
{
	struct str path = {0};
	struct vfile_as as;
	int r = vfile_as_begin(&as, d->uid, d->gid), e;

	str_catf(&path, "%s/" VMANAGE_UNFINISHED, str_c(&d->dir));
	if (r == 0 && on) {
		int fd = open(str_c(&path), O_WRONLY | O_CREAT | O_CLOEXEC |
		    O_NOFOLLOW, 0600);

		if (fd < 0 || (stored && (fd_write_all(fd, "1\n", 2) < 0 ||
		    fsync(fd) < 0)))
			r = -1;
		if (fd >= 0)
			fd_close(fd);
		if (r == 0)
			r = fs_sync_dir(str_c(&d->dir));
	} else if (r == 0) {
		r = unlink(str_c(&path)) < 0 && errno != ENOENT ? -1 :
		    fs_sync_dir(str_c(&d->dir));
	}
	e = errno;
	vfile_as_end(&as);
	str_free(&path);
	errno = e;
	return r;
}

static bool
is_marked(const struct vdomain *d, bool *stored_out)
{
	struct str path = {0};
	struct stat st;
	bool is;

	str_catf(&path, "%s/" VMANAGE_UNFINISHED, str_c(&d->dir));
	is = lstat(str_c(&path), &st) == 0;
	*stored_out = is && st.st_size > 0;
	str_free(&path);
	return is;
}

enum vpop_error
vmanage_domain_finish(struct vcommand *c, const struct vdomain *d,
    struct str *why)
{
	bool stored;

	(void)c;
	if (!is_marked(d, &stored))
		return VPOP_OK;
	if (assign_domain_add(d, why) < 0)
		return VPOP_CANNOT_UPDATE;
	return mark(d, false, false) < 0 ? vmanage_fail(VPOP_CANNOT_UPDATE, why,
	    str_c(&d->dir), NULL) : VPOP_OK;
}

/* -- what the store knows -- */

/* A name that a domain could have, and none has. */
static bool
is_unknown(const char *name)
{
	struct vdomain d = {0};
	struct str copy = {0};
	bool is;

	str_copys(&copy, name);
	is = vpop_domain_name(&copy) == VPOP_OK && str_eqs(&copy, name) &&
	    vdomain_find(name, &d) == VDOMAIN_NONE;
	str_free(&copy);
	vdomain_free(&d);
	return is;
}

static enum vpop_error
del_store(struct vcommand *c, const struct vdomain *d, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vstore_status st = vstore_domain_del(c->store, &ref);

	if (st == VSTORE_NONE)
		st = VSTORE_OK;
	if (st == VSTORE_OK && vstore_dirctl_del(c->store, str_c(&d->real),
	    str_c(&d->dir)) == VSTORE_TEMP)
		log_warn("%s: the counter of its directories stays: %s",
		    str_c(&d->name), vstore_reason_peek(c->store));
	return vmanage_store(c, st, VPOP_NO_DOMAIN, VPOP_DOMAIN_EXISTS,
	    str_c(&d->name), why);
}

/* What killed removals have left: one whose domain qmail still knows is left to
 * its own second run, of the others the store may know something yet. */
static void
finish_others(struct vcommand *c, const struct vdomain *d,
    struct vmanage_trash *t)
{
	struct str trees = {0};
	size_t at = 0;

	if (t->moved) {
		at = strlen(t->trees.s) + 1;
		str_catb(&trees, t->trees.s, at);
	}
	for (; at < t->trees.len; at += strlen(t->trees.s + at) + 1) {
		const char *tree = t->trees.s + at;
		struct vdomain other = {0};
		struct str why = {0};

		str_copys(&other.name, tree + bytes_rchr(tree, strlen(tree),
		    '/') + sizeof VMANAGE_TRASH);
		str_copy(&other.real, &other.name);
		str_copys(&other.dir, tree);
		other.uid = d->uid;
		other.gid = d->gid;
		if (is_unknown(str_c(&other.name)) &&
		    del_store(c, &other, &why) == VPOP_OK)
			str_catb(&trees, tree, strlen(tree) + 1);
		else if (why.len > 0)
			log_warn("%s", str_c(&why));
		vdomain_free(&other);
		str_free(&why);
	}
	str_free(&t->trees);
	t->trees = trees;
}

/* -- steps -- */

/* The whole tree; stored: and what the store knows. */
static int
remove_tree(struct vcommand *c, const struct vdomain *d,
    struct vmanage_owner place, bool stored)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vmanage_trash t;
	struct vfile_as as;
	int r = vfile_as_begin(&as, place.uid, place.gid);

	if (r == 0) {
		r = vmanage_trash_begin(&t, str_c(&d->dir));
		vfile_as_end(&as);
	}
	if (r < 0)
		return -1;
	finish_others(c, d, &t);
	vmanage_trash_keep(&t);
	if (stored && vstore_domain_del(c->store, &ref) == VSTORE_TEMP)
		log_warn("%s: %s", str_c(&d->name),
		    vstore_reason_peek(c->store));
	if (stored && vstore_dirctl_del(c->store, str_c(&d->real), str_c(&d->dir)) ==
	    VSTORE_TEMP)
		log_warn("%s: %s", str_c(&d->name),
		    vstore_reason_peek(c->store));
	vmanage_trash_sweep(&t, (struct vmanage_owner){d->uid, d->gid},
	    place);
	return 0;
}

/* What a killed program left: nothing in it, or its mark. */
static int
remove_leftover(struct adding *a)
{
	struct vfile_as as;
	struct stat st;
	bool stored;
	int r;

	if (lstat(str_c(&a->d.dir), &st) < 0 || !S_ISDIR(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if (is_marked(&a->d, &stored))
		return remove_tree(a->c, &a->d, a->place, stored);
	if (vfile_as_begin(&as, a->place.uid, a->place.gid) < 0)
		return -1;
	r = rmdir(str_c(&a->d.dir));
	vfile_as_end(&as);
	if (r < 0)
		errno = EEXIST;
	return r;
}

static enum vpop_error
make_tree(struct adding *a)
{
	struct vdomain *d = &a->d;
	bool ours = d->uid == a->c->uid;
	gid_t gid = ours ? d->gid : a->c->gid;
	mode_t mode = ours ? 0700 : 02750;
	const char *dir = str_c(&d->dir);
	int r = make_dir(dir, a->place, d->uid, gid, mode);

	if (r < 0 && errno == EEXIST && (r = remove_leftover(a)) == 0)
		r = make_dir(dir, a->place, d->uid, gid, mode);
	if (r < 0)
		return vmanage_fail(VPOP_NO_DOMAIN_DIR, a->why, dir, NULL);
	a->made = true;
	return mark(d, true, false) < 0 ? vmanage_fail(VPOP_NO_DOMAIN_DIR, a->why,
	    dir, NULL) : VPOP_OK;
}

/* authdaemond, which is vpopmail, has to get there. */
static enum vpop_error
check_reach(struct adding *a)
{
	struct vfile_as as;
	int r = vfile_as_begin(&as, a->c->uid, a->c->gid), fd = -1;

	if (r == 0) {
		fd = open(str_c(&a->d.dir), O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
		vfile_as_end(&as);
	}
	if (fd >= 0) {
		fd_close(fd);
		return VPOP_OK;
	}
	str_catf(a->why, "%s: user " VPOP_USER " has to get there, for the "
	    "service authdaemond: %s", str_c(&a->d.dir), strerror(errno));
	return VPOP_NO_DOMAIN_DIR;
}

static bool
is_plain(const char *action)
{
	for (const char *p = action; *p != '\0'; p++)
		if (!(*p >= '0' && *p <= '9') && !(*p >= 'a' && *p <= 'z') &&
		    !(*p >= 'A' && *p <= 'Z') && strchr("@.-_+=/", *p) == NULL)
			return false;
	return *action != '\0';
}

static enum vpop_error
write_default(struct adding *a)
{
	struct str text = {0}, action = {0};
	struct vfile_as as;
	enum vpop_error e = VPOP_OK;

	if (a->m->catchall != NULL)
		str_catf(&action, "%s/%s", str_c(&a->d.dir), a->m->catchall);
	else
		str_cats(&action, a->m->action != NULL ? a->m->action :
		    BOUNCE);
	str_catf(&text, "| %s/bin/vdelivermail '' %s\n", str_c(&a->c->home),
	    str_c(&action));
	if (!is_plain(str_c(&action))) {
		e = vmanage_fail(VPOP_BAD_EMAIL, a->why, str_c(&action),
		    "it would stand in a line for a shell");
	} else if (vfile_as_begin(&as, a->d.uid, a->d.gid) < 0) {
		e = vmanage_fail(VPOP_NO_DOTQMAIL, a->why, str_c(&a->d.dir),
		    NULL);
	} else {
		if (vfile_replace(str_c(&a->d.dir), DEFAULT, str_c(&text),
		    text.len, 0600) < 0)
			e = vmanage_fail(VPOP_NO_DOTQMAIL, a->why,
			    str_c(&a->d.dir), NULL);
		vfile_as_end(&as);
	}
	str_free(&text);
	str_free(&action);
	return e;
}

/* The files of the cdb store keep the mode that they have. */
static int
open_to_group(const struct vdomain *d)
{
	static const char *const files[] = {"vpasswd", "vpasswd.cdb"};
	struct vfile_as as;
	int r = vfile_as_begin(&as, d->uid, d->gid);

	for (size_t i = 0; r == 0 && i < sizeof files / sizeof *files; i++) {
		struct str path = {0};
		int fd;

		str_catf(&path, "%s/%s", str_c(&d->dir), files[i]);
		fd = open(str_c(&path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
		    O_NONBLOCK);
		if (fd >= 0) {
			r = fchmod(fd, 0640);
			fd_close(fd);
		} else if (errno != ENOENT) {
			r = -1;
		}
		str_free(&path);
	}
	vfile_as_end(&as);
	return r;
}

/* Is the tree of a domain of this name being removed, here or in a directory
 * that is a place of dirs.h? */
static bool
has_trash(const char *dir, const char *name, int levels)
{
	struct str path = {0};
	struct stat st;
	bool found;

	str_catf(&path, "%s/" VMANAGE_TRASH "%s", dir, name);
	found = lstat(str_c(&path), &st) == 0;
	for (const char *p = VDIRS_LIST; !found && levels > 0 && *p != '\0';
	    p++) {
		str_clear(&path);
		str_catf(&path, "%s/%c", dir, *p);
		if (lstat(str_c(&path), &st) == 0 && S_ISDIR(st.st_mode))
			found = has_trash(str_c(&path), name, levels - 1);
	}
	str_free(&path);
	return found;
}

/* Accounts of a domain that qmail does not know are somebody's, who may miss
 * them; unless a vmanage_domain_del was killed before it had removed them. */
static enum vpop_error
enter_store(struct adding *a, const struct vdomain_ref *ref)
{
	enum vstore_status st = vstore_domain_add(a->c->store, ref);
	enum vpop_error e;

	if (st == VSTORE_EXISTS && has_trash(str_c(&a->domains),
	    str_c(&a->d.name), PLACE_LEVELS)) {
		st = vstore_domain_del(a->c->store, ref);
		if (st == VSTORE_OK || st == VSTORE_NONE)
			st = vstore_domain_add(a->c->store, ref);
	}
	e = vmanage_store(a->c, st, VPOP_NO_DOMAIN, VPOP_DOMAIN_EXISTS,
	    str_c(&a->d.name), a->why);
	if (st == VSTORE_EXISTS)
		str_cats(a->why, ": the store has accounts of it, which is in "
		    "none of qmail's files");
	return e;
}

static enum vpop_error
fill_store(struct adding *a)
{
	struct vdomain_ref ref = vdomain_ref_peek(&a->d);
	enum vpop_error e = enter_store(a, &ref);

	if (e != VPOP_OK)
		return e;
	a->stored = true;
	if (mark(&a->d, true, true) < 0)
		return vmanage_fail(VPOP_NO_DOMAIN_DIR, a->why,
		    str_c(&a->d.dir), NULL);
	if (a->d.uid != a->c->uid && open_to_group(&a->d) < 0)
		return vmanage_fail(VPOP_NO_DOMAIN_DIR, a->why,
		    str_c(&a->d.dir), NULL);
	if (a->d.uid != a->c->uid && (e = check_reach(a)) != VPOP_OK)
		return e;
	return a->m->postmaster == NULL ? VPOP_OK :
	    vmanage_user_first(a->c, &a->d, a->m->postmaster, a->why);
}

static enum vpop_error
take_place(struct adding *a)
{
	struct str sub = {0};
	struct vfile_as as;
	enum vpop_error e;
	int r;

	e = vmanage_store(a->c, vdirs_begin(&a->dirs, a->c->store,
	    str_c(&a->key), str_c(&a->domains)), VPOP_BAD_DDIR,
	    VPOP_DOMAIN_EXISTS, str_c(&a->domains), a->why);
	if (e != VPOP_OK)
		return e;
	a->counting = true;
	vdirs_take(&a->dirs, &sub);
	str_catf(&a->d.dir, "%s%s%s/%s", str_c(&a->domains),
	    sub.len > 0 ? "/" : "", str_c(&sub), a->m->name);
	r = vfile_as_begin(&as, a->place.uid, a->place.gid);
	if (r == 0) {
		r = vtree_make_places(str_c(&a->domains), str_c(&sub),
		    DOMAINS_MODE);
		vfile_as_end(&as);
	}
	str_free(&sub);
	if (r < 0)
		return vmanage_fail(VPOP_NO_DOMAIN_DIR, a->why,
		    str_c(&a->d.dir), NULL);
	if (a->d.dir.len > VPOP_DIR_MAX)
		return vmanage_fail(VPOP_DIR_LONG, a->why,
		    str_c(&a->d.dir), "it is too long");
	return VPOP_OK;
}

static enum vpop_error
count_place(struct adding *a)
{
	enum vstore_status st;

	a->counting = false;
	st = vdirs_end(&a->dirs, true);
	a->counted = st == VSTORE_OK;
	return vmanage_store(a->c, st, VPOP_BAD_DDIR, VPOP_DOMAIN_EXISTS,
	    str_c(&a->domains), a->why);
}

static void
give_place(struct vcommand *c, const char *key, const char *domains,
    const char *dir)
{
	struct vdirs dirs;
	enum vstore_status st = vdirs_begin(&dirs, c->store, key, domains);

	if (st == VSTORE_OK) {
		vdirs_give(&dirs, dir);
		st = vdirs_end(&dirs, true);
	}
	if (st != VSTORE_OK && st != VSTORE_NONE)
		log_warn("%s: the count of domains is wrong now: %s", domains,
		    vstore_reason_peek(c->store));
}

static void
undo(struct adding *a)
{
	if (a->counting && vdirs_end(&a->dirs, false) != VSTORE_OK)
		log_warn("%s: %s", str_c(&a->domains),
		    vstore_reason_peek(a->c->store));
	if (a->made && remove_tree(a->c, &a->d, a->place, a->stored) < 0)
		str_catf(a->why, "; %s could not be removed: %s",
		    str_c(&a->d.dir), strerror(errno));
	if (a->counted)
		give_place(a->c, str_c(&a->key), str_c(&a->domains),
		    str_c(&a->d.dir));
}

static enum vpop_error
add(struct adding *a)
{
	enum vpop_error e;

	if (find_place(a) < 0)
		return vmanage_fail(VPOP_NO_DOMAINS_DIR, a->why,
		    str_c(&a->domains), NULL);
	if ((e = take_place(a)) != VPOP_OK || (e = make_tree(a)) != VPOP_OK ||
	    (e = write_default(a)) != VPOP_OK ||
	    (e = fill_store(a)) != VPOP_OK ||
	    (e = count_place(a)) != VPOP_OK)
		return e;
	if (assign_domain_add(&a->d, a->why) < 0)
		return VPOP_CANNOT_UPDATE;
	if (mark(&a->d, false, false) < 0)
		log_sys("unable to remove %s/" VMANAGE_UNFINISHED,
		    str_c(&a->d.dir));
	return VPOP_OK;
}

enum vpop_error
vmanage_domain_add(struct vcommand *c, const struct vmanage_domain *m,
    struct vdomain *out, struct str *why)
{
	struct adding a = {.c = c, .m = m, .why = why};
	enum vpop_error e = VPOP_OK;

	vdomain_free(out);
	switch (vdomain_find(m->name, out)) {
	case VDOMAIN_OK:
		e = vmanage_domain_finish(c, out, why);
		if (e == VPOP_OK) {
			str_cats(why, m->name);
			e = VPOP_DOMAIN_EXISTS;
		}
		return e;
	case VDOMAIN_NONE:
		break;
	case VDOMAIN_TEMP:
		return vmanage_fail(VPOP_ASSIGN, why, m->name, NULL);
	}
	str_copys(&a.d.name, m->name);
	str_copys(&a.d.real, m->name);
	a.d.uid = m->uid;
	a.d.gid = m->gid;
	e = add(&a);
	if (e == VPOP_OK) {
		*out = a.d;
		a.d = (struct vdomain){0};
		vmanage_changed(c, m->name, NULL);
		vmanage_hook(c, "add_domain", m->name, NULL);
	} else {
		undo(&a);
	}
	str_free(&a.domains);
	str_free(&a.key);
	vdomain_free(&a.d);
	return e;
}

/* -- taking away -- */

struct aliases { const struct vdomain *d; struct str *first; };

static int
look_for_alias(void *arg, const struct vdomain *d)
{
	struct aliases *a = arg;

	if (!vdomain_is_alias(d) || !str_eqs(&d->real, str_c(&a->d->real)))
		return 0;
	str_copy(a->first, &d->name);
	return 1;
}

static enum vpop_error
check_aliases(const struct vdomain *d, struct str *why)
{
	struct str first = {0};
	struct aliases a = {d, &first};
	enum vpop_error e = VPOP_OK;
	int ended;

	if (vdomain_each(look_for_alias, &a, &ended) != VDOMAIN_OK) {
		e = vmanage_fail(VPOP_ASSIGN, why, "users/assign", NULL);
	} else if (ended != 0) {
		str_catf(why, "%s: it has the alias domain %s",
		    str_c(&d->name), str_c(&first));
		e = VPOP_CANNOT_UPDATE;
	}
	str_free(&first);
	return e;
}

/* DIR is DOMAINS[/PLACE]/NAME, or something that is counted nowhere. */
static void
domains_of(const struct vdomain *d, struct str *out)
{
	const char *dir = str_c(&d->dir);
	size_t n = bytes_rchr(dir, d->dir.len, '/');

	str_copyb(out, dir, n);
	while (out->len >= 2 && out->s[out->len - 2] == '/')
		str_trunc(out, out->len - 2);
	n = sizeof DOMAINS - 1;
	if (out->len <= n || memcmp(out->s + out->len - n, DOMAINS, n) != 0)
		str_clear(out);
}

static int
place_owner(const struct vdomain *d, const struct str *domains,
    struct vmanage_owner *out)
{
	struct str parent = {0};
	int r, e;

	if (domains->len > 0)
		return owner_of(str_c(domains), out);
	str_copyb(&parent, str_c(&d->dir),
	    bytes_rchr(str_c(&d->dir), d->dir.len, '/'));
	r = owner_of(parent.len > 0 ? str_c(&parent) : "/", out);
	e = errno;
	str_free(&parent);
	errno = e;
	return r;
}

static enum vpop_error
trash_begin(struct vmanage_trash *t, const struct vdomain *d,
    struct vmanage_owner place, struct str *why)
{
	struct vfile_as as;
	int r = vfile_as_begin(&as, place.uid, place.gid);

	if (r == 0) {
		r = vmanage_trash_begin(t, str_c(&d->dir));
		vfile_as_end(&as);
	}
	return r < 0 ? vmanage_fail(VPOP_BAD_D_DIR, why, str_c(&d->dir),
	    NULL) : VPOP_OK;
}

static void
trash_undo(struct vmanage_trash *t, struct vmanage_owner place,
    struct str *why)
{
	struct vfile_as as;

	if (vfile_as_begin(&as, place.uid, place.gid) < 0)
		as.on = false;
	vmanage_trash_undo(t, why);
	vfile_as_end(&as);
}

enum vpop_error
vmanage_domain_del(struct vcommand *c, const struct vdomain *d,
    struct str *why)
{
	struct vmanage_trash t;
	struct vmanage_owner place;
	struct str domains = {0}, key = {0}, more = {0};
	enum vpop_error e = check_aliases(d, why);
	struct stat st;
	bool there;

	if (e != VPOP_OK)
		return e;
	domains_of(d, &domains);
	there = lstat(str_c(&d->dir), &st) == 0;
	if (place_owner(d, &domains, &place) < 0) {
		if (there || errno != ENOENT)
			e = vmanage_fail(VPOP_BAD_DDIR, why, str_c(&d->dir),
			    NULL);
		place = (struct vmanage_owner){d->uid, d->gid};
	}
	if (e == VPOP_OK)
		e = trash_begin(&t, d, place, why);
	if (e != VPOP_OK)
		goto done;
	if (assign_domain_del(str_c(&d->name), why) < 0) {
		e = VPOP_CANNOT_UPDATE;
	} else if ((e = del_store(c, d, why)) != VPOP_OK &&
	    assign_domain_add(d, &more) < 0) {
		str_catf(why, "; %s", str_c(&more));
	}
	if (e != VPOP_OK) {
		trash_undo(&t, place, why);
		goto done;
	}
	finish_others(c, d, &t);
	vmanage_trash_keep(&t);
	str_catf(&key, "dom_%lu", (unsigned long)d->uid);
	if (domains.len > 0 && there)
		give_place(c, str_c(&key), str_c(&domains), str_c(&d->dir));
	vmanage_trash_sweep(&t, (struct vmanage_owner){d->uid, d->gid},
	    place);
	vmanage_changed(c, str_c(&d->name), NULL);
	vmanage_hook(c, "del_domain", str_c(&d->name), NULL);
done:
	str_free(&domains);
	str_free(&key);
	str_free(&more);
	return e;
}

/* -- alias domains -- */

static bool
is_whole(const struct vdomain *d)
{
	struct assign_state s;
	struct str ignored = {0};
	bool whole = assign_look(d, &s, &ignored) < 0 ||
	    (s.assign && s.cdb && s.virtualdomains && !s.locals &&
	    (s.rcpthosts || (s.more && s.more_cdb)));

	str_free(&ignored);
	return whole;
}

enum vpop_error
vmanage_alias_domain_add(struct vcommand *c, const struct vdomain *real,
    const char *alias, struct str *why)
{
	struct vdomain d = {0};
	enum vpop_error e = VPOP_OK;

	switch (vdomain_find(alias, &d)) {
	case VDOMAIN_OK:
		/* one that a killed program has half made */
		if (vdomain_is_alias(&d) &&
		    str_eqs(&d.real, str_c(&real->real)) &&
		    str_eqs(&d.dir, str_c(&real->dir)) && !is_whole(&d))
			break;
		str_cats(why, alias);
		e = VPOP_DOMAIN_EXISTS;
		break;
	case VDOMAIN_NONE:
		str_copys(&d.name, alias);
		str_copy(&d.real, &real->real);
		str_copy(&d.dir, &real->dir);
		d.uid = real->uid;
		d.gid = real->gid;
		break;
	case VDOMAIN_TEMP:
		e = vmanage_fail(VPOP_ASSIGN, why, alias, NULL);
		break;
	}
	if (e == VPOP_OK && assign_domain_add(&d, why) < 0)
		e = VPOP_CANNOT_UPDATE;
	if (e == VPOP_OK) {
		vmanage_changed(c, alias, NULL);
		vmanage_hook(c, "add_alias_domain", str_c(&real->real),
		    alias);
	}
	vdomain_free(&d);
	return e;
}

enum vpop_error
vmanage_alias_domain_del(struct vcommand *c, const struct vdomain *alias,
    struct str *why)
{
	if (assign_domain_del(str_c(&alias->name), why) < 0)
		return VPOP_CANNOT_UPDATE;
	vmanage_changed(c, str_c(&alias->name), NULL);
	vmanage_hook(c, "del_domain", str_c(&alias->name), NULL);
	return VPOP_OK;
}
