/* vpop/store_files.c - what vpopmail keeps in small files: aliases (.qmail
 * files), limits, times of logins, counters of directories, addresses of
 * domains; see store_ops.h.
 *
 * The cdb store has nothing else, and the other store takes from here what it
 * has no table for.  Files are replaced whole under DIR/.files.lock; only
 * lastauth, which is written at every login and may be lost, is overwritten. */
#include "vpop/store_ops.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/ip.h"
#include "mail/dotname.h"
#include "vpop/dirs.h"
#include "vpop/limits.h"
#include "vpop/vfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SMALL_MAX ((size_t)1 << 20)     /* bytes of a file */
#define LOCK ".files.lock"
#define DIRCTL ".dir-control"
#define IPMAP "ip_alias_map"

/* One change or look-up in one directory. */
struct work {
	struct vstore *s;
	const char *dir;
	struct vfile_as as;
	struct str old;
	int lock;
};

static enum vstore_status
fail(struct work *w, const char *verb, const char *name)
{
	return vstore_fail(w->s, VSTORE_TEMP, "unable to %s %s/%s: %s", verb,
	    w->dir, name, errno == EAGAIN ?
	    "another program holds the lock" : strerror(errno));
}

/* d NULL: as the directory's owner; then NONE when there is no directory and
 * none is needed. */
static enum vstore_status
begin(struct work *w, struct vstore *s, const struct vdomain_ref *d,
    const char *dir, bool lock)
{
	int r;

	*w = (struct work){.s = s, .dir = dir, .lock = -1};
	r = d == NULL ? vfile_as_owner(&w->as, dir) :
	    vfile_as_begin(&w->as, d->uid, d->gid);
	if (r < 0)
		return d == NULL && !lock && errno == ENOENT ? VSTORE_NONE :
		    fail(w, "work in", "");
	if (lock && (w->lock = vfile_lock(dir, LOCK, s->lock_ms)) < 0) {
		enum vstore_status st = fail(w, "lock", LOCK);

		vfile_as_end(&w->as);
		return st;
	}
	return VSTORE_OK;
}

static enum vstore_status
end(struct work *w, enum vstore_status st)
{
	if (w->lock >= 0)
		fd_close(w->lock);
	vfile_as_end(&w->as);
	str_free(&w->old);
	return st;
}

/* Into w->old.  NONE: no such file. */
static enum vstore_status
take(struct work *w, const char *name)
{
	struct str path = {0};
	int r;

	str_catf(&path, "%s/%s", w->dir, name);
	str_clear(&w->old);
	r = fs_read(str_c(&path), &w->old, SMALL_MAX);
	str_free(&path);
	if (r == 0)
		return VSTORE_OK;
	return errno == ENOENT ? VSTORE_NONE : fail(w, "read", name);
}

/* Nothing is written when it is there already. */
static enum vstore_status
put(struct work *w, const char *name, const struct str *text, mode_t mode)
{
	if (w->old.len == text->len && text->len > 0 &&
	    memcmp(w->old.s, text->s, text->len) == 0)
		return VSTORE_OK;
	return vfile_replace(w->dir, name, str_c(text), text->len, mode) < 0 ?
	    fail(w, "write", name) : VSTORE_OK;
}

static enum vstore_status
gone(struct work *w, const char *name)
{
	struct str path = {0};
	int r;

	str_catf(&path, "%s/%s", w->dir, name);
	r = unlink(str_c(&path));
	if (r == 0)
		r = fs_sync_parent(str_c(&path));
	str_free(&path);
	if (r == 0)
		return VSTORE_OK;
	return errno == ENOENT ? VSTORE_NONE : fail(w, "remove", name);
}

/* Limits */

static enum vstore_status
limits_get(struct vstore *s, const struct vdomain_ref *d, const char *dir,
    const char *name, struct vlimits *out)
{
	struct work w;
	enum vstore_status st = begin(&w, s, d, dir, false);

	if (st != VSTORE_OK)
		return st;
	st = take(&w, name);
	if (st == VSTORE_OK)
		(void)vlimits_parse(str_c(&w.old), w.old.len, out);
	return end(&w, st);
}

