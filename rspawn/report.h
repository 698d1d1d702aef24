/* rspawn/report.h - what qmail-remote says, and what becomes of it.
 *
 * qmail-remote, given one recipient, prints records that each end in NUL:
 *
 *	r | h TEXT | s TEXT     the recipient: accepted, permanent, temporary
 *	K TEXT | Z TEXT | D TEXT   the message: accepted, temporary, permanent
 *
 * Examples of a whole output and of the delivery's report made from it:
 *	"r\0K1.2.3.4 accepted message.\n\0"  ->  "K1.2.3.4 accepted message.\n"
 *	"hno such user\n\0" "Dgiving up\n\0" ->  "Dno such user\ngiving up\n"
 *	"sbusy\n\0" "Kaccepted\n\0"          ->  "Zbusy\n"
 *	"Zno route\n\0"                      ->  "Zno route\n"
 * The peer's words are in there: bytes come in any split and quantity. */
#ifndef RSPAWN_REPORT_H
#define RSPAWN_REPORT_H

#include "lib/str.h"

struct report {
	char rcpt;              /* 'r', 'h', 's', or 0: not seen */
	char message;           /* 'K', 'Z', 'D', or 0: not seen */
	struct str rcpt_text, message_text;     /* cut: together REPORT_MAX */
	bool in_record;
	bool got;               /* any byte at all */
	char kind;              /* of the record being read; 0: ignored */
};

void report_add(struct report *, const char *bytes, size_t n);
/* Appends letter and text, by the output and the wait status of its writer.
 * Without a whole message record it is a deferral, never a bounce. */
void report_end(const struct report *, int wait_status, struct str *out);
void report_free(struct report *);

/* The report of a transaction with several recipients, in their order, then
 * the record of the message, then maybe "+key=value key=value" for the log. */
struct reports {
	struct report *v;       /* one for each recipient */
	size_t n;
	struct str notes;       /* printable ASCII, cut */
};
void reports_parse(struct reports *out, const char *s, size_t n,
    size_t nrcpt);
/* As report_end, for one of them. */
void reports_end(const struct reports *, size_t i, struct str *out);
void reports_free(struct reports *);

#endif
