/* test_showctl.c - settings as text, and the page against the table. */
#include "TESTS/unit/unit.h"

#include "control/control.h"
#include "control/showctl.h"
#include "lib/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[64];

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/test_showctl.XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static void
put(const char *file, const char *text)
{
	char path[128], tmp[128];

	(void)snprintf(path, sizeof path, "%s/%s", dir, file);
	(void)snprintf(tmp, sizeof tmp, "%s/.tmp", dir);
	assert_int_equal(fs_replace(path, tmp, text, strlen(text), 0644), 0);
}

static void
drop(const char *file)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", dir, file);
	if (unlink(path) < 0)
		(void)rmdir(path);
}

static void
has(const struct str *out, const char *words)
{
	if (strstr(str_c(out), words) == NULL)
		assert_string_equal(str_c(out), words);
}

static void
test_values(void **state)
{
	struct str out = {0};

	(void)state;
	put("me", "mx.example.org \nsecond line\n");
	put("locals", "# ours\nmx.example.org\n\nlocalhost\n");
	put("virtualdomains", "");
	put("concurrencylocal", "40\n");
	put("smtpgreeting", "hi \033[2Jthere\n");
	put("strange", "x\n");
	assert_int_equal(showctl_cat_control(&out, dir), 0);
	has(&out, "\nme: this host's full name (all)\n    mx.example.org\n");
	has(&out, "(qmail-send)\n    mx.example.org\n    localhost\n");
	has(&out, "\nvirtualdomains: virtual users and domains, key:prepend "
	    "(qmail-send)\n    (empty)\n");
	has(&out, "local deliveries (qmail-send)\n    40\n");
	has(&out, "remote deliveries (qmail-send)\n    20 (default)\n");
	has(&out, "EHLO (qmail-remote)\n    mx.example.org (default)\n");
	has(&out, "\n    hi ?[2Jthere\n");
	has(&out, "missing: none (qmail-smtpd)\n    (no such file)\n");
	has(&out, " that no program here reads:\n    strange\n");
	str_free(&out);
}

static void
test_unreadable(void **state)
{
	struct str out = {0};
	char path[128];

	(void)state;
	drop("me");
	(void)snprintf(path, sizeof path, "%s/me", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(showctl_cat_control(&out, dir), -1);
	has(&out, "\nme: this host's full name (all)\n    (unable to read: "
	    "Is a directory)\n");
	str_free(&out);
	assert_int_equal(showctl_cat_control(&out, "/nonexistent"), -1);
	has(&out, "unable to list /nonexistent: No such file");
	str_free(&out);
}

/* Every control file has its entry on the page, with its default. */
static void
test_page(void **state)
{
	struct str page = {0};

	(void)state;
	/* Tests run in the build directory. */
	assert_int_equal(fs_read("../control/qmail-control.5", &page,
	    1 << 20), 0);
	for (int id = 0; id < CONTROL_COUNT; id++) {
		const struct control_entry *e =
		    control_entry((enum control_id)id);
		struct str line = {0};

		str_catf(&line, "\n.It Pa %s", e->file);
		has(&page, str_c(&line));
		if (e->fallback != NULL && e->fallback[0] != '@') {
			str_clear(&line);
			str_catf(&line, "Default: %s.\n", e->fallback);
			has(&page, str_c(&line));
		}
		str_free(&line);
	}
	str_free(&page);
}

static int
drop_dir(void **state)
{
	(void)state;
	drop("me");
	drop("locals");
	drop("virtualdomains");
	drop("concurrencylocal");
	drop("smtpgreeting");
	drop("strange");
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_page),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
