/* control/rcpthosts.h - whose mail this machine takes from strangers: the
 * lists rcpthosts and morercpthosts.cdb.
 *
 * A domain is on a list by its own name or by ".suffix" of it, without regard
 * to case.  A list that is missing names nobody: without both, no domain is
 * accepted.  An address without "@" is accepted, as ever: it gets envnoathost,
 * which is this host (so "postmaster" alone can be written to).
 *
 * Programs that use it link -lcdb.  The lists are root's. */
#ifndef CONTROL_RCPTHOSTS_H
#define CONTROL_RCPTHOSTS_H

#include "control/control.h"
#include "lib/cdb.h"

#define RCPTHOSTS_MORE "morercpthosts.cdb"      /* below control/ */

enum rcpthosts_status {
	RCPTHOSTS_YES,
	RCPTHOSTS_NO,
	RCPTHOSTS_TEMP,         /* morercpthosts.cdb cannot be read; errno */
};

struct rcpthosts {
	struct map list;
	struct cdb_file *more;          /* NULL: there is none */
};

/* Reads rcpthosts and opens morercpthosts.cdb, into *out which is {0}.  -1 with
 * errno and the name of the file below control/ in *failed; *out is {0} then.
 * The open database stays as it was when the file is replaced. */
__attribute__((warn_unused_result))
int rcpthosts_load(struct rcpthosts *out, const char **failed);
/* The domain of addr's n bytes: what follows the last "@". */
__attribute__((warn_unused_result))
enum rcpthosts_status rcpthosts_find(const struct rcpthosts *,
    const char *addr, size_t n);
void rcpthosts_free(struct rcpthosts *);

/* Compiles morercpthosts to morercpthosts.cdb, durably and at once; waits for
 * another that is doing so.  -1 with errno and in *failed what could not be
 * done ("read morercpthosts"): the old one stays. */
__attribute__((warn_unused_result))
int rcpthosts_compile(const char **failed);

#endif
