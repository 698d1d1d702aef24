/* vpopbull - put one message into the mailboxes of many users.
 * Runs as:  root or vpopmail; in mailboxes as the domain's owner.
 * Trusts:   its arguments, settings, users/cdb, the store.  A mailbox may be
 *           its user's in every respect.
 * Exits:    0; 255 misuse or somebody could not be served; else 256 - number:
 *           vpop.h. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/map.h"
#include "vpop/bulletin.h"
#include "vpop/command.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "vpopbull [-v] [-V] -f file [-e excludefile] [-n] "             \
	"[-c | -h | -s] [domain ...]"
#define EXCLUDE_MAX ((size_t)64 << 20)  /* bytes of the list */

struct run {
	struct vcommand c;
	struct bulletin b;
	struct map exclude;             /* addresses */
	struct vdomain d;
	struct str out;
	bool verbose;
	uint64_t done, over, failed;
	struct vprogress progress;
};

static void
say(struct run *r, const char *user, const char *what, const char *reason)
{
	vcommand_cat_line(&r->out, user);
	str_catc(&r->out, '@');
	str_cats(&r->out, str_c(&r->d.name));
	if (what != NULL)
		str_catf(&r->out, ": %s", what);
	if (reason != NULL) {
		str_cats(&r->out, ": ");
		vcommand_cat_line(&r->out, reason);
	}
	str_catc(&r->out, '\n');
	vcommand_spill(&r->out);
}

/* What became of one copy. */
static void
told(void *arg, const char *user, enum bulletin_status st, const char *reason)
{
	struct run *r = arg;

	switch (st) {
	case BULLETIN_OK:
		r->done++;
		if (r->verbose)
			say(r, user, NULL, NULL);
		break;
	case BULLETIN_OVER:
		r->over++;
		say(r, user, "skipped", "the mailbox is over quota");
		break;
	case BULLETIN_FAILED:
		r->failed++;
		say(r, user, "skipped", reason);
		break;
	}
	vprogress_step(&r->progress, r->done + r->over + r->failed);
}

static int
each_user(void *arg, const struct vuser *u)
{
	struct run *r = arg;
	struct str addr = {0};
	bool excluded;

	str_catf(&addr, "%s@%s", str_c(&u->name), str_c(&r->d.name));
	excluded = map_get(&r->exclude, str_c(&addr), addr.len) != NULL;
	str_free(&addr);
	if (!excluded)
		bulletin_user(&r->b, u);
	return 0;
}

static void
serve(struct run *r)
{
	struct vdomain_ref d = vdomain_ref_peek(&r->d);
	enum vstore_status st;
	int ended;

	bulletin_domain_begin(&r->b, &d);
	st = vstore_user_each(r->c.store, &d, each_user, r, &ended);
	bulletin_domain_end(&r->b);
	if (st == VSTORE_OK)
		return;
	r->failed++;
	str_catf(&r->out, "%s: %s\n", d.name, st == VSTORE_TEMP ?
	    vstore_reason_peek(r->c.store) : "no accounts");
}

static int
each_domain(void *arg, const struct vdomain *d)
{
	struct run *r = arg;

	if (vdomain_is_alias(d))
		return 0;
	vdomain_free(&r->d);
	str_copy(&r->d.name, &d->name);
	str_copy(&r->d.real, &d->real);
	str_copy(&r->d.dir, &d->dir);
	r->d.uid = d->uid;
	r->d.gid = d->gid;
	serve(r);
	return 0;
}

static void
load_exclude(struct run *r, const char *path)
{
	struct str line = {0};
	enum io_status st;
	struct io in;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		vcommand_fail(VPOP_FILE, "%s: %s", path, strerror(errno));
	io_init(&in, fd, -1, IO_FOREVER);
	do {
		str_clear(&line);
		st = io_getdelim(&in, &line, '\n', EXCLUDE_MAX);
		str_rstrip(&line);
		str_lower(&line);
		if (line.len > 0)
			map_set(&r->exclude, str_c(&line), line.len, r);
	} while (st == IO_OK);
	if (st != IO_EOF)
		vcommand_fail(VPOP_FILE, "%s: %s", path, strerror(errno));
	fd_close(fd);
	str_free(&line);
}

static void
serve_named(struct run *r, int argc, char **argv)
{
	/* all of them are there before the first is served */
	for (int i = optind; i < argc; i++)
		vcommand_domain(argv[i], &r->d);
	for (int i = optind; i < argc; i++) {
		vcommand_domain(argv[i], &r->d);
		if (vdomain_is_alias(&r->d))
			str_catf(&r->out, "%s: skipped: it is an alias of "
			    "%s\n", str_c(&r->d.name), str_c(&r->d.real));
		else
			serve(r);
	}
}

int
main(int argc, char **argv)
{
	struct run r = {.progress = {.what = "mailboxes"}};
	const char *file = NULL, *exclude = NULL;
	enum bulletin_how how = BULLETIN_COPY;
	bool dry = false;
	int c, ended;

	opterr = 0;
	while ((c = getopt(argc, argv, "vVf:e:nchs")) != -1)
		switch (c) {
		case 'v': vcommand_version(); break;
		case 'V': r.verbose = true; break;
		case 'f': file = optarg; break;
		case 'e': exclude = optarg; break;
		case 'n': dry = true; break;
		case 'c': how = BULLETIN_COPY; break;
		case 'h': how = BULLETIN_HARDLINK; break;
		case 's': how = BULLETIN_SYMLINK; break;
		default: vcommand_usage(USAGE);
		}
	if (file == NULL)
		vcommand_usage(USAGE);
	vcommand_begin(&r.c, "vpopbull");
	r.verbose = r.verbose || dry;
	if (exclude != NULL)
		load_exclude(&r, exclude);
	if (bulletin_open(&r.b, file, how, dry, told, &r) < 0)
		vcommand_fail(VPOP_FILE, "%s: %s", file, strerror(errno));
	if (optind < argc)
		serve_named(&r, argc, argv);
	else if (vdomain_each(each_domain, &r, &ended) != VDOMAIN_OK)
		vcommand_fail(VPOP_ASSIGN, "%s", strerror(errno));
	vcommand_print(&r.out);
	vprogress_end(&r.progress);
	bulletin_close(&r.b);
	map_free(&r.exclude);
	vdomain_free(&r.d);
	str_free(&r.out);
	vcommand_end(&r.c);
	return r.failed > 0 ? 255 : 0;
}
