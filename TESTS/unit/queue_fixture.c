/* queue_fixture.c - a small queue to try things on; see queue_fixture.h. */
#include "TESTS/unit/queue_fixture.h"

#include "lib/fs.h"
#include "lib/hash.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "mail/qrecord.h"
#include "mail/qtree.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];

static void
make_dir(const char *path, mode_t mode)
{
	if (*path != '\0')
		assert_int_equal(mkdir(path, mode), 0);
	assert_int_equal(chmod(*path ? path : ".", mode), 0);
}

static void
make_split_dir(const char *path, mode_t mode)
{
	char sub[32];

	make_dir(path, mode);
	for (unsigned i = 0; i < QUEUE_SPLIT; i++) {
		(void)snprintf(sub, sizeof sub, "%s/%u", path, i);
		make_dir(sub, mode);
	}
}

int
fixture_setup(void **state)
{
	(void)state;
	(void)snprintf(top, sizeof top, "/tmp/valija-queue.XXXXXX");
	(void)umask(022);
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
#define X(path, owner, mode) make_dir(path, mode);
	QTREE_DIRS(X)
#undef X
#define X(path, owner, mode) make_split_dir(path, mode);
	QTREE_SPLIT_DIRS(X)
#undef X
#define X(path, owner, mode, size)                                            \
	{                                                                     \
		static const char zeros[(size) + 1];                          \
		fixture_write(path, zeros, size);                             \
		assert_int_equal(chmod(path, mode), 0);                       \
	}
	QTREE_FILES(X)
#undef X
#define X(path, owner, mode)                                                  \
	assert_int_equal(mkfifo(path, mode), 0);                              \
	assert_int_equal(chmod(path, mode), 0);
	QTREE_FIFOS(X)
#undef X
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
fixture_teardown(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
fixture_write(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    strncmp(path, "mess", 4) == 0 || strncmp(path, "todo", 4) == 0 ||
	    strncmp(path, "intd", 4) == 0 ? 0644 : 0600);

	assert_true(fd >= 0);
	assert_true(write(fd, bytes, n) == (ssize_t)n);
	assert_int_equal(close(fd), 0);
}

void
fixture_age(const char *path, time_t atime, time_t mtime)
{
	struct timespec t[2] = {{.tv_sec = atime}, {.tv_sec = mtime}};

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

uint64_t
fixture_mess(const char *text)
{
	struct stat st;

	fixture_write("mess/new", text, strlen(text));
	assert_int_equal(stat("mess/new", &st), 0);
	assert_int_equal(rename("mess/new",
	    qpath_split("mess", st.st_ino).s), 0);
	return st.st_ino;
}

void
fixture_mess_as(uint64_t id, const char *text)
{
	fixture_write(qpath_split("mess", id).s, text, strlen(text));
}

void
fixture_todo(uint64_t id, const char *sender, const char *rcpts)
{
	struct str mess = {0}, body = {0}, file = {0};
	struct hash hm, he;

	if (fs_read(qpath_split("mess", id).s, &mess, ENVELOPE_MAX) < 0)
		str_clear(&mess);       /* an envelope without message */
	hash_init(&hm, 0, 0);
	hash_add(&hm, str_c(&mess), mess.len);
	qrecord_cat_sender(&body, sender);
	for (; *rcpts != '\0'; rcpts += strlen(rcpts) + 1)
		qrecord_cat_rcpt(&body, rcpts);
	hash_init(&he, 0, 0);
	hash_add(&he, body.s, body.len);
	qrecord_cat_head(&file, 1000, 77, mess.len, hash_end(&hm),
	    hash_end(&he));
	str_cat(&file, &body);
	fixture_write(qpath_flat("todo", id).s, file.s, file.len);
	str_free(&mess);
	str_free(&body);
	str_free(&file);
}

void
fixture_info(uint64_t id, const char *sender, const void *local,
    size_t nlocal, const void *remote, size_t nremote)
{
	struct str s = {0};

	str_catc(&s, 'F');
	str_catb(&s, sender, strlen(sender) + 1);
	fixture_write(qpath_split("info", id).s, s.s, s.len);
	if (local != NULL)
		fixture_write(qpath_split("local", id).s, local, nlocal);
	if (remote != NULL)
		fixture_write(qpath_split("remote", id).s, remote, nremote);
	str_free(&s);
}

bool
fixture_there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
fixture_split_there(const char *dir, uint64_t id)
{
	return fixture_there(qpath_split(dir, id).s);
}

bool
fixture_flat_there(const char *dir, uint64_t id)
{
	return fixture_there(qpath_flat(dir, id).s);
}

bool
fixture_holds(const char *path, const void *bytes, size_t n)
{
	struct str s = {0};
	bool same = fs_read(path, &s, ENVELOPE_MAX) == 0 && s.len == n &&
	    memcmp(str_c(&s), bytes, n) == 0;

	str_free(&s);
	return same;
}
