/* vpop/check_site.c - what belongs to no single domain: users/cdb and
 * morercpthosts.cdb as wholes, lines for domains that are none, trees that are
 * nobody's, the counter of domains; see check.h. */
#include "vpop/check.h"

#include "control/control.h"
#include "control/rcpthosts.h"
#include "lib/cdb.h"
#include "lib/fs.h"
#include "lib/user.h"
#include "mail/authproto.h"
#include "mail/dotname.h"
#include "mail/users.h"
#include "vpop/assign.h"
#include "vpop/dirs.h"
#include "vpop/store_mysql_tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOMAINS "/domains"

static int
fix_cdbs(struct check *k, void *arg, struct str *why)
{
	(void)k;
	(void)arg;
	return assign_make_cdbs(why);
}

/* -- users/cdb -- */

struct lines { struct cdb_file *ours, *theirs; bool differ; };

static int
one_line(void *arg, const struct users_line *l)
{
	struct lines *s = arg;
	struct str key = {0}, a = {0}, b = {0};

	users_cat_key(&key, l->name, l->nname, l->wild);
	if (cdbfile_get(s->ours, str_c(&key), key.len, &a) != CDB_OK ||
	    cdbfile_get(s->theirs, str_c(&key), key.len, &b) != CDB_OK ||
	    a.len != b.len || memcmp(str_c(&a), str_c(&b), a.len) != 0)
		s->differ = true;
	str_free(&key);
	str_free(&a);
	str_free(&b);
	return 0;
}

/* Two that were made of the same text have one size, whoever made them. */
static bool
same_size(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_size == y.st_size;
}

static void
compare_users(struct check *k, const struct str *text, const char *dir)
{
	struct str path = {0}, tmp = {0};
	struct lines s = {0};
	const char *why = NULL;
	size_t line;

	str_catf(&path, "%s/cdb", dir);
	str_catf(&tmp, "%s/tmp", dir);
	if (users_compile(str_c(text), text->len, str_c(&path), str_c(&tmp),
	    &line, &why) < 0) {
		check_blind(k, NULL, "users/assign: line %zu: %s", line,
		    why != NULL ? why : strerror(errno));
	} else if (cdbfile_open(USERS_DIR "/cdb", &s.theirs) != CDB_OK) {
		check_report(k, NULL, "users/cdb", fix_cdbs, NULL,
		    "it is not there or no such file");
	} else if (cdbfile_open(str_c(&path), &s.ours) == CDB_OK) {
		s.differ = !same_size(str_c(&path), USERS_DIR "/cdb");
		if (!s.differ && users_parse_assign(str_c(text), text->len,
		    one_line, &s, &line, &why) < 0)
			s.differ = true;
		if (s.differ)
			check_report(k, NULL, "users/cdb", fix_cdbs, NULL,
			    "it is not what users/assign makes");
	}
	cdbfile_close(s.ours);
	cdbfile_close(s.theirs);
	(void)unlink(str_c(&path));
	str_free(&path);
	str_free(&tmp);
}

static void
check_users_cdb(struct check *k)
{
	char dir[] = "/tmp/vcheck.XXXXXX";
	struct str text = {0};

	if (fs_read(USERS_DIR "/assign", &text, USERS_FILE_MAX) < 0) {
		if (errno != ENOENT)
			check_blind(k, NULL, "users/assign: %s",
			    strerror(errno));
	} else if (mkdtemp(dir) == NULL) {
		check_blind(k, NULL, "%s: %s", dir, strerror(errno));
	} else {
		compare_users(k, &text, dir);
		(void)rmdir(dir);
	}
	str_free(&text);
}

/* -- morercpthosts.cdb -- */

static const char *
judge_more(struct str *lines, bool there, struct cdb_file *cdb,
    uint64_t size)
{
	struct str value = {0};
	uint64_t want = 2048;
	const char *odd = NULL;

	if (there && cdb == NULL)
		return "there is none";
	if (!there)
		return cdb != NULL ? "its text morercpthosts is gone" : NULL;
	str_lower(lines);
	for (size_t i = 0; i < lines->len;
	    i += strlen(lines->s + i) + 1) {
		size_t n = strlen(lines->s + i);

		want += 8 + n + 16;
		if (cdbfile_get(cdb, lines->s + i, n, &value) != CDB_OK)
			odd = "it lacks what morercpthosts says";
	}
	if (odd == NULL && want != size)
		odd = "it has more than morercpthosts says";
	str_free(&value);
	return odd;
}