static enum vstore_status
limits_set(struct vstore *s, const struct vdomain_ref *d, const char *dir,
    const char *name, const struct vlimits *l, mode_t mode)
{
	struct work w;
	struct vlimits now;
	struct str text = {0};
	enum vstore_status st = begin(&w, s, d, dir, true);

	if (st != VSTORE_OK)
		return st;
	st = take(&w, name);
	if (st == VSTORE_OK) {
		/* the same in other words stays as it is */
		if (vlimits_parse(str_c(&w.old), w.old.len, &now) == 0 &&
		    vlimits_equal(&now, l))
			return end(&w, VSTORE_OK);
	}
	if (st != VSTORE_TEMP) {
		vlimits_cat(&text, l, str_c(&w.old), w.old.len);
		st = put(&w, name, &text, mode);
	}
	str_free(&text);
	return end(&w, st);
}

static enum vstore_status
limits_del(struct vstore *s, const struct vdomain_ref *d, const char *dir,
    const char *name)
{
	struct work w;
	enum vstore_status st = begin(&w, s, d, dir, true);

	return st != VSTORE_OK ? st : end(&w, gone(&w, name));
}

enum vstore_status
vfiles_limits_get(struct vstore *s, const struct vdomain_ref *d,
    struct vlimits *out)
{
	return limits_get(s, d, d->dir, VLIMITS_FILE, out);
}

enum vstore_status
vfiles_limits_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vlimits *l)
{
	return limits_set(s, d, d->dir, VLIMITS_FILE, l, 0600);
}

enum vstore_status
vfiles_limits_del(struct vstore *s, const struct vdomain_ref *d)
{
	return limits_del(s, d, d->dir, VLIMITS_FILE);
}

static void
etc_of(const struct vstore *s, struct str *out)
{
	str_catf(out, "%s/etc", str_c(&s->vpopmail_dir));
}

enum vstore_status
vlimits_default_get(struct vstore *s, struct vlimits *out)
{
	struct str etc = {0};
	enum vstore_status st;

	etc_of(s, &etc);
	st = limits_get(s, NULL, str_c(&etc), VLIMITS_DEFAULT, out);
	str_free(&etc);
	return st;
}

enum vstore_status
vlimits_default_set(struct vstore *s, const struct vlimits *l)
{
	struct str etc = {0};
	enum vstore_status st;

	etc_of(s, &etc);
	st = limits_set(s, NULL, str_c(&etc), VLIMITS_DEFAULT, l, 0644);
	str_free(&etc);
	return st;
}

enum vstore_status
vlimits_default_del(struct vstore *s)
{
	struct str etc = {0};
	enum vstore_status st;

	etc_of(s, &etc);
	st = limits_del(s, NULL, str_c(&etc), VLIMITS_DEFAULT);
	str_free(&etc);
	return st;
}

/* Counters of directories */

enum vstore_status
vfiles_dirctl_get(struct vstore *s, const char *key, const char *dir,
    struct vdirctl *out)
{
	struct work w;
	enum vstore_status st = begin(&w, s, NULL, dir, false);

	(void)key;
	if (st != VSTORE_OK)
		return st;
	st = take(&w, DIRCTL);
	if (st == VSTORE_OK && vdirs_parse(str_c(&w.old), w.old.len, out) < 0)
		st = vstore_fail(s, VSTORE_TEMP, "%s/" DIRCTL
		    " is not what it should be", dir);
	return end(&w, st);
}

enum vstore_status
vfiles_dirctl_set(struct vstore *s, const char *key, const char *dir,
    const struct vdirctl *c)
{
	struct work w;
	struct str text = {0};
	enum vstore_status st = begin(&w, s, NULL, dir, false);

	(void)key;
	if (st != VSTORE_OK)
		return st;
	vdirs_cat(&text, c);
	st = put(&w, DIRCTL, &text, 0600);
	str_free(&text);
	return end(&w, st);
}

