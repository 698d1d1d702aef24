/* supervise/server.h - tcpserver: what it was told, and its life. */
#ifndef SUPERVISE_SERVER_H
#define SUPERVISE_SERVER_H

#include "supervise/srvlimits.h"

#include "lib/ip.h"

#include <sys/types.h>

enum server_talk { SERVER_QUIET, SERVER_ERRORS, SERVER_VERBOSE };

struct server_conf {
	enum server_talk talk;
	bool kill_options;      /* -O */
	bool delay;             /* -d */
	bool keep;              /* -k, where nothing slow is asked for */
	bool remote_name;       /* -h */
	bool paranoid;          /* -p */
	bool remote_info;       /* -r */
	int info_ms;            /* -t */
	bool print_port;        /* -1 */
	bool only4, both;       /* -4, -6 */
	uint32_t interface;     /* -I: its number, or 0 */
	const char *banner;     /* -B, or NULL */
	const char *local_name; /* -l, or NULL: ask DNS */
	const char *rules;      /* -x, or NULL */
	bool rules_optional;    /* -X */
	const char *limits_file;        /* -L, or NULL */
	struct srvlimits limits;        /* where the file says nothing */
	uid_t uid;              /* 0: stay */
	gid_t gid;              /* 0: stay */
	const char *host;
	uint16_t port;
	const char *const *program;
};

/* Reads the arguments, or exits: 100 misuse, 111 an unknown port. */
void server_parse(struct server_conf *, int argc, char **argv);

/* Listens, becomes the user, and serves until TERM: the exit code. */
int server_run(const struct server_conf *);

/* "tcpserver: fatal: text: reason" unless -q; exits 111. */
_Noreturn void server_die(const struct server_conf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "tcpserver: warning: dropping connection, text: reason" unless -q. */
void server_drop(const struct server_conf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
