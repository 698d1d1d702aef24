/* fuzz_qctl.c - any bytes as requests and as answers, whole and byte by byte;
 * both must see the same. */
#include "mail/qctl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Requests (or answers) up to the first bad one, and what they add up to. */
static uint64_t
digest(const char *s, size_t n, size_t step, bool answers)
{
	struct qctl_line line = {0};
	struct qctl_request r = {0};
	struct qctl_answer a = {0};
	enum qctl_status st;
	uint64_t sum = 0;
	size_t used;

	for (size_t at = 0; at < n; at += used) {
		size_t m = n - at < step ? n - at : step;

		st = answers ?
		    qctl_answer_parse(&line, s + at, m, &used, &a) :
		    qctl_request_parse(&line, s + at, m, &used, &r);
		if (used > m || (used == 0 && m > 0))
			abort();
		if (st == QCTL_BAD)
			break;
		if (st == QCTL_DONE)
			sum = sum * 31 + (answers ? a.text.len + a.ok :
			    r.id + (uint64_t)r.verb) + 1;
	}
	qctl_answer_free(&a);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;

	for (int answers = 0; answers < 2; answers++)
		if (digest(s, n, 1, answers) != digest(s, n, n, answers))
			abort();
	return 0;
}
