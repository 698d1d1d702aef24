/* control/route.h - where a recipient's mail goes: locals, percenthack,
 * virtualdomains and envnoathost, read and applied.
 *
 * The order is the historical one: no "@" gets envnoathost; percenthack;
 * locals; virtualdomains by whole address, domain, each .suffix, and the empty
 * key; else remote.  A virtual domain with an empty prepend is remote.  Keys
 * are compared without case; of equal keys the last one counts. */
#ifndef CONTROL_ROUTE_H
#define CONTROL_ROUTE_H

#include "control/control.h"

struct route {
	struct map locals, percenthack; /* domain -> anything */
	struct map vdoms;               /* key -> the prepend, owned here */
	struct str envnoathost;
};

enum route_channel { ROUTE_LOCAL, ROUTE_REMOTE };

/* Reads everything into out, which is {0}.  -1 with errno and the file in
 * *failed when one could not be read (ENOENT: envnoathost and me are both not
 * there); out is {0} again then. */
__attribute__((warn_unused_result))
int route_load(struct route *out, enum control_id *failed);
void route_free(struct route *);

/* *out is replaced by the address that is delivered to. */
enum route_channel route_find(const struct route *, const char *rcpt,
    struct str *out);
/* The prepend for addr, whose "@" is at index at < n, or NULL; borrowed. */
const char *route_prepend_peek(const struct route *, const char *addr,
    size_t n, size_t at);

/* Where the original begins in a local address that a virtual domain was
 * prepended to: for bounces.  Borrowed from addr. */
const char *route_original_peek(const struct route *, const char *addr);

#endif
