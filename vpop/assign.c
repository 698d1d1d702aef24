/* vpop/assign.c - writing qmail's files about domains; see assign.h.
 *
 * The files are root's and trusted.  A change is a list of files, each locked
 * from when it is read until the whole change is done or put back; locks are
 * taken in one order, so that two programs cannot wait for each other. */
#include "vpop/assign.h"

#include "control/rcpthosts.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "mail/users.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_MS 30000           /* longer than any change takes */
#define FILE_MAX USERS_FILE_MAX
#define SERVICE "/service/qmail"

/* In the order in which they are locked. */
enum kind { ASSIGN, VIRTUALDOMAINS, LOCALS, RCPTHOSTS, MORE, KINDS };

static const char *const names[KINDS] = {"assign", "virtualdomains", "locals",
	"rcpthosts", "morercpthosts"};

/* A file that is to be as it was when something fails: a second link keeps
 * it, because putting that back needs no room on the disk. */
struct saved {
	struct str path, link;
	bool on, there;
};

struct file {
	struct str path;
	struct str old;
	int lock;
	bool there;             /* before the change */
	bool written;
};

#define SAVED_MAX (KINDS + 2)   /* and the two databases */

struct change {
	struct file f[KINDS];
	struct saved saved[SAVED_MAX];
	size_t nsaved;
	struct str *why;
};

static const char *control = HOME_DIR "/control";
static const char *users = USERS_DIR;
static bool lazy, elsewhere;

void
assign_set_dirs(const char *control_to, const char *users_to)
{
	control = control_to;
	users = users_to;
	elsewhere = true;
	control_set_dir(control);
	vdomain_set_dir(users);
}

void
assign_set_lazy(bool on)
{
	lazy = on;
}

static int
fail(struct str *why, const char *path, const char *what)
{
	int e = errno;

	str_catf(why, "%s: unable to %s: %s", path, what, e == EAGAIN ?
	    "another program holds the lock" : strerror(e));
	errno = e;
	return -1;
}

/* -- lines -- */

/* The next line, without its LF. */
static bool
next_line(const struct str *text, size_t *pos, const char **s, size_t *n)
{
	if (*pos >= text->len)
		return false;
	*s = text->s + *pos;
	*n = bytes_chr(*s, text->len - *pos, '\n');
	*pos += *n + (*n < text->len - *pos);
	return true;
}

/* The domain that a line is about, which may be no domain of ours: then false,
 * and the line stays where it is. */
static bool
key_of(enum kind k, const char *s, size_t n, const char **key, size_t *nkey)
{
	if (k == ASSIGN) {
		size_t len = bytes_chr(s, n, ':');

		if (len == n || len < 3 || s[0] != '+' || s[len - 1] != '-')
			return false;
		*key = s + 1;
		*nkey = len - 2;
		return memchr(*key, '.', *nkey) != NULL;
	}
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (n == 0 || s[0] == '#' || s[0] == '.')
		return false;
	*key = s;
	*nkey = k == VIRTUALDOMAINS ? bytes_chr(s, n, ':') : n;
	return *nkey > 0 && memchr(s, '@', *nkey) == NULL &&
	    (k != VIRTUALDOMAINS || *nkey < n);
}

static int
compare_bytes(const char *a, size_t an, const char *b, size_t bn)
{
	size_t n = an < bn ? an : bn;

	for (size_t i = 0; i < n; i++) {
		int d = (unsigned char)ascii_lower(a[i]) -
		    (unsigned char)ascii_lower(b[i]);

		if (d != 0)
			return d;
	}
	return (an > bn) - (an < bn);
}

/* Where the last two labels begin. */
static size_t
tail_of(const char *s, size_t n)
{
	size_t dot = bytes_rchr(s, n, '.');

	if (dot == n)
		return 0;
	dot = bytes_rchr(s, dot, '.') == dot ? 0 :
	    bytes_rchr(s, dot, '.') + 1;
	return dot;
}

static int
compare(const char *a, size_t an, const char *b, size_t bn)
{
	size_t at = tail_of(a, an), bt = tail_of(b, bn);
	int d = compare_bytes(a + at, an - at, b + bt, bn - bt);

	return d != 0 ? d : compare_bytes(a, at, b, bt);
}

