/* mail/date.h - dates of header fields (5322:3.3).
 *
 * Times are seconds since 1970.  No locale, no week day, and no trailing line
 * end: "23 Nov 2026 04:35:00 -0000". */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "lib/str.h"

/* In UTC; "-0000" says that nothing is known about the local zone
 * (5322:3.3).  Any value of unix_time is good. */
void date822_cat(struct str *, int64_t unix_time);

/* In the zone of TZ or /etc/localtime: "23 Nov 2026 05:35:00 +0100".  Where the
 * C library cannot tell the local time it is date822_cat. */
void date822_cat_local(struct str *, int64_t unix_time);

/* In UTC, only digits, as identifiers have it: "20261123043500". */
void date_cat_digits(struct str *, int64_t unix_time);

#endif
