/* inject/smrun.h - do what a sendmail command line asks for. */
#ifndef INJECT_SMRUN_H
#define INJECT_SMRUN_H

#include "inject/inject.h"
#include "inject/smopts.h"

/* The exit code, of sysexits.h, and the reason of a failure in *why.  -bs, -bp
 * and -q become another program and then return only on failure. */
int smrun(const struct smopts *, struct str *why);

/* What -f says, in plain bytes: the address of "Al <al@x>", nothing for <>,
 * and the bytes themselves where they are no address list. */
void smrun_sender(struct str *out, const char *arg);
int smrun_exit_code(enum inject_status);

#endif
