/* fuzz_assign.c - any bytes as users/assign and as an entry of users/cdb.  The
 * value of a good line is a good entry, and entries survive writing. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/users.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_entry(const char *s, size_t n, bool must)
{
	struct users_entry e = {0}, again = {0};
	struct str out = {0};

	if (users_parse_entry(s, n, &e) == 0) {
		users_cat_entry(&out, &e);
		require(users_parse_entry(str_c(&out), out.len,
		    &again) == 0);
		require(again.uid == e.uid && again.gid == e.gid);
		require(strcmp(str_c(&again.home), str_c(&e.home)) == 0);
		require(strcmp(str_c(&again.ext), str_c(&e.ext)) == 0);
	} else {
		require(!must);
	}
	users_entry_free(&e);
	users_entry_free(&again);
	str_free(&out);
}

static int
each(void *arg, const struct users_line *l)
{
	struct str key = {0};

	++*(size_t *)arg;
	users_cat_key(&key, l->name, l->nname, l->wild);
	require(key.len == l->nname + (l->wild ? 1 : 2));
	str_free(&key);
	check_entry(str_c(&l->value), l->value.len, true);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data, *why;
	size_t count = 0, line;
	int r = users_parse_assign(s, n, each, &count, &line, &why);

	require((r == 0) == (why == NULL));
	require(count == line - 1);
	check_entry(s, n, false);
	return 0;
}
