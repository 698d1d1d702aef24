/* vpop/settings.h - run-time settings: one-value files below VPOPMAIL/etc.
 *
 * One table.  A value is the file's first line without trailing space; a list
 * is its lines, without empty ones and those beginning with '#'.  A missing
 * file has the default of the table.  A file that cannot be read, or says what
 * the table does not know, is an error that names the file and the reason:
 * never a default.  The files are the administrator's and trusted. */
#ifndef VPOP_SETTINGS_H
#define VPOP_SETTINGS_H

#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

/* X(ID, file, default, kind, words, meaning); NULL default: none.  kind WORD:
 * one of words; BOOL: 0 or 1; NUMBER: words is "min max". */
#define VSETTINGS(X)                                                          \
	X(AUTHSOCKETS, "authsockets", NULL, LIST, "",                         \
	    "where authdaemond listens too, each a path")                     \
	X(CLEARPASSWORDS, "clearpasswords", "0", BOOL, "",                    \
	    "1: keep passwords in the clear too, for APOP and CRAM")          \
	X(DEFAULTDOMAIN, "defaultdomain", NULL, TEXT, "",                     \
	    "domain of an address that has none")                             \
	X(HASHSCHEME, "hashscheme", "auto", WORD,                             \
	    "auto yescrypt sha512 sha256 md5",                                \
	    "how new passwords are hashed; auto: the best that fits")         \
	X(LOGINTRIES, "logintries", "10", NUMBER, "0 1000000",                \
	    "wrong passwords an address may give in a minute, 0: any number") \
	X(MINPASSWORDLENGTH, "minpasswordlength", "1", NUMBER, "1 1024",      \
	    "bytes a new password has at least")                              \
	X(OVERQUOTA, "overquota", "defer", WORD, "defer bounce accept",       \
	    "what happens to mail for a mailbox that is full")                \
	X(QMAILEXT, "qmailext", "0", BOOL, "",                                \
	    "1: mail for user-extension goes to user")                        \
	X(STORE, "store", "cdb", WORD, "cdb mysql", "where accounts are kept") \
	X(SYSTEMUSERS, "systemusers", "0", BOOL, "",                          \
	    "1: authdaemond speaks for system users too")                     \
	X(WEBMAILHOSTS, "webmailhosts", "127.0.0.1\n::1\n", LIST, "",         \
	    "networks of hosts with web mail, each a line")

enum vsetting {
#define X(id, file, def, kind, words, meaning) VSETTING_##id,
	VSETTINGS(X)
#undef X
	VSETTING_COUNT
};

struct vsettings {
	struct str value[VSETTING_COUNT];       /* of a list: NUL after each */
	uint64_t number[VSETTING_COUNT];        /* of NUMBER and BOOL */
	bool is_set[VSETTING_COUNT];            /* from its file */
};

/* Reads all of them from vpopmail_dir "/etc".  -1: reason_out says why; what
 * was read before stays, with its defaults. */
__attribute__((warn_unused_result))
int vsettings_load(const char *vpopmail_dir, struct vsettings *out,
    struct str *reason_out);
void vsettings_free(struct vsettings *);

/* "" when there is no value. */
const char *vsetting_peek(const struct vsettings *, enum vsetting);
bool vsetting_is(const struct vsettings *, enum vsetting, const char *word);
bool vsetting_on(const struct vsettings *, enum vsetting);      /* BOOL */
/* The i-th entry of a list, or NULL. */
const char *vsetting_item_peek(const struct vsettings *, enum vsetting,
    size_t i);

/* For pages and tests: a line of the table. */
struct vsetting_entry {
	const char *file, *fallback, *kind, *words, *meaning;
};
const struct vsetting_entry *vsetting_entry(enum vsetting);

#endif