enum vstore_status
vfiles_dirctl_del(struct vstore *s, const char *key, const char *dir)
{
	struct work w;
	enum vstore_status st = begin(&w, s, NULL, dir, false);

	(void)key;
	return st != VSTORE_OK ? st : end(&w, gone(&w, DIRCTL));
}

/* Times of logins */

/* The user's file, opened; never a link or a pipe laid there. */
static int
lastauth_open(const struct vuser *u, int flags)
{
	struct str path = {0};
	struct stat st;
	int fd;

	str_catf(&path, "%s/lastauth", str_c(&u->dir));
	fd = open(str_c(&path), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	str_free(&path);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd_close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

enum vstore_status
vfiles_lastauth_get(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u, int64_t *when_out, struct str *ip_out)
{
	struct work w;
	struct stat st;
	enum vstore_status r = begin(&w, s, d, str_c(&u->dir), false);
	int fd;

	if (r != VSTORE_OK)
		return r;
	if (u->dir.len == 0)
		return end(&w, VSTORE_NONE);
	fd = lastauth_open(u, O_RDONLY);
	if (fd < 0)
		return end(&w, errno == ENOENT || errno == ENOTDIR ?
		    VSTORE_NONE : fail(&w, "read", "lastauth"));
	if (fstat(fd, &st) < 0 || fs_read_fd(fd, ip_out, IP_TEXT) < 0) {
		r = fail(&w, "read", "lastauth");
	} else {
		*when_out = st.st_mtim.tv_sec;
		str_trunc(ip_out, bytes_chr(str_c(ip_out), ip_out->len, '\n'));
		if (str_has_nul(ip_out))
			str_clear(ip_out);
	}
	fd_close(fd);
	return end(&w, r);
}

/* The length changes last: on a full disk the old bytes are overwritten. */
enum vstore_status
vfiles_lastauth_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u, int64_t when, const char *ip)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = when}};
	struct work w;
	size_t n = strlen(ip);
	enum vstore_status r = begin(&w, s, d, str_c(&u->dir), false);
	int fd;

	if (r != VSTORE_OK)
		return r;
	if (u->dir.len == 0)
		return end(&w, VSTORE_NONE);
	fd = lastauth_open(u, O_WRONLY | O_CREAT);
	if (fd < 0)
		return end(&w, errno == ENOENT ? VSTORE_NONE :
		    fail(&w, "write", "lastauth"));
	if (fd_write_all(fd, ip, n) < 0 || ftruncate(fd, (off_t)n) < 0 ||
	    futimens(fd, times) < 0)
		r = fail(&w, "write", "lastauth");
	fd_close(fd);
	return end(&w, r);
}

/* Domains of addresses: lines "ip domain". */

struct ipline { struct str ip, domain; size_t at, n; };

/* The next line that maps an address; *pos goes behind it. */
static bool
ip_next(const struct str *text, size_t *pos, struct ipline *l)
{
	while (*pos < text->len) {
		const char *s = text->s + *pos;
		size_t left = text->len - *pos, n = bytes_chr(s, left, '\n');
		size_t i = 0, from;

		l->at = *pos;
		l->n = n + (n < left);
		*pos += l->n;
		while (i < n && (s[i] == ' ' || s[i] == '\t'))
			i++;
		for (from = i; i < n && s[i] != ' ' && s[i] != '\t'; )
			i++;
		str_copyb(&l->ip, s + from, i - from);
		while (i < n && (s[i] == ' ' || s[i] == '\t'))
			i++;
		for (from = i; i < n && s[i] != ' ' && s[i] != '\t' &&
		    s[i] != '\r'; )
			i++;
		str_copyb(&l->domain, s + from, i - from);
		if (l->ip.len > 0 && l->domain.len > 0 && l->ip.s[0] != '#' &&
		    !str_has_nul(&l->ip) && !str_has_nul(&l->domain))
			return true;
	}
	return false;
}

