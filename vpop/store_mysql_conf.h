/* vpop/store_mysql_conf.h - etc/vpopmail.mysql: which servers there are, and
 * how they are reached.
 *
 * A line each, in order of preference; '#' begins a comment line:
 *
 *	HOST|PORT|USER|PASSWORD|DATABASE[|OPTIONS]
 *
 * PORT is a number, 0 for the usual one, or the path of a local socket.
 * OPTIONS are words between commas: read, update (what the server is for),
 * tls (encrypted or not at all), tls-verify (its certificate too),
 * tls-ca=FILE, tls-cert=FILE, tls-key=FILE, timeout=SECONDS.
 * A file as it has always been has no options: its first line is the server
 * that is read, its second, if any, the one that is changed.  So of the lines
 * that name no use, the first is for both, unless there is a second one or
 * another line says update: then it is for reading and the second for
 * updates; a third must say what it is for. */
#ifndef VPOP_STORE_MYSQL_CONF_H
#define VPOP_STORE_MYSQL_CONF_H

#include "lib/str.h"

#define MYCONF_SERVERS 16
#define MYCONF_FILE_MAX 65536           /* bytes */
#define MYCONF_TIMEOUT 10               /* seconds for an answer */
#define MYCONF_TIMEOUT_MAX 3600

enum myconf_use { MYCONF_READ = 1, MYCONF_UPDATE = 2 };

struct myconf_server {
	struct str host, user, password, database;
	struct str socket;              /* empty: TCP */
	unsigned port;                  /* 0: the usual one */
	unsigned use;                   /* of enum myconf_use */
	bool tls, tls_verify;
	struct str tls_ca, tls_cert, tls_key;
	unsigned timeout;               /* seconds */
};

struct myconf {
	struct myconf_server server[MYCONF_SERVERS];
	size_t n;                       /* 1 at least when it was loaded */
};

/* -1: reason_out says which line and why; it never holds a password.  out is
 * empty then. */
__attribute__((warn_unused_result))
int myconf_parse(const char *text, size_t n, struct myconf *out,
    struct str *reason_out);
/* The same from a file; the reason begins with its path. */
__attribute__((warn_unused_result))
int myconf_load(const char *path, struct myconf *out, struct str *reason_out);
void myconf_free(struct myconf *);              /* passwords are wiped */

#endif
