/* vpop/manage_bulk.c - many new accounts of one domain; see manage.h.
 *
 * Directories are made one by one and brought to the disk by one sync of the
 * file system; then the store writes all records at once: that is the moment
 * of the change.  Before it nothing of this belongs to anybody. */
#include "vpop/manage_parts.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vpop/vfile.h"
#include "vpop/vtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct vmanage_bulk {
	struct vcommand *c;
	const struct vdomain *d;
	struct vdirs places;
	struct str quota;
	struct str made;        /* name NUL directory NUL, of each */
	uint64_t n;
};

static void
bulk_free(struct vmanage_bulk *b)
{
	str_free(&b->quota);
	str_free(&b->made);
	free(b);
}

enum vpop_error
vmanage_bulk_begin(struct vcommand *c, const struct vdomain *d,
    struct vmanage_bulk **out, struct str *why)
{
	struct vmanage_bulk *b = mem_alloc(1, sizeof *b);
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vpop_error e;

	b->c = c;
	b->d = d;
	*out = NULL;
	e = vmanage_user_quota(c, d, &b->quota, why);
	if (e == VPOP_OK)
		e = vmanage_store(c, vdirs_begin(&b->places, c->store,
		    str_c(&d->real), str_c(&d->dir)), VPOP_BAD_D_DIR,
		    VPOP_BAD_D_DIR, str_c(&d->dir), why);
	if (e == VPOP_OK) {
		e = vmanage_store(c, vstore_bulk_begin(c->store, &ref),
		    VPOP_NO_DOMAIN, VPOP_DOMAIN_EXISTS, str_c(&d->real),
		    why);
		if (e != VPOP_OK && vdirs_end(&b->places, false) != VSTORE_OK)
			log_warn("%s: %s", str_c(&d->real),
			    vstore_reason_peek(c->store));
	}
	if (e == VPOP_OK)
		*out = b;
	else
		bulk_free(b);
	return e;
}

enum vpop_error
vmanage_bulk_user(struct vmanage_bulk *b, const struct vmanage_user *m,
    struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(b->d);
	struct vuser u = {0};
	enum vpop_error e = vmanage_user_prepare(b->c, b->d, &b->places, m,
	    str_c(&b->quota), false, &u, why);

	if (e == VPOP_OK) {
		str_catb(&b->made, m->name, strlen(m->name) + 1);
		str_catb(&b->made, str_c(&u.dir), u.dir.len + 1);
		b->n++;
		e = vmanage_store(b->c, vstore_user_add(b->c->store, &ref,
		    &u), VPOP_NO_DOMAIN, VPOP_USERNAME_EXISTS, m->name, why);
	}
	if (e == VPOP_OK)
		e = vmanage_store(b->c, vstore_lastauth_set(b->c->store, &ref,
		    &u, (int64_t)time(NULL), "0.0.0.0"), VPOP_BAD_U_DIR,
		    VPOP_BAD_U_DIR, m->name, why);
	vuser_free(&u);
	return e;
}

/* Between vstore_bulk_begin and _end: else each would be a change of its own. */
static void
take_back(struct vmanage_bulk *b)
{
	struct vdomain_ref ref = vdomain_ref_peek(b->d);
	struct vfile_as as;

	for (size_t i = 0; i < b->made.len; ) {
		const char *name = b->made.s + i;
		const char *dir = name + strlen(name) + 1;

		if (vstore_user_del(b->c->store, &ref, name) == VSTORE_TEMP)
			log_warn("%s: %s", name,
			    vstore_reason_peek(b->c->store));
		if (vfile_as_begin(&as, b->d->uid, b->d->gid) == 0) {
			if (vtree_remove(dir) < 0)
				log_sys("unable to remove %s", dir);
			vfile_as_end(&as);
		}
		i = (size_t)(dir - b->made.s) + strlen(dir) + 1;
	}
}

/* The store has failed to keep them; some may be there all the same. */
static void
take_back_late(struct vmanage_bulk *b)
{
	struct vdomain_ref ref = vdomain_ref_peek(b->d);

	if (vstore_bulk_begin(b->c->store, &ref) != VSTORE_OK)
		log_warn("%s: %s", str_c(&b->d->real),
		    vstore_reason_peek(b->c->store));
	take_back(b);
	if (vstore_bulk_end(b->c->store) != VSTORE_OK)
		log_warn("%s: %s", str_c(&b->d->real),
		    vstore_reason_peek(b->c->store));
}

static int
sync_all(const struct vdomain *d)
{
	int fd = open(str_c(&d->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = fs_syncfs(fd);
	fd_close(fd);
	return r;
}

enum vpop_error
vmanage_bulk_end(struct vmanage_bulk *b, bool keep, struct str *why)
{
	enum vpop_error e = VPOP_OK;
	enum vstore_status st;
	struct str number = {0};

	if (keep && sync_all(b->d) < 0)
		e = vmanage_fail(VPOP_CANNOT_MAKE_DIR, why,
		    str_c(&b->d->dir), NULL);
	if (!keep || e != VPOP_OK)
		take_back(b);
	st = vstore_bulk_end(b->c->store);
	if (keep && e == VPOP_OK) {
		e = vmanage_store(b->c, st, VPOP_NO_DOMAIN,
		    VPOP_USERNAME_EXISTS, str_c(&b->d->real), why);
		if (e != VPOP_OK)
			take_back_late(b);
	} else if (st != VSTORE_OK) {
		log_warn("%s: %s", str_c(&b->d->real),
		    vstore_reason_peek(b->c->store));
	}
	if (vdirs_end(&b->places, keep && e == VPOP_OK) != VSTORE_OK)
		log_warn("%s: the count of directories is wrong now: %s",
		    str_c(&b->d->real), vstore_reason_peek(b->c->store));
	if (keep && e == VPOP_OK && b->n > 0) {
		str_catu(&number, b->n);
		vmanage_changed(b->c, str_c(&b->d->real), NULL);
		vmanage_hook(b->c, "add_users", str_c(&b->d->real),
		    str_c(&number));
	}
	str_free(&number);
	bulk_free(b);
	return e;
}
