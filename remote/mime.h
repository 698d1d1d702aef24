/* remote/mime.h - what downgrade.c must know of a part's header (2045:5). */
#ifndef REMOTE_MIME_H
#define REMOTE_MIME_H

#include "lib/str.h"

#include <stdbool.h>

enum mime_kind {
	MIME_TEXT,
	MIME_OTHER,
	MIME_MULTIPART,
	MIME_MESSAGE,           /* message/rfc822, message/global */
	MIME_RIGID,             /* other message/...: never encoded */
};
enum mime_cte {
	MIME_7BIT,              /* also when nothing is said */
	MIME_8BIT,              /* 8bit or binary */
	MIME_QP, MIME_BASE64,
	MIME_UNKNOWN,
};

struct mime {
	bool has_version, has_type;
	enum mime_kind kind;
	enum mime_cte cte;
	bool is_signed, is_digest;      /* multipart/signed, /digest */
	struct str boundary;
};

/* header: lines that end in LF.  inside_digest: the kind when no type is
 * given is MIME_MESSAGE. */
void mime_parse(struct mime *out, const char *header, size_t n,
    bool inside_digest);
void mime_free(struct mime *);
/* The end of the field that begins at s: its continuation lines included. */
size_t mime_field_len(const char *s, size_t n);
/* Is this a field of that name? */
bool mime_field_is(const char *s, size_t n, const char *name);

#endif
