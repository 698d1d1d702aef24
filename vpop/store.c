/* vpop/store.c - from the interface (store.h) to a store (store_ops.h).
 *
 * What holds for every store is looked at here, once: names, bytes that no
 * store may see, widths, the default of limits.  Names that are not allowed
 * are certainly not there when they are looked up. */
#include "vpop/store_ops.h"

#include "lib/ip.h"
#include "vpop/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_MS 30000           /* longer than any change takes */

struct vstore *
vstore_open(const char *kind, const char *vpopmail_dir)
{
	struct vstore *s = mem_alloc(1, sizeof *s);

	s->lock_ms = LOCK_MS;
	str_copys(&s->vpopmail_dir, vpopmail_dir);
	while (s->vpopmail_dir.len > 1 &&
	    s->vpopmail_dir.s[s->vpopmail_dir.len - 1] == '/')
		str_trunc(&s->vpopmail_dir, s->vpopmail_dir.len - 1);
	if (strcmp(kind, "cdb") == 0)
		vstore_cdb_init(s);
	else if (strcmp(kind, "mysql") == 0)
		vstore_mysql_init(s);
	return s;
}

void
vstore_close(struct vstore *s)
{
	if (s == NULL)
		return;
	if (s->ops != NULL)
		s->ops->close(s);
	str_free(&s->vpopmail_dir);
	str_free(&s->reason);
	free(s);
}

enum vstore_status
vstore_fail(struct vstore *s, enum vstore_status st, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	str_copys(&s->reason, text);
	return st;
}

const char *
vstore_reason_peek(const struct vstore *s)
{
	return str_c(&s->reason);
}

static enum vstore_status
not_built(struct vstore *s)
{
	return vstore_fail(s, VSTORE_TEMP, "the account store %s",
	    s->ops == NULL ? "is of an unknown kind" :
	    "\"mysql\" is not built into this program");
}

/* The operation op of s, or the answer when s has none. */
#define NEED(s, op)                                                           \
	do {                                                                  \
		str_clear(&(s)->reason);                                      \
		if ((s)->ops == NULL || (s)->ops->op == NULL)                 \
			return not_built(s);                                  \
	} while (0)

size_t
vstore_width(struct vstore *s, enum vstore_width w)
{
	return s->ops == NULL ? SIZE_MAX : s->ops->width(s, w);
}

static bool
is_clean(const char *s, size_t n)
{
	return memchr(s, '\0', n) == NULL && memchr(s, '\n', n) == NULL;
}

/* A name that is looked up. */
static bool
is_name(const char *user)
{
	struct str name = {0};
	bool ok;

	str_copys(&name, user);
	ok = vpop_user_name(&name, false) == VPOP_OK && str_eqs(&name, user);
	str_free(&name);
	return ok;
}

static enum vstore_status
check_value(struct vstore *s, const char *what, const struct str *v,
    enum vstore_width w)
{
	size_t width = s->ops->width(s, w);

	if (v->len > 0 && !is_clean(v->s, v->len))
		return vstore_fail(s, VSTORE_WIDE,
		    "the %s holds a NUL or a line end", what);
	if (v->len > width)
		return width == 0 ? vstore_fail(s, VSTORE_WIDE,
		    "the store has no place for a %s", what) :
		    vstore_fail(s, VSTORE_WIDE,
		    "the %s has %zu bytes, the store keeps %zu", what, v->len,
		    width);
	return VSTORE_OK;
}

static enum vstore_status
check_user(struct vstore *s, const struct vuser *u)
{
	static const char *const what[] = {
		[VSTORE_W_NAME] = "user name",
		[VSTORE_W_HASH] = "password hash",
		[VSTORE_W_GECOS] = "comment",
		[VSTORE_W_DIR] = "directory",
		[VSTORE_W_QUOTA] = "quota",
		[VSTORE_W_CLEAR] = "clear password",
	};
	const struct str *values[] = {
		[VSTORE_W_NAME] = &u->name,
		[VSTORE_W_HASH] = &u->hash,
		[VSTORE_W_GECOS] = &u->gecos,
		[VSTORE_W_DIR] = &u->dir,
		[VSTORE_W_QUOTA] = &u->quota,
		[VSTORE_W_CLEAR] = &u->clear,
	};
	enum vstore_status st = VSTORE_OK;

	for (unsigned i = 0; i <= VSTORE_W_CLEAR && st == VSTORE_OK; i++)
		st = check_value(s, what[i], values[i],
		    (enum vstore_width)i);
	if (st == VSTORE_OK && (!is_name(str_c(&u->name)) || u->apop > 1))
		return vstore_fail(s, VSTORE_WIDE, "not an account");
	return st;
}

