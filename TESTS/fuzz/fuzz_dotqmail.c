/* fuzz_dotqmail.c - any bytes as a .qmail file.  Steps are whole strings of
 * it, and what only forwards may stand in holds no other. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/dotqmail.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;

	for (int forward_only = 0; forward_only < 2; forward_only++) {
		struct dotqmail dq = {0};
		size_t lines = 1;

		for (size_t i = 0; i < n; i++)
			lines += s[i] == '\n';
		dotqmail_parse(&dq, s, n, forward_only);
		require(dq.n <= lines);
		for (size_t i = 0; i < dq.n; i++) {
			const char *arg = dotqmail_arg(&dq, i);
			enum dotqmail_kind k = dq.steps[i].kind;
			size_t len = strlen(arg);

			require(strchr(arg, '\n') == NULL);
			require(len == 0 || memmem(s, n, arg, len) != NULL);
			require(k != DOTQMAIL_BLANK_FIRST || i == 0);
			require(!forward_only || (k != DOTQMAIL_MBOX &&
			    k != DOTQMAIL_MAILDIR && k != DOTQMAIL_PROGRAM));
			require(k != DOTQMAIL_MAILDIR ||
			    arg[len - 1] == '/');
		}
		(void)dotqmail_only_maildirs(&dq);
		dotqmail_free(&dq);
	}
	return 0;
}
