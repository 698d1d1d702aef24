/* pop3d/box_name.c - finding a message's file whatever it is called by now;
 * see box_private.h.
 *
 * Others rename messages and move them from new/ to cur/ while the session
 * lasts.  So ENOENT is believed only when BOX_MISSES scans, each of which
 * cannot lie (mail/mdscan.h), did not show the base name.  One search brings
 * all names up to date, and knows of all that are gone. */
#include "pop3d/box_private.h"

#include <errno.h>
#include <string.h>

#define SCANS 20                        /* that showed it, and it was renamed
                                         * again before it was reached */

static void
set_name(struct box *b, struct message *x, const char *name, bool is_new)
{
	size_t n = strlen(name);

	x->is_new = is_new;
	if (n > x->room) {
		x->at = (uint32_t)b->pool.len;
		x->room = (uint8_t)n;
		str_catb(&b->pool, name, n + 1);
	} else {
		memcpy(b->pool.s + x->at, name, n + 1);
	}
}

int
box_rescan(struct box *b)
{
	struct mdscan s = {0};
	size_t hint = BOX_NOWHERE;

	if (mdscan_read(b->dir, &b->watch, &s) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		const struct mdscan_entry *e = &s.entries[i];
		const char *name = mdscan_name(&s, i);
		size_t k = box_find(b, name, e->base, &hint);

		if (k == BOX_NOWHERE)
			continue;
		set_name(b, &b->m[k], name, e->is_new);
		b->m[k].seen = true;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct message *x = &b->m[i];

		if (x->seen)
			x->misses = 0;
		else if (x->misses < BOX_MISSES)
			x->misses++;
		x->seen = false;
	}
	mdscan_free(&s);
	return 0;
}

/* The name itself when info is NULL, else the base name and info. */
static int
act_on(struct box *b, size_t i, const char *dir, const char *info,
    box_act act, void *arg)
{
	char path[MDSCAN_NAME + 16], *p = stpcpy(path, dir);
	const struct message *x = &b->m[i];

	if (info == NULL)
		(void)stpcpy(p, box_name(b, i));
	else
		(void)stpcpy(mempcpy(p, box_name(b, i), x->base), info);
	return act(b, i, path, arg);
}

int
box_try(struct box *b, size_t i, box_act act, void *arg)
{
	/* What a reader makes of it; first what it most often is. */
	static const char *const guess[] = {":2,", ":2,S"};
	int r = act_on(b, i, b->m[i].is_new ? "new/" : "cur/", NULL, act, arg);

	for (size_t k = 0; r < 0 && errno == ENOENT && !box_gone(b, i) &&
	    b->m[i].base + 4 <= MDSCAN_NAME &&
	    k < sizeof guess / sizeof *guess; k++)
		r = act_on(b, i, "cur/", guess[k], act, arg);
	return r;
}

int
box_reach(struct box *b, size_t i, box_act act, void *arg)
{
	for (int k = 0;; k++) {
		int r = box_try(b, i, act, arg);

		if (r == 0 || errno != ENOENT || box_gone(b, i))
			return r;
		if (k == SCANS) {
			errno = EBUSY;
			return -1;
		}
		if (box_rescan(b) < 0)
			return -1;
		errno = ENOENT;
	}
}
