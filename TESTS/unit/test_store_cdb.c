/* test_store_cdb.c - the embedded store: the bytes of vpasswd, what is kept,
 * what older programs and other processes do to it, and that a change killed
 * at any of its system calls is either done or not. */
#include "vpop/store_ops.h"

#include "lib/cdb.h"
#include "lib/fs.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <time.h>

#define NOBODY 65534

static char tmp[] = "/tmp/unit-store.XXXXXX";
static char dir[64];            /* tmp/d: the domain's directory */
static struct vdomain_ref ref;
static struct vstore *store;

/* Files */

static char *
path_of(const char *name)
{
	static char path[2][256];
	static unsigned turn;

	turn++;
	(void)snprintf(path[turn % 2], sizeof path[0], "%s/%s", dir, name);
	return path[turn % 2];
}

static void
putb(const char *name, const char *bytes, size_t n)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chown(path_of(name), ref.uid, ref.gid), 0);
}

static void
put(const char *name, const char *text)
{
	putb(name, text, strlen(text));
}

static void
text_is(const char *name, const char *want)
{
	struct str got = {0};

	assert_int_equal(fs_read(path_of(name), &got, 1 << 20), 0);
	assert_string_equal(str_c(&got), want);
	str_free(&got);
}

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(path_of(name), &st) == 0;
}

