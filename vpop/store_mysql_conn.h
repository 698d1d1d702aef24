/* vpop/store_mysql_conn.h - statements on the servers of etc/vpopmail.mysql:
 * prepared always, on the first server that answers.
 *
 * Reading asks the servers for reading in order, then those for updates;
 * changing asks only these.  A server that cannot be reached is left out for
 * ten seconds while another answers.  A connection that broke is made again,
 * once; a server that is read-only is left for the next; a wait that took the
 * whole time-out is never repeated on the same server.  After a change by this
 * process reading asks the servers for updates for ten seconds, because a
 * copy may be behind.
 *
 * The server is trusted with accounts, not with this process: it can read no
 * file of this machine, and learn our password only on this machine or with a
 * certificate that was looked at; all others get answers to challenges. */
#ifndef VPOP_STORE_MYSQL_CONN_H
#define VPOP_STORE_MYSQL_CONN_H

#include "vpop/store.h"
#include "vpop/store_mysql_conf.h"

#define MY_ARGS 40
#define MY_COLS 40

enum my_role {
	MY_READ,
	MY_UPDATE,
	MY_NOTE,                /* a change that no reading waits for */
	MY_ASSURE,              /* reading what a copy may not have yet */
};

/* A statement and what is bound to its question marks, in order. */
struct my_query {
	struct str sql, bytes;
	size_t off[MY_ARGS], len[MY_ARGS], n;
};
void my_bind(struct my_query *, const char *);
void my_bind_str(struct my_query *, const struct str *);
void my_bind_u(struct my_query *, uint64_t);
void my_bind_i(struct my_query *, int64_t);
void my_query_free(struct my_query *);          /* wiped */

struct my_row { size_t n; struct str col[MY_COLS]; };   /* NULL: empty */
uint64_t my_u(const struct my_row *, size_t col);       /* 0 when it is none */
int64_t my_i(const struct my_row *, size_t col);
/* Anything but 0 ends. */
typedef int my_row_fn(void *arg, const struct my_row *);

struct my;

/* Connects nowhere yet.  conf is moved into it. */
struct my *my_open_take(struct myconf *conf);
void my_close(struct my *);
const char *my_reason_peek(const struct my *);
/* How texts are coded between here and the server: the name of the character
 * set that the tables have, so that bytes stay what they are. */
void my_set_charset(struct my *, const char *);

struct my_done {
	uint64_t rows;          /* found, or changed (matched, if an UPDATE) */
	bool again;             /* it was sent twice: the first may have been
				 * done */
};

/* VSTORE_OK; VSTORE_EXISTS: a key is there already; VSTORE_WIDE, VSTORE_TEMP:
 * reason.  fn gets each row and must ask nothing itself; all rows are here
 * before the first. */
VSTORE_CHECK enum vstore_status my_run(struct my *, enum my_role,
    const struct my_query *, my_row_fn *fn, void *arg, struct my_done *out);
/* For many rows: a few hundred at a time are held, and fn may ask too. */
VSTORE_CHECK enum vstore_status my_walk(struct my *, enum my_role,
    const struct my_query *, my_row_fn *fn, void *arg, int *ended_out);

/* Between these all goes to one server, in one transaction; when its
 * connection breaks everything fails until the end, which fails too. */
VSTORE_CHECK enum vstore_status my_bulk_begin(struct my *);
VSTORE_CHECK enum vstore_status my_bulk_end(struct my *);
bool my_in_bulk(const struct my *);
/* Whether the one that failed is worth another attempt at once: nothing of it
 * was done or, when only its end failed, nobody knows. */
bool my_bulk_again(const struct my *);

/* Whether the last answer is of a server that is for reading only: what it
 * does not have may be new. */
bool my_from_copy(const struct my *);
/* The server's error of the last call: 0 when it was none of these. */
unsigned my_errno(const struct my *);

#endif
