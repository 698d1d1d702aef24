/* TESTS/fuzz/fuzz_logger.c - multilog over any bytes in pieces of any size,
 * with files as small as they get: what is in the files, old ones first, are
 * the lines that the pattern selects.  Byte 0: the piece size; then a pattern
 * and a newline; the rest is the input. */
#include "TESTS/fuzz/fuzz.h"

#include "supervise/logger.h"
#include "supervise/logpat.h"

#include "lib/fs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* The lines of s that match within their first LOGGER_LINE bytes. */
static void
model(const char *pattern, const char *s, size_t n, struct str *out)
{
	while (n > 0) {
		size_t len = bytes_chr(s, n, '\n'), whole = len + (len < n);

		if (logpat_matches(pattern, s,
		    len < LOGGER_LINE ? len : LOGGER_LINE)) {
			str_catb(out, s, len);
			str_catc(out, '\n');
		}
		s += whole;
		n -= whole;
	}
}

static int
is_log(const struct dirent *d)
{
	return d->d_name[0] == '@' || strcmp(d->d_name, "current") == 0;
}

/* '@' sorts before 'c': old files come first, oldest first. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Appends all files of dir to out and removes them. */
static void
collect(const char *dir, struct str *out)
{
	struct dirent **list;
	struct str path = {0};
	int n = scandir(dir, &list, is_log, by_name);

	must(n >= 1);
	for (int i = 0; i < n; i++) {
		str_copys(&path, dir);
		str_catc(&path, '/');
		str_cats(&path, list[i]->d_name);
		must(fs_read(str_c(&path), out, 1 << 20) == 0);
		must(unlink(str_c(&path)) == 0);
		free(list[i]);
	}
	free(list);
	str_copys(&path, dir);
	str_cats(&path, "/lock");
	must(unlink(str_c(&path)) == 0 && rmdir(dir) == 0);
	str_free(&path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char dir[] = "/tmp/fuzz_logger.XXXXXX", pattern[256] = "+";
	char none[] = "-*", size[] = "s4096", num[] = "n1000";
	char *script[] = {size, num, none, pattern, dir, NULL};
	const char *s = (const char *)bytes + 1;
	struct str want = {0}, got = {0};
	struct logger l;
	size_t piece, len;

	if (n < 2 || n > 65536)
		return 0;
	piece = bytes[0] ? bytes[0] : 1;
	n--;
	len = bytes_chr(s, n, '\n');
	if (len == n || len > sizeof pattern - 2)
		return 0;
	memcpy(pattern + 1, s, len);    /* a NUL in it ends the pattern */
	pattern[1 + len] = '\0';
	s += len + 1;
	n -= len + 1;
	model(pattern + 1, s, n, &want);
	must(mkdtemp(dir) != NULL);
	logger_open(&l, script);
	for (size_t at = 0; at < n; at += piece) {
		logger_feed(&l, s + at, n - at < piece ? n - at : piece);
		if (at % 7 == 0)
			logger_settle(&l);
	}
	logger_close(&l);
	collect(dir, &got);
	must(got.len == want.len);
	must(got.len == 0 || memcmp(got.s, want.s, got.len) == 0);
	str_free(&want);
	str_free(&got);
	return 0;
}
