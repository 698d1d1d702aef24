/* mail/addr.h - the address lists of header fields: 5322:3.4 with the
 * obsolete forms of 5322:4.4, UTF-8 as in 6532, and the liberties that
 * senders take.
 *
 *	addr_parse	"Al (home) <al@x>, team: bo;"  ->  items
 *	addr_set_host	the caller's rewriting, item by item
 *	addr_cat_list	items  ->  text, folded
 *
 * An item's address is plain bytes: local part and host without quotes,
 * comments, white space or routes.  Beyond the RFC: addresses may be parted
 * by white space or ";" alone; a local part may hold "@" and stray dots; a
 * group may lack its ";"; a display name may hold "@".  Never guessed at:
 * what is unfinished (a comment, a quote, "<") and hosts that are no hosts.
 *
 * Time is linear in the input whatever it holds.  Memory: about twice the
 * input, and up to ADDR_ITEMS_MAX items.  Nothing printed holds a CR, a NUL,
 * or an LF that is not followed by white space. */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include "lib/str.h"
#include "mail/limits.h"

#include <stdbool.h>

#define ADDR_ITEMS_MAX (2u * RCPT_MAX)  /* items of a list, words of a name */
#define ADDR_FOLD 76                    /* columns before a line is folded */

/* X(ID, text) */
#define ADDR_TABLE(X)                                                         \
	X(OK, "good")                                                         \
	X(COMMENT, "comment without end")                                     \
	X(QUOTE, "quoted string without end")                                 \
	X(LITERAL, "domain literal without end")                              \
	X(ANGLE, "unbalanced or misused < >")                                 \
	X(WORDS, "words run into each other in an address")                   \
	X(HOST, "host name with characters that no host has")                 \
	X(GROUP, "misplaced colon")                                           \
	X(STRAY, "stray closing bracket")                                     \
	X(NUL, "NUL byte")                                                    \
	X(MANY, "too many addresses")

enum addr_status {
#define X(id, text) ADDR_##id,
	ADDR_TABLE(X)
#undef X
};

enum addr_kind {
	ADDR_MAILBOX,
	ADDR_GROUP_BEGIN,       /* pre is the group's name */
	ADDR_GROUP_END,
	ADDR_NOTE,              /* comments without an address */
};

struct addr_part {              /* bytes of addr_list.text */
	size_t off, len;
};

struct addr_item {
	enum addr_kind kind;
	bool angle;             /* was in < > */
	bool has_at;            /* false: host is empty */
	struct addr_part local, host;
	struct addr_part pre, post;     /* printable: name, comments */
};

struct addr_list {
	struct addr_item *items;
	size_t n, cap;
	struct str text;
};

/* Replaces the list (which is {0} or an earlier result) by what s says, a
 * field's value, line ends included.  Other than ADDR_OK: the list is empty. */
__attribute__((warn_unused_result))
enum addr_status addr_parse(struct addr_list *, const char *s, size_t n);
/* The list becomes this one address, split at its last "@". */
void addr_from_plain(struct addr_list *, const char *addr, size_t n);
void addr_free(struct addr_list *);
const char *addr_text(enum addr_status);

/* Borrowed bytes of one part. */
const char *addr_part_peek(const struct addr_list *, struct addr_part);
/* The mailbox is <>: no local part and no host. */
bool addr_is_empty(const struct addr_item *);
bool addr_is_literal(const struct addr_list *, const struct addr_item *);
void addr_set_host(struct addr_list *, size_t i, const char *host, size_t n);

/* local@host as an envelope has it. */
void addr_cat_plain(struct str *out, const struct addr_list *, size_t i);
/* The list as a field's value without a line end.  column: where its first
 * byte will stand. */
void addr_cat_list(struct str *out, const struct addr_list *, size_t column);

#endif