/* A file's last line may have no LF, and it stays without. */
static bool
ends_bare(const struct str *text)
{
	return text->len > 0 && text->s[text->len - 1] != '\n';
}

static void
finish(struct str *out, bool bare)
{
	if (bare && out->len > 0)
		str_trunc(out, out->len - 1);
}

static bool
is_end(enum kind k, const char *s, size_t n)
{
	return k == ASSIGN && n == 1 && s[0] == '.';
}

/* old without the lines about name. */
static void
without(enum kind k, const struct str *old, const char *name,
    struct str *out)
{
	const char *s, *key;
	size_t pos = 0, n, nkey, len = strlen(name);
	bool open = true;

	while (next_line(old, &pos, &s, &n)) {
		open = open && !is_end(k, s, n);
		if (open && key_of(k, s, n, &key, &nkey) &&
		    bytes_caseeq(key, nkey, name, len))
			continue;
		str_catb(out, s, n);
		str_catc(out, '\n');
	}
	finish(out, ends_bare(old));
}

static bool
same_line(const char *s, size_t n, const char *line)
{
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return bytes_caseeq(s, n, line, strlen(line));
}

/* old with the line, in the place of one that is about the same name or else
 * where it sorts.  -1: an assign without its last line. */
static int
with(enum kind k, const struct str *old, const char *name, const char *line,
    struct str *out)
{
	const char *s, *key;
	size_t pos = 0, n, nkey, len = strlen(name), at = SIZE_MAX, i = 0;
	size_t end = SIZE_MAX, found = SIZE_MAX, count = 0;

	for (; end == SIZE_MAX && next_line(old, &pos, &s, &n); count++) {
		if (is_end(k, s, n)) {
			end = count;
		} else if (key_of(k, s, n, &key, &nkey)) {
			if (bytes_caseeq(key, nkey, name, len)) {
				if (found == SIZE_MAX)
					found = count;
			} else if (at == SIZE_MAX &&
			    compare(key, nkey, name, len) > 0) {
				at = count;
			}
		}
	}
	if (k == ASSIGN && end == SIZE_MAX && old->len > 0)
		return -1;
	if (found != SIZE_MAX)
		at = found;
	else if (at == SIZE_MAX)
		at = end;
	for (pos = 0; next_line(old, &pos, &s, &n); i++) {
		bool mine = i < end && key_of(k, s, n, &key, &nkey) &&
		    bytes_caseeq(key, nkey, name, len);

		if (i == at && !(mine && same_line(s, n, line)))
			str_catf(out, "%s\n", line);
		if (mine && (i != at || !same_line(s, n, line)))
			continue;
		str_catb(out, s, n);
		str_catc(out, '\n');
	}
	if (at == SIZE_MAX)
		str_catf(out, "%s\n", line);
	if (k == ASSIGN && end == SIZE_MAX)
		str_cats(out, ".\n");
	finish(out, ends_bare(old));
	return 0;
}

/* line NULL: any. */
static bool
has(enum kind k, const struct str *text, const char *name, const char *line)
{
	const char *s, *key;
	size_t pos = 0, n, nkey;

	while (next_line(text, &pos, &s, &n) && !is_end(k, s, n))
		if (key_of(k, s, n, &key, &nkey) &&
		    bytes_caseeq(key, nkey, name, strlen(name)) &&
		    (line == NULL || same_line(s, n, line)))
			return true;
	return false;
}

/* Entries of rcpthosts, whatever they are. */
static size_t
count_entries(const struct str *text)
{
	const char *s;
	size_t pos = 0, n, count = 0;

	while (next_line(text, &pos, &s, &n)) {
		while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
			n--;
		count += n > 0 && s[0] != '#';
	}
	return count;
}

static void
cat_assign(struct str *out, const struct vdomain *d)
{
	str_catf(out, "+%s-:%s:%lu:%lu:%s:-::", str_c(&d->name),
	    str_c(&d->real), (unsigned long)d->uid, (unsigned long)d->gid,
	    str_c(&d->dir));
}

