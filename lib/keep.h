/* lib/keep.h - a program that is started once and forked for every connection:
 * both ends.
 *
 * A server such as tcpserver starts the program with TCPKEEP=3 in its
 * environment and a socket (SOCK_SEQPACKET) as descriptor 3.  This process,
 * the template, makes itself ready once and then only forks: its children are
 * the server's own, which counts and reaps them as if it had started each.
 *
 *	template	H			I am ready
 *	server		log NUL A=1 NUL ...	+ the connection: take this
 *	child		K pid			it is mine
 *	template	N, or R			start the program for it; R: and
 *						do not ask me again
 *
 * "log" is text that the child writes to descriptor 2 first, with each byte 1
 * replaced by its pid; what follows is the whole of its environment.  Answers
 * are five bytes: the letter, and the pid in network order or 0.  There is one
 * question at a time.  The server's end of file ends the template, and no
 * session.
 *
 * A connection is served once or not at all: an answer K is sent before the
 * child has done anything, and a server that gives up waiting for it closes
 * its end first, so that K can no longer be sent.  What is not K means that
 * the connection is still the server's to serve.
 *
 * The template reads nothing but what the server sends, which it trusts. */
#ifndef LIB_KEEP_H
#define LIB_KEEP_H

#include "lib/str.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#define KEEP_ENV "TCPKEEP"
#define KEEP_PACKET_MAX 32768   /* bytes; more is KEEP_NOT */
#define KEEP_FILES 16           /* files that are watched, count */
#define KEEP_WAIT_MS 1000       /* for an answer, which takes 0.1 */

enum keep_verdict {
	KEEP_OK,                /* a child of the server has the connection */
	KEEP_NOT,               /* not this one: start the program for it */
	KEEP_STALE,             /* the same, and end the template */
	KEEP_GONE,              /* the same; the template has ended */
};

/* The server's end. */

struct keep {
	int fd;                 /* -1: there is none */
	pid_t pid;              /* a child of the caller's; 0: reaped by it */
	bool ready;
};

/* Starts the template.  It inherits 0, 1 and 2; -1 with errno. */
__attribute__((warn_unused_result))
int keep_start(struct keep *out, const char *const *argv);
/* Has it said that it is ready?  Does not wait.  KEEP_OK: yes, KEEP_NOT: not
 * yet, KEEP_GONE: it never will. */
__attribute__((warn_unused_result))
enum keep_verdict keep_look(struct keep *);
/* Gives it a connection, which stays open here.  log as above.  Waits for
 * KEEP_WAIT_MS at most; a template that does not answer is killed. */
__attribute__((warn_unused_result))
enum keep_verdict keep_give(struct keep *, int conn, const struct str *log,
    const char *const *env, pid_t *pid_out);
/* Lets it end; the caller reaps it.  Nothing for one that has ended. */
void keep_stop(struct keep *);

/* The program's end. */

struct keep_request {
	const char *log;
	const char *env;        /* strings, each ended by NUL */
	size_t n;               /* bytes of env */
};

struct keep_file {
	struct str path;
	struct stat seen;       /* {0}: there was none */
};

/* A template.  {0} is a valid one. */
struct keep_program {
	struct keep_file files[KEEP_FILES];
	size_t nfiles;
	/* Is this connection one for us: KEEP_OK, KEEP_NOT, KEEP_STALE.
	 * NULL: yes. */
	enum keep_verdict (*judge)(void *arg, const struct keep_request *);
	void *arg;
	char packet[KEEP_PACKET_MAX];   /* holds a child's environment */
};

/* Was this program started to be kept? */
bool keep_asked(void);
/* The template becomes stale when this file changes, comes or goes.  To be
 * called before the file is read.  Aborts past KEEP_FILES. */
void keep_watch(struct keep_program *, const char *path);
/* The same for the program itself. */
void keep_watch_self(struct keep_program *);
/* The value of a variable in a request; NULL when it is not set. */
const char *keep_getenv(const struct keep_request *, const char *name);
/* Serves as the template.  Returns in every child: with the connection as 0
 * and 1, the environment of the request, and the socket closed.  Ends the
 * process otherwise: 0 when the server is gone, 111 when it talks nonsense. */
void keep_serve(struct keep_program *);

/* For tests: false unless the packet is as described above. */
__attribute__((warn_unused_result))
bool keep_parse(const char *packet, size_t n, struct keep_request *out);

#endif
