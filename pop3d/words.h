/* pop3d/words.h - what both programs of POP3 say of themselves: qmail-popup
 * before the login, qmail-pop3d after it (2449:5 wants one list). */
#ifndef POP3D_WORDS_H
#define POP3D_WORDS_H

#include <stddef.h>

/* Lines of CAPA that are always there, each with its CR LF.  Others are put
 * after them: USER and SASL, STLS, LOGIN-DELAY.  2449:6.9: the version would
 * help attackers more than anybody else. */
#define WORDS_CAPA                                                            \
	"TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"       \
	"UTF8 USER\r\nLANG\r\nEXPIRE NEVER\r\nIMPLEMENTATION valija\r\n"

/* The reply to LANG (6856:3) with the n bytes of its argument, 0: none.  The
 * last line is without its CR LF.  Nothing of the argument is repeated. */
const char *words_lang(const char *arg, size_t n);

#endif
