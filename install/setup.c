/* install/setup.c - installing and checking a whole tree; see setup.h.
 *
 * Order: accounts, then the tree from first to last, then the files that are
 * only made once.  Each step may be repeated, so an interrupted run is
 * finished by the next. */
#include "install/setup.h"

#include "install/accounts.h"
#include "install/config.h"
#include "install/place.h"
#include "install/table.h"
#include "install/tree.h"
#include "install/verify.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_MAX ((size_t)1 << 20)

/* The one way to standard output. */
static void
say(const struct str *text)
{
	if (fd_write_all(1, str_c(text), text->len) < 0)
		die_sys(111, "unable to write to standard output");
}

/* *vpopmail is replaced by VPOPMAIL; another machine's is not known here. */
static void
load_tree(struct tree *t, const struct setup_options *o, struct str *vpopmail)
{
	struct str text = {0}, why = {0};
	unsigned line;

	if (o->destdir != NULL)
		str_copys(vpopmail, ACCOUNTS_VPOPMAIL_HOME);
	else if (accounts_vpopmail(vpopmail, &why) < 0)
		die(111, "%s", str_c(&why));
	if (fs_read(o->manifest, &text, MANIFEST_MAX) < 0)
		die_sys(111, "unable to read %s", o->manifest);
	if (tree_build(t, str_c(vpopmail), str_c(&text), text.len, &line) < 0)
		die(111, "unable to read %s: line %u is not KIND FILE",
		    o->manifest, line);
	str_free(&text);
}

static void
open_place(struct place *p, const struct setup_options *o)
{
	if (place_init(p, o->destdir, o->source) < 0)
		die_sys(111, "unable to enter %s",
		    o->destdir != NULL ? o->destdir : "/");
}

static void
make_tree(struct place *p, const struct tree *t, struct str *done,
    unsigned *changed)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *path = str_c(&t->items[i].path);

		switch (place_make(p, &t->items[i])) {
		case PLACE_SAME:
			break;
		case PLACE_CHANGED:
			(*changed)++;
			break;
		case PLACE_EDITED:
			str_catf(done, "kept %s as it was edited; ours is "
			    "%s\n", path, str_c(&t->items[i].pristine));
			break;
		case PLACE_FAILED:
			if (errno == ELOOP)
				die(111, "unable to make %s: a symbolic link "
				    "on the way is not root's", path);
			if (t->items[i].source.len > 0)
				die_sys(111, "unable to make %s from %s",
				    path, str_c(&t->items[i].source));
			die_sys(111, "unable to make %s", path);
		}
	}
}

static void
make_config(struct place *p, const struct setup_options *o, struct str *done)
{
	struct str host = {0}, path = {0};

	if (o->host != NULL)
		str_copys(&host, o->host);
	else if (!p->staged)
		config_cat_host(&host);
	if (host.len == 0)
		str_cats(done, "made no control files: no host name was "
		    "given\n");
	else if (!config_host_ok(str_c(&host)))
		die(111, "unable to use %s as the host's name: give one with "
		    "--host", str_c(&host));
	else if (config_make_control(p, str_c(&host), done, &path) < 0)
		die_sys(111, "unable to make %s", str_c(&path));
	if (config_make_aliases(p, o->admin, done, &path) < 0 ||
	    config_make_rules(p, done, &path) < 0)
		die_sys(111, "unable to make %s", str_c(&path));
	str_free(&host);
	str_free(&path);
}

/* So that there is TLS from the first day; does nothing where there is a
 * certificate.  Mail works without. */
static void
make_certificate(void)
{
	const char *const argv[] = {HOME_DIR "/bin/valija-cert",
	    "self-signed", "-n", NULL};
	const struct proc_spawn sp = {.argv = argv, .path = argv[0]};
	int status;
	pid_t pid;

	if (access(HOME_DIR "/control/me", F_OK) < 0)
		return;
	if (proc_spawn(&sp, &pid) < 0 || proc_wait(pid, &status) < 0)
		log_sys("unable to run %s", argv[0]);
	else if (status != 0)
		log_warn("no certificate was made: run valija-cert");
}

/* So that who removes all of this knows that the tree is ours to remove. */
static void
mark_vpopmail(struct place *p, const char *vpopmail)
{
	struct str path = {0};

	str_catf(&path, "%s/%s", vpopmail, SETUP_MARK);
	if (place_make_once(p, str_c(&path), "root", "root", 0644,
	    "This directory and its user were made by valija-setup.\n") ==
	    PLACE_FAILED)
		die_sys(111, "unable to make %s", str_c(&path));
	str_free(&path);
}

