/* supervise/envfiles.h - environment variables kept as files. */
#ifndef SUPERVISE_ENVFILES_H
#define SUPERVISE_ENVFILES_H

#include "supervise/tool.h"

/* A file longer than this is refused; only its first line counts, and Linux
 * takes no environment string above 128 KiB. */
#define ENVFILES_MAX ((size_t)1 << 20)

/* The value a file stands for: its first line without blanks at the end, NUL
 * as LF.  False: the file is empty, the variable is to be removed. */
bool envfiles_value(const struct str *file, struct str *out);

/* Applies every file of dir whose name does not begin with '.'.  Exits 111
 * with a message naming what cannot be read. */
void envfiles_load(const char *dir, struct toolenv *env);

#endif
