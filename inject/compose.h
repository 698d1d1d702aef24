/* inject/compose.h - the fields and addresses that inject makes itself. */
#ifndef INJECT_COMPOSE_H
#define INJECT_COMPOSE_H

#include "inject/inject.h"

/* A person's name before an address: words as they are where 5322 lets them
 * be, a quoted string else; with bytes beyond ASCII or control characters,
 * encoded words (2047) of UTF-8, or of unknown-8bit when it is none. */
void compose_cat_phrase(struct str *out, const char *name);
/* The same as the inside of a comment. */
void compose_cat_comment(struct str *out, const char *name);

/* "Name <user@host>" or "user@host (Name)".  0, or -1 with errno when the
 * configuration cannot be read. */
INJECT_CHECK int compose_from(struct inject *, struct str *out);
/* The envelope sender when nothing names one, with the VERP marks. */
INJECT_CHECK int compose_sender(struct inject *, struct str *out);
/* "<20261123043500.123456.789.qmail@idhost>": time, microseconds, pid. */
INJECT_CHECK int compose_id(struct inject *, struct str *out);

#endif
