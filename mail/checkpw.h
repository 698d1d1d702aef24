/* mail/checkpw.h - running a checkpassword program.
 *
 * The program reads "user NUL password NUL stamp NUL" on descriptor 3 and ends
 * with 0 (its own arguments were run and ended so), 1 (wrong; 3 in vpopmail's
 * vchkpw), 2 (misused) or 111 (cannot say).  Nothing of the secrets goes
 * anywhere else; the buffer is wiped.  Everything but 0 is a login that
 * failed. */
#ifndef MAIL_CHECKPW_H
#define MAIL_CHECKPW_H

#include <stddef.h>
#include <stdint.h>

#define CHECKPW_MAX 512         /* bytes of the three fields and their NULs */
#define CHECKPW_WAIT_MS 60000   /* the program may take; then it is killed */

enum checkpw_status {
	CHECKPW_OK,
	CHECKPW_WRONG,          /* exit 1 or 3; empty users and passwords, over-
	                         * long or NUL-holding fields: not even asked */
	CHECKPW_TEMP,           /* everything else: there is a line in the log */
};

/* argv: program and its arguments, NULL at the end.  user and pass of nuser
 * and npass bytes; stamp is a C string.  The program's output goes to
 * /dev/null, its descriptor 2 is ours.  It runs in a session of its own: what
 * it leaves behind is killed when the time is over, not before. */
__attribute__((warn_unused_result))
enum checkpw_status checkpw_run(const char *const *argv,
    const char *user, size_t nuser, const char *pass, size_t npass,
    const char *stamp);
/* The same with another limit than CHECKPW_WAIT_MS. */
__attribute__((warn_unused_result))
enum checkpw_status checkpw_run_within(const char *const *argv,
    const char *user, size_t nuser, const char *pass, size_t npass,
    const char *stamp, int64_t ms);

/* The parts, for who runs the program in another way. */

/* A pipe that holds the three fields and then ends; nothing waits for it to be
 * read.  -1 when they make no question (errno EINVAL: empty user or password,
 * a NUL, over-long) or there is no pipe. */
__attribute__((warn_unused_result))
int checkpw_pipe(const char *user, size_t nuser, const char *pass,
    size_t npass, const char *stamp);
/* What the program's wait status says; logs what is CHECKPW_TEMP. */
enum checkpw_status checkpw_judge(const char *program, int status);

#endif
