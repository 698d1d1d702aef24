/* mail/verdict.h - what an exit code of a local delivery means to
 * qmail-send: the one table.
 *
 * 112 to 126 are lspawn's and qmail-getpw's own; 0, 71, 74, 75, 100 and 111
 * are qmail-local's; any other is a failure for good, with its text. */
#ifndef MAIL_VERDICT_H
#define MAIL_VERDICT_H

#include "lib/str.h"

/* X(ID, code, letter, text when the delivery said nothing itself) */
#define VERDICT_TABLE(X)                                                      \
	X(OK, 0, 'K', "")                                                     \
	X(OSERR, 71, 'Z', "")                                                 \
	X(IOERR, 74, 'Z', "")                                                 \
	X(TEMPFAIL, 75, 'Z', "")                                              \
	X(HARD, 100, 'D', "")                                                 \
	X(SOFT, 111, 'Z', "")                                                 \
	X(USAGE, 112, 'Z', "qmail-lspawn used a program wrongly. (#4.3.0)")   \
	X(ROOT, 113, 'Z', "Mail is not delivered to root. (#4.7.0)")          \
	X(HOMEFS, 115, 'Z', "A home directory cannot be examined. (#4.3.0)")  \
	X(NOALIAS, 116, 'Z', "There is no user \"alias\". (#4.3.5)")          \
	X(CDB, 117, 'Z', "Unable to read users/cdb. (#4.3.0)")                \
	X(SYSTEM, 118, 'Z', "Trouble with the system's accounts or "          \
	    "resources. (#4.3.0)")                                            \
	X(MEMORY, 119, 'Z', "Out of memory. (#4.3.0)")                        \
	X(EXEC, 120, 'Z', "Unable to start qmail-local. (#4.3.0)")            \
	X(EXECPW, 121, 'Z', "Unable to ask qmail-getpw. (#4.3.0)")            \
	X(BUSY, 122, 'Z', "This user's deliveries take all the places that one "  \
	    "user may have. (#4.3.2)")                                        \
	X(CRASHED, 127, 'Z', "The local delivery crashed. (#4.3.0)")

enum verdict {
#define X(id, code, letter, text) VERDICT_##id = code,
	VERDICT_TABLE(X)
#undef X
};

/* Letter and text of a report; said: the delivery's own n bytes. */
void verdict_cat(struct str *out, unsigned code, const char *said, size_t n);

#endif