/* -- files -- */

static void
path_of(struct str *out, enum kind k)
{
	str_clear(out);
	str_catf(out, "%s/%s", k == ASSIGN ? users : control, names[k]);
}

static int
file_read(struct file *f, enum kind k, struct str *why)
{
	path_of(&f->path, k);
	f->there = true;
	if (fs_read(str_c(&f->path), &f->old, FILE_MAX) == 0)
		return 0;
	f->there = false;
	return errno == ENOENT ? 0 : fail(why, str_c(&f->path), "read");
}

static int
file_open(struct change *c, enum kind k)
{
	struct file *f = &c->f[k];
	struct str lock = {0};

	path_of(&f->path, k);
	str_catf(&lock, "%s.lock", names[k]);
	f->lock = vfile_lock(k == ASSIGN ? users : control, str_c(&lock),
	    LOCK_MS);
	str_free(&lock);
	if (f->lock < 0)
		return fail(c->why, str_c(&f->path), "lock");
	return file_read(f, k, c->why);
}

static int
put(struct file *f, const struct str *text)
{
	struct str tmp = {0};
	int e, r;

	str_catf(&tmp, "%s.new", str_c(&f->path));
	r = fs_replace(str_c(&f->path), str_c(&tmp), str_c(text), text->len,
	    0644);
	e = errno;
	str_free(&tmp);
	errno = e;
	return r;
}

static int
drop(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -1;
	return fs_sync_parent(path);
}

/* Before the first change of path. */
static int
save(struct change *c, const char *path)
{
	struct saved *v = &c->saved[c->nsaved];
	struct stat st;

	for (size_t i = 0; i < c->nsaved; i++)
		if (str_eqs(&c->saved[i].path, path))
			return 0;
	if (c->nsaved == SAVED_MAX)
		abort();
	c->nsaved++;
	str_copys(&v->path, path);
	str_catf(&v->link, "%s.old", path);
	if (unlink(str_c(&v->link)) < 0 && errno != ENOENT)
		return fail(c->why, str_c(&v->link), "remove");
	v->there = lstat(path, &st) == 0;
	if (!v->there && errno != ENOENT)
		return fail(c->why, path, "look at");
	if (v->there && link(path, str_c(&v->link)) < 0)
		return fail(c->why, str_c(&v->link), "link");
	v->on = true;
	return 0;
}

/* Nothing is written when it says so already. */
static int
file_write(struct change *c, enum kind k, const struct str *text)
{
	struct file *f = &c->f[k];

	if (f->there && f->old.len == text->len &&
	    memcmp(str_c(&f->old), str_c(text), text->len) == 0)
		return 0;
	if (save(c, str_c(&f->path)) < 0)
		return -1;
	f->written = true;
	return put(f, text) < 0 ? fail(c->why, str_c(&f->path), "write") : 0;
}

static int
file_remove(struct change *c, enum kind k)
{
	struct file *f = &c->f[k];

	if (!f->there)
		return 0;
	if (save(c, str_c(&f->path)) < 0)
		return -1;
	f->written = true;
	return drop(str_c(&f->path)) < 0 ?
	    fail(c->why, str_c(&f->path), "remove") : 0;
}

/* -- users/cdb -- */

static int
compile_users(struct change *c, const struct str *text)
{
	struct str path = {0}, tmp = {0};
	const char *what = NULL;
	size_t line = 0;
	int r;

	str_catf(&path, "%s/cdb", users);
	str_catf(&tmp, "%s/cdb.new", users);
	r = save(c, str_c(&path));
	if (r == 0) {
		r = users_compile(str_c(text), text->len, str_c(&path),
		    str_c(&tmp), &line, &what);
		if (r < 0 && what != NULL)
			str_catf(c->why, "%s/assign: line %zu: %s", users,
			    line, what);
		else if (r < 0)
			(void)fail(c->why, str_c(&path), "write");
	}
	str_free(&path);
	str_free(&tmp);
	return r;
}

/* Does users/cdb say of the name what its line would say?  line NULL: does it
 * know nothing of it? */