static bool
ip_same(const struct ipline *l, const char *ip)
{
	struct ip a, b;

	if (ip_parse(l->ip.s, l->ip.len, &a) < 0 ||
	    ip_parse(ip, strlen(ip), &b) < 0)
		return str_eqs(&l->ip, ip);
	return ip_equal(&a, &b);
}

static void
ipline_free(struct ipline *l)
{
	str_free(&l->ip);
	str_free(&l->domain);
}

enum vstore_status
vfiles_ipmap_get(struct vstore *s, const char *ip, struct str *domain_out)
{
	struct work w;
	struct str etc = {0};
	struct ipline l = {0};
	size_t pos = 0;
	enum vstore_status st;

	etc_of(s, &etc);
	st = begin(&w, s, NULL, str_c(&etc), false);
	if (st == VSTORE_OK) {
		st = take(&w, IPMAP);
		if (st == VSTORE_OK) {
			st = VSTORE_NONE;
			while (st == VSTORE_NONE && ip_next(&w.old, &pos, &l))
				if (ip_same(&l, ip)) {
					str_copy(domain_out, &l.domain);
					st = VSTORE_OK;
				}
		}
		st = end(&w, st);
	}
	ipline_free(&l);
	str_free(&etc);
	return st;
}

/* The address's first line changes, others of it go; a new one comes last. */
static enum vstore_status
ipmap_change(struct work *w, const char *ip, const char *domain)
{
	struct str text = {0};
	struct ipline l = {0};
	size_t pos = 0, kept = 0;
	bool found = false;
	enum vstore_status st = take(w, IPMAP);

	if (st == VSTORE_TEMP)
		return st;
	while (ip_next(&w->old, &pos, &l)) {
		str_catb(&text, w->old.s + kept, l.at - kept);
		kept = l.at;
		if (!ip_same(&l, ip))
			continue;
		kept += l.n;
		if (domain != NULL && !found)
			str_catf(&text, "%s %s\n", ip, domain);
		found = true;
	}
	str_catb(&text, str_c(&w->old) + kept, w->old.len - kept);
	if (domain != NULL && !found) {
		if (text.len > 0 && text.s[text.len - 1] != '\n')
			str_catc(&text, '\n');
		str_catf(&text, "%s %s\n", ip, domain);
	}
	st = domain == NULL && !found ? VSTORE_NONE :
	    put(w, IPMAP, &text, 0644);
	str_free(&text);
	ipline_free(&l);
	return st;
}

enum vstore_status
vfiles_ipmap_set(struct vstore *s, const char *ip, const char *domain)
{
	struct work w;
	struct str etc = {0};
	enum vstore_status st;

	etc_of(s, &etc);
	st = begin(&w, s, NULL, str_c(&etc), true);
	if (st == VSTORE_OK)
		st = end(&w, ipmap_change(&w, ip, domain));
	str_free(&etc);
	return st;
}

enum vstore_status
vfiles_ipmap_each(struct vstore *s, vstore_ip_fn *fn, void *arg,
    int *ended_out)
{
	struct work w;
	struct str etc = {0};
	struct ipline l = {0};
	size_t pos = 0;
	enum vstore_status st;

	etc_of(s, &etc);
	st = begin(&w, s, NULL, str_c(&etc), false);
	if (st == VSTORE_OK) {
		st = take(&w, IPMAP);
		vfile_as_end(&w.as);
		while (st == VSTORE_OK && *ended_out == 0 &&
		    ip_next(&w.old, &pos, &l))
			*ended_out = fn(arg, str_c(&l.ip), str_c(&l.domain));
		st = end(&w, st);
	}
	if (st == VSTORE_NONE)
		st = VSTORE_OK;
	ipline_free(&l);
	str_free(&etc);
	return st;
}

/* Aliases: .qmail-NAME in the domain's directory, a line each.  .qmail-default
 * is the domain's own and no alias.  A link is a mailing list's: it is shown,
 * but not changed here. */

#define ALIAS_PREFIX ".qmail-"

