/* test_install.c - the table as a list, one item made and compared, the first
 * control files.  Works below a directory in /tmp as a DESTDIR; whether it is
 * root or not, owners are left alone. */
#include "TESTS/unit/unit.h"

#include "install/config.h"
#include "install/place.h"
#include "install/table.h"
#include "install/tree.h"
#include "install/verify.h"
#include "lib/fs.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A fresh source tree and destination, and a place between them. */
struct fixture {
	char dir[64], dest[80], source[80];
	struct place p;
};

static void
run(const char *const *argv)
{
	struct proc_fd fds[] = {{-1, 0}, {1, 1}, {2, 2}};
	struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};
	int status;
	pid_t pid;

	assert_int_equal(proc_spawn(&sp, &pid), 0);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(status, 0);
}

static int
setup(void **state)
{
	struct fixture *f = mem_alloc(1, sizeof *f);

	(void)umask(022);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/test_install.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->dest, sizeof f->dest, "%s/dest", f->dir);
	(void)snprintf(f->source, sizeof f->source, "%s/src", f->dir);
	assert_int_equal(mkdir(f->dest, 0755), 0);
	assert_int_equal(mkdir(f->source, 0755), 0);
	assert_int_equal(place_init(&f->p, f->dest, f->source), 0);
	f->p.owners = false;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = {"rm", "-rf", f->dir, NULL};

	place_done(&f->p);
	run(argv);
	free(f);
	return 0;
}

/* name is below the fixture's directory. */
static const char *
at(const struct fixture *f, const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *p = path[turn++ % 4];

	(void)snprintf(p, sizeof path[0], "%s/%s", f->dir, name);
	return p;
}

static void
put(const struct fixture *f, const char *name, const char *text)
{
	struct str tmp = {0};

	str_catf(&tmp, "%s.tmp", at(f, name));
	assert_int_equal(fs_replace(at(f, name), str_c(&tmp), text,
	    strlen(text), 0644), 0);
	str_free(&tmp);
}

static void
holds(const struct fixture *f, const char *name, const char *want)
{
	struct str text = {0};

	assert_int_equal(fs_read(at(f, name), &text, 1 << 20), 0);
	assert_string_equal(str_c(&text), want);
	str_free(&text);
}

static mode_t
mode_of(const struct fixture *f, const char *name)
{
	struct stat st;

	assert_int_equal(lstat(at(f, name), &st), 0);
	return st.st_mode & 07777;
}

static struct tree_item
item(enum tree_kind kind, const char *path, mode_t mode, const char *source)
{
	struct tree_item it = {.kind = kind, .owner = "root",
	    .group = "root", .mode = mode};

	str_copys(&it.path, path);
	str_copys(&it.source, source);
	return it;
}

static enum place_result
make_take(struct fixture *f, struct tree_item it)
{
	enum place_result r = place_make(&f->p, &it);
	int e = errno;

	str_free(&it.path);
	str_free(&it.source);
	str_free(&it.pristine);
	errno = e;
	return r;
}

static const struct tree_item *
find(const struct tree *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(str_c(&t->items[i].path), path) == 0)
			return &t->items[i];
	fail_msg("%s is not in the tree", path);
	return NULL;
}