enum vstore_status
vstore_domain_add(struct vstore *s, const struct vdomain_ref *d)
{
	NEED(s, domain_add);
	return s->ops->domain_add(s, d);
}

enum vstore_status
vstore_domain_del(struct vstore *s, const struct vdomain_ref *d)
{
	NEED(s, domain_del);
	return s->ops->domain_del(s, d);
}

enum vstore_status
vstore_domain_index(struct vstore *s, const struct vdomain_ref *d)
{
	NEED(s, domain_add);
	if (s->ops->domain_index == NULL)
		return VSTORE_EXISTS;
	return s->ops->domain_index(s, d);
}

enum vstore_status
vstore_user_get(struct vstore *s, const struct vdomain_ref *d,
    const char *user, struct vuser *out)
{
	NEED(s, user_get);
	vuser_free(out);
	return is_name(user) ? s->ops->user_get(s, d, user, out) :
	    VSTORE_NONE;
}

enum vstore_status
vstore_user_add(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u)
{
	struct str name = {0};
	enum vstore_status st;
	enum vpop_error e;

	NEED(s, user_add);
	if ((st = check_user(s, u)) != VSTORE_OK)
		return st;
	str_copy(&name, &u->name);
	e = vpop_user_name(&name, true);
	str_free(&name);
	if (e != VPOP_OK)
		return vstore_fail(s, VSTORE_WIDE, "%s", vpop_error_text(e));
	return s->ops->user_add(s, d, u);
}

enum vstore_status
vstore_user_load(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u)
{
	enum vstore_status st;

	NEED(s, user_add);
	if ((st = check_user(s, u)) != VSTORE_OK)
		return st;
	return s->ops->user_add(s, d, u);
}

enum vstore_status
vstore_user_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u)
{
	enum vstore_status st;

	NEED(s, user_set);
	if ((st = check_user(s, u)) != VSTORE_OK)
		return st;
	return s->ops->user_set(s, d, u);
}

enum vstore_status
vstore_user_del(struct vstore *s, const struct vdomain_ref *d,
    const char *user)
{
	NEED(s, user_del);
	return is_name(user) ? s->ops->user_del(s, d, user) : VSTORE_NONE;
}

enum vstore_status
vstore_user_each(struct vstore *s, const struct vdomain_ref *d,
    vstore_user_fn *fn, void *arg, int *ended_out)
{
	NEED(s, user_each);
	*ended_out = 0;
	return s->ops->user_each(s, d, fn, arg, ended_out);
}

enum vstore_status
vstore_user_count(struct vstore *s, const struct vdomain_ref *d,
    uint64_t *out)
{
	NEED(s, user_count);
	*out = 0;
	return s->ops->user_count(s, d, out);
}

enum vstore_status
vstore_bulk_begin(struct vstore *s, const struct vdomain_ref *d)
{
	NEED(s, domain_add);
	return s->ops->bulk_begin == NULL ? VSTORE_OK :
	    s->ops->bulk_begin(s, d);
}

enum vstore_status
vstore_bulk_end(struct vstore *s)
{
	NEED(s, domain_add);
	return s->ops->bulk_end == NULL ? VSTORE_OK : s->ops->bulk_end(s);
}

enum vstore_status
vstore_alias_each(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, vstore_alias_fn *fn, void *arg, int *ended_out)
{
	NEED(s, alias_each);
	*ended_out = 0;
	if (alias != NULL && !is_name(alias))
		return VSTORE_OK;
	return s->ops->alias_each(s, d, alias, fn, arg, ended_out);
}

enum vstore_status
vstore_alias_keeps(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, bool *out)
{
	NEED(s, alias_each);
	*out = false;
	if (s->ops->alias_keeps == NULL || !is_name(alias))
		return VSTORE_OK;
	return s->ops->alias_keeps(s, d, alias, out);
}

enum vstore_status
vstore_alias_add(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, const char *line)
{
	size_t n = strlen(line);

	NEED(s, alias_add);
	if (!is_name(alias) || strchr(alias, '/') != NULL)
		return vstore_fail(s, VSTORE_WIDE,
		    "not a name for an alias");
	if (n == 0 || n > VPOP_ALIAS_MAX || !is_clean(line, n))
		return vstore_fail(s, VSTORE_WIDE,
		    "an alias line has 1 to %d bytes without a line end",
		    VPOP_ALIAS_MAX);
	return s->ops->alias_add(s, d, alias, line);
}

enum vstore_status
vstore_alias_del(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, const char *line)
{
	NEED(s, alias_del);
	return is_name(alias) ? s->ops->alias_del(s, d, alias, line) :
	    VSTORE_NONE;
}

