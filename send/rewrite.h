/* send/rewrite.h - which channel a recipient belongs to, and as what.
 *
 * The order (it is the historical one): no "@" gets envnoathost; percenthack;
 * locals; virtualdomains by whole address, domain, each .suffix, and the empty
 * key; else remote.  A virtual domain with an empty prepend is remote. */
#ifndef SEND_REWRITE_H
#define SEND_REWRITE_H

#include "send/config.h"

/* CHANNEL_LOCAL or CHANNEL_REMOTE; *out is replaced by the address to use. */
int rewrite(const struct config *, const char *rcpt, struct str *out);

/* Where the original begins in a local address that a virtual domain was
 * prepended to: for bounces.  Borrowed from addr. */
const char *rewrite_original_peek(const struct config *, const char *addr);

/* The sender of one delivery: "box-@host-@[]" becomes box-user=domain@host;
 * anything else is copied.  *out is replaced. */
void rewrite_verp(const char *sender, const char *rcpt, struct str *out);
/* Where bounces go: "box-@host-@[]" becomes box-@host. */
void rewrite_unverp(const char *sender, struct str *out);

#endif
