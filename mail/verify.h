/* mail/verify.h - asking whether a recipient exists: both ends of
 * HOME/run/rcpt.
 *
 * One packet (SOCK_SEQPACKET) with the address as given in RCPT, without <>;
 * one packet back: a letter - K accept, D refuse, F refuse because it is full,
 * Z not known now - and a reason for log and reply, printable ASCII.  Any number of questions on a
 * connection.  The service trusts nobody who asks. */
#ifndef MAIL_VERIFY_H
#define MAIL_VERIFY_H

#include "lib/str.h"

#include <stdbool.h>

#define VERIFY_SOCKET HOME_DIR "/run/rcpt"
#define VERIFY_TEXT_MAX 255     /* bytes of a reason */
#define VERIFY_WAIT_MS 20000    /* for an answer, all in all */
#define VERIFY_PATIENCE_MS 3000 /* for a service that is being restarted */

enum verify_status {
	VERIFY_OK,
	VERIFY_NO,              /* certainly nobody: 5.1.1 */
	VERIFY_FULL,            /* somebody, whose mailbox is full: 5.2.2 */
	VERIFY_TEMP,            /* directory trouble, or no service: 4.3.0 */
};

struct verify {
	int fd;                 /* -1: not connected (yet) */
	bool down;              /* it was waited for in vain: not again */
};

/* Connects when needed, once more when the service was restarted; a service
 * that is away is waited for, but VERIFY_PATIENCE_MS at most and once.  *text
 * is replaced. */
__attribute__((warn_unused_result))
enum verify_status verify_ask(struct verify *, const char *path,
    const char *addr, struct str *text);
void verify_close(struct verify *);

/* The answer's packet: for the other end, tests and fuzzing.  _cat appends and
 * cuts and cleans the text; so does _parse, which replaces *text: what is not
 * understood is VERIFY_TEMP. */
void verify_cat_answer(struct str *, enum verify_status, const char *text);
__attribute__((warn_unused_result))
enum verify_status verify_parse_answer(const char *s, size_t n,
    struct str *text);

#endif