enum vstore_status
vstore_lastauth_get(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u, int64_t *when_out, struct str *ip_out)
{
	NEED(s, lastauth_get);
	*when_out = 0;
	str_clear(ip_out);
	return s->ops->lastauth_get(s, d, u, when_out, ip_out);
}

enum vstore_status
vstore_lastauth_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u, int64_t when, const char *ip)
{
	NEED(s, lastauth_set);
	if (!is_clean(ip, strlen(ip)) || strlen(ip) >= IP_TEXT)
		return vstore_fail(s, VSTORE_WIDE, "not an address");
	return s->ops->lastauth_set(s, d, u, when, ip);
}

enum vstore_status
vstore_limits_get(struct vstore *s, const struct vdomain_ref *d,
    struct vlimits *out)
{
	enum vstore_status st = VSTORE_NONE;

	NEED(s, limits_get);
	vlimits_init(out);
	if (d == NULL)
		return vlimits_default_get(s, out);
	st = s->ops->limits_get(s, d, out);
	if (st == VSTORE_NONE && vlimits_default_get(s, out) == VSTORE_TEMP)
		return VSTORE_TEMP;
	return st;
}

enum vstore_status
vstore_limits_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vlimits *l)
{
	NEED(s, limits_set);
	if (!vlimits_is_valid(l))
		return vstore_fail(s, VSTORE_WIDE,
		    "a domain limit is out of its range");
	return d == NULL ? vlimits_default_set(s, l) :
	    s->ops->limits_set(s, d, l);
}

enum vstore_status
vstore_limits_del(struct vstore *s, const struct vdomain_ref *d)
{
	NEED(s, limits_del);
	return d == NULL ? vlimits_default_del(s) :
	    s->ops->limits_del(s, d);
}

enum vstore_status
vstore_dirctl_get(struct vstore *s, const char *key, const char *dir,
    struct vdirctl *out)
{
	NEED(s, dirctl_get);
	str_free(&out->dir);
	*out = (struct vdirctl){0};
	return s->ops->dirctl_get(s, key, dir, out);
}

enum vstore_status
vstore_dirctl_set(struct vstore *s, const char *key, const char *dir,
    const struct vdirctl *c)
{
	NEED(s, dirctl_set);
	return s->ops->dirctl_set(s, key, dir, c);
}

enum vstore_status
vstore_dirctl_del(struct vstore *s, const char *key, const char *dir)
{
	NEED(s, dirctl_del);
	return s->ops->dirctl_del(s, key, dir);
}

enum vstore_status
vstore_ipmap_get(struct vstore *s, const char *ip, struct str *domain_out)
{
	char text[IP_TEXT];
	struct ip a;

	NEED(s, ipmap_get);
	str_clear(domain_out);
	if (ip_parse(ip, strlen(ip), &a) < 0)
		return VSTORE_NONE;
	return s->ops->ipmap_get(s, ip_text(&a, text), domain_out);
}

enum vstore_status
vstore_ipmap_set(struct vstore *s, const char *ip, const char *domain)
{
	char text[IP_TEXT];
	struct str name = {0};
	enum vstore_status st = VSTORE_OK;
	struct ip a;

	NEED(s, ipmap_set);
	if (domain != NULL) {
		str_copys(&name, domain);
		if (vpop_domain_name(&name) != VPOP_OK)
			st = vstore_fail(s, VSTORE_WIDE, "%s",
			    vpop_error_text(VPOP_BAD_DOMAIN));
	}
	if (ip_parse(ip, strlen(ip), &a) < 0)
		st = vstore_fail(s, VSTORE_WIDE, "%s",
		    vpop_error_text(VPOP_BAD_IP));
	if (st == VSTORE_OK)
		st = s->ops->ipmap_set(s, ip_text(&a, text),
		    domain == NULL ? NULL : str_c(&name));
	str_free(&name);
	return st;
}

enum vstore_status
vstore_ipmap_each(struct vstore *s, vstore_ip_fn *fn, void *arg,
    int *ended_out)
{
	NEED(s, ipmap_each);
	*ended_out = 0;
	return s->ops->ipmap_each(s, fn, arg, ended_out);
}

void
vuser_free(struct vuser *u)
{
	if (u->clear.len > 0)
		explicit_bzero(u->clear.s, u->clear.len);
	str_free(&u->name);
	str_free(&u->hash);
	str_free(&u->gecos);
	str_free(&u->dir);
	str_free(&u->quota);
	str_free(&u->clear);
	*u = (struct vuser){0};
}
