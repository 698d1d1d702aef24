/* supervise/session.h - one connection of tcpserver, before its program runs:
 * who it is, what the rules say, its environment, its log line. */
#ifndef SUPERVISE_SESSION_H
#define SUPERVISE_SESSION_H

#include "supervise/server.h"
#include "supervise/tool.h"

#include "lib/cdb.h"

/* The rules of -x, opened when first needed and again whenever the file has
 * been replaced. */
struct ruleset {
	const char *path;       /* NULL: no rules */
	bool optional;          /* -X */
	struct cdb_file *f;
};
/* CDB_OK: look in r->f.  CDB_NONE: there are no rules to follow.  CDB_TEMP:
 * there should be some; errno. */
__attribute__((warn_unused_result))
enum cdb_status ruleset_refresh(struct ruleset *r);
/* Do the rules by address alone set this variable for the client? */
bool ruleset_sets(struct ruleset *r, const struct ip *, const char *name);

enum session_status {
	SESSION_OK,
	SESSION_DENIED,
	SESSION_DROP,           /* could not be decided: said in the log */
};

struct session {
	const struct server_conf *conf;
	int fd;
	struct ip local, remote;
	uint16_t local_port, remote_port;
	struct str local_name, remote_name, info;
	bool has_local_name, has_remote_name, has_info;
	struct toolenv env;
};

/* Of an accepted connection; -1 with errno when its own address is unknown.
 * The descriptor stays the caller's. */
__attribute__((warn_unused_result))
int session_init(struct session *, const struct server_conf *, int fd,
    const struct ip *remote, uint16_t port);
void session_free(struct session *);

/* Is there something to do that may take its time: DNS, ident, a banner? */
bool session_is_slow(const struct server_conf *);
/* Does it: -1 with errno when the banner could not be written. */
__attribute__((warn_unused_result))
int session_ask(struct session *);

/* Sets up env and follows the rules. */
__attribute__((warn_unused_result))
enum session_status session_decide(struct session *, struct ruleset *);

/* "localhost:ip:port remotehost:ip:info:port" for the log. */
void session_text(const struct session *, struct str *out);

#endif
