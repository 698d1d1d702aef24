/* vpop/check_vpasswd.c - vpasswd and its index vpasswd.cdb; see check.h. */
#include "vpop/check.h"

#include "lib/cdb.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "vpop/vfile.h"
#include "vpop/vpasswd.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)256 << 20)
#define RECORD_MAX 65536
/* A cdb is this, and of each record two numbers, key, value and a slot. */
#define CDB_HEAD 2048
#define CDB_RECORD (8 + 16)

static int
fix_index(struct check *k, void *arg, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(arg);
	enum vstore_status st = vstore_domain_index(k->c.store, &ref);

	if (st == VSTORE_OK || st == VSTORE_EXISTS)
		return 0;
	str_cats(why, vstore_reason_peek(k->c.store));
	return -1;
}

/* Each line as the index has it: NULL, or how they differ. */
static const char *
compare(const struct vpasswd *v, const char *index, const struct stat *st)
{
	struct str value = {0};
	uint64_t size = CDB_HEAD;
	const char *odd = NULL;

	for (size_t i = 0; odd == NULL && i < v->n; i++) {
		const struct vpasswd_line *l = &v->line[i];
		size_t name = vpasswd_name(l);

		if (name == l->n)
			continue;
		size += CDB_RECORD + l->n - 1;
		str_clear(&value);
		if (cdb_ask(index, l->s, name, RECORD_MAX, &value) != CDB_OK ||
		    value.len != l->n - name - 1 ||
		    memcmp(str_c(&value), l->s + name + 1, value.len) != 0)
			odd = "it does not say what vpasswd says";
	}
	if (odd == NULL && (uint64_t)st->st_size != size)
		odd = "it has records that vpasswd does not have";
	str_free(&value);
	return odd;
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec :
	    a->tv_nsec < b->tv_nsec;
}

/* As the owner. */
static const char *
judge(const struct vpasswd *v, const char *text, const char *index)
{
	struct stat a, b;

	if (stat(index, &b) < 0)
		return errno == ENOENT ? "there is none" : strerror(errno);
	if (stat(text, &a) == 0 && is_before(&b.st_mtim, &a.st_mtim))
		return "it is older than vpasswd";
	return compare(v, index, &b);
}

static size_t
check_lines(struct check *k, const char *domain, struct vpasswd *v)
{
	struct str shown = {0};
	struct vuser u = {0};
	struct map seen = {0};
	size_t bad = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct vpasswd_line *l = &v->line[i];
		size_t name = vpasswd_name(l);

		if (l->n == 0)
			continue;
		str_clear(&shown);
		log_quote(&shown, l->s, name < VPOP_USER_MAX ? name :
		    VPOP_USER_MAX);
		if (vpasswd_parse(NULL, l->s, l->n, &u) < 0) {
			bad++;
			check_report(k, domain, "vpasswd", NULL, NULL,
			    "line %zu, of %s, is malformed", i + 1,
			    str_c(&shown));
		} else if (map_get(&seen, l->s, name) != NULL) {
			check_report(k, domain, "vpasswd", NULL, NULL,
			    "line %zu: %s is there twice, the first counts",
			    i + 1, str_c(&shown));
		} else {
			map_set(&seen, l->s, name, v);
		}
	}
	map_free(&seen);
	vuser_free(&u);
	str_free(&shown);
	return bad;
}

size_t
check_vpasswd(struct check *k, const struct vdomain *d)
{
	struct str text = {0}, path = {0}, index = {0};
	struct vpasswd v = {0};
	struct vfile_as as;
	const char *odd = NULL;
	size_t bad = 0;
	int e = 0, r = vfile_as_begin(&as, d->uid, d->gid);

	str_catf(&path, "%s/vpasswd", str_c(&d->dir));
	str_catf(&index, "%s/vpasswd.cdb", str_c(&d->dir));
	if (r == 0)
		r = fs_read(str_c(&path), &text, TEXT_MAX);
	e = errno;
	if (r == 0) {
		vpasswd_load_take(&v, &text);
		odd = judge(&v, str_c(&path), str_c(&index));
	}
	vfile_as_end(&as);
	if (r < 0 && e == ENOENT) {
		check_report(k, str_c(&d->name), "vpasswd", NULL, NULL,
		    "there is none, so mail for its accounts waits");
		bad = 1;
	}
	if (r == 0) {
		bad = check_lines(k, str_c(&d->name), &v);
		if (odd != NULL)
			check_report(k, str_c(&d->name), "vpasswd.cdb",
			    fix_index, (void *)(uintptr_t)d, "%s", odd);
	}
	vpasswd_free(&v);
	str_free(&path);
	str_free(&index);
	return bad;
}
