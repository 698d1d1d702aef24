/* mail/dotqmail.h - the language of .qmail files: text to instructions.
 *
 * Pure: no files, no processes.  One instruction a line, spaces and tabs at
 * its end dropped: "#" comment, "|command", "./x" or "/x" mbox, the same with
 * a final slash a Maildir, "+list" (from here on only forwards), "&address"
 * or anything else an address.  A line that is not allowed becomes an
 * instruction of its own, because what stands before it is still done. */
#ifndef MAIL_DOTQMAIL_H
#define MAIL_DOTQMAIL_H

#include "lib/str.h"

enum dotqmail_kind {
	DOTQMAIL_PROGRAM,
	DOTQMAIL_MBOX,
	DOTQMAIL_MAILDIR,
	DOTQMAIL_FORWARD,
	DOTQMAIL_BLANK_FIRST,   /* the first line is blank */
	DOTQMAIL_NO_FILES,      /* a mailbox where only forwards may be */
	DOTQMAIL_NO_PROGRAMS,   /* a program there */
	DOTQMAIL_NUL,           /* a NUL byte in the line */
};

struct dotqmail_step {
	enum dotqmail_kind kind;
	size_t at;              /* where its argument begins in text */
};

struct dotqmail {
	struct str text;        /* arguments, each NUL-terminated */
	struct dotqmail_step *steps;
	size_t n, cap;
};

/* Adds the instructions of n bytes at s to an empty ({0}) dotqmail. */
void dotqmail_parse(struct dotqmail *, const char *s, size_t n,
    bool forward_only);
/* The command, path or address of step i: borrowed. */
const char *dotqmail_arg(const struct dotqmail *, size_t i);
/* Is there at least one step, and is every one a Maildir? */
bool dotqmail_only_maildirs(const struct dotqmail *);
void dotqmail_free(struct dotqmail *);

#endif
