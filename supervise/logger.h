/* supervise/logger.h - multilog: a script of actions applied to lines. */
#ifndef SUPERVISE_LOGGER_H
#define SUPERVISE_LOGGER_H

#include "supervise/logdir.h"

#define LOGGER_LINE 1000        /* bytes of a line that patterns see */
#define LOGGER_ALERT 200        /* bytes of a line that e prints */
#define LOGGER_STATUS 1001      /* bytes of a status file */

enum logger_type {
	LOGGER_SELECT,          /* +pattern */
	LOGGER_DESELECT,        /* -pattern */
	LOGGER_ALERTS,          /* e */
	LOGGER_STATUSFILE,      /* =file */
	LOGGER_DIR,
};

struct logger_action {
	enum logger_type type;
	const char *arg;        /* borrowed: pattern, file or directory */
	struct logdir dir;
	bool on;                /* dir: takes the present line */
	char *status;           /* status file: what it is to hold */
	bool dirty;             /* and does not hold yet */
};

struct logger {
	struct logger_action *actions;
	size_t n;
	bool stamp;
	char line[LOGGER_LINE]; /* the beginning of the present line */
	size_t len;
	bool open;              /* within a line */
	bool decided;           /* the actions know this line */
	struct str alerts;      /* not yet printed */
};

/* Reads the script (NULL-terminated; its strings stay borrowed) and opens its
 * logs, in order.  Exits 100 or 111 with a message; nothing was read then. */
void logger_open(struct logger *, char *const *script);
/* Input, cut anywhere.  Goes to buffers. */
void logger_feed(struct logger *, const char *bytes, size_t n);
/* Everything decided so far reaches its files. */
void logger_settle(struct logger *);
/* The end: completes a partial line, closes the logs orderly. */
void logger_close(struct logger *);

/* Reads fd until its end (0), TERM (0) or an error (111, told).  ALRM
 * rotates.  After TERM fd stands behind the last newline that was read. */
int logger_run(struct logger *, int fd);

#endif
