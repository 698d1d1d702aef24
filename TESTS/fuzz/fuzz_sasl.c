/* fuzz_sasl.c - any lines as a client's side of SASL: the first is the name of
 * the mechanism, the second the initial response, the others answers.  It ends
 * after two challenges at most, and user and password are what base64 says
 * that they are. */
#include "mail/sasl.h"

#include "lib/base64.h"
#include "TESTS/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* The next line of what is left, without its LF. */
static size_t
cut(const char **p, size_t *left, const char **line)
{
	size_t n = bytes_chr(*p, *left, '\n');
	size_t used = n < *left ? n + 1 : n;

	*line = *p;
	*p += used;
	*left -= used;
	return n;
}

/* What was understood, said again in full, is understood as the same. */
static void
again(const struct sasl *x)
{
	struct str raw = {0}, code = {0};
	struct sasl y;

	if (str_has_nul(&x->user) || str_has_nul(&x->pass))
		return;
	str_cat(&raw, &x->user);
	str_catc(&raw, '\0');
	str_cat(&raw, &x->user);
	str_catc(&raw, '\0');
	str_cat(&raw, &x->pass);
	base64_encode(&code, str_c(&raw), raw.len);
	if (sasl_begin(&y, SASL_PLAIN, str_c(&code)) != SASL_DONE ||
	    y.user.len != x->user.len || y.pass.len != x->pass.len ||
	    memcmp(str_c(&y.user), str_c(&x->user), y.user.len) != 0 ||
	    memcmp(str_c(&y.pass), str_c(&x->pass), y.pass.len) != 0)
		abort();
	sasl_wipe(&y);
	str_free(&raw);
	str_free(&code);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data, *line;
	struct str initial = {0};
	unsigned challenges = 0;
	enum sasl_mech mech;
	enum sasl_step st;
	struct sasl x;
	size_t len;

	len = cut(&p, &n, &line);
	mech = sasl_mech_of(line, len);
	len = cut(&p, &n, &line);
	str_copyb(&initial, line, len);
	st = sasl_begin(&x, mech, str_c(&initial));
	while (st == SASL_MORE) {
		if (++challenges > 2 || (mech == SASL_PLAIN && challenges > 1))
			abort();
		len = cut(&p, &n, &line);
		st = sasl_next(&x, line, len);
	}
	if (st == SASL_DONE) {
		if (mech == SASL_NO_MECH || (mech == SASL_PLAIN &&
		    (str_has_nul(&x.user) || str_has_nul(&x.pass))))
			abort();
		again(&x);
	}
	sasl_wipe(&x);
	str_free(&initial);
	return 0;
}
