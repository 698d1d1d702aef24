/* pop3d/words.c - what both programs of POP3 say; see words.h. */
#include "pop3d/words.h"

#include "lib/str.h"

const char *
words_lang(const char *arg, size_t n)
{
	if (n == 0)
		return "+OK the languages are:\r\nen English\r\n.";
	/* A range matches what it is a part of, and the other way round: who
	 * asks for en-GB can read en (4647:3.4). */
	if ((n == 1 && *arg == '*') || bytes_caseeq(arg, n, "en", 2) ||
	    (n > 3 && bytes_caseeq(arg, 3, "en-", 3)) ||
	    bytes_caseeq(arg, n, "i-default", 9))
		return "+OK en this is what I speak";
	return "-ERR only English is spoken here";
}
