/* mail/quota.h - how much a mailbox may hold: the text and what it means.
 *
 * Accepted, letters in either case: "NOQUOTA" and all that begins with "NO",
 * "5000" and "5000S" bytes, "10K" "10KB" "10M" "10MB" with or without "S"
 * (1024 and 1024 * 1024 bytes), "100C" messages, and one of each in either
 * order with "," between them.  0 sets no limit.  There is no G: programs
 * that read the same texts know none.  Pure. */
#ifndef MAIL_QUOTA_H
#define MAIL_QUOTA_H

#include "lib/str.h"

struct quota {
	uint64_t bytes, count;          /* 0: no limit */
};

/* -1 (EINVAL) and no limits when it is nothing of the above. */
__attribute__((warn_unused_result))
int quota_parse(const char *s, size_t n, struct quota *out);
/* The normal form: "5000S,100C" "5000S" "100C" "NOQUOTA". */
void quota_cat(struct str *, const struct quota *);
bool quota_is_limited(const struct quota *);
/* Would this much, which may be less than nothing, be too much? */
bool quota_exceeded(const struct quota *, int64_t bytes, int64_t count);
/* How full, in percent of the limit that is nearer; 0 without limits.  More
 * than 100 is said as it is, up to 1000. */
unsigned quota_percent(const struct quota *, int64_t bytes, int64_t count);

#endif