static bool
cdb_agrees(const char *name, const char *line)
{
	struct str path = {0}, key = {0}, value = {0}, wanted = {0};
	struct users_line l = {0};
	struct cdb_file *db;
	enum cdb_status st;
	bool ok;

	str_catf(&path, "%s/cdb", users);
	str_catf(&wanted, "%s-", name);
	users_cat_key(&key, str_c(&wanted), wanted.len, true);
	st = cdbfile_open(str_c(&path), &db);
	if (st == CDB_OK) {
		st = cdbfile_get(db, str_c(&key), key.len, &value);
		cdbfile_close(db);
	}
	if (line == NULL)
		ok = st == CDB_NONE;
	else
		ok = st == CDB_OK &&
		    users_parse_line(line, strlen(line), &l) == NULL &&
		    l.value.len == value.len &&
		    memcmp(str_c(&l.value), str_c(&value), value.len) == 0;
	users_line_free(&l);
	str_free(&path);
	str_free(&key);
	str_free(&value);
	str_free(&wanted);
	return ok;
}

/* line NULL: it goes. */
static int
change_assign(struct change *c, const char *name, const char *line)
{
	struct file *f = &c->f[ASSIGN];
	struct str text = {0};
	int r = 0;

	if (line == NULL)
		without(ASSIGN, &f->old, name, &text);
	else if (with(ASSIGN, &f->old, name, line, &text) < 0) {
		str_catf(c->why, "%s: it has no last line \".\"",
		    str_c(&f->path));
		errno = EPROTO;
		r = -1;
	}
	if (r == 0 && (line != NULL || f->there))
		r = file_write(c, ASSIGN, &text);
	if (r == 0 && text.len > 0 &&
	    (f->written || !cdb_agrees(name, line)))
		r = compile_users(c, &text);
	str_free(&text);
	return r;
}

/* -- morercpthosts.cdb -- */

static void
more_cdb_path(struct str *out)
{
	str_catf(out, "%s/%s", control, RCPTHOSTS_MORE);
}

static int
drop_more_cdb(struct change *c)
{
	struct str path = {0};
	int r;

	more_cdb_path(&path);
	r = save(c, str_c(&path));
	if (r == 0 && drop(str_c(&path)) < 0)
		r = fail(c->why, str_c(&path), "remove");
	str_free(&path);
	return r;
}

static int
make_more_cdb(struct change *c)
{
	struct str path = {0};
	const char *what;
	int r;

	more_cdb_path(&path);
	r = save(c, str_c(&path));
	if (r == 0 && rcpthosts_compile(&what) < 0)
		r = fail(c->why, control, what);
	str_free(&path);
	return r;
}

/* CDB_NONE: not there, or there is none. */
static enum cdb_status
more_cdb_has(const char *name)
{
	struct str path = {0}, value = {0};
	struct cdb_file *db;
	enum cdb_status st;

	more_cdb_path(&path);
	st = cdbfile_open(str_c(&path), &db);
	if (st == CDB_OK) {
		st = cdbfile_get(db, name, strlen(name), &value);
		cdbfile_close(db);
	}
	str_free(&path);
	str_free(&value);
	return st;
}

/* A cdb whose text is gone would lose what it holds. */
static int
check_more(struct change *c)
{
	struct str path = {0};
	struct stat st;
	int r = 0;

	more_cdb_path(&path);
	if (!c->f[MORE].there && lstat(str_c(&path), &st) == 0) {
		str_catf(c->why, "%s: it is there without its text "
		    "morercpthosts", str_c(&path));
		errno = EPROTO;
		r = -1;
	}
	str_free(&path);
	return r;
}

static int
add_more(struct change *c, const char *name)
{
	struct str text = {0};
	int r = check_more(c);

	if (r == 0) {
		(void)with(MORE, &c->f[MORE].old, name, name, &text);
		r = file_write(c, MORE, &text);
	}
	str_free(&text);
	if (r == 0 && !lazy &&
	    (c->f[MORE].written || more_cdb_has(name) != CDB_OK))
		r = make_more_cdb(c);
	return r;
}

