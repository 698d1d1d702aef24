/* mail/quote.h - addresses as header fields and SMTP write them.
 *
 * Inside this system an address is plain bytes: local part, "@", host.  Where
 * it is printed, a local part that is no dot-atom (5322:3.2.3; valid UTF-8
 * counts as letters, 6532:3.2) becomes a quoted string.  What is appended
 * never has a line end or NUL in it: those three bytes, which no quoting makes
 * harmless, become "_".  Ask quote_safe first where that would be wrong. */
#ifndef MAIL_QUOTE_H
#define MAIL_QUOTE_H

#include "lib/str.h"

#include <stdbool.h>

/* No CR, LF or NUL among the bytes. */
bool quote_safe(const char *s, size_t n);
/* Must a local part of these bytes be quoted?  An empty one must. */
bool quote_needed(const char *local, size_t n);
void quote_cat_local(struct str *out, const char *local, size_t n);
/* A whole address; the host begins after the last "@".  Without "@" all of it
 * is the local part; the empty address stays empty. */
void quote_cat_addr(struct str *out, const char *addr, size_t n);
/* Bytes of the valid UTF-8 sequence at s (1..4; 1 for ASCII), else 0: not
 * overlong, no surrogates, nothing above U+10FFFF. */
size_t utf8_len(const char *s, size_t n);

#endif
