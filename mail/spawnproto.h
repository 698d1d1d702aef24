/* mail/spawnproto.h - what qmail-send and its spawners say to each other.
 *
 * Spawner to qmail-send, at start (hello): one byte 1..255, its greatest
 * concurrency, and then delivery numbers are one byte (classic); or 0, a
 * version, and a big-endian 16-bit maximum, and then they are 16 bits (wide).
 *
 * Command:  delnum, "SPLIT/INODE" NUL, sender NUL, recipient NUL
 * Report:   delnum, text NUL; the text begins with K, Z or D.
 *
 * Version 2 adds to each command: mark NUL, message's wishes NUL, recipient's
 * wishes NUL, and to each report: notes NUL.  The mark "+" says that the next
 * command is of the same message, sender and recipient domain, and belongs
 * into the same transaction; the last of such a group has "".  The wishes are
 * texts of mail/dsn.h, the notes "key=value key=value" for the log.
 *
 * qmail-send trusts lspawn's reports as far as their length; nobody trusts
 * rspawn's.  Parsers take bytes as they come, in any split. */
#ifndef MAIL_SPAWNPROTO_H
#define MAIL_SPAWNPROTO_H

#include "lib/str.h"

#include <stdbool.h>

#define SPAWN_WIDE_MAX 65000u

enum spawn_status { SPAWN_MORE, SPAWN_DONE, SPAWN_BAD };

/* Hello. */
void spawn_cat_hello(struct str *, unsigned max);               /* wide */
void spawn_cat_hello2(struct str *, unsigned max);              /* version 2 */
struct spawn_hello {
	bool wide;
	unsigned version;       /* 0 classic */
	unsigned max;
	unsigned have;          /* bytes seen */
	unsigned char raw[4];
};
/* Eats one byte at a time; SPAWN_DONE when wide and max are known. */
enum spawn_status spawn_hello_byte(struct spawn_hello *, unsigned char);

/* Commands.  version: 0 classic, 1 wide, 2. */
struct spawn_command {
	unsigned delnum;
	struct str messid, sender, rcpt;
	struct str mark, params, rparams;       /* version 2 */
	unsigned state;         /* parser's own */
};
void spawn_cat_command(struct str *, unsigned version, unsigned delnum,
    const char *messid, const char *sender, const char *rcpt);
/* Right after spawn_cat_command of version 2. */
void spawn_cat_options(struct str *, bool more, const char *params,
    const char *rparams);
/* Parses from s up to n bytes; *used how many were eaten.  SPAWN_DONE: one
 * whole command (call spawn_command_next before going on).  SPAWN_BAD: a field
 * is over its limit; the stream is lost. */
enum spawn_status spawn_command_parse(struct spawn_command *, unsigned version,
    const char *s, size_t n, size_t *used);
void spawn_command_next(struct spawn_command *);        /* back to empty */
void spawn_command_free(struct spawn_command *);
/* digits and one '/', not first, not empty. */
bool spawn_messid_ok(const struct str *);

/* Reports. */
struct spawn_report {
	unsigned delnum;
	struct str text;        /* cut at REPORT_MAX */
	struct str notes;       /* version 2; cut too */
	unsigned state;
};
void spawn_cat_report(struct str *, unsigned version, unsigned delnum,
    const char *text, size_t n);                /* text without NULs */
/* Right after spawn_cat_report of version 2. */
void spawn_cat_notes(struct str *, const char *notes);
enum spawn_status spawn_report_parse(struct spawn_report *, unsigned version,
    const char *s, size_t n, size_t *used);
/* The value of a key among notes, at most max bytes of it; false: not there,
 * or longer.  *out is replaced. */
bool spawn_note(const char *notes, const char *key, size_t max,
    struct str *out);
void spawn_report_next(struct spawn_report *);
void spawn_report_free(struct spawn_report *);

#endif