static int
del_more(struct change *c, const char *name)
{
	struct file *f = &c->f[MORE];
	struct str text = {0};
	int r = 0;

	without(MORE, &f->old, name, &text);
	if (f->there && text.len == 0) {
		/* the cdb first: without its text it would be an error */
		r = drop_more_cdb(c);
		if (r == 0)
			r = file_remove(c, MORE);
	} else if (f->there) {
		r = file_write(c, MORE, &text);
		if (r == 0 && !lazy &&
		    (f->written || more_cdb_has(name) != CDB_NONE))
			r = make_more_cdb(c);
	}
	str_free(&text);
	return r;
}

/* -- changes -- */

static int
begin(struct change *c, struct str *why)
{
	*c = (struct change){.why = why};
	for (unsigned k = 0; k < KINDS; k++)
		c->f[k].lock = -1;
	for (unsigned k = 0; k < KINDS; k++)
		if (file_open(c, (enum kind)k) < 0)
			return -1;
	return 0;
}

/* What cannot be put back is said. */
static void
put_back(struct change *c)
{
	for (size_t i = c->nsaved; i-- > 0; ) {
		struct saved *v = &c->saved[i];
		int r;

		if (!v->on)
			continue;
		r = v->there ? rename(str_c(&v->link), str_c(&v->path)) :
		    drop(str_c(&v->path));
		/* of two names of one file, rename leaves both */
		if (v->there && r == 0)
			r = drop(str_c(&v->link));
		if (r < 0)
			str_catf(c->why, "; %s could not be put back: %s",
			    str_c(&v->path), strerror(errno));
	}
}

static int
end(struct change *c, int r)
{
	int e = errno;

	if (r < 0)
		put_back(c);
	for (size_t i = 0; i < c->nsaved; i++) {
		if (r == 0)
			(void)unlink(str_c(&c->saved[i].link));
		str_free(&c->saved[i].path);
		str_free(&c->saved[i].link);
	}
	for (unsigned k = 0; k < KINDS; k++) {
		if (c->f[k].lock >= 0)
			fd_close(c->f[k].lock);
		str_free(&c->f[k].path);
		str_free(&c->f[k].old);
	}
	errno = e;
	return r;
}

/* Without the file, this host's own name is local. */
static int
leave_locals(struct change *c, const char *name)
{
	struct file *f = &c->f[LOCALS];
	struct str text = {0}, me = {0};
	int r = 0;

	if (f->there) {
		without(LOCALS, &f->old, name, &text);
		r = file_write(c, LOCALS, &text);
	} else if (control_line(CONTROL_ME, &me) == CONTROL_OK &&
	    bytes_caseeq(str_c(&me), me.len, name, strlen(name))) {
		r = file_write(c, LOCALS, &text);
	}
	str_free(&text);
	str_free(&me);
	return r;
}

static int
tell(struct change *c)
{
	if (lazy || assign_tell_send() == 0)
		return 0;
	return fail(c->why, SERVICE, "tell qmail-send");
}

static int
accept_mail(struct change *c, const char *name)
{
	struct file *f = &c->f[RCPTHOSTS];
	struct str text = {0};
	int r = 0;

	if (has(RCPTHOSTS, &f->old, name, NULL))
		return 0;
	if (has(MORE, &c->f[MORE].old, name, NULL) ||
	    count_entries(&f->old) >= ASSIGN_RCPTHOSTS_MAX)
		return add_more(c, name);
	(void)with(RCPTHOSTS, &f->old, name, name, &text);
	r = file_write(c, RCPTHOSTS, &text);
	str_free(&text);
	return r;
}

int
assign_domain_add(const struct vdomain *d, struct str *why)
{
	struct change c;
	struct str line = {0}, key = {0}, text = {0};
	const char *name = str_c(&d->name);
	int r = begin(&c, why);

	cat_assign(&line, d);
	str_catf(&key, "%s:%s", name, name);
	if (r == 0)
		r = change_assign(&c, name, str_c(&line));
	if (r == 0) {
		(void)with(VIRTUALDOMAINS, &c.f[VIRTUALDOMAINS].old, name,
		    str_c(&key), &text);
		r = file_write(&c, VIRTUALDOMAINS, &text);
	}
	if (r == 0)
		r = leave_locals(&c, name);
	if (r == 0)
		r = tell(&c);
	if (r == 0)
		r = accept_mail(&c, name);
	r = end(&c, r);
	if (r < 0 && !lazy)
		(void)assign_tell_send();
	str_free(&line);
	str_free(&key);
	str_free(&text);
	return r;
}