static void
test_tree(void **state)
{
	static const char manifest[] = "prog build/qmail-lspawn\n"
	    "prog build/qmail-queue\nprog build/qmail-inject\n"
	    "vprog build/vchkpw\n"
	    "cmd build/svscan\ncmdscript supervise/svscanboot\n\n"
	    "man queue/qmail-queue.8\nman x/y.7\ndoc README.md";
	const struct tree_item *it;
	struct tree t = {0};
	unsigned line, setid = 0;

	(void)state;
	assert_int_equal(tree_build(&t, "/home/v", manifest,
	    sizeof manifest - 1, &line), 0);
	assert_int_equal(find(&t, HOME_DIR "/bin/qmail-lspawn")->mode, 0700);
	assert_int_equal(find(&t, HOME_DIR "/bin/qmail-queue")->mode, 0711);
	it = find(&t, HOME_DIR "/bin/qmail-inject");
	assert_int_equal(it->mode, 0755);
	assert_string_equal(str_c(&it->source), "build/qmail-inject");
	assert_string_equal(it->group, "qmail");
	it = find(&t, "/usr/local/bin/svscan");
	assert_int_equal(it->mode, 0755);
	assert_string_equal(it->group, "root");
	assert_string_equal(str_c(&find(&t, "/command/svscanboot")->source),
	    "/usr/local/bin/svscanboot");
	assert_int_equal(find(&t, HOME_DIR "/man/man8/qmail-queue.8")->mode,
	    0644);
	assert_string_equal(str_c(&find(&t,
	    "/usr/local/share/man/man8/qmail-queue.8")->source),
	    HOME_DIR "/man/man8/qmail-queue.8");
	assert_int_equal(find(&t, HOME_DIR "/man/man7/y.7")->mode, 0644);
	assert_int_equal(find(&t, HOME_DIR "/man/man7")->kind, TREE_DIR);
	assert_int_equal(find(&t, HOME_DIR "/doc/README.md")->kind, TREE_COPY);
	assert_int_equal(find(&t, HOME_DIR "/bin/vchkpw")->kind, TREE_COPY);
	it = find(&t, "/home/v/bin/vchkpw");
	assert_int_equal(it->kind, TREE_LINK_ASIDE);
	assert_string_equal(str_c(&it->source), HOME_DIR "/bin/vchkpw");
	assert_string_equal(find(&t, "/home/v/etc")->owner, "root");
	assert_string_equal(find(&t, "/home/v")->owner, "root");
	it = find(&t, "/home/v/domains");
	assert_string_equal(it->owner, "vpopmail");
	assert_int_equal(it->kind, TREE_KEPTDIR);
	/* The queue, as the reference has it. */
	it = find(&t, HOME_DIR "/queue/mess/22");
	assert_int_equal(it->mode, 0750);
	assert_string_equal(it->owner, "qmailq");
	it = find(&t, HOME_DIR "/queue/info/0");
	assert_int_equal(it->mode, 0700);
	assert_string_equal(it->owner, "qmails");
	it = find(&t, HOME_DIR "/queue/lock/trigger");
	assert_int_equal(it->kind, TREE_FIFO);
	assert_int_equal(it->mode, 0622);
	assert_int_equal(find(&t, HOME_DIR "/queue/lock/tcpto")->size, 1024);
	assert_int_equal(find(&t, HOME_DIR)->mode, 0755);
	/* The alias directory is the only set-id entry. */
	for (size_t i = 0; i < t.n; i++)
		if ((t.items[i].mode & 06000) != 0)
			setid++;
	assert_int_equal(setid, 1);
	assert_int_equal(find(&t, HOME_DIR "/alias")->mode, 02755);
	tree_free(&t);
}

static void
test_manifest_errors(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		unsigned line;
	} bad[] = {
		{"prog", 4, 1},
		{"prog a\nprogram b\n", 17, 2},
		{"man a/b\n", 8, 1},
		{"man a/b.9\n", 10, 1},
		{"man a/b.88\n", 11, 1},
		{"prog a/\n", 8, 1},
		{"prog a/..\n", 10, 1},
		{"prog a b\n", 9, 1},
		{"prog a\0b\n", 9, 1},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct tree t = {0};
		unsigned line;

		assert_int_equal(tree_build(&t, "/v", bad[i].text, bad[i].n,
		    &line), -1);
		assert_int_equal(line, bad[i].line);
		tree_free(&t);
	}
}

static void
test_filled(void **state)
{
	struct str s = {0};

	(void)state;
	tree_cat_filled(&s, "a @HOME@/x @HOME @HOME@", 23);
	assert_string_equal(str_c(&s), "a " HOME_DIR "/x @HOME " HOME_DIR);
	str_free(&s);
}

