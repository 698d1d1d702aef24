/* mail/qctl.h - what the queue tool asks of qmail-send: both ends.
 *
 * HOME/run/send/control is a stream socket in a directory of qmails, 0700:
 * only root and qmails can connect; that is the whole permission check.
 * A client sends lines and gets exactly one line for each, in order; it may
 * send several before it reads.  Worked example:
 *
 *	delete 4711\n           ok\n
 *	hold 4711\n             no no such message\n
 *	flush\n                 ok 12 messages\n
 *
 * A line that is no request is answered `no ...` and the connection closed.
 *
 *	delete N   no further attempt, no bounce; all its files go, now or when
 *	           its running deliveries have ended
 *	expire N   born so long ago that the next attempt is the last; due now
 *	retry N    due now
 *	hold N     no attempt begins before `release N`, across restarts: the
 *	           mark is an empty file queue/hold/N.  Running ones go on
 *	release N  undoes hold; the message keeps its schedule
 *	flush      everything not held is due now, like SIGALRM
 *
 * Numbers are reused, so whoever removes a message removes hold/N first, and
 * qmail-send at its start removes each hold/N without a mess file. */
#ifndef MAIL_QCTL_H
#define MAIL_QCTL_H

#include "lib/str.h"

#define QCTL_SOCKET HOME_DIR "/run/send/control"
#define QCTL_HOLD_DIR "hold"    /* directory in the queue, qmails 0700 */
#define QCTL_LINE_MAX 64        /* bytes of a request, LF included */
#define QCTL_TEXT_MAX 200       /* bytes of an answer's text */
#define QCTL_WAIT_MS 30000      /* how long a client waits for an answer */

/* X(ID, word, takes a message number) */
#define QCTL_TABLE(X)                                                         \
	X(DELETE, "delete", true)                                             \
	X(EXPIRE, "expire", true)                                             \
	X(RETRY, "retry", true)                                               \
	X(HOLD, "hold", true)                                                 \
	X(RELEASE, "release", true)                                           \
	X(FLUSH, "flush", false)

enum qctl_verb {
#define X(id, word, number) QCTL_##id,
	QCTL_TABLE(X)
#undef X
};

struct qctl_request {
	enum qctl_verb verb;
	uint64_t id;            /* 0 with QCTL_FLUSH */
};

struct qctl_answer {
	bool ok;
	struct str text;        /* without "ok " or "no ", may be empty */
};

enum qctl_status { QCTL_MORE, QCTL_DONE, QCTL_BAD };

const char *qctl_verb_word(enum qctl_verb);
void qctl_cat_request(struct str *, const struct qctl_request *);
/* The text is cut at QCTL_TEXT_MAX and cleaned of control characters. */
void qctl_cat_answer(struct str *, bool ok, const char *text);

/* One line being gathered; {0} is empty. */
struct qctl_line {
	size_t n;
	char s[QCTL_TEXT_MAX + 4];
};

/* Eats up to n bytes, *used how many.  DONE: *out is a whole one, the line is
 * empty again, call again with the rest.  BAD: too long or not understood;
 * the line is empty again, the stream is lost.  Peers are trusted to be root
 * or qmails, not to be right. */
enum qctl_status qctl_request_parse(struct qctl_line *, const char *s,
    size_t n, size_t *used, struct qctl_request *out);
/* The same for answers; out is {0} or from an earlier answer. */
enum qctl_status qctl_answer_parse(struct qctl_line *, const char *s,
    size_t n, size_t *used, struct qctl_answer *out);
void qctl_answer_free(struct qctl_answer *);

#endif