static void
check_more_cdb(struct check *k)
{
	struct str lines = {0}, path = {0};
	enum control_status text = control_list(CONTROL_MORERCPTHOSTS,
	    &lines);
	struct cdb_file *cdb = NULL;
	struct stat st = {0};
	enum cdb_status r;
	const char *odd;

	str_catf(&path, "%s/" RCPTHOSTS_MORE, control_dir());
	r = cdbfile_open(str_c(&path), &cdb);
	if (text != CONTROL_OK && text != CONTROL_NONE) {
		check_blind(k, NULL, "morercpthosts: %s", strerror(errno));
	} else if (r == CDB_TEMP) {
		check_report(k, NULL, RCPTHOSTS_MORE, text == CONTROL_OK ?
		    fix_cdbs : NULL, NULL, "it cannot be read");
	} else {
		if (r == CDB_OK)
			(void)stat(str_c(&path), &st);
		odd = judge_more(&lines, text == CONTROL_OK, cdb,
		    (uint64_t)st.st_size);
		if (odd != NULL)
			check_report(k, NULL, RCPTHOSTS_MORE,
			    text == CONTROL_OK ? fix_cdbs : NULL, NULL, "%s",
			    odd);
	}
	if (r == CDB_OK)
		cdbfile_close(cdb);
	str_free(&lines);
	str_free(&path);
}

/* -- lines for domains that are none -- */

static int
fix_stale(struct check *k, void *arg, struct str *why)
{
	k->told = true;
	return assign_domain_del(arg, why);
}

/* A tree in its place says that it was a domain. */
static int
fix_lost(struct check *k, void *arg, struct str *why)
{
	const struct vdomain *d = arg;

	k->told = true;
	if (assign_domain_add(d, why) < 0)
		return -1;
	auth_changed(AUTHPROTO_SOCKET, str_c(&d->name), NULL);
	check_add_domain(k, d);
	return 0;
}

/* Does somebody else than a virtual domain handle it: a system user of that
 * name, or .qmail files of ~alias? */
static bool
is_handled(const char *name)
{
	struct user u = {0};
	struct str file = {0};
	enum user_status st = user_find(name, &u);
	bool is = st != USER_NONE;
	DIR *dir = opendir(HOME_DIR "/alias");
	struct dirent *e;

	dotname_make(&file, "-", name, strlen(name), "-");
	while (dir != NULL && !is && (e = readdir(dir)) != NULL)
		is = strncmp(e->d_name, str_c(&file), file.len) == 0 ||
		    (strncmp(e->d_name, str_c(&file), file.len - 1) == 0 &&
		    e->d_name[file.len - 1] == '\0');
	if (dir == NULL && errno != ENOENT)
		is = true;
	if (dir != NULL)
		(void)closedir(dir);
	user_free(&u);
	str_free(&file);
	return is;
}

/* A directory of DOMAINS with this name in it that holds a domain. */
static bool
find_tree(const char *parent, const char *name, int depth,
    struct vdomain *out)
{
	struct str path = {0};
	struct stat st;
	bool found;
	DIR *dir;
	struct dirent *e;

	str_catf(&path, "%s/%s/.qmail-default", parent, name);
	found = stat(str_c(&path), &st) == 0 && S_ISREG(st.st_mode);
	str_trunc(&path, path.len - sizeof "/.qmail-default" + 1);
	if (found && stat(str_c(&path), &st) == 0) {
		str_copys(&out->name, name);
		str_copys(&out->real, name);
		str_copy(&out->dir, &path);
		out->uid = st.st_uid;
		out->gid = st.st_gid;
	}
	dir = found || depth >= 3 ? NULL : opendir(parent);
	while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
		str_clear(&path);
		str_catf(&path, "%s/%s", parent, e->d_name);
		if (check_is_place(e->d_name))
			found = find_tree(str_c(&path), name, depth + 1, out);
	}
	if (dir != NULL)
		(void)closedir(dir);
	str_free(&path);
	return found;
}

static void
check_line(struct check *k, const char *domains, const char *line)
{
	struct str name = {0};
	struct vdomain lost = {0};
	size_t n = strcspn(line, ":");

	str_copyb(&name, line, n);
	str_lower(&name);
	/* NAME:NAME with a dot is how ours look */
	if (line[n] != ':' || strcmp(line + n + 1, str_c(&name)) != 0 ||
	    strchr(str_c(&name), '.') == NULL || name.s[0] == '.' ||
	    check_domain_peek(k, str_c(&name)) != NULL) {
		str_free(&name);
		return;
	}
	if (find_tree(domains, str_c(&name), 0, &lost) && lost.uid != 0) {
		check_report(k, str_c(&name), "users/assign", fix_lost, &lost,
		    "it is in virtualdomains and has %s, but no line",
		    str_c(&lost.dir));
		map_set(&k->by_dir, str_c(&lost.dir), lost.dir.len, k);
	} else if (!is_handled(str_c(&name))) {
		check_report(k, str_c(&name), "virtualdomains", fix_stale,
		    name.s, "nobody gets its mail: it has no line in "
		    "users/assign, no directory, no files of ~alias");
	}
	vdomain_free(&lost);
	str_free(&name);
}

static void
check_lines(struct check *k, const char *domains)
{
	struct str lines = {0};
	enum control_status st = control_list(CONTROL_VIRTUALDOMAINS, &lines);

	if (st != CONTROL_OK && st != CONTROL_NONE)
		check_blind(k, NULL, "virtualdomains: %s", strerror(errno));
	for (size_t i = 0; i < lines.len; i += strlen(lines.s + i) + 1)
		check_line(k, domains, lines.s + i);
	str_free(&lines);
}

