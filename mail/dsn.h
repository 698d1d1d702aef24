/* mail/dsn.h - the wishes of RFC 3461 as they travel: SMTP parameters, queue
 * records, delivery commands.
 *
 * One text form everywhere: the SMTP parameters themselves, space between,
 * in a fixed order and upper case keywords -
 *	of a message:    "RET=HDRS ENVID=xtext"
 *	of a recipient:  "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;xtext"
 * Empty text: nothing was asked.  In the queue it stands as record "M"text
 * after F, and "N"text after the T it belongs to; both are left out when
 * empty, so an envelope without wishes is the historical one. */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "lib/str.h"

#include <stdbool.h>

#define DSN_ENVID_MAX 100       /* bytes, encoded (3461:4.4) */
#define DSN_ORCPT_MAX 500       /* bytes, encoded (3461:4.2) */
#define DSN_TEXT_MAX 640        /* bytes of either text form */

enum dsn_notify {               /* bits */
	DSN_NEVER = 1, DSN_SUCCESS = 2, DSN_FAILURE = 4, DSN_DELAY = 8,
};
enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };

struct dsn_message {
	enum dsn_ret ret;
	struct str envid;       /* as given, still xtext */
};
struct dsn_rcpt {
	unsigned notify;        /* 0: not said */
	struct str orcpt;       /* "type;xtext" as given */
};
void dsn_message_free(struct dsn_message *);
void dsn_rcpt_free(struct dsn_rcpt *);

/* One parameter: keyword (any case) and value.  0; -1 with EINVAL for a value
 * that is not allowed or a second one, ENOENT for a keyword not of DSN. */
__attribute__((warn_unused_result))
int dsn_message_param(struct dsn_message *, const char *key, const char *val);
__attribute__((warn_unused_result))
int dsn_rcpt_param(struct dsn_rcpt *, const char *key, const char *val);

/* Appends the text form; nothing when nothing was asked. */
void dsn_message_cat(struct str *, const struct dsn_message *);
void dsn_rcpt_cat(struct str *, const struct dsn_rcpt *);
/* Reads the text form; -1 (EPROTO) when it is not. */
__attribute__((warn_unused_result))
int dsn_message_parse(const char *s, size_t n, struct dsn_message *out);
__attribute__((warn_unused_result))
int dsn_rcpt_parse(const char *s, size_t n, struct dsn_rcpt *out);

/* xtext (3461:4): appends the bytes it stands for; -1 when malformed. */
__attribute__((warn_unused_result))
int dsn_xtext_decode(struct str *, const char *s, size_t n);
void dsn_xtext_encode(struct str *, const char *s, size_t n);

#endif
