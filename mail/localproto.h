/* mail/localproto.h - what qmail-lspawn says to its workers, both ends.
 *
 * SOCK_SEQPACKET on the worker's descriptor 0; one packet, one thing.  id is
 * 32 bits big-endian, chosen by lspawn, unique among what is outstanding.
 *
 *	to qmail-local:  id local NUL dash NUL ext NUL host NUL sender NUL
 *	                 and the message, open for reading, by SCM_RIGHTS
 *	back:            id, one byte exit code of qmail-local, text
 *	to qmail-getpw:  id local NUL
 *	back:            id, one byte code, and if that is 0
 *	                 user NUL uid NUL gid NUL home NUL dash NUL ext NUL
 *
 * Worked example, mail for jo-list@x from a@b, answered "did 1+0+0":
 *	00 00 00 07 "jo-list\0-\0list\0x\0a@b\0"   ->
 *	00 00 00 07 00 "did 1+0+0\n"               <-
 *
 * A user owns his worker, so lspawn believes a report only about an id that
 * this very worker has, and only as far as its size.  Workers trust lspawn. */
#ifndef MAIL_LOCALPROTO_H
#define MAIL_LOCALPROTO_H

#include "lib/str.h"
#include "mail/limits.h"

#define LOCALPROTO_MAX 16384    /* bytes of a packet; all fields at once */
#define LOCALPROTO_JOBS 256     /* a worker takes at once, and reports */
#define LOCALPROTO_CHECK __attribute__((warn_unused_result))

static_assert(LOCALPROTO_MAX > 6 * ADDR_MAX + REPORT_LOCAL_MAX,
    "a job's addresses fit, and so does a report");

struct localproto_job {
	uint32_t id;
	const char *local, *dash, *ext, *host, *sender; /* borrowed */
};

struct localproto_report {
	uint32_t id;
	unsigned code;          /* 0..255 */
	const char *text;       /* borrowed, not terminated */
	size_t n;
};

/* Appends the packet; -1 (EMSGSIZE) when it would be over the maximum. */
LOCALPROTO_CHECK int localproto_cat_job(struct str *,
    const struct localproto_job *);
/* Text is cut at REPORT_LOCAL_MAX and then says so; it ends at a NUL. */
void localproto_cat_report(struct str *, const struct localproto_report *);
LOCALPROTO_CHECK int localproto_cat_ask(struct str *, uint32_t id,
    const char *local);
/* fields: the six with their NULs, or nothing. */
LOCALPROTO_CHECK int localproto_cat_answer(struct str *, uint32_t id,
    unsigned code, const char *fields, size_t n);

/* Parsers borrow from the n bytes at s.  -1 (EPROTO): not such a packet. */
LOCALPROTO_CHECK int localproto_parse_job(const char *s, size_t n,
    struct localproto_job *out);
/* Reports and answers look the same. */
LOCALPROTO_CHECK int localproto_parse_report(const char *s, size_t n,
    struct localproto_report *out);
LOCALPROTO_CHECK int localproto_parse_ask(const char *s, size_t n,
    uint32_t *id_out, const char **local_out);

#endif
