/* install/setup.h - the work of valija-setup and valija-check. */
#ifndef INSTALL_SETUP_H
#define INSTALL_SETUP_H

#include "lib/str.h"

#define SETUP_MANIFEST HOME_DIR "/doc/manifest"
#define SETUP_MARK ".valija"    /* in VPOPMAIL, when it was made by us */

struct setup_options {
	const char *source;     /* the source tree; NULL: none is at hand */
	const char *manifest;   /* file, read where it is, never in destdir */
	const char *destdir;    /* NULL: the machine itself */
	const char *host;       /* NULL: ask the machine */
	const char *admin;      /* NULL: nobody */
};

/* Installs, or dies.  Says on standard output what it made or kept. */
void setup_install(const struct setup_options *);
/* Links the services into /service, or dies. */
void setup_enable(const struct setup_options *);
/* Prints each difference; how many there are.  Dies when it cannot look. */
unsigned setup_check(const struct setup_options *);

#endif
