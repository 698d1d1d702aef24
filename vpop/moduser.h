/* vpop/moduser.h - changing what is recorded of an account, or of all of a
 * domain: what vmoduser and vsetuserquota share. */
#ifndef VPOP_MODUSER_H
#define VPOP_MODUSER_H

#include "vpop/manage.h"

struct moduser {
	const char *quota, *comment, *dir;      /* NULL: as it is */
	struct str hash, clear;
	bool have_hash, have_clear;
	uint32_t set, unset;    /* flags; set comes after unset */
	struct str normal;      /* the quota in its normal form: made here */
};

/* The whole program but for its options: what is an address, or a domain for
 * all its accounts, of which either each is changed or none.  Returns when it
 * is done. */
void moduser_run(struct moduser *, const char *prog, const char *what);
void moduser_free(struct moduser *);

#endif
