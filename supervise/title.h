/* supervise/title.h - a line of fixed length that shows the newest bytes. */
#ifndef SUPERVISE_TITLE_H
#define SUPERVISE_TITLE_H

#include <stddef.h>

#define TITLE_MIN 5             /* three dots stay, two bytes show something */

/* Moves n bytes, without their NULs, in at the right end of title; its first
 * three bytes never change.  len >= TITLE_MIN. */
void title_add(char *title, size_t len, const char *bytes, size_t n);

#endif
