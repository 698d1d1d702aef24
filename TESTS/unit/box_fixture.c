/* TESTS/unit/box_fixture.c - see box_fixture.h. */
#include "TESTS/unit/box_fixture.h"

#include "lib/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/unit-box.XXXXXX";
struct box_config cfg;

int
box_setup(void **state)
{
	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	memcpy(strchr(dir, '.'), ".XXXXXX", 7);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("new", 0700), 0);
	assert_int_equal(mkdir("cur", 0700), 0);
	assert_int_equal(mkdir("tmp", 0700), 0);
	cfg = (struct box_config){.maildir = dir, .uidl = "auto"};
	return 0;
}

int
box_teardown(void **state)
{
	char cmd[100];

	(void)state;
	(void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd);
}

void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	(void)close(fd);
}

void
put_at(const char *path, const char *text, int64_t sec, long usec)
{
	struct timespec t[2] = {{.tv_sec = sec, .tv_nsec = usec * 1000},
	    {.tv_sec = sec, .tv_nsec = usec * 1000}};

	put(path, text);
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

void
move(const char *from, const char *to)
{
	assert_int_equal(rename(from, to), 0);
}

bool
there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

void
expect_file(const char *path, const char *text)
{
	struct str s = {0};

	assert_int_equal(fs_read(path, &s, 1 << 20), 0);
	assert_string_equal(str_c(&s), text);
	str_free(&s);
}

const char *
listing(void)
{
	static const char *const sub[] = {"cur", "new"};
	static struct str out;

	str_clear(&out);
	for (size_t k = 0; k < N_OF(sub); k++) {
		struct dirent **e;
		int n = scandir(sub[k], &e, NULL, alphasort);

		assert_true(n >= 0);
		for (int i = 0; i < n; i++) {
			if (e[i]->d_name[0] != '.')
				str_catf(&out, "%s%s/%s", out.len > 0 ? " " :
				    "", sub[k], e[i]->d_name);
			free(e[i]);
		}
		free(e);
	}
	return str_c(&out);
}

struct box *
opened(void)
{
	struct box *b;

	assert_int_equal(box_open(&b, &cfg), BOX_OK);
	return b;
}

void
get(struct box *b, size_t i, char *text, size_t size)
{
	int fd = box_message(b, i);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, size - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	(void)close(fd);
}

void
expect_uidls(struct box *b, const char *want)
{
	for (size_t i = 0; i < box_count(b); i++) {
		const char *got = box_uidl(b, i);
		size_t n = strcspn(want, " ");

		if (n == 2 && memcmp(want, "h*", 2) == 0) {
			assert_int_equal(got[0], 'h');
			assert_int_equal(strlen(got), 33);
		} else if (strlen(got) != n || memcmp(got, want, n) != 0) {
			assert_string_equal(got, want);
		}
		want += n + (want[n] == ' ');
	}
	assert_string_equal(want, "");
}
