/* pop3d/capa.h - what POP3 answers alike before and after the login: CAPA
 * (RFC 2449) and LANG (RFC 6856). */
#ifndef POP3D_CAPA_H
#define POP3D_CAPA_H

#include "lib/str.h"

struct capa {
	bool passwords;                 /* may be given now: USER and SASL */
	bool stls;
	uint64_t delay_s;               /* LOGIN-DELAY, 0: none */
};

/* Appends the whole answer, with each CR LF. */
void capa_cat(struct str *out, const struct capa *);
/* The same to LANG, with its argument or "".  false: it is an -ERR. */
bool capa_lang(struct str *out, const char *arg);

#endif