static void
empty_dir(const char *d)
{
	char path[512];
	struct dirent *e;
	DIR *h = opendir(d);

	if (h == NULL)
		return;
	while ((e = readdir(h)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", d, e->d_name);
		if (remove(path) < 0) {
			empty_dir(path);
			(void)rmdir(path);
		}
	}
	(void)closedir(h);
}

/* A new store over an empty directory. */
static int
fresh(void **state)
{
	(void)state;
	vstore_close(store);
	store = vstore_open("cdb", tmp);
	store->lock_ms = 60;
	empty_dir(dir);
	return 0;
}

static int
fresh_domain(void **state)
{
	(void)fresh(state);
	return vstore_domain_add(store, &ref) == VSTORE_OK ? 0 : -1;
}

/* Accounts */

static struct vuser
user(const char *name, const char *hash, const char *gecos)
{
	struct vuser u = {0};

	str_copys(&u.name, name);
	str_copys(&u.hash, hash);
	str_copys(&u.gecos, gecos);
	str_catf(&u.dir, "%s/%s", dir, name);
	str_copys(&u.quota, "NOQUOTA");
	return u;
}

static enum vstore_status
add(const char *name)
{
	struct vuser u = user(name, "$1$x$y", name);
	enum vstore_status st = vstore_user_add(store, &ref, &u);

	vuser_free(&u);
	return st;
}

static enum vstore_status
get(const char *name)
{
	struct vuser u = {0};
	enum vstore_status st = vstore_user_get(store, &ref, name, &u);

	if (st == VSTORE_OK)
		assert_string_equal(str_c(&u.name), name);
	vuser_free(&u);
	return st;
}

static int
gather(void *arg, const struct vuser *u)
{
	str_catf(arg, "%s ", str_c(&u->name));
	return 0;
}

static void
each_is(enum vstore_status want, const char *names)
{
	struct str got = {0};
	int ended;

	assert_int_equal(vstore_user_each(store, &ref, gather, &got, &ended),
	    want);
	assert_int_equal(ended, 0);
	assert_string_equal(str_c(&got), names);
	str_free(&got);
}

/* The index holds exactly what the text says. */
static void
index_agrees(void)
{
	struct str text = {0}, value = {0};
	struct cdb_file *db;
	size_t at = 0;

	assert_int_equal(fs_read(path_of("vpasswd"), &text, 1 << 26), 0);
	assert_int_equal(cdbfile_open(path_of("vpasswd.cdb"), &db), CDB_OK);
	while (at < text.len) {
		const char *s = text.s + at;
		size_t n = bytes_chr(s, text.len - at, '\n');
		size_t name = bytes_chr(s, n, ':');

		at += n + 1;
		if (name == n)
			continue;
		str_clear(&value);
		assert_int_equal(cdbfile_get(db, s, name, &value), CDB_OK);
		assert_int_equal(value.len, n - name - 1);
		assert_memory_equal(str_c(&value), s + name + 1, value.len);
	}
	cdbfile_close(db);
	str_free(&text);
	str_free(&value);
}

static void
life(void **state)
{
	struct vuser u = {0}, v = {0};
	uint64_t n;

	(void)state;
	assert_int_equal(vstore_domain_add(store, &ref), VSTORE_OK);
	text_is("vpasswd", "");
	assert_int_equal(vstore_domain_add(store, &ref), VSTORE_EXISTS);
	assert_int_equal(get("bob"), VSTORE_NONE);
	each_is(VSTORE_OK, "");

	u = user("bob", "$6$salt$hash", "Bob");
	u.flags = VPOP_NO_POP | VPOP_QA_ADMIN;
	u.apop = 1;
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_OK);
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_EXISTS);
	assert_int_equal(add("alice"), VSTORE_OK);
	assert_int_equal(add("bo"), VSTORE_OK);
	assert_int_equal(add("bob2"), VSTORE_OK);
	{
		char want[1024];

		(void)snprintf(want, sizeof want,
		    "alice:$1$x$y:1:0:alice:%s/alice:NOQUOTA\n"
		    "bo:$1$x$y:1:0:bo:%s/bo:NOQUOTA\n"
		    "bob:$6$salt$hash:2:4098:Bob:%s/bob:NOQUOTA\n"
		    "bob2:$1$x$y:1:0:bob2:%s/bob2:NOQUOTA\n", dir, dir, dir,
		    dir);
		text_is("vpasswd", want);
	}
	index_agrees();
	each_is(VSTORE_OK, "alice bo bob bob2 ");
	assert_int_equal(vstore_user_count(store, &ref, &n), VSTORE_OK);
	assert_int_equal(n, 4);

	assert_int_equal(vstore_user_get(store, &ref, "bob", &v), VSTORE_OK);
	assert_string_equal(str_c(&v.hash), "$6$salt$hash");
	assert_int_equal(v.apop, 1);
	assert_int_equal(v.flags, 0x1002);
	assert_string_equal(str_c(&v.gecos), "Bob");
	assert_string_equal(str_c(&v.quota), "NOQUOTA");
	assert_string_equal(str_c(&v.clear), "");

	str_copys(&v.quota, "1000S");
	str_copys(&v.clear, "a:b c");
	assert_int_equal(vstore_user_set(store, &ref, &v), VSTORE_OK);
	assert_int_equal(vstore_user_get(store, &ref, "bob", &v), VSTORE_OK);
	assert_string_equal(str_c(&v.quota), "1000S");
	assert_string_equal(str_c(&v.clear), "a:b c");
	str_copys(&v.name, "nobody");
	assert_int_equal(vstore_user_set(store, &ref, &v), VSTORE_NONE);

	assert_int_equal(vstore_user_del(store, &ref, "bob"), VSTORE_OK);
	assert_int_equal(vstore_user_del(store, &ref, "bob"), VSTORE_NONE);
	assert_int_equal(get("bob"), VSTORE_NONE);
	each_is(VSTORE_OK, "alice bo bob2 ");
	index_agrees();
	assert_false(exists(".vpasswd.new"));
	assert_false(exists(".vpasswd.cdb.new"));
	vuser_free(&u);
	vuser_free(&v);
}

/* As vpopmail left it, with a clear password, and odd things in it. */
static const char old_text[] =
    "# a note\n"
    "ann:$1$aa$bb:1:0:Ann B.:/v/d/ann:NOQUOTA:secret\n"
    "broken\n"
    "carl:XYabc:01:00:Carl:/v/d/0/carl:5242880S:\n"
    "dora::2:12:Dora:/v/d/dora:NOQUOTA:\n"
    "dora::1:0:second Dora:/v/d/dora2:NOQUOTA:\n"
    "\n"
    "half:x:1\n"
    "zoe:$1$z$z:1:0:Zoe:/v/d/zoe:NOQUOTA:pw\n";

