/* queue/qscan.h - the messages in a queue, read while it may be in use.
 *
 * The working directory is HOME/queue.  Nothing is locked and nothing is
 * written: a message may be delivered between the list and the look, which is
 * QSCAN_GONE and no error.  A message with todo/N is S4 whatever else it has:
 * its info, local and remote are stale then. */
#ifndef QUEUE_QSCAN_H
#define QUEUE_QSCAN_H

#include "lib/str.h"

#include <sys/types.h>

struct qscan_ids {
	uint64_t *ids;          /* ascending, each once */
	size_t n, cap;
};

enum qscan_channel { QSCAN_RAW, QSCAN_LOCAL, QSCAN_REMOTE };

struct qscan_rcpt {
	enum qscan_channel channel;     /* QSCAN_RAW: not preprocessed */
	bool done;
	const char *addr;               /* borrowed from the message */
};

struct qscan_msg {
	uint64_t id;
	bool todo;              /* S4, else S5 */
	bool held;              /* hold/N is there */
	bool bouncing;          /* bounce/N is there */
	uint64_t size;          /* bytes of mess/S/N, 0 when it is not there */
	int64_t birth;          /* mtime of info/S/N or todo/N */
	int64_t next_local;     /* mtimes of the recipient lists: when the */
	int64_t next_remote;    /*   next attempt was due at the last stop */
	uid_t uid;              /* S4: who submitted it, and its qp */
	pid_t pid;
	struct str sender;
	struct str rcpts;       /* read by qscan_rcpt_next */
	size_t nrcpt, nleft;    /* recipients, those not done */
};

enum qscan_status {
	QSCAN_OK,
	QSCAN_GONE,             /* neither todo/N nor info/S/N */
	QSCAN_BAD,              /* a file makes no sense; why says which */
	QSCAN_TROUBLE,          /* a file cannot be read; why says which */
};

/* Appends one id, unsorted; qscan_sort puts them in order, each once. */
void qscan_add(struct qscan_ids *, uint64_t id);
void qscan_sort(struct qscan_ids *);
void qscan_ids_free(struct qscan_ids *);

/* Makes dir (HOME/queue) the working directory.  -1: why says why not, and
 * who may. */
__attribute__((warn_unused_result))
int qscan_enter(const char *dir, struct str *why);

/* The numbers of all messages in S4 and S5.  -1: why names the directory and
 * the reason. */
__attribute__((warn_unused_result))
int qscan_list(struct qscan_ids *out, struct str *why);
/* Entries of mess/ and of todo/, as qmail-qstat prints them. */
__attribute__((warn_unused_result))
int qscan_count(uint64_t *mess_out, uint64_t *todo_out, struct str *why);

/* Reads one message into out, which is {0} or from an earlier call.  With BAD
 * out holds what could be read. */
__attribute__((warn_unused_result))
enum qscan_status qscan_load(uint64_t id, struct qscan_msg *out,
    struct str *why);
/* Start with *at = 0; false after the last. */
bool qscan_rcpt_next(const struct qscan_msg *, size_t *at,
    struct qscan_rcpt *out);
void qscan_msg_free(struct qscan_msg *);

/* The two formats of S5, for the checker too.  info: F sender NUL and maybe
 * wishes (M, N and n records).  A list: {T or D, recipient NUL}; each record
 * goes to rcpts.  False: malformed. */
bool qscan_parse_info(const char *bytes, size_t n, struct str *sender_out);
bool qscan_parse_list(const char *bytes, size_t n, enum qscan_channel,
    struct qscan_msg *out);

#endif
