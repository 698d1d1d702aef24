/* mail/sasl.c - SASL PLAIN and LOGIN, the server's side; see sasl.h.
 *
 * Growing strings leave copies behind, so those that take secrets are made
 * large enough before. */
#include "mail/sasl.h"

#include "lib/base64.h"

#include <string.h>

static const struct {
	enum sasl_mech mech;
	const char *name;
} mechs[] = {
#define X(id, name) {SASL_##id, name},
	SASL_MECHS(X)
#undef X
};

enum sasl_mech
sasl_mech_of(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof mechs / sizeof mechs[0]; i++)
		if (bytes_caseeq(name, n, mechs[i].name,
		    strlen(mechs[i].name)))
			return mechs[i].mech;
	return SASL_NO_MECH;
}

static enum sasl_step
decode(struct str *out, const char *code, size_t n)
{
	str_clear(out);
	str_reserve(out, n);
	return base64_decode(out, code, n) == 0 ? SASL_DONE :
	    SASL_NOT_BASE64;
}

/* "[authzid] NUL authcid NUL password": who somebody wants to act as must be
 * who that is. */
static enum sasl_step
split_plain(struct sasl *x, const struct str *r)
{
	const char *p = str_c(r), *end = p + r->len;
	size_t zid = bytes_chr(p, r->len, '\0');
	const char *user = p + zid + 1, *pass;
	size_t n;

	if (zid == r->len)
		return SASL_MALFORMED;
	n = bytes_chr(user, (size_t)(end - user), '\0');
	pass = user + n + 1;
	if (user + n == end ||
	    memchr(pass, '\0', (size_t)(end - pass)) != NULL)
		return SASL_MALFORMED;
	str_copyb(&x->user, user, n);
	str_copyb(&x->pass, pass, (size_t)(end - pass));
	if (zid > 0 && !(zid == n && memcmp(p, user, n) == 0))
		str_clear(&x->pass);    /* wrong, like all that is wrong */
	return SASL_DONE;
}

static enum sasl_step
plain(struct sasl *x, const char *code, size_t n)
{
	struct str r = {0};
	enum sasl_step st = decode(&r, code, n);

	if (st == SASL_DONE)
		st = split_plain(x, &r);
	str_wipe(&r);
	return st;
}

static enum sasl_step
ask(struct sasl *x, const char *challenge)
{
	x->challenge = challenge;
	return SASL_MORE;
}

static enum sasl_step
take_user(struct sasl *x, const char *code, size_t n)
{
	enum sasl_step st = decode(&x->user, code, n);

	if (st != SASL_DONE)
		return st;
	x->named = true;
	return ask(x, "UGFzc3dvcmQ6");                  /* Password: */
}

enum sasl_step
sasl_begin(struct sasl *x, enum sasl_mech mech, const char *initial)
{
	*x = (struct sasl){.mech = mech, .challenge = ""};
	if (mech == SASL_NO_MECH)
		return SASL_MALFORMED;
	if (initial == NULL || *initial == '\0')
		return ask(x, mech == SASL_PLAIN ? "" :
		    "VXNlcm5hbWU6");                    /* Username: */
	if (strcmp(initial, "=") == 0)
		initial = "";
	return mech == SASL_PLAIN ? plain(x, initial, strlen(initial)) :
	    take_user(x, initial, strlen(initial));
}

enum sasl_step
sasl_next(struct sasl *x, const char *line, size_t n)
{
	if (n == 1 && *line == '*')
		return SASL_CANCELLED;
	if (x->mech == SASL_PLAIN)
		return plain(x, line, n);
	return x->named ? decode(&x->pass, line, n) : take_user(x, line, n);
}

void
sasl_wipe(struct sasl *x)
{
	str_wipe(&x->user);
	str_wipe(&x->pass);
	*x = (struct sasl){.challenge = ""};
}