static void
taken_over(void **state)
{
	struct vuser u = {0};
	struct stat before, after;
	uint64_t n;

	(void)state;
	put("vpasswd", old_text);
	assert_int_equal(chmod(path_of("vpasswd"), 0644), 0);
	assert_int_equal(stat(path_of("vpasswd"), &before), 0);
	assert_int_equal(get("ann"), VSTORE_OK);
	assert_int_equal(vstore_user_get(store, &ref, "carl", &u), VSTORE_OK);
	assert_string_equal(str_c(&u.dir), "/v/d/0/carl");
	assert_int_equal(u.apop, 0);
	/* nothing new: no byte and no file changes */
	assert_int_equal(vstore_user_set(store, &ref, &u), VSTORE_OK);
	assert_int_equal(stat(path_of("vpasswd"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_false(exists("vpasswd.cdb"));
	text_is("vpasswd", old_text);

	assert_int_equal(vstore_user_get(store, &ref, "dora", &u), VSTORE_OK);
	assert_int_equal(u.apop, 1);
	assert_string_equal(str_c(&u.gecos), "Dora");
	assert_int_equal(get("half"), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), "half"));
	/* the good ones, then that not all of them are good */
	each_is(VSTORE_TEMP, "ann carl dora zoe ");
	assert_non_null(strstr(vstore_reason_peek(store), "3 malformed"));
	assert_int_equal(vstore_user_count(store, &ref, &n), VSTORE_TEMP);
	assert_int_equal(n, 4);

	/* one line changes; it is sorted, and the rest is as it was */
	assert_int_equal(vstore_user_get(store, &ref, "carl", &u), VSTORE_OK);
	str_copys(&u.quota, "NOQUOTA");
	assert_int_equal(vstore_user_set(store, &ref, &u), VSTORE_OK);
	text_is("vpasswd",
	    "\n"
	    "# a note\n"
	    "ann:$1$aa$bb:1:0:Ann B.:/v/d/ann:NOQUOTA:secret\n"
	    "broken\n"
	    "carl:XYabc:01:00:Carl:/v/d/0/carl:NOQUOTA:\n"
	    "dora::2:12:Dora:/v/d/dora:NOQUOTA:\n"
	    "dora::1:0:second Dora:/v/d/dora2:NOQUOTA:\n"
	    "half:x:1\n"
	    "zoe:$1$z$z:1:0:Zoe:/v/d/zoe:NOQUOTA:pw\n");
	assert_int_equal(stat(path_of("vpasswd"), &after), 0);
	assert_int_equal(after.st_mode & 0777, 0644);
	assert_int_equal(stat(path_of("vpasswd.cdb"), &after), 0);
	assert_int_equal(after.st_mode & 0777, 0644);

	/* new lines have eight fields where the others have */
	assert_int_equal(add("eve"), VSTORE_OK);
	{
		char want[256];
		struct str got = {0};

		(void)snprintf(want, sizeof want,
		    "\neve:$1$x$y:1:0:eve:%s/eve:NOQUOTA:\nhalf", dir);
		assert_int_equal(fs_read(path_of("vpasswd"), &got, 4096), 0);
		assert_non_null(strstr(str_c(&got), want));
		str_free(&got);
	}
	/* gone is gone, not the second of that name */
	assert_int_equal(vstore_user_del(store, &ref, "dora"), VSTORE_OK);
	assert_int_equal(get("dora"), VSTORE_NONE);
	/* repaired by setting it */
	str_copys(&u.name, "half");
	assert_int_equal(vstore_user_set(store, &ref, &u), VSTORE_OK);
	assert_int_equal(get("half"), VSTORE_OK);
	vuser_free(&u);
}

/* An editor's or a killed program's vpasswd is newer than its index. */
static void
index_is_behind(void **state)
{
	struct stat text, index;
	struct timespec times[2] = {{0}};

	(void)state;
	assert_int_equal(add("bob"), VSTORE_OK);
	assert_int_equal(add("carl"), VSTORE_OK);
	assert_int_equal(stat(path_of("vpasswd"), &text), 0);
	assert_int_equal(stat(path_of("vpasswd.cdb"), &index), 0);
	assert_int_equal(text.st_mtim.tv_sec, index.st_mtim.tv_sec);
	assert_int_equal(text.st_mtim.tv_nsec, index.st_mtim.tv_nsec);

	put("vpasswd", "dora:x:1:0:D:/d:NOQUOTA\n");
	times[0] = times[1] = index.st_mtim;
	times[1].tv_sec++;
	assert_int_equal(utimensat(AT_FDCWD, path_of("vpasswd"), times, 0), 0);
	assert_int_equal(get("bob"), VSTORE_NONE);
	assert_int_equal(get("dora"), VSTORE_OK);
	assert_int_equal(vstore_domain_index(store, &ref), VSTORE_OK);
	index_agrees();
	assert_int_equal(get("dora"), VSTORE_OK);
	assert_int_equal(vstore_domain_index(store, &ref), VSTORE_EXISTS);

	/* a clock that went back does not make a new text old */
	times[0].tv_sec = times[1].tv_sec = time(NULL) + 1000;
	assert_int_equal(utimensat(AT_FDCWD, path_of("vpasswd.cdb"), times, 0),
	    0);
	assert_int_equal(add("erna"), VSTORE_OK);
	assert_int_equal(stat(path_of("vpasswd"), &text), 0);
	assert_true(text.st_mtim.tv_sec >= times[0].tv_sec);
	assert_int_equal(unlink(path_of("vpasswd.cdb")), 0);
	assert_int_equal(get("erna"), VSTORE_OK);
	assert_int_equal(get("bob"), VSTORE_NONE);

	/* damaged: the text knows */
	put("vpasswd.cdb", "not a database, and long enough to be read as one");
	assert_int_equal(get("erna"), VSTORE_OK);
	/* only the index: look-ups go on, nothing is changed */
	assert_int_equal(vstore_domain_index(store, &ref), VSTORE_OK);
	assert_int_equal(unlink(path_of("vpasswd")), 0);
	assert_int_equal(get("erna"), VSTORE_OK);
	assert_int_equal(add("fred"), VSTORE_TEMP);
	each_is(VSTORE_TEMP, "");
	assert_false(exists("vpasswd"));
}

static void
nothing_there(void **state)
{
	struct vdomain_ref nowhere = ref;
	struct vuser u = {0};
	uint64_t n;

	(void)state;
	assert_int_equal(get("bob"), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), "vpasswd"));
	assert_int_equal(add("bob"), VSTORE_TEMP);
	assert_int_equal(vstore_user_count(store, &ref, &n), VSTORE_TEMP);
	nowhere.dir = "/nowhere/at/all";
	assert_int_equal(vstore_user_get(store, &nowhere, "bob", &u),
	    VSTORE_TEMP);
	assert_int_equal(vstore_domain_add(store, &nowhere), VSTORE_TEMP);
	assert_int_equal(vstore_domain_del(store, &nowhere), VSTORE_OK);
	assert_int_equal(mkdir(path_of("vpasswd"), 0700), 0);
	assert_int_equal(get("bob"), VSTORE_TEMP);
	assert_int_equal(rmdir(path_of("vpasswd")), 0);
	assert_int_equal(mkfifo(path_of("vpasswd"), 0600), 0);
	assert_int_equal(get("bob"), VSTORE_TEMP);
}