static void
test_dir(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(make_take(f, item(TREE_DIR, "/a/b/c", 01755, "")),
	    PLACE_CHANGED);
	assert_int_equal(mode_of(f, "dest/a/b/c"), 01755);
	assert_int_equal(mode_of(f, "dest/a"), 0755);
	assert_int_equal(make_take(f, item(TREE_DIR, "/a/b/c", 01755, "")),
	    PLACE_SAME);
	assert_int_equal(make_take(f, item(TREE_DIR, "/a/b", 0700, "")),
	    PLACE_CHANGED);
	assert_int_equal(mode_of(f, "dest/a/b"), 0700);
	/* The system's directory keeps its mode. */
	assert_int_equal(make_take(f, item(TREE_SYSDIR, "/a/b", 0, "")),
	    PLACE_SAME);
	assert_int_equal(mode_of(f, "dest/a/b"), 0700);
	put(f, "dest/a/file", "x");
	assert_int_equal(make_take(f, item(TREE_DIR, "/a/file", 0700, "")),
	    PLACE_FAILED);
	assert_int_equal(errno, ENOTDIR);
}

static void
test_copy_replaces_by_rename(void **state)
{
	struct fixture *f = *state;
	struct str old = {0};
	int fd;

	put(f, "src/prog", "one");
	assert_int_equal(make_take(f, item(TREE_COPY, "/prog", 0711, "prog")),
	    PLACE_CHANGED);
	holds(f, "dest/prog", "one");
	assert_int_equal(mode_of(f, "dest/prog"), 0711);
	assert_int_equal(make_take(f, item(TREE_COPY, "/prog", 0711, "prog")),
	    PLACE_SAME);
	/* What runs keeps the file it has. */
	fd = open(at(f, "dest/prog"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	put(f, "src/prog", "two");
	put(f, "dest/.prog.new", "left by a crash");
	assert_int_equal(make_take(f, item(TREE_COPY, "/prog", 0711, "prog")),
	    PLACE_CHANGED);
	holds(f, "dest/prog", "two");
	assert_int_equal(fs_read_fd(fd, &old, 100), 0);
	assert_string_equal(str_c(&old), "one");
	str_free(&old);
	(void)close(fd);
	assert_int_equal(access(at(f, "dest/.prog.new"), F_OK), -1);
	/* Only the mode. */
	assert_int_equal(chmod(at(f, "dest/prog"), 04755), 0);
	assert_int_equal(make_take(f, item(TREE_COPY, "/prog", 0711, "prog")),
	    PLACE_CHANGED);
	assert_int_equal(mode_of(f, "dest/prog"), 0711);
	assert_int_equal(make_take(f, item(TREE_COPY, "/p2", 0711, "none")),
	    PLACE_FAILED);
	assert_int_equal(errno, ENOENT);
	/* An empty file is a file too. */
	put(f, "src/empty", "");
	assert_int_equal(make_take(f, item(TREE_COPY, "/e", 0644, "empty")),
	    PLACE_CHANGED);
	holds(f, "dest/e", "");
}

static void
test_links_are_not_followed(void **state)
{
	struct fixture *f = *state;

	put(f, "src/prog", "new");
	put(f, "victim", "precious");
	assert_int_equal(mkdir(at(f, "dest/d"), 0755), 0);
	assert_int_equal(symlink("../../victim", at(f, "dest/d/prog")), 0);
	assert_int_equal(make_take(f, item(TREE_COPY, "/d/prog", 0600,
	    "prog")), PLACE_CHANGED);
	holds(f, "victim", "precious");
	holds(f, "dest/d/prog", "new");
	assert_int_equal(symlink("../../victim", at(f, "dest/d/kept")), 0);
	assert_int_equal(make_take(f, item(TREE_KEPT, "/d/kept", 0600, "")),
	    PLACE_FAILED);
	assert_int_equal(mode_of(f, "victim"), 0644);
	/* Another name of a file that is not ours. */
	put(f, "dest/mine", "");
	assert_int_equal(link(at(f, "dest/mine"), at(f, "dest/d/lock")), 0);
	assert_int_equal(make_take(f, item(TREE_KEPT, "/d/lock", 0600, "")),
	    PLACE_FAILED);
	assert_int_equal(errno, EMLINK);
	assert_int_equal(mode_of(f, "dest/mine"), 0644);
	/* A directory on the way. */
	assert_int_equal(symlink(f->dir, at(f, "dest/out")), 0);
	assert_int_equal(make_take(f, item(TREE_COPY, "/out/x", 0600,
	    "prog")), PLACE_FAILED);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(make_take(f, item(TREE_DIR, "/out/y", 0700, "")),
	    PLACE_FAILED);
	assert_int_equal(access(at(f, "y"), F_OK), -1);
}

static struct tree_item
text_item(void)
{
	struct tree_item it = item(TREE_TEXT, "/run", 0755, "run");

	str_copys(&it.pristine, "/doc/run");
	return it;
}

static void
test_edited_text_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(at(f, "dest/doc"), 0755), 0);
	put(f, "src/run", "v1 @HOME@\n");
	assert_int_equal(make_take(f, text_item()), PLACE_CHANGED);
	holds(f, "dest/run", "v1 " HOME_DIR "\n");
	holds(f, "dest/doc/run", "v1 " HOME_DIR "\n");
	assert_int_equal(make_take(f, text_item()), PLACE_SAME);
	/* Untouched: follows the new version. */
	put(f, "src/run", "v2\n");
	assert_int_equal(make_take(f, text_item()), PLACE_CHANGED);
	holds(f, "dest/run", "v2\n");
	/* Edited: stays, with our text beside it. */
	put(f, "dest/run", "mine\n");
	put(f, "src/run", "v3\n");
	assert_int_equal(make_take(f, text_item()), PLACE_EDITED);
	holds(f, "dest/run", "mine\n");
	holds(f, "dest/doc/run", "v3\n");
	assert_int_equal(mode_of(f, "dest/run"), 0755);
	put(f, "src/run", "v4\n");
	assert_int_equal(make_take(f, text_item()), PLACE_EDITED);
	holds(f, "dest/run", "mine\n");
}

