/* mail/qrecord.h - the envelope as a file: intd/N and todo/N.
 *
 *	u UID NUL  p PID[,SIZE,MSUM,ESUM] NUL  F sender NUL [M wishes NUL]
 *	{T recipient NUL [N wishes NUL]}
 *
 * SIZE, MSUM and ESUM are 16 hex digits each: the bytes of mess/S/N, the hash
 * (lib/hash.h, zero key) of mess/S/N, and the hash of this file from the F to
 * its end.  Readers of old know only the leading digits of the p record; old
 * writers synced the file before they published it and leave the sums out.
 * Wishes are the text forms of mail/dsn.h; without any the records are the
 * historical ones.
 *
 * Worked example, a null sender and one recipient, 5 bytes of message:
 *	u1000\0 p77,0000000000000005,<MSUM>,<ESUM>\0 F\0 Tb@y\0
 *
 * The writer puts the head down with zero sums, adds F and T records, and
 * overwrites the head last: same uid, same pid, so same length.  Only what was
 * never acknowledged can therefore be torn. */
#ifndef MAIL_QRECORD_H
#define MAIL_QRECORD_H

#include "lib/str.h"

#include <sys/types.h>

enum qrecord_status {
	QRECORD_OK,             /* valid, the sums agree */
	QRECORD_BAD,            /* no such format, or over a limit */
	QRECORD_TORN,           /* what a crash leaves of an unfinished one */
	QRECORD_NOSUM,          /* valid, written without sums */
	QRECORD_ERROR,          /* only qrecord_check_mess: errno */
};

struct qrecord {
	uid_t uid;              /* who submitted it */
	pid_t pid;              /* what reports call qp */
	bool has_sum;
	uint64_t size, mess_sum, env_sum;
	struct str sender;
	struct str rcpts;       /* each with its NUL, without the T */
	size_t nrcpt;
	struct str params;      /* the message's wishes */
	struct str rparams;     /* of each recipient, with its NUL */
	bool has_params;        /* any of both */
};

/* Appends the u and p records.  The length depends on uid and pid alone. */
void qrecord_cat_head(struct str *, uid_t, pid_t, uint64_t size,
    uint64_t mess_sum, uint64_t env_sum);
/* Append one record with its NUL: the bytes that ESUM is the hash of. */
void qrecord_cat_sender(struct str *, const char *sender);
void qrecord_cat_rcpt(struct str *, const char *rcpt);
void qrecord_cat_params(struct str *, const char *text);        /* "": none */
void qrecord_cat_rcpt_params(struct str *, const char *text);

/* Reads a whole file of n bytes into out, which is {0} or from an earlier
 * parse.  Addresses over ADDR_MAX, or more than ENVELOPE_MAX bytes, are BAD.
 * Unless OK or NOSUM, out holds what was understood until then. */
__attribute__((warn_unused_result))
enum qrecord_status qrecord_parse(const char *bytes, size_t n,
    struct qrecord *out);
/* Compares the size and hash of the message open on fd (its offset stays):
 * OK, TORN, NOSUM when there is nothing to compare, or ERROR with errno. */
__attribute__((warn_unused_result))
enum qrecord_status qrecord_check_mess(int fd, const struct qrecord *);
void qrecord_free(struct qrecord *);            /* back to {0} */

#endif