static void
does_not_fit(void **state)
{
	struct vuser u = user("bob", "hash", "Bob");
	char big[300];

	(void)state;
	memset(big, 'x', sizeof big);
	str_copys(&u.gecos, "a:b");
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_WIDE);
	assert_non_null(strstr(vstore_reason_peek(store), "comment"));
	str_copys(&u.gecos, "a\nb:x:1:0:::");
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_WIDE);
	str_copyb(&u.gecos, "a\0b", 3);
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_WIDE);
	str_copyb(&u.gecos, big, VPOP_GECOS_MAX + 1);
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_WIDE);
	str_copyb(&u.gecos, big, VPOP_GECOS_MAX);
	str_copyb(&u.hash, big, VPOP_HASH_MAX);
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_OK);
	assert_int_equal(vstore_user_get(store, &ref, "bob", &u), VSTORE_OK);
	assert_int_equal(u.hash.len, VPOP_HASH_MAX);
	str_copyb(&u.hash, big, VPOP_HASH_MAX + 1);
	assert_int_equal(vstore_user_set(store, &ref, &u), VSTORE_WIDE);
	assert_int_equal(add("x"), VSTORE_WIDE);
	assert_int_equal(add("../up"), VSTORE_WIDE);
	assert_int_equal(add("vpasswd"), VSTORE_WIDE);
	assert_int_equal(add("a:b"), VSTORE_WIDE);
	assert_int_equal(get("a:b"), VSTORE_NONE);
	assert_int_equal(get(""), VSTORE_NONE);
	assert_int_equal(vstore_user_del(store, &ref, "a\nb"), VSTORE_NONE);
	each_is(VSTORE_OK, "bob ");
	vuser_free(&u);
}

