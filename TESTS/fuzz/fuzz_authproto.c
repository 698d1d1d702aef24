/* fuzz_authproto.c - any bytes as a request and as an answer: a request that
 * is understood is written and understood again as the same; a shorter part
 * never says something else than "more" or "bad" before it says "done". */
#include "mail/authproto.h"

#include "TESTS/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
same(const struct str *a, const struct str *b)
{
	if (a->len != b->len || strcmp(str_c(a), str_c(b)) != 0)
		abort();
}

static void
again(const struct auth_request *r)
{
	struct auth_request r2 = {0};
	struct str wire = {0};

	/* Some of what is understood we would not say: that is all right. */
	if (auth_request_cat(&wire, r) == 0) {
		if (auth_request_parse(wire.s, wire.len, &r2) !=
		    AUTH_PARSE_DONE || r2.op != r->op)
			abort();
		same(&r->remote_ip, &r2.remote_ip);
		same(&r->local_ip, &r2.local_ip);
		same(&r->service, &r2.service);
		same(&r->user, &r2.user);
		same(&r->domain, &r2.domain);
		same(&r->secret, &r2.secret);
		same(&r->challenge, &r2.challenge);
	}
	auth_request_free(&r2);
	str_free(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;
	struct auth_request r = {0};
	struct auth_answer a = {0};
	enum auth_parse whole = auth_request_parse(s, n, &r);

	if (whole == AUTH_PARSE_DONE)
		again(&r);
	for (size_t k = 0; k < n && k < 256; k++) {
		enum auth_parse st = auth_request_parse(s, k, &r);

		if (whole == AUTH_PARSE_MORE && st == AUTH_PARSE_DONE)
			abort();
	}
	auth_request_free(&r);
	if (auth_answer_parse(s, n, &a) == AUTH_OK)
		for (size_t i = 0; auth_value_peek(&a, "ALIAS", i); i++)
			continue;
	auth_answer_free(&a);
	return 0;
}