static int
refuse_mail(struct change *c, const char *name)
{
	struct str text = {0};
	int r = del_more(c, name);

	if (r == 0 && c->f[RCPTHOSTS].there) {
		without(RCPTHOSTS, &c->f[RCPTHOSTS].old, name, &text);
		r = file_write(c, RCPTHOSTS, &text);
	}
	str_free(&text);
	return r;
}

int
assign_domain_del(const char *name, struct str *why)
{
	struct change c;
	struct str text = {0};
	int r = begin(&c, why);

	if (r == 0)
		r = refuse_mail(&c, name);
	if (r == 0 && c.f[VIRTUALDOMAINS].there) {
		without(VIRTUALDOMAINS, &c.f[VIRTUALDOMAINS].old, name,
		    &text);
		r = file_write(&c, VIRTUALDOMAINS, &text);
	}
	if (r == 0)
		r = tell(&c);
	if (r == 0)
		r = change_assign(&c, name, NULL);
	r = end(&c, r);
	if (r < 0 && !lazy)
		(void)assign_tell_send();
	str_free(&text);
	return r;
}

int
assign_make_cdbs(struct str *why)
{
	struct change c;
	int r = begin(&c, why);

	if (r == 0 && c.f[ASSIGN].there)
		r = compile_users(&c, &c.f[ASSIGN].old);
	if (r == 0 && c.f[MORE].there)
		r = make_more_cdb(&c);
	return end(&c, r);
}

/* ENXIO: nobody reads the fifo. */
static int
send_letter(const char *dir)
{
	struct str path = {0};
	struct stat st;
	int fd, r = -1;

	str_catf(&path, "%s/supervise/control", dir);
	fd = open(str_c(&path), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	str_free(&path);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		errno = EINVAL;
	else
		r = fd_write_all(fd, "h", 1);
	fd_close(fd);
	return r;
}

int
assign_tell_send(void)
{
	static const char *const dirs[] = {SERVICE,
	    HOME_DIR "/supervise/qmail"};

	for (size_t i = 0; !elsewhere && i < 2; i++) {
		if (send_letter(dirs[i]) == 0)
			return 0;
		if (errno != ENXIO && errno != ENOENT && errno != ENOTDIR)
			return -1;
	}
	return 0;
}

int
assign_look(const struct vdomain *d, struct assign_state *out,
    struct str *why)
{
	struct file f[KINDS] = {0};
	struct str line = {0}, key = {0};
	const char *name = str_c(&d->name);
	int r = 0;

	*out = (struct assign_state){0};
	for (unsigned k = 0; k < KINDS && r == 0; k++)
		r = file_read(&f[k], (enum kind)k, why);
	if (r == 0) {
		enum cdb_status st = more_cdb_has(name);

		cat_assign(&line, d);
		str_catf(&key, "%s:%s", name, name);
		out->assign = has(ASSIGN, &f[ASSIGN].old, name, str_c(&line));
		out->cdb = cdb_agrees(name, str_c(&line));
		out->virtualdomains = has(VIRTUALDOMAINS,
		    &f[VIRTUALDOMAINS].old, name, str_c(&key));
		out->rcpthosts = has(RCPTHOSTS, &f[RCPTHOSTS].old, name,
		    NULL);
		out->more = has(MORE, &f[MORE].old, name, NULL);
		out->more_cdb = st == CDB_OK;
		out->locals = has(LOCALS, &f[LOCALS].old, name, NULL);
		if (st == CDB_TEMP) {
			struct str path = {0};

			more_cdb_path(&path);
			r = fail(why, str_c(&path), "read");
			str_free(&path);
		}
	}
	for (unsigned k = 0; k < KINDS; k++) {
		str_free(&f[k].path);
		str_free(&f[k].old);
	}
	str_free(&line);
	str_free(&key);
	return r;
}
