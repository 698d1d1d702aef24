/* local/environ.h - the environment of delivery programs.
 *
 * The caller's own, and HOST HOST2..4 HOME USER LOCAL RECIPIENT SENDER
 * NEWSENDER EXT EXT2..4 DEFAULT DTLINE RPLINE UFLINE.  A value that comes with
 * the mail and begins like a function that old shells import ("() {") is left
 * out. */
#ifndef LOCAL_ENVIRON_H
#define LOCAL_ENVIRON_H

#include "local/delivery.h"

struct environ {
	struct str text;        /* NAME=value NUL ... */
	const char **vec;
	size_t n;
};

void environ_make(struct environ *, const struct delivery *);
const char *const *environ_vec(const struct environ *); /* borrowed */
void environ_free(struct environ *);

#endif
