/* inject/prefix.h - run a program with some text before our own input. */
#ifndef INJECT_PREFIX_H
#define INJECT_PREFIX_H

#include "lib/str.h"

/* Runs argv (searched in PATH unless it has a slash) with text and then all of
 * descriptor 0 as its input, waits for it, and returns its exit code.  A
 * program that does not read all of its input is no error.  111, after a line
 * on descriptor 2, when something else goes wrong. */
__attribute__((warn_unused_result))
int prefix_run(const char *const *argv, const struct str *text);

#endif
