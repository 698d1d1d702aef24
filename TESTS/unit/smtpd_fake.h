/* TESTS/unit/smtpd_fake.h - SMTP sessions without services: the queue, the
 * verifier and the password checker are these, linked in by --wrap. */
#ifndef TESTS_UNIT_SMTPD_FAKE_H
#define TESTS_UNIT_SMTPD_FAKE_H

#include "smtpd/session.h"

struct smtpd_fake {
	struct str message;     /* of the last submission */
	struct str envelope;    /* "F...|T...|" with "M...|", "N...|" */
	unsigned queued, dropped;       /* submissions, count */
	int code;               /* what the queue answers */
	struct str log;
};
extern struct smtpd_fake smtpd_fake;

void smtpd_fake_reset(void);
/* Some configuration: example.org is taken, nothing waits. */
void smtpd_fake_config(struct smtpd_config *);
/* Plays bytes as a client that sends all at once; its exit code.  Replies are
 * appended to out. */
int smtpd_fake_play(const struct smtpd_config *, const void *bytes, size_t n,
    struct str *out);

#endif