/* -- trees -- */

static bool
has(const char *path, const char *name)
{
	struct str sub = {0};
	struct stat st;
	bool is;

	str_catf(&sub, "%s/%s", path, name);
	is = lstat(str_c(&sub), &st) == 0;
	str_free(&sub);
	return is;
}

static void
check_entry(struct check *k, const char *parent, const char *name,
    const char *path)
{
	if (check_is_trash(name))
		check_leftover_tree(k, NULL, parent, name);
	else if (name[0] == '.')
		return;
	else if (has(path, VMANAGE_UNFINISHED))
		check_report(k, NULL, "leftover", NULL, NULL, "%s: a "
		    "vadddomain was stopped before mail could come; "
		    "vadddomain %s does it again", path, name);
	else if (has(path, ".qmail-default") || has(path, "vpasswd"))
		check_report(k, NULL, "orphan", NULL, NULL,
		    "%s is no domain's: it stays", path);
}

static void
check_trees(struct check *k, const char *parent, int depth)
{
	DIR *dir = opendir(parent);
	struct str path = {0};
	struct dirent *e;
	struct stat st;

	if (dir == NULL) {
		if (errno != ENOENT)
			check_blind(k, NULL, "%s: %s", parent,
			    strerror(errno));
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		str_clear(&path);
		str_catf(&path, "%s/%s", parent, e->d_name);
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    lstat(str_c(&path), &st) < 0 || !S_ISDIR(st.st_mode) ||
		    map_get(&k->by_dir, str_c(&path), path.len) != NULL)
			continue;
		if (depth < 3 && check_is_place(e->d_name))
			check_trees(k, str_c(&path), depth + 1);
		else
			check_entry(k, parent, e->d_name, str_c(&path));
	}
	(void)closedir(dir);
	str_free(&path);
}

/* -- the counter of domains, and accounts of none -- */

struct counter { struct str key; const char *domains; uint64_t n; };

static int
fix_counter(struct check *k, void *arg, struct str *why)
{
	const struct counter *f = arg;
	struct vdirs p;
	enum vstore_status st = vdirs_begin(&p, k->c.store, str_c(&f->key),
	    f->domains);

	if (st == VSTORE_OK) {
		if (p.ctl.users == 0 && p.ctl.dir.len == 0)
			for (uint64_t i = 0; i < f->n; i++)
				vdirs_count(&p.ctl);
		p.ctl.users = f->n;
		p.changed = true;
		st = vdirs_end(&p, true);
	}
	if (st == VSTORE_OK)
		return 0;
	str_cats(why, vstore_reason_peek(k->c.store));
	return -1;
}

/* Of vpopmail's own domains only: in the cdb store one counter is for all. */
static void
check_counter(struct check *k, const char *domains)
{
	struct counter f = {.domains = domains};
	struct vdirctl c = {0};
	enum vstore_status st;
	size_t n = strlen(domains);

	for (size_t i = 0; i < k->n; i++) {
		const struct vdomain *d = &k->domain[i];

		if (!vdomain_is_alias(d) && (k->cdb || d->uid == k->c.uid) &&
		    strncmp(str_c(&d->dir), domains, n) == 0 &&
		    str_c(&d->dir)[n] == '/')
			f.n++;
	}
	str_catf(&f.key, "dom_%lu", (unsigned long)k->c.uid);
	st = vstore_dirctl_get(k->c.store, str_c(&f.key), domains, &c);
	if (st == VSTORE_TEMP)
		check_blind(k, NULL, "counter of domains: %s",
		    vstore_reason_peek(k->c.store));
	else if (st == VSTORE_OK ? c.users != f.n : f.n > 0)
		check_report(k, NULL, "counter", fix_counter, &f,
		    "that of domains says %llu, there are %llu",
		    (unsigned long long)(st == VSTORE_OK ? c.users : 0),
		    (unsigned long long)f.n);
	str_free(&c.dir);
	str_free(&f.key);
}

static int
one_domain(void *arg, const char *name, uint64_t n)
{
	struct check *k = arg;
	const struct vdomain *d = check_domain_peek(k, name);

	if (d == NULL || vdomain_is_alias(d))
		check_report(k, name, "accounts", NULL, NULL,
		    "the database has %llu, but it is no domain here",
		    (unsigned long long)n);
	return 0;
}

void
check_site(struct check *k)
{
	struct str domains = {0};

	str_catf(&domains, "%s" DOMAINS, str_c(&k->c.home));
	check_users_cdb(k);
	check_more_cdb(k);
	check_lines(k, str_c(&domains));
	check_trees(k, str_c(&domains), 0);
	check_counter(k, str_c(&domains));
	if (vmysql_domains_each(k->c.store, one_domain, k) == VSTORE_TEMP)
		check_blind(k, NULL, "%s", vstore_reason_peek(k->c.store));
	str_free(&domains);
}
