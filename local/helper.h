/* local/helper.h - what the small programs for .qmail files share.
 *
 * They run as the user, below qmail-local, with the message on descriptor 0
 * and the environment of environ.h; they may die. */
#ifndef LOCAL_HELPER_H
#define LOCAL_HELPER_H

/* The variable, or death (100) without it. */
const char *helper_env(const char *name);
/* Runs a program with our descriptors and returns its exit code; dies (111)
 * when it cannot be started or crashes. */
int helper_run(const char *const *argv);
void helper_rewind(void);               /* descriptor 0 to its beginning */
/* Queues the message on 0 for these addresses and says "qp N", or dies. */
void helper_forward(const char *sender, const char *const *rcpts,
    unsigned n);

#endif
