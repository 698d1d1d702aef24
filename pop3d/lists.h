/* pop3d/lists.h - identifiers and sizes that other servers have written down:
 * dovecot-uidlist (version 1 and 3) and courierpop3dsizelist (1 to 3); and our
 * own pop3d.uidl and pop3d.sizes:
 *
 *	pop3d.sizes 1 2 0f5f2c7f0a1b2c3d        lines, SipHash of them all
 *	4823 1700000000.M123456P42.mx.a.example
 *	97 1700000001.M345678P42.mx.a.example
 * and the same with identifiers for sizes.
 *
 * Pure; the bytes are the mailbox owner's and not trusted. */
#ifndef POP3D_LISTS_H
#define POP3D_LISTS_H

#include "lib/str.h"

#define LISTS_MAX (256 << 20)           /* bytes of a list */
#define LISTS_LINE 1024                 /* bytes of a line; longer ones are
                                         * left out */
#define LISTS_DOVECOT "%08Xu%08Xv"      /* Dovecot's default format */

/* name: the base name of the message, n bytes.  uidl: "" when the list says
 * none; any bytes but NUL and LF, LISTS_LINE at most.  wire: UINT64_MAX when
 * it says none. */
typedef void (*lists_entry)(void *arg, const char *name, size_t n,
    const char *uidl, uint64_t wire);

/* Calls for each line; -1 when the first line is none of this version, lines
 * that make no sense are left out. */
__attribute__((warn_unused_result))
int lists_courier(const char *s, size_t n, lists_entry, void *arg);
/* format: Dovecot's pop3_uidl_format with %u %v %f %g %%, and for each a "0",
 * a width, "X" (of numbers), "L" and "U", in this order. */
__attribute__((warn_unused_result))
int lists_dovecot(const char *s, size_t n, const char *format, lists_entry,
    void *arg);
bool lists_format_ok(const char *format);

enum lists_kind {
	LISTS_UIDL,
	LISTS_SIZES,
};
/* Ours; -1, and nothing called, unless every byte is as it was written. */
__attribute__((warn_unused_result))
int lists_own(enum lists_kind, const char *s, size_t n, lists_entry,
    void *arg);
/* A line of it: of a kind its own argument counts.  A name with an LF in it
 * cannot be in a list. */
void lists_own_add(enum lists_kind, struct str *lines, const char *name,
    size_t n, const char *uidl, uint64_t wire);
/* Puts the first line before what was added: the whole file. */
void lists_own_seal(enum lists_kind, struct str *lines);

#endif