static void
locked(void **state)
{
	struct flock fl = {.l_type = F_WRLCK};
	int fd;

	(void)state;
	assert_int_equal(add("bob"), VSTORE_OK);
	fd = open(path_of(".vpasswd.lock"), O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETLK, &fl), 0);   /* as vpopmail does */
	assert_int_equal(add("carl"), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), "holds the lock"));
	assert_int_equal(get("bob"), VSTORE_OK);
	assert_int_equal(get("carl"), VSTORE_NONE);
	(void)close(fd);
	assert_int_equal(add("carl"), VSTORE_OK);

	/* a link or a pipe in its place is not followed, and not waited for */
	assert_int_equal(unlink(path_of(".vpasswd.lock")), 0);
	assert_int_equal(symlink("elsewhere", path_of(".vpasswd.lock")), 0);
	assert_int_equal(add("dora"), VSTORE_TEMP);
	assert_false(exists("elsewhere"));
	assert_int_equal(unlink(path_of(".vpasswd.lock")), 0);
	assert_int_equal(mkfifo(path_of(".vpasswd.lock"), 0666), 0);
	assert_int_equal(add("dora"), VSTORE_TEMP);
	assert_int_equal(unlink(path_of(".vpasswd.lock")), 0);
	/* left by a crash, or laid there */
	assert_int_equal(symlink("/etc/passwd", path_of(".vpasswd.new")), 0);
	assert_int_equal(symlink("/etc/passwd", path_of(".vpasswd.cdb.new")),
	    0);
	assert_int_equal(add("dora"), VSTORE_OK);
	each_is(VSTORE_OK, "bob carl dora ");
}

