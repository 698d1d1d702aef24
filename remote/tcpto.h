/* remote/tcpto.h - queue/lock/tcpto: hosts that did not answer lately.
 *
 * The first 1024 bytes are 64 records of 16 bytes, as ever: IPv4 address,
 * count, 3 unused, and the time of the last timeout as a little-endian number
 * of 8 bytes, of which old readers look at the first four.  After them may
 * come 64 records of 32 bytes for IPv6: address, count, 7 unused, time.
 *
 * A host is passed over when its count is at least 2 and its last timeout no
 * longer ago than (60 + a number from 0 to 31) times 64 seconds.  Timeouts
 * within 120 seconds count once; any other outcome makes the count 0.  The
 * file is a hint: whatever is in it, mail is only deferred. */
#ifndef REMOTE_TCPTO_H
#define REMOTE_TCPTO_H

#include "lib/ip.h"
#include "lib/str.h"

#include <stdbool.h>

#define TCPTO_FILE HOME_DIR "/queue/lock/tcpto"

/* No file, or one that cannot be read: false.  jitter: 0..31 (of more the
 * lowest bits count). */
bool tcpto_is_dead(const char *path, const struct ip *, int64_t now,
    unsigned jitter);
/* Notes the outcome of a connection.  Failures are nobody's business. */
void tcpto_note(const char *path, const struct ip *, bool timed_out,
    int64_t now);

/* For qmail-tcpto and qmail-tcpok: a line per record in use; 0, or -1 with
 * errno. */
__attribute__((warn_unused_result))
int tcpto_cat(const char *path, int64_t now, struct str *out);
__attribute__((warn_unused_result))
int tcpto_clear(const char *path);

#endif
