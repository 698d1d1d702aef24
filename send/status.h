/* send/status.h - paragraphs of bounce/N (bounce.h), and what RFC 3464 makes
 * of them.  Pure. */
#ifndef SEND_STATUS_H
#define SEND_STATUS_H

#include "lib/str.h"
#include "send/bounce.h"

struct status {                 /* a recipient; all borrowed */
	enum bounce_kind kind;
	bool marked;            /* there was a mark */
	int64_t when;
	const char *mta, *wish, *addr, *text;
	size_t mta_len, wish_len, addr_len, text_len;
	const char *paragraph;  /* with its empty line */
	size_t paragraph_len;
};

/* The next one after *at, which it moves; false at the end. */
bool status_next(const char *s, size_t n, size_t *at, struct status *out);
/* The fields of the message, with their empty line.  params: dsn.h. */
void status_cat_message(struct str *, const char *host, const char *params,
    int64_t arrival);
/* The fields of a recipient, with their empty line. */
void status_cat_rcpt(struct str *, const struct status *);
/* "5.1.1": the first code of that class in the text, or else "class.0.0";
 * of a failure whose last reason was a temporary one 5.4.7. */
void status_cat_code(struct str *, const struct status *);

#endif