static void
owners(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(add("bob"), VSTORE_OK);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(stat(path_of("vpasswd"), &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	assert_int_equal(st.st_gid, NOBODY);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_of("vpasswd.cdb"), &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	assert_int_equal(stat(path_of(".vpasswd.lock"), &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	/* root itself again: a file only root may read */
	assert_int_equal(access("/etc/shadow", R_OK), 0);
	/* what the owner may not read is not read for him */
	assert_int_equal(unlink(path_of("vpasswd")), 0);
	assert_int_equal(unlink(path_of("vpasswd.cdb")), 0);
	assert_int_equal(symlink("/etc/shadow", path_of("vpasswd")), 0);
	assert_int_equal(get("root"), VSTORE_TEMP);
	each_is(VSTORE_TEMP, "");
}

/* Many at once, written once. */
static void
bulk(void **state)
{
	struct vdomain_ref other = ref;
	struct stat before, after;
	struct vuser u = {0};
	char name[32];
	uint64_t n;

	(void)state;
	assert_int_equal(add("user00500"), VSTORE_OK);
	assert_int_equal(stat(path_of("vpasswd"), &before), 0);
	assert_int_equal(vstore_bulk_begin(store, &ref), VSTORE_OK);
	assert_int_equal(vstore_bulk_begin(store, &ref), VSTORE_TEMP);
	for (int i = 9999; i >= 0; i--) {
		(void)snprintf(name, sizeof name, "user%05d", i);
		assert_int_equal(add(name), i == 500 ? VSTORE_EXISTS :
		    VSTORE_OK);
	}
	assert_int_equal(get("user00000"), VSTORE_OK);
	assert_int_equal(vstore_user_count(store, &ref, &n), VSTORE_OK);
	assert_int_equal(n, 10000);
	assert_int_equal(vstore_user_del(store, &ref, "user00001"), VSTORE_OK);
	assert_int_equal(vstore_user_del(store, &ref, "user00500"), VSTORE_OK);
	assert_int_equal(vstore_user_get(store, &ref, "user00002", &u),
	    VSTORE_OK);
	str_copys(&u.gecos, "two");
	assert_int_equal(vstore_user_set(store, &ref, &u), VSTORE_OK);
	assert_int_equal(vstore_user_get(store, &ref, "user00002", &u),
	    VSTORE_OK);
	assert_string_equal(str_c(&u.gecos), "two");
	assert_int_equal(add("user00001"), VSTORE_OK);
	assert_int_equal(vstore_user_del(store, &ref, "user00001"), VSTORE_OK);
	assert_int_equal(stat(path_of("vpasswd"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	/* another domain meanwhile is not kept back */
	other.dir = tmp;
	assert_int_equal(vstore_user_get(store, &other, "bob", &u),
	    VSTORE_TEMP);
	assert_int_equal(vstore_bulk_end(store), VSTORE_OK);
	assert_int_equal(vstore_user_count(store, &ref, &n), VSTORE_OK);
	assert_int_equal(n, 9998);
	index_agrees();
	assert_int_equal(get("user00001"), VSTORE_NONE);
	assert_int_equal(get("user00500"), VSTORE_NONE);
	assert_int_equal(get("user09999"), VSTORE_OK);
	assert_int_equal(add("user00001"), VSTORE_OK);  /* the lock is free */

	/* forgotten when the store is closed */
	assert_int_equal(vstore_bulk_begin(store, &ref), VSTORE_OK);
	assert_int_equal(add("lost"), VSTORE_OK);
	vstore_close(store);
	store = vstore_open("cdb", tmp);
	assert_int_equal(get("lost"), VSTORE_NONE);
	assert_int_equal(add("found"), VSTORE_OK);
	vuser_free(&u);
}

/* Four processes, fifty accounts each: none is lost. */
static void
together(void **state)
{
	uint64_t n;
	pid_t pids[4];
	int status;

	(void)state;
	store->lock_ms = 60000;
	for (int p = 0; p < 4; p++) {
		pids[p] = fork();
		assert_true(pids[p] >= 0);
		if (pids[p] == 0) {
			char name[32];
			int bad = 0;

			for (int i = 0; i < 50; i++) {
				(void)snprintf(name, sizeof name, "p%d-%d", p,
				    i);
				bad += add(name) != VSTORE_OK;
			}
			_exit(bad != 0);
		}
	}
	for (int p = 0; p < 4; p++) {
		assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(vstore_user_count(store, &ref, &n), VSTORE_OK);
	assert_int_equal(n, 200);
	index_agrees();
}

/* In a child with a mount of its own: 0, or the number of what was wrong. */
static void
on_full_disk(void *arg)
{
	char block[4096] = {0};
	struct stat before, after;
	int fd;

	(void)arg;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=256k") < 0 ||
	    chown(dir, ref.uid, ref.gid) < 0)
		_exit(77);
	if (vstore_domain_add(store, &ref) != VSTORE_OK ||
	    add("bob") != VSTORE_OK || stat(path_of("vpasswd"), &before) < 0)
		_exit(1);
	fd = open(path_of("filler"), O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof block) > 0)
		continue;
	if (add("carl") != VSTORE_TEMP ||
	    strstr(vstore_reason_peek(store), "No space") == NULL)
		_exit(2);
	if (stat(path_of("vpasswd"), &after) < 0 ||
	    after.st_ino != before.st_ino || get("bob") != VSTORE_OK ||
	    get("carl") != VSTORE_NONE)
		_exit(3);
	if (exists(".vpasswd.new") || exists(".vpasswd.cdb.new"))
		_exit(4);
	/* room for the text and not for the index */
	if (ftruncate(fd, (off_t)(256 * 1024 - 16 * 4096)) < 0)
		_exit(5);
	while (write(fd, block, sizeof block) > 0)
		continue;
	if (ftruncate(fd, lseek(fd, 0, SEEK_END) - 4096) < 0)
		_exit(6);
	if (add("carl") != VSTORE_TEMP || get("bob") != VSTORE_OK ||
	    get("carl") != VSTORE_NONE || exists(".vpasswd.new"))
		_exit(7);
	(void)unlink(path_of("filler"));
	(void)close(fd);
	if (add("carl") != VSTORE_OK || get("carl") != VSTORE_OK)
		_exit(8);
}

static void
full_disk(void **state)
{
	char text[256];
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	status = unit_child(on_full_disk, NULL, text, sizeof text);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Runs one change in a child that is killed before its k-th system call (or
 * after it has answered); true when it ended by itself. */
static bool
killed_at(int k, void (*change)(void))
{
	int status, calls = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		change();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return true;
		}
		assert_true(WIFSTOPPED(status));
		if (++calls == k) {
			assert_int_equal(kill(pid, SIGKILL), 0);
			while (waitpid(pid, &status, 0) == pid &&
			    WIFSTOPPED(status))
				(void)ptrace(PTRACE_CONT, pid, NULL, NULL);
			return false;
		}
	}
}

static void
change_add(void)
{
	if (add("carl") != VSTORE_OK)
		_exit(1);
}

static void
change_set(void)
{
	struct vuser u = user("bob", "new", "Bob");

	if (vstore_user_set(store, &ref, &u) != VSTORE_OK)
		_exit(1);
}

static void
change_del(void)
{
	if (vstore_user_del(store, &ref, "bob") != VSTORE_OK)
		_exit(1);
}

static void
change_many(void)
{
	if (vstore_bulk_begin(store, &ref) != VSTORE_OK ||
	    add("eve") != VSTORE_OK || add("carl") != VSTORE_OK ||
	    vstore_user_del(store, &ref, "bob") != VSTORE_OK ||
	    vstore_bulk_end(store) != VSTORE_OK)
		_exit(1);
}

/* What look-ups say of bob's hash and of carl, and what listing says: they
 * must agree. */
static const char *
state_now(void)
{
	static char now[64];
	struct vuser u = {0};
	struct str names = {0};
	const char *hash = "-";
	int ended;

	if (vstore_user_get(store, &ref, "bob", &u) == VSTORE_OK)
		hash = str_eqs(&u.hash, "old") ? "old" : "new";
	assert_int_equal(vstore_user_each(store, &ref, gather, &names,
	    &ended), VSTORE_OK);
	(void)snprintf(now, sizeof now, "%s %d %s", hash,
	    get("carl") == VSTORE_OK, str_c(&names));
	vuser_free(&u);
	str_free(&names);
	return now;
}

static void
killed(void **state)
{
	static const struct { void (*change)(void); const char *after; }
	changes[] = {
		{change_add, "old 1 ann bob carl "},
		{change_set, "new 0 ann bob "},
		{change_del, "- 0 ann "},
		{change_many, "- 1 ann carl eve "},
	};
	static const char before[] = "old 0 ann bob ";
	struct vuser u = user("bob", "old", "Bob");
	struct str text = {0}, index = {0};
	bool over;

	(void)state;
	assert_int_equal(add("ann"), VSTORE_OK);
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_OK);
	assert_int_equal(fs_read(path_of("vpasswd"), &text, 1 << 20), 0);
	assert_int_equal(fs_read(path_of("vpasswd.cdb"), &index, 1 << 20), 0);
	for (size_t c = 0; c < N_OF(changes); c++) {
		int seen_old = 0, seen_new = 0, k = 0;

		do {
			const char *now;

			(void)fresh(NULL);
			putb("vpasswd", str_c(&text), text.len);
			putb("vpasswd.cdb", str_c(&index), index.len);
			over = killed_at(++k, changes[c].change);
			now = state_now();
			if (strcmp(now, before) == 0)
				seen_old++;
			else if (strcmp(now, changes[c].after) == 0)
				seen_new++;
			else
				fail_msg("change %zu at call %d: %s", c, k,
				    now);
			/* the next change finds its way */
			assert_int_equal(add("dora"), VSTORE_OK);
			assert_int_equal(get("ann"), VSTORE_OK);
			assert_int_equal(get("dora"), VSTORE_OK);
			index_agrees();
			assert_false(exists(".vpasswd.new"));
			assert_false(exists(".vpasswd.cdb.new"));
		} while (!over && k < 1000);
		/* it did see calls on either side of the moment */
		assert_true(seen_old > 10);
		assert_true(seen_new > 2);
		assert_true(over);
	}
	vuser_free(&u);
	str_free(&text);
	str_free(&index);
}

static void
other_kinds(void **state)
{
	struct vstore *s = vstore_open("mysql", tmp);
	struct vuser u = {0};

	(void)state;
	assert_int_equal(vstore_user_get(s, &ref, "bob", &u), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(s), "not built"));
	assert_int_equal(vstore_domain_add(s, &ref), VSTORE_TEMP);
	assert_int_equal(vstore_bulk_begin(s, &ref), VSTORE_TEMP);
	vstore_close(s);
	s = vstore_open("oracle", tmp);
	assert_int_equal(vstore_user_get(s, &ref, "bob", &u), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(s), "unknown kind"));
	vstore_close(s);
	vstore_close(NULL);
}

static void
domain_goes(void **state)
{
	struct vuser u = user("bob", "x", "Bob");

	(void)state;
	assert_int_equal(vstore_user_add(store, &ref, &u), VSTORE_OK);
	assert_int_equal(mkdir(path_of("bob"), 0700), 0);
	assert_int_equal(chown(path_of("bob"), ref.uid, ref.gid), 0);
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1, "1.2.3.4"),
	    VSTORE_OK);
	assert_int_equal(vstore_alias_add(store, &ref, "info", "&bob@x.y"),
	    VSTORE_OK);
	put(".qmail-default", "| x\n");
	put(".qmailadmin-limits", "maxaliases: 3\n");
	assert_int_equal(vstore_domain_del(store, &ref), VSTORE_OK);
	assert_false(exists("vpasswd"));
	assert_false(exists("vpasswd.cdb"));
	assert_false(exists(".vpasswd.lock"));
	assert_false(exists(".qmail-info"));
	assert_false(exists(".qmailadmin-limits"));
	assert_false(exists("bob/lastauth"));
	assert_true(exists(".qmail-default"));
	assert_true(exists("bob"));
	assert_int_equal(vstore_domain_del(store, &ref), VSTORE_OK);
	vuser_free(&u);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(tmp) == NULL || chmod(tmp, 0711) < 0)
		return -1;
	(void)snprintf(dir, sizeof dir, "%s/d", tmp);
	ref = (struct vdomain_ref){.name = "example.com", .dir = dir,
	    .uid = geteuid(), .gid = getegid()};
	if (geteuid() == 0)
		ref.uid = ref.gid = NOBODY;
	return mkdir(dir, 0700) + chown(dir, ref.uid, ref.gid);
}

static int
teardown(void **state)
{
	(void)state;
	vstore_close(store);
	empty_dir(dir);
	return rmdir(dir) + rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(life, fresh),
		cmocka_unit_test_setup(taken_over, fresh),
		cmocka_unit_test_setup(index_is_behind, fresh_domain),
		cmocka_unit_test_setup(nothing_there, fresh),
		cmocka_unit_test_setup(does_not_fit, fresh_domain),
		cmocka_unit_test_setup(locked, fresh_domain),
		cmocka_unit_test_setup(owners, fresh_domain),
		cmocka_unit_test_setup(bulk, fresh_domain),
		cmocka_unit_test_setup(together, fresh_domain),
		cmocka_unit_test_setup(full_disk, fresh),
		cmocka_unit_test_setup(killed, fresh_domain),
		cmocka_unit_test_setup(domain_goes, fresh_domain),
		cmocka_unit_test_setup(other_kinds, fresh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
