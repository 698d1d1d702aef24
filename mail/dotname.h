/* mail/dotname.h - the names that the .qmail file of an address may have.
 *
 * ".qmail" dash ext, ext in lower case with ":" for ".", so no extension names
 * a file outside; then each shorter form, ending at a dash, with "default".
 * For dash "-" and ext "a-b.c":
 *	.qmail-a-b:c  .qmail-a-default  .qmail-default
 * The first that exists is it.  Pure. */
#ifndef MAIL_DOTNAME_H
#define MAIL_DOTNAME_H

#include "lib/str.h"

struct dotname {
	struct str name;        /* the name it is at */
	bool have_matched;      /* it ends in "default" */
	size_t matched_at;      /* which then stands for ext from here */
	const char *dash, *ext; /* borrowed */
	size_t next;            /* where the next "default" may stand */
	bool begun, over;
};

/* *n is {0} or used up. */
void dotname_begin(struct dotname *, const char *dash, const char *ext);
/* Goes to the next name; false at the end. */
bool dotname_next(struct dotname *);
void dotname_free(struct dotname *);

/* Replaces *out by ".qmail", dash, ext's first n bytes, suffix. */
void dotname_make(struct str *out, const char *dash, const char *ext,
    size_t n, const char *suffix);
/* Does this errno of open or stat mean that there is no such file? */
bool dotname_is_absent(int error);

#endif
