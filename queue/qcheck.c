/* queue/qcheck.c - check and repair as commands; see qcheck.h.
 *
 * Both read a queue at rest: what is half done on a live one would look
 * broken, and what is repaired must not be moved under a running service. */
#include "queue/qcheck.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "lib/user.h"
#include "mail/qtree.h"
#include "mail/show.h"
#include "queue/clean.h"
#include "queue/qlock.h"
#include "queue/qrepair.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct print {
	struct io out;
	bool fix, json;
};

static void
cat_json_member(struct str *s, const char *name, const char *value)
{
	str_cats(s, name);
	show_cat_json(s, value, strlen(value));
}

static void
print_finding(void *arg, const struct qrepair_finding *f)
{
	struct print *p = arg;
	struct str s = {0};

	if (p->json) {
		cat_json_member(&s, "{\"path\":", f->path);
		cat_json_member(&s, ",\"what\":", f->what);
		if (f->fix != NULL && p->fix)
			cat_json_member(&s, ",\"done\":", f->fix);
		str_cats(&s, f->fix != NULL ? ",\"curable\":true}" :
		    ",\"curable\":false}");
	} else {
		show_cat_text(&s, f->path, strlen(f->path));
		str_cats(&s, ": ");
		show_cat_text(&s, f->what, strlen(f->what));
		if (f->fix == NULL)
			str_cats(&s, ": left as it is");
		else if (p->fix) {
			str_cats(&s, ": ");
			str_cats(&s, f->fix);
		}
	}
	str_catc(&s, '\n');
	(void)io_put(&p->out, str_c(&s), s.len);        /* fails at the end */
	str_free(&s);
}

/* Held until the program ends.  A lock file that is missing is nobody's, and
 * a check must not make one. */
static void
need_lock(const char *path, const char *owner_like, const char *service,
    bool fix)
{
	struct str why = {0};
	int fd;

	if (!fix && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	switch (qlock_take(path, owner_like, &fd, &why)) {
	case QLOCK_TAKEN:
		return;
	case QLOCK_BUSY:
		die(111, "%s is running: stop it first (%s is locked)",
		    service, path);
	case QLOCK_TROUBLE:
		die(111, "%s", str_c(&why));
	}
}

static void
print_total(struct print *p, const struct qrepair *r)
{
	struct str s = {0};

	str_catf(&s, "%" PRIu64 " %s, ", r->nmess,
	    r->nmess == 1 ? "message" : "messages");
	if (r->found == 0)
		str_cats(&s, "nothing wrong\n");
	else if (!p->fix)
		str_catf(&s, "%" PRIu64 " found\n", r->found);
	else
		str_catf(&s, "%" PRIu64 " found, %" PRIu64 " repaired, %"
		    PRIu64 " left\n", r->found, r->found - r->left, r->left);
	if (r->aside > 0)
		str_catf(&s, "%" PRIu64 " set aside in queue/%s: look at them, "
		    "then remove them\n", r->aside, QTREE_DAMAGED);
	(void)io_put(&p->out, str_c(&s), s.len);
	str_free(&s);
}

int
qcheck_main(bool fix, bool json)
{
	struct print p = {.fix = fix, .json = json};
	struct qrepair r = {
		.fix = fix,
		.uid_queue = user_need_uid("qmailq"),
		.uid_send = user_need_uid("qmails"),
		.uid_remote = user_need_uid("qmailr"),
		.gid = user_need_group(QTREE_GROUP),
		.now = clock_wall(),
		.report = print_finding,
		.arg = &p,
	};
	struct str why = {0};
	int code = 0, clean;

	need_lock(QLOCK_SEND, "info", "qmail-send", fix);
	need_lock(QLOCK_QUEUED, "lock", "qmail-queued", fix);
	/* What qmail-clean still has to do comes first. */
	clean = clean_lock();
	if (clean < 0 && errno != ENOENT)
		die_sys(111, "unable to lock intd");
	io_init(&p.out, -1, 1, IO_FOREVER);
	if (qrepair_run(&r, &why) < 0) {
		log_warn("%s", str_c(&why));
		code = 111;
	}
	if (code == 0 && (fix ? r.left : r.found) > 0)
		code = 1;
	if (!json && code != 111)
		print_total(&p, &r);
	if (io_flush(&p.out) != IO_OK) {
		log_sys("unable to write to standard output");
		code = 111;
	}
	if (clean >= 0)
		(void)close(clean);
	str_free(&why);
	return code;
}