/* false: no file can have that name. */
static bool
alias_file(struct str *out, const char *alias)
{
	if (*alias == '\0' || strchr(alias, '/') != NULL ||
	    strcmp(alias, "default") == 0)
		return false;
	dotname_make(out, "-", alias, strlen(alias), "");
	return out->len <= NAME_MAX;
}

/* The next line that is not empty, borrowed from text until it changes. */
static bool
alias_line(const struct str *text, size_t *pos, struct str *line)
{
	while (*pos < text->len) {
		size_t left = text->len - *pos;
		size_t n = bytes_chr(text->s + *pos, left, '\n');

		str_copyb(line, text->s + *pos, n);
		*pos += n + (n < left);
		if (n > 0 && !str_has_nul(line))
			return true;
	}
	return false;
}

static enum vstore_status
alias_walk(struct vstore *s, const struct vdomain_ref *d, const char *alias,
    vstore_alias_fn *fn, void *arg, int *ended_out)
{
	struct work w;
	struct str name = {0}, line = {0};
	size_t pos = 0;
	enum vstore_status st = VSTORE_NONE;

	if (alias_file(&name, alias) &&
	    (st = begin(&w, s, d, d->dir, false)) == VSTORE_OK) {
		st = take(&w, str_c(&name));
		/* the callback is not the owner's work */
		vfile_as_end(&w.as);
		while (st == VSTORE_OK && *ended_out == 0 &&
		    alias_line(&w.old, &pos, &line))
			*ended_out = fn(arg, alias, str_c(&line));
		st = end(&w, st);
	}
	str_free(&name);
	str_free(&line);
	return st == VSTORE_NONE ? VSTORE_OK : st;
}

