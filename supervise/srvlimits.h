/* supervise/srvlimits.h - how much tcpserver takes, from its options and from
 * a file that may be rewritten while it runs.
 *
 * The file has one "name value" per line; empty lines and lines that begin
 * with '#' are ignored.  Written by an administrator. */
#ifndef SUPERVISE_SRVLIMITS_H
#define SUPERVISE_SRVLIMITS_H

#include "lib/str.h"

#define SRVLIMITS_FILE_MAX 65536        /* bytes */

/* X(field, name in the file, smallest, largest, default): the one list.
 * An address is an IPv4 address or an IPv6 /64, a network a /24 or a /48.
 * 0 connections: no limit.  0 sessions: no penalties. */
#define SRVLIMITS(X)                                                          \
	X(total, "total", 1, 1000000, 40)               /* connections */     \
	X(address, "address", 0, 1000000, 0)            /* connections */     \
	X(network, "network", 0, 1000000, 0)            /* connections */     \
	X(backlog, "backlog", 1, 65535, 1024)           /* connections */     \
	X(penalty, "penalty", 0, 60000, 3)              /* sessions */        \
	X(penalty_window, "penalty-window", 1, 86400, 60)       /* seconds */ \
	X(penalty_time, "penalty-time", 1, 86400, 60)           /* seconds */ \
	X(penalty_max, "penalty-max", 1, 604800, 3600)          /* seconds */

struct srvlimits {
#define SRVLIMITS_FIELD(field, name, low, high, value) unsigned field;
	SRVLIMITS(SRVLIMITS_FIELD)
#undef SRVLIMITS_FIELD
};

void srvlimits_default(struct srvlimits *);
/* One value, as the command line gives it: 0, or -1 when it is no number or
 * outside the limits of that name. */
__attribute__((warn_unused_result))
int srvlimits_set(struct srvlimits *, const char *name, const char *value);
/* A whole file into *l: 0, or -1 with the reason in *why and *l as it was. */
__attribute__((warn_unused_result))
int srvlimits_parse(const char *text, size_t n, struct srvlimits *l,
    struct str *why);

#endif
