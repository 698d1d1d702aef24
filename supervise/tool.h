/* supervise/tool.h - what the service tools share: the words daemontools has
 * for errors, usage lines, and running the next program of a chain. */
#ifndef SUPERVISE_TOOL_H
#define SUPERVISE_TOOL_H

#include "lib/str.h"

/* The reason as people's scripts know it ("file does not exist"); static. */
const char *tool_error_text(int err);

/* lib/log.h's line with ": " and tool_error_text(errno) at its end. */
void tool_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void tool_die(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "prog: usage: text", exits with code. */
_Noreturn void tool_usage(int code, const char *usage);

/* Opens /dev/null on each of 0, 1, 2 that is closed, so that no file of ours
 * lands there.  Exits 111 when it cannot. */
void tool_open_std(void);

/* Runs argv (NULL-terminated, argv[0] searched in this process's PATH) with
 * envp (NULL: as it is) in place of this program, or exits 111. */
_Noreturn void tool_exec(char *const *argv, const char *const *envp);

/* An environment to be: copies of the pointers of environ, changed by name.
 * The caller's own environment stays, so the next program is searched in the
 * PATH that was there before. */
struct toolenv {
	const char **v;         /* NULL-terminated */
	size_t n, cap;
};

void toolenv_init(struct toolenv *);
/* Names hold no '='; value NULL removes.  Strings are copied. */
void toolenv_set(struct toolenv *, const char *name, const char *value);
void toolenv_set_uint(struct toolenv *, const char *name, uint64_t value);
void toolenv_free(struct toolenv *);

#endif
