/* supervise/peers.h - who is connected, and who has behaved badly: the
 * counting of tcpserver.
 *
 * A client is its IPv4 address or the /64 of its IPv6 address; a network a
 * /24 or a /48.  What is kept for a connection goes when it ends; penalties
 * are in a table of fixed size where the oldest makes room.  Times are seconds
 * of one clock that never goes back. */
#ifndef SUPERVISE_PEERS_H
#define SUPERVISE_PEERS_H

#include "supervise/srvlimits.h"

#include "lib/ip.h"
#include "lib/map.h"

#include <sys/types.h>

#define PEERS_WAYS 8            /* penalties that share a place */
#define PEERS_PLACES 512        /* so 4096 penalties, 160 KiB */

struct peers_penalty;
struct peers {
	size_t n;               /* connections now */
	struct map pids;        /* of connections, to clients */
	struct map counts;      /* of clients and networks */
	struct peers_penalty *penalties;
	uint64_t key[2];
};

enum peers_verdict { PEERS_OK, PEERS_ADDRESS, PEERS_NETWORK, PEERS_PENALTY };

void peers_init(struct peers *);
void peers_free(struct peers *);

/* May one more connection from there be taken?  Not asked: the total. */
enum peers_verdict peers_check(const struct peers *, const struct srvlimits *,
    const struct ip *, int64_t now);
void peers_add(struct peers *, pid_t, const struct ip *);
/* The process of a connection ended: whose it was, as an address whose other
 * bits are 0; false when it is not ours. */
bool peers_end(struct peers *, pid_t, struct ip *client_out);

/* A session of this client was bad.  The seconds it is refused from now on,
 * 0 for none yet: twice as long each time, up to penalty_max. */
unsigned peers_punish(struct peers *, const struct srvlimits *,
    const struct ip *, int64_t now);

#endif
