/* lib/tai.h - the one clock, and TAI64N labels.
 *
 * TAI64 here is djb's convention: 2^62 + 10 + Unix seconds.  The wall clock
 * can be moved by the environment variable VALIJA_CLOCK_OFFSET (seconds) in a
 * program built with -DCLOCK_TEST; never otherwise. */
#ifndef LIB_TAI_H
#define LIB_TAI_H

#include "lib/str.h"

#include <time.h>

#define TAI_PACK 12                     /* bytes of a packed TAI64N */

struct tai {
	uint64_t sec;                   /* TAI64 label */
	uint32_t nano;
};

int64_t clock_wall(void);               /* seconds since 1970 */
struct timespec clock_wall_ns(void);
int64_t clock_mono_ms(void);            /* only for differences */

struct tai tai_now(void);
int64_t tai_unix(const struct tai *);
void tai_pack(unsigned char out[TAI_PACK], const struct tai *);
void tai_unpack(struct tai *out, const unsigned char in[TAI_PACK]);
void tai_cat_label(struct str *, const struct tai *);   /* "@" + 24 hex */
/* Reads "@" and all lower case hex digits that follow, 24 in a label, but one
 * or more as tai64nlocal has it: the last eight are nanoseconds (which may be
 * past 999999999).  Bytes used; 0 if s does not begin with one. */
size_t tai_scan_label(struct tai *out, const char *s, size_t n);

#endif
