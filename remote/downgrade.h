/* remote/downgrade.h - a message of 8-bit text for a host that takes 7 bits
 * only (6152:3): parts that have 8-bit bytes become quoted-printable or
 * base64, parts marked 8bit that have none are marked 7bit, everything else
 * stays as it is, byte for byte.
 *
 * A message without MIME is declared to be text of an unknown character set.
 * Not converted, with a reason: what may not be changed (signed parts,
 * 2046:5.2) or is no sane MIME.  Memory: the header of one part and a byte per
 * part.  The message is a stranger's: depth, parts and headers are bounded. */
#ifndef REMOTE_DOWNGRADE_H
#define REMOTE_DOWNGRADE_H

#include "lib/str.h"
#include "remote/message.h"

#define DOWNGRADE_DEPTH_MAX 20          /* multiparts within multiparts */
#define DOWNGRADE_PARTS_MAX 10000       /* count */
#define DOWNGRADE_HEADER_MAX 262144     /* bytes of one part's header */
#define DOWNGRADE_BOUNDARY_MAX 200      /* bytes; 2046:5.1.1 says 70 */

struct downgrade {
	const struct message *message;
	struct str flags;       /* a byte per part: does it need encoding? */
	uint64_t size;          /* of the result on the wire, no dots doubled */
};

/* 0: *reason_out is NULL, or why it cannot be done (a constant).  -1 with
 * errno when the file cannot be read. */
__attribute__((warn_unused_result))
int downgrade_plan(struct downgrade *, const struct message *,
    const char **reason_out);
/* Like message_write. */
__attribute__((warn_unused_result))
int downgrade_write(const struct downgrade *, bool dots, message_put *,
    void *arg);
void downgrade_free(struct downgrade *);

#endif