static void
test_kept_fifo_link(void **state)
{
	struct fixture *f = *state;
	struct tree_item it = item(TREE_KEPT, "/tcpto", 0644, "");
	struct stat st;
	char to[64] = "";

	it.size = 1024;
	assert_int_equal(make_take(f, it), PLACE_CHANGED);
	assert_int_equal(stat(at(f, "dest/tcpto"), &st), 0);
	assert_int_equal(st.st_size, 1024);
	put(f, "dest/tcpto", "in use");
	assert_int_equal(make_take(f, item(TREE_KEPT, "/tcpto", 0644, "")),
	    PLACE_SAME);
	holds(f, "dest/tcpto", "in use");
	assert_int_equal(make_take(f, item(TREE_FIFO, "/trigger", 0622, "")),
	    PLACE_CHANGED);
	assert_int_equal(mode_of(f, "dest/trigger"), 0622);
	assert_int_equal(make_take(f, item(TREE_FIFO, "/trigger", 0622, "")),
	    PLACE_SAME);
	assert_int_equal(make_take(f, item(TREE_FIFO, "/tcpto", 0622, "")),
	    PLACE_FAILED);
	assert_int_equal(make_take(f, item(TREE_LINK, "/l", 0, "one")),
	    PLACE_CHANGED);
	assert_int_equal(make_take(f, item(TREE_LINK, "/l", 0, "one")),
	    PLACE_SAME);
	assert_int_equal(make_take(f, item(TREE_LINK, "/l", 0, "two")),
	    PLACE_CHANGED);
	assert_int_equal(readlink(at(f, "dest/l"), to, sizeof to - 1), 3);
	assert_string_equal(to, "two");
}

