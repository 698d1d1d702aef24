/* mail/program.h - run the command of a "|" line of .qmail.
 *
 * A command of plain words, quoted or not, is executed directly; anything a
 * shell could take for more than words, or that is no program in PATH, by
 * /bin/sh -c. */
#ifndef MAIL_PROGRAM_H
#define MAIL_PROGRAM_H

#include "lib/str.h"

#include <sys/types.h>

#define PROGRAM_STOP 99         /* a program's exit code: done, skip the rest */
#define PROGRAM_TIME_MS ((int64_t)86400 * 1000)

/* Runs it with mfd, rewound, as descriptor 0, in a session of its own, which
 * is killed after time_ms.  Returns VERDICT_OK, PROGRAM_STOP, VERDICT_HARD or
 * VERDICT_SOFT; what the program did not say itself is appended to words. */
__attribute__((warn_unused_result))
int program_run(const char *command, const char *const *envp, int mfd,
    int64_t time_ms, struct str *words);
/* Splits a command of plain words: 0 and words_out NUL-separated, *n of them,
 * or -1: it is the shell's. */
__attribute__((warn_unused_result))
int program_split(const char *command, struct str *words_out, size_t *n);
/* What an exit code means: one of the four. */
int program_code(int exit_code);
/* Waits until pid ends: 0 and *status; or kills its process group after
 * time_ms and returns -1 with ETIMEDOUT. */
__attribute__((warn_unused_result))
int program_wait(pid_t, int64_t time_ms, int *status);

#endif
