/* vpop/limits.h - limits of a domain in their file form:
 * DOMAINDIR/.qmailadmin-limits, and etc/vlimits.default for domains that have
 * none of their own.
 *
 * Lines "key: value" or "key value", and words that stand alone; '#' begins a
 * comment.  What is not known is passed over and kept when the file is
 * written again.  perm_maillist has three fields of three bits: lists, users,
 * moderators. */
#ifndef VPOP_LIMITS_H
#define VPOP_LIMITS_H

#include "vpop/store.h"

#define VLIMITS_FILE ".qmailadmin-limits"
#define VLIMITS_DEFAULT "vlimits.default"       /* below VPOPMAIL/etc */

void vlimits_init(struct vlimits *);            /* nothing is limited */
bool vlimits_is_valid(const struct vlimits *);
bool vlimits_equal(const struct vlimits *, const struct vlimits *);

/* Replaces *out by what the text says and vlimits_init else.  The number of
 * the first line whose value is no number, or 0: then the digits it begins
 * with count, and without any the line says nothing. */
size_t vlimits_parse(const char *s, size_t n, struct vlimits *out);
/* Appends the text; of old what is not ours is added at its end. */
void vlimits_cat(struct str *, const struct vlimits *, const char *old,
    size_t n);

/* For store.c.  get: NONE when there is no file. */
enum vstore_status vlimits_default_get(struct vstore *, struct vlimits *out);
enum vstore_status vlimits_default_set(struct vstore *,
    const struct vlimits *);
enum vstore_status vlimits_default_del(struct vstore *);

#endif