/* What is other software's keeps its owner, its mode and its bytes. */
static void
test_kept_dir_and_aside(void **state)
{
	struct fixture *f = *state;
	char to[64] = "";

	assert_int_equal(mkdir(at(f, "dest/.v.new"), 0777), 0);
	assert_int_equal(make_take(f, item(TREE_KEPTDIR, "/v", 0711, "")),
	    PLACE_CHANGED);
	assert_int_equal(mode_of(f, "dest/v"), 0711);
	assert_int_equal(access(at(f, "dest/.v.new"), F_OK), -1);
	assert_int_equal(chmod(at(f, "dest/v"), 0700), 0);
	assert_int_equal(make_take(f, item(TREE_KEPTDIR, "/v", 0711, "")),
	    PLACE_SAME);
	assert_int_equal(mode_of(f, "dest/v"), 0700);
	assert_int_equal(make_take(f, item(TREE_KEPTDIR, "/a/b", 0755, "")),
	    PLACE_CHANGED);
	assert_int_equal(symlink(f->dir, at(f, "dest/out")), 0);
	assert_int_equal(make_take(f, item(TREE_KEPTDIR, "/out", 0755, "")),
	    PLACE_FAILED);
	assert_int_equal(errno, ELOOP);

	assert_int_equal(make_take(f, item(TREE_LINK_ASIDE, "/v/p", 0,
	    "/bin/p")), PLACE_CHANGED);
	assert_int_equal(make_take(f, item(TREE_LINK_ASIDE, "/v/p", 0,
	    "/bin/p")), PLACE_SAME);
	assert_int_equal(f->p.aside.len, 0);
	put(f, "dest/v/q", "first");
	assert_int_equal(make_take(f, item(TREE_LINK_ASIDE, "/v/q", 0,
	    "/bin/q")), PLACE_CHANGED);
	assert_int_equal(unlink(at(f, "dest/v/q")), 0);
	put(f, "dest/v/q", "second");
	assert_int_equal(make_take(f, item(TREE_LINK_ASIDE, "/v/q", 0,
	    "/bin/q")), PLACE_CHANGED);
	holds(f, "dest/v/q.orig", "first");
	holds(f, "dest/v/q.orig.1", "second");
	assert_int_equal(readlink(at(f, "dest/v/q"), to, sizeof to - 1), 6);
	assert_string_equal(to, "/bin/q");
	assert_string_equal(str_c(&f->p.aside), "put /v/q aside as q.orig\n"
	    "put /v/q aside as q.orig.1\n");
	assert_int_equal(symlink("elsewhere", at(f, "dest/v/r")), 0);
	assert_int_equal(make_take(f, item(TREE_LINK_ASIDE, "/v/r", 0,
	    "/bin/r")), PLACE_CHANGED);
	assert_int_equal(readlink(at(f, "dest/v/r.orig"), to, sizeof to), 9);
}

static void
differs_take(struct fixture *f, struct tree_item it, const char *words)
{
	struct str out = {0};

	assert_int_equal(verify_item(&f->p, &it, &out), *words ? 1 : 0);
	if (strstr(str_c(&out), words) == NULL)
		assert_string_equal(str_c(&out), words);
	str_free(&out);
	str_free(&it.path);
	str_free(&it.source);
}