/* The part of a mailing list whose name is not the list's. */
static bool
is_list_part(struct work *w, const char *name)
{
	struct str path = {0};
	struct stat st;
	bool link, other;

	str_catf(&path, "%s/%s", w->dir, name);
	other = lstat(str_c(&path), &st) < 0 ||
	    (!S_ISLNK(st.st_mode) && !S_ISREG(st.st_mode));
	link = !other && S_ISLNK(st.st_mode) &&
	    (strstr(name, "-default") != NULL ||
	    strstr(name, "-owner") != NULL ||
	    stat(str_c(&path), &st) < 0 || !S_ISREG(st.st_mode));
	str_free(&path);
	return other || link;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of aliases, each in memory of its own. */
static enum vstore_status
alias_names(struct work *w, char ***out, size_t *n)
{
	size_t cap = 0;
	struct dirent *e;
	DIR *dir = opendir(w->dir);

	if (dir == NULL)
		return fail(w, "list", "");
	while (errno = 0, (e = readdir(dir)) != NULL) {
		const char *rest = e->d_name + sizeof ALIAS_PREFIX - 1;
		char *name;

		if (strncmp(e->d_name, ALIAS_PREFIX,
		    sizeof ALIAS_PREFIX - 1) != 0 || *rest == '\0' ||
		    strcmp(rest, "default") == 0 ||
		    is_list_part(w, e->d_name))
			continue;
		if (*n == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			*out = mem_resize(*out, cap, sizeof **out);
		}
		name = (*out)[(*n)++] = mem_dup_copy(rest);
		for (; *name != '\0'; name++)
			if (*name == ':')
				*name = '.';
	}
	if (errno != 0) {
		enum vstore_status st = fail(w, "list", "");

		(void)closedir(dir);
		return st;
	}
	(void)closedir(dir);
	if (*n > 1)
		qsort(*out, *n, sizeof **out, by_name);
	return VSTORE_OK;
}

enum vstore_status
vfiles_alias_each(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, vstore_alias_fn *fn, void *arg, int *ended_out)
{
	struct work w;
	char **names = NULL;
	size_t n = 0;
	enum vstore_status st;

	if (alias != NULL)
		return alias_walk(s, d, alias, fn, arg, ended_out);
	st = begin(&w, s, d, d->dir, false);
	if (st == VSTORE_OK)
		st = end(&w, alias_names(&w, &names, &n));
	for (size_t i = 0; i < n; i++) {
		if (st == VSTORE_OK && *ended_out == 0)
			st = alias_walk(s, d, names[i], fn, arg, ended_out);
		free(names[i]);
	}
	free(names);
	return st;
}

/* Reads the alias's file into w->old: OK, NONE, or why it is not ours. */
static enum vstore_status
alias_take(struct work *w, const char *alias, struct str *name)
{
	struct str path = {0};
	struct stat st;
	int r;

	if (!alias_file(name, alias))
		return vstore_fail(w->s, VSTORE_WIDE,
		    "an alias cannot have the name %s", alias);
	str_catf(&path, "%s/%s", w->dir, str_c(name));
	r = lstat(str_c(&path), &st);
	str_free(&path);
	if (r == 0 && S_ISLNK(st.st_mode))
		return vstore_fail(w->s, VSTORE_WIDE, "%s/%s is a link: a "
		    "mailing list has that name", w->dir, str_c(name));
	return take(w, str_c(name));
}

enum vstore_status
vfiles_alias_add(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, const char *line)
{
	struct work w;
	struct str name = {0}, text = {0}, one = {0};
	size_t pos = 0;
	enum vstore_status st = begin(&w, s, d, d->dir, true);

	if (st != VSTORE_OK)
		return st;
	st = alias_take(&w, alias, &name);
	while (st == VSTORE_OK && alias_line(&w.old, &pos, &one))
		if (str_eqs(&one, line))
			st = VSTORE_EXISTS;
	if (st == VSTORE_OK || st == VSTORE_NONE) {
		str_copy(&text, &w.old);
		if (text.len > 0 && text.s[text.len - 1] != '\n')
			str_catc(&text, '\n');
		str_catf(&text, "%s\n", line);
		st = put(&w, str_c(&name), &text, 0600);
	}
	str_free(&name);
	str_free(&text);
	str_free(&one);
	return end(&w, st);
}

/* An empty file would mean a delivery to the domain's own Maildir: when the
 * last line goes, the file does. */
enum vstore_status
vfiles_alias_del(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, const char *line)
{
	struct work w;
	struct str name = {0}, text = {0}, one = {0};
	size_t pos = 0;
	bool found = line == NULL;
	enum vstore_status st = begin(&w, s, d, d->dir, true);

	if (st != VSTORE_OK)
		return st;
	st = alias_take(&w, alias, &name);
	while (st == VSTORE_OK && line != NULL &&
	    alias_line(&w.old, &pos, &one)) {
		if (str_eqs(&one, line))
			found = true;
		else
			str_catf(&text, "%s\n", str_c(&one));
	}
	if (st == VSTORE_OK)
		st = !found ? VSTORE_NONE : text.len == 0 ?
		    gone(&w, str_c(&name)) : put(&w, str_c(&name), &text,
		    0600);
	str_free(&name);
	str_free(&text);
	str_free(&one);
	return end(&w, st);
}

enum vstore_status
vfiles_domain_del(struct vstore *s, const struct vdomain_ref *d)
{
	struct work w;
	struct str name = {0}, path = {0};
	char **names = NULL;
	size_t n = 0;
	enum vstore_status st = begin(&w, s, d, d->dir, true);

	if (st != VSTORE_OK)
		return st;
	st = alias_names(&w, &names, &n);
	for (size_t i = 0; i < n; i++) {
		if (st == VSTORE_OK && alias_file(&name, names[i])) {
			str_clear(&path);
			str_catf(&path, "%s/%s", d->dir, str_c(&name));
			if (unlink(str_c(&path)) < 0 && errno != ENOENT)
				st = fail(&w, "remove", str_c(&name));
		}
		free(names[i]);
	}
	free(names);
	if (st == VSTORE_OK) {
		st = gone(&w, VLIMITS_FILE);
		if (st == VSTORE_NONE)
			st = VSTORE_OK;
	}
	str_clear(&path);
	str_catf(&path, "%s/" LOCK, d->dir);
	if (st == VSTORE_OK)
		(void)unlink(str_c(&path));
	str_free(&path);
	str_free(&name);
	return end(&w, st);
}
