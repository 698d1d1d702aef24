/* lspawn/pw2u.h - from passwd lines to users/assign lines.
 *
 * One function of (passwd text, lists, options); only homes are examined on
 * the way, by stat. */
#ifndef LSPAWN_PW2U_H
#define LSPAWN_PW2U_H

#include "lib/str.h"

enum pw2u_homes {
	PW2U_SKIP,              /* skip who has no home of his own (-o) */
	PW2U_STOP,              /* stop where a home is missing (-h) */
	PW2U_IGNORE,            /* do not look (-H) */
};

struct pw2u_options {
	enum pw2u_homes homes;
	bool upper;             /* names with upper-case letters too (-u) */
	bool slash;             /* .qmail-/ instead of .qmail- (-/) */
	char separator;         /* between user and extension; 0: none */
};

/* Texts of the files in users/, as they are; has_include: there is one. */
struct pw2u_lists {
	struct str include, exclude, mailnames, subusers, append;
	bool has_include;
};
void pw2u_lists_free(struct pw2u_lists *);

/* Appends the whole assign text to out.  0, or -1 with the reason in why. */
__attribute__((warn_unused_result))
int pw2u_convert(const char *passwd, size_t n, const struct pw2u_options *,
    const struct pw2u_lists *, struct str *out, struct str *why);

#endif