static void
test_verify(void **state)
{
	struct fixture *f = *state;

	put(f, "src/prog", "one");
	put(f, "dest/prog", "one");
	assert_int_equal(symlink("a", at(f, "dest/l")), 0);
	assert_int_equal(mkdir(at(f, "dest/d"), 0700), 0);
	differs_take(f, item(TREE_COPY, "/prog", 0644, "prog"), "");
	differs_take(f, item(TREE_COPY, "/prog", 0600, "prog"),
	    "/prog: mode is 0644, should be 0600\n");
	put(f, "src/prog", "two");
	differs_take(f, item(TREE_COPY, "/prog", 0644, "prog"),
	    "/prog: is not the same as ");
	differs_take(f, item(TREE_COPY, "/none", 0644, "prog"),
	    "/none: is missing\n");
	differs_take(f, item(TREE_COPY, "/l", 0644, "prog"),
	    "/l: is a symbolic link, should be a regular file\n");
	differs_take(f, item(TREE_LINK, "/l", 0, "a"), "");
	differs_take(f, item(TREE_LINK, "/l", 0, "b"),
	    "/l: does not lead to b\n");
	differs_take(f, item(TREE_DIR, "/d", 0755, ""),
	    "/d: mode is 0700, should be 0755\n");
	differs_take(f, item(TREE_SYSDIR, "/d", 0, ""), "");
	differs_take(f, item(TREE_KEPTDIR, "/d", 0755, ""), "");
	assert_int_equal(chmod(at(f, "dest/d"), 0707), 0);
	differs_take(f, item(TREE_KEPTDIR, "/d", 0755, ""),
	    "/d: may be written by everybody\n");
	assert_int_equal(chmod(at(f, "dest/d"), 0700), 0);
	differs_take(f, item(TREE_LINK_ASIDE, "/l", 0, "b"),
	    "/l: does not lead to b\n");
	differs_take(f, item(TREE_FIFO, "/d", 0700, ""),
	    "/d: is a directory, should be a named pipe\n");
	/* Without a source tree contents are not looked at. */
	f->p.source = NULL;
	differs_take(f, item(TREE_COPY, "/prog", 0644, "prog"), "");
}

static void
test_setid(void **state)
{
	struct fixture *f = *state;
	struct str out = {0};

	assert_int_equal(make_take(f, item(TREE_DIR, HOME_DIR "/alias/sub",
	    02755, "")), PLACE_CHANGED);
	put(f, "dest" HOME_DIR "/alias/sub/x", "");
	put(f, "dest" HOME_DIR "/alias/sub/y", "");
	assert_int_equal(verify_setid(&f->p, &out), 0);
	assert_int_equal(chmod(at(f, "dest" HOME_DIR "/alias/sub/x"), 04711),
	    0);
	assert_int_equal(chmod(at(f, "dest" HOME_DIR "/alias/sub/y"), 02711),
	    0);
	assert_int_equal(verify_setid(&f->p, &out), 2);
	assert_non_null(strstr(str_c(&out),
	    HOME_DIR "/alias/sub/x: is setuid or setgid, mode 4711\n"));
	str_free(&out);
}

