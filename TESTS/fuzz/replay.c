/* TESTS/fuzz/replay.c - run a fuzz target over its corpus without a fuzzer.
 *
 * Each argument is a directory or a file.  Every file is an input, and so is
 * every truncation of a file under 4 KiB.  An input is given in a heap block
 * of exactly its size, so that the sanitizers see one byte too far.
 * Exits 0, or 1 when there was nothing to run; a target fails by crashing. */
#include "TESTS/fuzz/fuzz.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "lib/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CUT_MAX 4096                    /* bytes: larger files run whole */
#define INPUT_MAX ((size_t)16 << 20)

struct tally {
	size_t files, inputs;
};

static void
run_bytes(struct tally *t, const char *bytes, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);
	const uint8_t *in = exact;

	if (exact == NULL)
		die(111, "out of memory");
	if (n > 0)
		memcpy(exact, bytes, n);
	else
		in = exact + 1;         /* nothing to read at all */
	(void)LLVMFuzzerTestOneInput(in, n);
	free(exact);
	t->inputs++;
}

static void
run_file(struct tally *t, const char *path)
{
	struct str s = {0};

	if (fs_read(path, &s, INPUT_MAX) < 0)
		die_sys(111, "unable to read %s", path);
	if (s.len < CUT_MAX)
		for (size_t n = 0; n < s.len; n++)
			run_bytes(t, str_c(&s), n);
	run_bytes(t, str_c(&s), s.len);
	t->files++;
	str_free(&s);
}

static void
run_dir(struct tally *t, const char *path)
{
	struct str name = {0};
	struct dirent *e;
	DIR *d = opendir(path);

	if (d == NULL && errno == ENOTDIR) {
		run_file(t, path);
		return;
	}
	if (d == NULL)
		die_sys(111, "unable to open %s", path);
	for (;;) {
		errno = 0;
		e = readdir(d);
		if (e == NULL)
			break;
		if (e->d_name[0] == '.')
			continue;
		str_clear(&name);
		str_catf(&name, "%s/%s", path, e->d_name);
		run_file(t, str_c(&name));
	}
	if (errno != 0)
		die_sys(111, "unable to list %s", path);
	(void)closedir(d);
	str_free(&name);
}

int
main(int argc, char **argv)
{
	struct tally t = {0};

	log_init("replay");
	if (argc < 2)
		die_usage("replay directory ...");
	for (int i = 1; i < argc; i++)
		run_dir(&t, argv[i]);
	printf("%zu files, %zu inputs\n", t.files, t.inputs);
	return t.files > 0 ? 0 : 1;
}
