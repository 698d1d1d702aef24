/* pop3d/lists.h - identifiers and sizes that other servers have written down:
 * dovecot-uidlist (version 1 and 3) and courierpop3dsizelist (1 and 2).
 *
 * Pure; the bytes are the mailbox owner's and not trusted. */
#ifndef POP3D_LISTS_H
#define POP3D_LISTS_H

#include "lib/str.h"

#define LISTS_MAX (256 << 20)           /* bytes of a list */

/* name: the base name of the message, n bytes.  uidl: "" when the list says
 * none.  wire: UINT64_MAX when it says none. */
typedef void (*lists_entry)(void *arg, const char *name, size_t n,
    const char *uidl, uint64_t wire);

/* Calls for each line; -1 when the first line is none of this version, lines
 * that make no sense are left out. */
__attribute__((warn_unused_result))
int lists_courier(const char *s, size_t n, lists_entry, void *arg);
/* format: Dovecot's pop3_uidl_format: %u %v %f %g, each with an optional
 * width, "0" and "X" ("%08Xu%08Xv", its default). */
__attribute__((warn_unused_result))
int lists_dovecot(const char *s, size_t n, const char *format, lists_entry,
    void *arg);
bool lists_format_ok(const char *format);

#endif