static void
test_names(void **state)
{
	static const char *const good[] = {"mx.example.org", "localhost",
	    "a-b.c_d", "[192.168.1.1]", "[IPv6:2001:db8::1]"};
	static const char *const bad[] = {"", ".", "a..b", "a.", ".a", "a b",
	    "a\nb", "a/b", "\303\261.es", "[]", "[1.2.3.4", "[1 2]"};
	static const char *const admins[] = {"ana", "ana@example.org",
	    "a.b+c@x"};
	static const char *const no_admins[] = {"", "a b", "|rm", "/etc/x",
	    "./x", "&a", "#a", "+list", "a\nb", "a\177"};
	static const struct {
		const char *me, *dd, *pd;
	} domains[] = {
		{"mx.example.org", "example.org", "example.org"},
		{"a.b.example.org", "b.example.org", "example.org"},
		{"example.org", "example.org", "example.org"},
		{"debian", "debian", "debian"},
		{"debian.localdomain", "debian.localdomain",
		    "debian.localdomain"},
		{"[192.168.1.1]", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_true(config_host_ok(good[i]));
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(config_host_ok(bad[i]));
	for (size_t i = 0; i < N_OF(admins); i++)
		assert_true(config_admin_ok(admins[i]));
	for (size_t i = 0; i < N_OF(no_admins); i++)
		assert_false(config_admin_ok(no_admins[i]));
	for (size_t i = 0; i < N_OF(domains); i++) {
		struct str dd = {0}, pd = {0};

		config_cat_default_domain(&dd, domains[i].me);
		config_cat_plus_domain(&pd, domains[i].me);
		assert_string_equal(str_c(&dd), domains[i].dd);
		assert_string_equal(str_c(&pd), domains[i].pd);
		str_free(&dd);
		str_free(&pd);
	}
}

/* The first run of setup, as far as single files go. */
static void
test_config(void **state)
{
	struct fixture *f = *state;
	struct str done = {0}, path = {0};

	(void)make_take(f, item(TREE_DIR, HOME_DIR "/control", 0755, ""));
	(void)make_take(f, item(TREE_DIR, HOME_DIR "/alias", 0755, ""));
	put(f, "dest" HOME_DIR "/control/locals", "mine\n");
	assert_int_equal(config_make_control(&f->p, "mx.example.org", &done,
	    &path), 0);
	holds(f, "dest" HOME_DIR "/control/me", "mx.example.org\n");
	holds(f, "dest" HOME_DIR "/control/locals", "mine\n");
	holds(f, "dest" HOME_DIR "/control/rcpthosts",
	    "mx.example.org\nlocalhost\nlocalhost.example.org\n");
	holds(f, "dest" HOME_DIR "/control/defaultdomain", "example.org\n");
	holds(f, "dest" HOME_DIR "/control/plusdomain", "example.org\n");
	/* An existing me counts, whatever the option says. */
	assert_int_equal(unlink(at(f, "dest" HOME_DIR "/control/locals")), 0);
	assert_int_equal(config_make_control(&f->p, "other.example", &done,
	    &path), 0);
	holds(f, "dest" HOME_DIR "/control/me", "mx.example.org\n");
	holds(f, "dest" HOME_DIR "/control/locals",
	    "mx.example.org\nlocalhost\nlocalhost.example.org\n");

	assert_int_equal(config_make_aliases(&f->p, NULL, &done, &path), 0);
	holds(f, "dest" HOME_DIR "/alias/.qmail-root", "./Maildir/\n");
	assert_int_equal(mode_of(f, "dest" HOME_DIR "/alias/Maildir/new"),
	    0700);
	put(f, "dest" HOME_DIR "/alias/.qmail-root", "&me\n");
	assert_int_equal(config_make_aliases(&f->p, "ana", &done, &path), 0);
	holds(f, "dest" HOME_DIR "/alias/.qmail-root", "&me\n");
	holds(f, "dest" HOME_DIR "/alias/.qmail-postmaster", "&ana\n");
	holds(f, "dest" HOME_DIR "/alias/.qmail-mailer-daemon", "&ana\n");
	assert_int_equal(config_make_aliases(&f->p, "eva", &done, &path), 0);
	holds(f, "dest" HOME_DIR "/alias/.qmail-postmaster", "&ana\n");

	(void)make_take(f, item(TREE_SYSDIR, "/etc", 0755, ""));
	assert_int_equal(config_make_rules(&f->p, &done, &path), 0);
	assert_int_equal(mode_of(f, "dest/etc/tcp.smtp"), 0644);
	assert_int_equal(mode_of(f, "dest/etc/tcp.pop3"), 0644);
	put(f, "dest/etc/tcp.smtp", ":deny\n");
	put(f, "dest/etc/tcp.pop3", "127.:allow\n");
	assert_int_equal(config_make_rules(&f->p, &done, &path), 0);
	holds(f, "dest/etc/tcp.smtp", ":deny\n");
	holds(f, "dest/etc/tcp.pop3", "127.:allow\n");
	str_free(&done);
	str_free(&path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_manifest_errors),
		cmocka_unit_test(test_filled),
		cmocka_unit_test_setup_teardown(test_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_replaces_by_rename,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_are_not_followed,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_edited_text_stays, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_kept_fifo_link, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_kept_dir_and_aside,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_setid, setup, teardown),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
