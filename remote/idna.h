/* remote/idna.h - domains in UTF-8 as name servers know them: each label that
 * is not ASCII becomes "xn--" and its Punycode (3492, 5890).
 *
 * Letters are taken as they are, which is right for what RFC 5890 calls
 * U-labels: lower case, normalized.  Only ASCII letters are made lower case
 * in such a label. */
#ifndef REMOTE_IDNA_H
#define REMOTE_IDNA_H

#include "lib/str.h"

#include <stdbool.h>

/* Appends the domain in ASCII.  -1 when it cannot be one: bad UTF-8, or a
 * label that becomes longer than 63 bytes; out is as it was. */
__attribute__((warn_unused_result))
int idna_cat_domain(struct str *out, const char *s, size_t n);
/* Appends the address with its domain in ASCII.  false when it would still not
 * be ASCII: out is as it was. */
bool idna_cat_addr(struct str *out, const char *addr);
bool idna_is_ascii(const char *s, size_t n);

#endif
