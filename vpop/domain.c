/* vpop/domain.c - virtual domains in users/assign and users/cdb: the reading
 * side; see domain.h.
 *
 * The tables are root's.  A line that is for something else than a virtual
 * domain (another dash, an extension, a name without a dot) is passed over. */
#include "vpop/domain.h"

#include "lib/fs.h"
#include "mail/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *users_dir = USERS_DIR;

void
vdomain_set_dir(const char *dir)
{
	users_dir = dir;
}

void
vdomain_free(struct vdomain *d)
{
	str_free(&d->name);
	str_free(&d->real);
	str_free(&d->dir);
	*d = (struct vdomain){0};
}

struct vdomain_ref
vdomain_ref_peek(const struct vdomain *d)
{
	return (struct vdomain_ref){.name = str_c(&d->real),
	    .dir = str_c(&d->dir), .uid = d->uid, .gid = d->gid};
}

bool
vdomain_is_alias(const struct vdomain *d)
{
	return !str_eqs(&d->name, str_c(&d->real));
}

/* The entry of key NAME- as a domain; false when it is none. */
static bool
from_entry(const char *name, size_t n, const struct users_entry *e,
    struct vdomain *out)
{
	if (!str_eqs(&e->dash, "-") || e->ext.len > 0 || e->home.len == 0 ||
	    e->user.len == 0)
		return false;
	str_copyb(&out->name, name, n);
	str_copy(&out->real, &e->user);
	str_lower(&out->real);
	str_copy(&out->dir, &e->home);
	while (out->dir.len > 1 && out->dir.s[out->dir.len - 1] == '/')
		str_trunc(&out->dir, out->dir.len - 1);
	out->uid = e->uid;
	out->gid = e->gid;
	return true;
}

static enum vdomain_status
ask(struct cdb_file *db, const struct str *name, struct vdomain *out)
{
	struct str key = {0}, wanted = {0}, value = {0};
	struct users_entry e = {0};
	enum vdomain_status st = VDOMAIN_TEMP;
	enum cdb_status r;

	str_copy(&wanted, name);
	str_catc(&wanted, '-');
	users_cat_key(&key, str_c(&wanted), wanted.len, true);
	r = cdbfile_get(db, str_c(&key), key.len, &value);
	if (r == CDB_NONE)
		st = VDOMAIN_NONE;
	else if (r == CDB_OK &&
	    users_parse_entry(str_c(&value), value.len, &e) == 0)
		st = from_entry(str_c(name), name->len, &e, out) ?
		    VDOMAIN_OK : VDOMAIN_NONE;
	users_entry_free(&e);
	str_free(&key);
	str_free(&wanted);
	str_free(&value);
	return st;
}

enum vdomain_status
vdomain_find(const char *asked, struct vdomain *out)
{
	struct str name = {0}, path = {0};
	struct cdb_file *db;
	enum vdomain_status st = VDOMAIN_NONE;

	vdomain_free(out);
	str_copys(&name, asked);
	if (vpop_domain_name(&name) == VPOP_OK) {
		enum cdb_status r;

		str_catf(&path, "%s/cdb", users_dir);
		r = cdbfile_open(str_c(&path), &db);
		if (r == CDB_OK) {
			int e;

			st = ask(db, &name, out);
			e = errno;
			cdbfile_close(db);
			errno = e;
		} else if (r == CDB_TEMP) {
			st = VDOMAIN_TEMP;
		}
	}
	str_free(&name);
	str_free(&path);
	return st;
}

struct list { struct vdomain *d; size_t n, cap; };

static int
add_line(void *arg, const struct users_line *l)
{
	struct list *list = arg;
	struct users_entry e = {0};
	struct vdomain d = {0};
	struct str name = {0};

	if (!l->wild || l->nname < 2 || l->name[l->nname - 1] != '-' ||
	    memchr(l->name, '.', l->nname) == NULL)
		return 0;
	str_copyb(&name, l->name, l->nname - 1);
	str_lower(&name);
	if (users_parse_entry(str_c(&l->value), l->value.len, &e) == 0 &&
	    from_entry(str_c(&name), name.len, &e, &d)) {
		if (list->n == list->cap) {
			list->cap = list->cap == 0 ? 64 : 2 * list->cap;
			list->d = mem_resize(list->d, list->cap,
			    sizeof *list->d);
		}
		list->d[list->n++] = d;
	}
	users_entry_free(&e);
	str_free(&name);
	return 0;
}

/* Of one name the line that comes first counts, as in users/cdb: so the sort
 * keeps the order of equals. */
static int
by_name(const struct vdomain *a, const struct vdomain *b)
{
	return strcmp(str_c(&a->name), str_c(&b->name));
}

static void
merge_sort(struct vdomain *v, struct vdomain *tmp, size_t n)
{
	size_t half = n / 2, a = 0, b = half, to = 0;

	if (n < 2)
		return;
	merge_sort(v, tmp, half);
	merge_sort(v + half, tmp, n - half);
	while (a < half || b < n)
		tmp[to++] = b == n || (a < half &&
		    by_name(&v[a], &v[b]) <= 0) ? v[a++] : v[b++];
	memcpy(v, tmp, n * sizeof *v);
}

static void
sort(struct list *l)
{
	struct vdomain *tmp;

	if (l->n < 2)
		return;
	tmp = mem_alloc(l->n, sizeof *tmp);
	merge_sort(l->d, tmp, l->n);
	free(tmp);
}

enum vdomain_status
vdomain_each(vdomain_fn *fn, void *arg, int *ended_out)
{
	struct str path = {0}, text = {0};
	struct list list = {0};
	enum vdomain_status st = VDOMAIN_OK;
	const char *why;
	size_t line;
	int e = 0;

	*ended_out = 0;
	str_catf(&path, "%s/assign", users_dir);
	if (fs_read(str_c(&path), &text, USERS_FILE_MAX) < 0) {
		e = errno;
		st = e == ENOENT ? VDOMAIN_OK : VDOMAIN_TEMP;
	} else if (users_parse_assign(str_c(&text), text.len, add_line, &list,
	    &line, &why) < 0) {
		e = EPROTO;
		st = VDOMAIN_TEMP;
	}
	sort(&list);
	for (size_t i = 0; i < list.n; i++) {
		if (st == VDOMAIN_OK && *ended_out == 0 && (i == 0 ||
		    by_name(&list.d[i - 1], &list.d[i]) != 0))
			*ended_out = fn(arg, &list.d[i]);
	}
	for (size_t i = 0; i < list.n; i++)
		vdomain_free(&list.d[i]);
	free(list.d);
	str_free(&path);
	str_free(&text);
	errno = e;
	return st;
}
