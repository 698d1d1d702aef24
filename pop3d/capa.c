/* pop3d/capa.c - see capa.h.
 *
 * The argument of LANG is a client's, and nothing of it is repeated. */
#include "pop3d/capa.h"

#include "mail/sasl.h"

#include <string.h>

/* 2449:6.9: the version would help attackers more than anybody else. */
void
capa_cat(struct str *out, const struct capa *c)
{
	str_cats(out, "+OK these\r\nTOP\r\nUIDL\r\nPIPELINING\r\n"
	    "RESP-CODES\r\nAUTH-RESP-CODE\r\n");
	if (c->passwords)
		str_cats(out, "USER\r\nSASL " SASL_NAMES "\r\n");
	if (c->stls)
		str_cats(out, "STLS\r\n");
	str_cats(out, "UTF8 USER\r\nLANG\r\nEXPIRE NEVER\r\n");
	if (c->delay_s > 0)
		str_catf(out, "LOGIN-DELAY %ju\r\n", (uintmax_t)c->delay_s);
	str_cats(out, "IMPLEMENTATION valija\r\n.\r\n");
}

/* A range of languages that English is in: 6856:3, 4647:3.4. */
static bool
is_english(const char *range)
{
	size_t n = strcspn(range, "-");

	return bytes_caseeq(range, n, "en", 2) || strcmp(range, "*") == 0 ||
	    bytes_caseeq(range, strlen(range), "i-default", 9);
}

bool
capa_lang(struct str *out, const char *arg)
{
	bool known = *arg == '\0' || is_english(arg);

	if (*arg == '\0')
		str_cats(out, "+OK these\r\nen English\r\n.\r\n");
	else
		str_cats(out, known ? "+OK en it is\r\n" :
		    "-ERR only English is spoken here\r\n");
	return known;
}
