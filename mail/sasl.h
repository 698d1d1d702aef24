/* mail/sasl.h - SASL PLAIN and LOGIN, the server's side (RFC 4616 and the
 * draft that LOGIN never got beyond): what the client's lines mean.
 *
 * Pure: no I/O.  Lines come as they were sent, in base64 (RFC 4648, section
 * 4, strict).  Secrets are in user and pass alone and wiped by sasl_wipe. */
#ifndef MAIL_SASL_H
#define MAIL_SASL_H

#include "lib/str.h"

/* X(ID, name) in the order in which servers offer them */
#define SASL_MECHS(X)                                                         \
	X(PLAIN, "PLAIN")                                                     \
	X(LOGIN, "LOGIN")

enum sasl_mech {
	SASL_NO_MECH,
#define X(id, name) SASL_##id,
	SASL_MECHS(X)
#undef X
};
#define SASL_NAMES "PLAIN LOGIN"

enum sasl_step {
	SASL_DONE,              /* user and pass are set; either may be empty:
	                         * that is a wrong password */
	SASL_MORE,              /* challenge is to be sent */
	SASL_CANCELLED,         /* the client sent "*" */
	SASL_NOT_BASE64,
	SASL_MALFORMED,         /* base64, and not what the mechanism says */
};

struct sasl {
	enum sasl_mech mech;
	bool named;                     /* LOGIN: the password is next */
	const char *challenge;          /* base64, "" for an empty one */
	struct str user, pass;
};

/* Any case; SASL_NO_MECH when it is neither. */
enum sasl_mech sasl_mech_of(const char *name, size_t n);
/* initial: the response that came with the command, "=" for an empty one;
 * NULL or "": none came. */
__attribute__((warn_unused_result))
enum sasl_step sasl_begin(struct sasl *out, enum sasl_mech,
    const char *initial);
/* After SASL_MORE alone. */
__attribute__((warn_unused_result))
enum sasl_step sasl_next(struct sasl *, const char *line, size_t n);
void sasl_wipe(struct sasl *);

#endif