static bool
is_there(const struct place *p, const char *dir)
{
	int fd = place_open_dir(p, dir);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void
sync_place(const struct place *p, const char *path)
{
	int fd = place_open_dir(p, path), real = -1;

	if (fd >= 0)
		real = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (real < 0 || fs_syncfs(real) < 0)
		die_sys(111, "unable to sync %s", path);
	(void)close(real);
	(void)close(fd);
}

void
setup_install(const struct setup_options *o)
{
	struct str done = {0}, why = {0}, vpopmail = {0};
	bool made_user = false, had_tree;
	struct tree tree = {0};
	unsigned changed = 0;
	struct place p;

	if (o->destdir == NULL && geteuid() != 0)
		die(111, "unable to install: must be root (or set DESTDIR)");
	load_tree(&tree, o, &vpopmail);
	(void)umask(022);
	if (o->destdir == NULL && accounts_make(&done, &made_user, &why) < 0)
		die(111, "%s", str_c(&why));
	if (o->destdir != NULL && mkdir(o->destdir, 0755) < 0 &&
	    errno != EEXIST)
		die_sys(111, "unable to make %s", o->destdir);
	open_place(&p, o);
	had_tree = is_there(&p, str_c(&vpopmail));
	make_tree(&p, &tree, &done, &changed);
	str_cat(&done, &p.aside);
	if (made_user && !had_tree)
		mark_vpopmail(&p, str_c(&vpopmail));
	make_config(&p, o, &done);
	if (!p.staged)
		make_certificate();
	sync_place(&p, HOME_DIR);
	sync_place(&p, "/usr/local");
	sync_place(&p, str_c(&vpopmail));
	if (!p.owners)
		str_cats(&done, "set no owners: not root\n");
	else if (p.owner_skipped)
		str_cats(&done, "set not all owners: some accounts do not "
		    "exist here\n");
	str_catf(&done, "%s%s: %zu files and directories, %u changed\n",
	    o->destdir != NULL ? o->destdir : "", HOME_DIR, tree.n, changed);
	say(&done);
	place_done(&p);
	tree_free(&tree);
	str_free(&done);
	str_free(&vpopmail);
}

/* Does something else stand at that name?  It may be another server, which
 * runs. */
static bool
is_taken(const struct place *p, const struct tree_item *it)
{
	const char *name;
	int dir = place_open_parent(p, str_c(&it->path), &name), e;
	char have[4096];
	ssize_t n;

	if (dir < 0)
		return false;
	n = readlinkat(dir, name, have, sizeof have);
	e = errno;
	(void)close(dir);
	if (n < 0)
		return e != ENOENT;
	return (size_t)n != it->source.len ||
	    memcmp(have, str_c(&it->source), (size_t)n) != 0;
}

static void
link_service(struct place *p, const char *name, struct str *done)
{
	struct tree_item it = {.kind = TREE_LINK};

	str_catf(&it.path, "/service/%s", name);
	str_catf(&it.source, "%s/supervise/%s", HOME_DIR, name);
	if (is_taken(p, &it)) {
		str_catf(done, "kept %s, which is another's; ours is %s\n",
		    str_c(&it.path), str_c(&it.source));
	} else {
		switch (place_make(p, &it)) {
		case PLACE_CHANGED:
			str_catf(done, "linked %s to %s\n", str_c(&it.path),
			    str_c(&it.source));
			break;
		case PLACE_FAILED:
			die_sys(111, "unable to link %s", str_c(&it.path));
		case PLACE_SAME:
		case PLACE_EDITED:
			break;
		}
	}
	str_free(&it.path);
	str_free(&it.source);
}

void
setup_enable(const struct setup_options *o)
{
	static const char *const services[] = {
#define X(name) name,
		TABLE_SERVICES(X)
#undef X
	};
	struct str done = {0};
	struct place p;

	open_place(&p, o);
	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
		link_service(&p, services[i], &done);
	say(&done);
	str_free(&done);
	place_done(&p);
}

/* Files that are made once: there, of whatever content and mode. */
static unsigned
check_once(const struct place *p, struct str *out)
{
	static const char *const paths[] = {HOME_DIR "/control/me",
	    HOME_DIR "/alias/.qmail-postmaster",
	    HOME_DIR "/alias/.qmail-mailer-daemon",
	    HOME_DIR "/alias/.qmail-root"};
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct str text = {0};

		if (place_read(p, paths[i], &text) < 0) {
			str_catf(out, "%s: %s\n", paths[i], errno == ENOENT ?
			    "is missing" : strerror(errno));
			bad++;
		}
		str_free(&text);
	}
	return bad;
}

unsigned
setup_check(const struct setup_options *o)
{
	struct tree tree = {0};
	struct str out = {0}, vpopmail = {0};
	unsigned bad = 0;
	struct place p;

	load_tree(&tree, o, &vpopmail);
	open_place(&p, o);
	if (!p.staged)
		bad += accounts_compare(&out);
	for (size_t i = 0; i < tree.n; i++)
		bad += verify_item(&p, &tree.items[i], &out);
	bad += check_once(&p, &out);
	bad += verify_setid(&p, &out);
	if (bad == 0)
		str_catf(&out, "%s%s: %zu files and directories, as they "
		    "should be\n", o->destdir != NULL ? o->destdir : "",
		    HOME_DIR, tree.n);
	say(&out);
	place_done(&p);
	tree_free(&tree);
	str_free(&out);
	str_free(&vpopmail);
	return bad;
}
