/* mail/show.h - strangers' bytes as text and as JSON.
 *
 * A terminal obeys control characters, so none reaches the output: text has
 * only printable ASCII and valid UTF-8 above U+009F, everything else is "_";
 * JSON is pure UTF-8 with U+FFFD for what is not. */
#ifndef MAIL_SHOW_H
#define MAIL_SHOW_H

#include "lib/str.h"

/* Bytes as they are but for what is not printable; LF stays. */
void show_cat_text(struct str *, const char *bytes, size_t n);
/* A JSON string, quotes included. */
void show_cat_json(struct str *, const char *bytes, size_t n);

#endif
