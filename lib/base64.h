/* lib/base64.h - base64 of RFC 4648, section 4: with padding, and strict. */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include "lib/str.h"

void base64_encode(struct str *, const void *bytes, size_t n);  /* appends */
/* Appends what s stands for; -1, out as it was, when s is not exactly what
 * base64_encode makes of some bytes. */
__attribute__((warn_unused_result))
int base64_decode(struct str *, const char *s, size_t n);

#endif
