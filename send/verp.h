/* send/verp.h - variable envelope return paths. */
#ifndef SEND_VERP_H
#define SEND_VERP_H

#include "lib/str.h"

/* The sender of one delivery: "box-@host-@[]" becomes box-user=domain@host;
 * anything else is copied.  *out is replaced. */
void verp_expand(const char *sender, const char *rcpt, struct str *out);
/* Is it a sender of that kind, which differs for each recipient? */
bool verp_wanted(const char *sender);
/* Where bounces go: "box-@host-@[]" becomes box-@host. */
void verp_strip(const char *sender, struct str *out);

#endif
