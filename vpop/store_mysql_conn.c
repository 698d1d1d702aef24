/* vpop/store_mysql_conn.c - connections and statements; see
 * store_mysql_conn.h.
 *
 * A server has at most one connection, with the statements that were prepared
 * on it.  A statement that walks is prepared for that walk alone, so that what
 * the caller asks in between cannot touch it; closing a connection leaves it
 * dangling, which the connector turns into an error of its next fetch. */
#include "vpop/store_mysql_conn.h"

#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <mariadb/mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DOWN_MS 10000           /* a server that failed is left out */
#define STICKY_MS 10000         /* reading follows updates */
#define IDLE_MS 1000            /* then a ping comes before a change */
#define CONNECT_S 5
#define SLOW_MS 500             /* a connection that failed after this ... */
#define SLOW_WAIT_MS 2000       /* ... is not tried again so soon */
#define DEADLOCKS 5             /* times to try again */
#define CACHED 16               /* prepared statements a server */
#define CELL 512                /* bytes of a value that need no second look */
#define CELL_MAX 1048576
#define WALK_ROWS 500
#define NOT_READY 1047          /* a Galera node that is not ready */
#define IDLE_CLOSED 4031        /* MySQL 8 ended a session that stood idle */

/* How a server may ask who we are.  The first two are challenges; the third,
 * which MySQL 8 wants, hands the password to a server that says it has to see
 * it: only where it cannot be somebody else. */
#define CHALLENGES "mysql_native_password,client_ed25519"
#define PLUGINS CHALLENGES ",caching_sha2_password"

struct cached { struct str sql; MYSQL_STMT *st; };

struct link {
	const struct myconf_server *conf;
	MYSQL *my;                      /* NULL: not connected */
	int64_t down_until, ro_until, used;     /* ms */
	int64_t wait_until;             /* it let us wait for nothing */
	struct str charset;
	struct cached cache[CACHED];
	unsigned next;
};

struct my {
	struct myconf conf;
	struct link link[MYCONF_SERVERS];
	struct str reason, charset;
	int64_t sticky_until;
	unsigned err;
	struct link *bulk;
	int64_t bulk_began;
	bool bulk_broken, bulk_again;
	bool from_copy;                 /* the last answer */
};

enum verdict { V_OK, V_LOST, V_READONLY, V_EXISTS, V_WIDE, V_FAILED };

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct my *
my_open_take(struct myconf *conf)
{
	struct my *m = mem_alloc(1, sizeof *m);

	m->conf = *conf;
	*conf = (struct myconf){0};
	for (size_t i = 0; i < m->conf.n; i++)
		m->link[i].conf = &m->conf.server[i];
	str_copys(&m->charset, "latin1");
	return m;
}

static void
disconnect(struct link *l)
{
	for (unsigned i = 0; i < CACHED; i++) {
		if (l->cache[i].st != NULL)
			(void)mysql_stmt_close(l->cache[i].st);
		str_free(&l->cache[i].sql);
		l->cache[i].st = NULL;
	}
	if (l->my != NULL)
		mysql_close(l->my);
	l->my = NULL;
}

void
my_close(struct my *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->conf.n; i++) {
		disconnect(&m->link[i]);
		str_free(&m->link[i].charset);
	}
	myconf_free(&m->conf);
	str_free(&m->reason);
	str_free(&m->charset);
	free(m);
}

const char *
my_reason_peek(const struct my *m)
{
	return str_c(&m->reason);
}

bool
my_from_copy(const struct my *m)
{
	return m->from_copy;
}

unsigned
my_errno(const struct my *m)
{
	return m->err;
}

void
my_set_charset(struct my *m, const char *name)
{
	str_copys(&m->charset, name);
}

/* Keeps the reason: the server's words, but for those that quote a value. */
static void
explain(struct my *m, const struct link *l, unsigned err, const char *text)
{
	m->err = err;
	str_clear(&m->reason);
	str_catf(&m->reason, "database server %s: ", l->conf->socket.len > 0 ?
	    str_c(&l->conf->socket) : str_c(&l->conf->host));
	switch (err) {
	case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
	case ER_TRUNCATED_WRONG_VALUE:
	case ER_DUP_ENTRY:
		str_cats(&m->reason, err == ER_DUP_ENTRY ?
		    "it is there already" :
		    "a character does not fit a column's character set");
		break;
	default:
		str_cats(&m->reason, *text != '\0' ? text :
		    "its answer makes no sense");
	}
	for (size_t i = 0; i < m->reason.len; i++)
		if (m->reason.s[i] >= 0 && m->reason.s[i] < ' ')
			m->reason.s[i] = '?';
	if (err != 0)
		str_catf(&m->reason, " (%u)", err);
}

static enum verdict
judge(unsigned err)
{
	switch (err) {
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_SERVER_LOST_EXTENDED:
	case CR_COMMANDS_OUT_OF_SYNC:
	case CR_MALFORMED_PACKET:
	case ER_SERVER_SHUTDOWN:
	case ER_CONNECTION_KILLED:
	case ER_UNKNOWN_STMT_HANDLER:
	case ER_NEED_REPREPARE:
	case NOT_READY:
	case IDLE_CLOSED:
		return V_LOST;
	case ER_OPTION_PREVENTS_STATEMENT:
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
	case ER_READ_ONLY_MODE:
		return V_READONLY;
	case ER_DUP_ENTRY:
		return V_EXISTS;
	case ER_DATA_TOO_LONG:
	case ER_WARN_DATA_OUT_OF_RANGE:
	case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
	case ER_TRUNCATED_WRONG_VALUE:
	case WARN_DATA_TRUNCATED:
		return V_WIDE;
	default:
		return V_FAILED;
	}
}

static bool
is_certain(const struct myconf_server *c)
{
	return c->socket.len > 0 || c->tls_verify ||
	    str_eqs(&c->host, "localhost") ||
	    strncmp(str_c(&c->host), "127.", 4) == 0 || str_eqs(&c->host, "::1");
}

/* Options of a connection that is to be made.  Some cannot fail. */
static void
set_options(MYSQL *my, const struct myconf_server *c, const char *charset)
{
	unsigned wait = c->timeout;
	unsigned connect = wait < CONNECT_S ? wait : CONNECT_S;
	unsigned no = 0;
	my_bool on = 1;

	(void)mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
	(void)mysql_optionsv(my, MYSQL_OPT_READ_TIMEOUT, &wait);
	(void)mysql_optionsv(my, MYSQL_OPT_WRITE_TIMEOUT, &wait);
	(void)mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &no);
	(void)mysql_optionsv(my, MARIADB_OPT_RESTRICTED_AUTH,
	    is_certain(c) ? PLUGINS : CHALLENGES);
	(void)mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, charset);
	/* what does not fit is an error here, whatever the server's way */
	(void)mysql_optionsv(my, MYSQL_INIT_COMMAND, "SET SESSION sql_mode="
	    "CONCAT(@@SESSION.sql_mode,',STRICT_ALL_TABLES'),autocommit=1");
	if (!c->tls)
		return;
	(void)mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, &on);
	if (c->tls_ca.len > 0)
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_CA, str_c(&c->tls_ca));
	if (c->tls_cert.len > 0) {
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_CERT,
		    str_c(&c->tls_cert));
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_KEY,
		    str_c(&c->tls_key));
	}
	if (c->tls_verify)
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
		    &on);
}

/* Connected, or -1 with the reason. */
static int
link_connect(struct my *m, struct link *l)
{
	const struct myconf_server *c = l->conf;
	bool local = c->socket.len > 0;

	if (l->my == NULL) {
		int64_t began = now_ms();
		MYSQL *my;

		if (l->wait_until > began) {
			explain(m, l, 0, "it did not answer a moment ago");
			return -1;
		}
		my = mysql_init(NULL);
		if (my == NULL)
			abort();
		set_options(my, c, str_c(&m->charset));
		if (mysql_real_connect(my, local ? "localhost" :
		    str_c(&c->host), str_c(&c->user), str_c(&c->password),
		    str_c(&c->database), c->port,
		    local ? str_c(&c->socket) : NULL,
		    CLIENT_FOUND_ROWS) == NULL) {
			explain(m, l, mysql_errno(my), mysql_error(my));
			mysql_close(my);
			if (now_ms() - began > SLOW_MS)
				l->wait_until = now_ms() + SLOW_WAIT_MS;
			return -1;
		}
		if (c->tls && mysql_get_ssl_cipher(my) == NULL) {
			/* the connector goes on in clear text */
			explain(m, l, 0, "it offers no TLS");
			mysql_close(my);
			return -1;
		}
		l->my = my;
		l->used = now_ms();
		str_copy(&l->charset, &m->charset);
	}
	if (!str_eqs(&l->charset, str_c(&m->charset))) {
		if (mysql_set_character_set(l->my, str_c(&m->charset)) != 0) {
			explain(m, l, mysql_errno(l->my), mysql_error(l->my));
			disconnect(l);
			return -1;
		}
		str_copy(&l->charset, &m->charset);
	}
	return 0;
}

static bool
is_change(enum my_role role)
{
	return role == MY_UPDATE || role == MY_NOTE;
}

/* The next server for this that was not tried yet, connected, or NULL with the
 * reason of the last one that failed. */
static struct link *
pick(struct my *m, enum my_role role, unsigned *tried)
{
	int64_t now = now_ms();
	bool only = role != MY_READ;
	bool updates = only || now < m->sticky_until;

	/* Those thought well, then the others; for reading the servers for
	 * reading, then those for updates. */
	for (unsigned pass = 0; pass < 4; pass++) {
		unsigned use = (pass & 1) != 0 || updates ? MYCONF_UPDATE :
		    MYCONF_READ;

		if ((pass & 1) != 0 && only)
			continue;
		for (size_t i = 0; i < m->conf.n; i++) {
			struct link *l = &m->link[i];

			/* at last, what follows updates asks a copy */
			if (updates && (pass & 1) != 0)
				use = MYCONF_READ | MYCONF_UPDATE;
			if ((*tried & 1u << i) != 0 ||
			    (l->conf->use & use) == 0)
				continue;
			if (pass < 2 && (l->down_until > now ||
			    (is_change(role) && l->ro_until > now)))
				continue;
			if (link_connect(m, l) == 0)
				return l;
			l->down_until = now_ms() + DOWN_MS;
			*tried |= 1u << i;
		}
	}
	return NULL;
}

/* The statement, from the cache unless own: NULL, with the reason and *v. */
static MYSQL_STMT *
prepare(struct my *m, struct link *l, const struct str *sql, bool own,
    enum verdict *v)
{
	struct cached *c;
	MYSQL_STMT *st;

	for (unsigned i = 0; i < CACHED && !own; i++)
		if (l->cache[i].st != NULL &&
		    str_eqs(&l->cache[i].sql, str_c(sql)))
			return l->cache[i].st;
	st = mysql_stmt_init(l->my);
	if (st == NULL)
		abort();
	if (mysql_stmt_prepare(st, str_c(sql), sql->len) != 0) {
		explain(m, l, mysql_stmt_errno(st), mysql_stmt_error(st));
		*v = judge(m->err);
		(void)mysql_stmt_close(st);     /* forgets the error */
		return NULL;
	}
	if (own)
		return st;
	c = &l->cache[l->next++ % CACHED];
	if (c->st != NULL)
		(void)mysql_stmt_close(c->st);
	str_copy(&c->sql, sql);
	c->st = st;
	return st;
}

static int
send_query(MYSQL_STMT *st, const struct my_query *q)
{
	MYSQL_BIND b[MY_ARGS];
	char nothing[1] = "";

	memset(b, 0, sizeof b);
	if (mysql_stmt_param_count(st) != q->n)
		abort();                /* a statement of ours: never */
	for (size_t i = 0; i < q->n; i++) {
		b[i].buffer_type = MYSQL_TYPE_STRING;
		b[i].buffer = q->len[i] == 0 ? nothing :
		    q->bytes.s + q->off[i];
		b[i].buffer_length = q->len[i];
	}
	if (q->n > 0 && mysql_stmt_bind_param(st, b) != 0)
		return -1;
	return mysql_stmt_execute(st) == 0 ? 0 : -1;
}

struct cells {
	char text[MY_COLS][CELL];
	unsigned long len[MY_COLS];
	my_bool null[MY_COLS];
	MYSQL_BIND bind[MY_COLS];
};

static int
bind_cells(MYSQL_STMT *st, struct cells *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		c->bind[i].buffer_type = MYSQL_TYPE_STRING;
		c->bind[i].buffer = c->text[i];
		c->bind[i].buffer_length = CELL;
		c->bind[i].length = &c->len[i];
		c->bind[i].is_null = &c->null[i];
	}
	return mysql_stmt_bind_result(st, c->bind) == 0 ? 0 : -1;
}

/* One value that was longer than its cell. */
static int
fetch_long(MYSQL_STMT *st, unsigned col, size_t n, struct str *out)
{
	MYSQL_BIND b;
	unsigned long len = 0;
	my_bool null = 0;

	if (n > CELL_MAX)
		return -1;
	memset(&b, 0, sizeof b);
	str_clear(out);
	str_reserve(out, n);
	b.buffer_type = MYSQL_TYPE_STRING;
	b.buffer = out->s;
	b.buffer_length = n;
	b.length = &len;
	b.is_null = &null;
	if (mysql_stmt_fetch_column(st, &b, col, 0) != 0)
		return -1;
	out->len = n;
	out->s[n] = '\0';
	return 0;
}

static void
row_free(struct my_row *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->col[i].cap > 0)
			explicit_bzero(r->col[i].s, r->col[i].cap);
		str_free(&r->col[i]);
	}
}

/* Every row to fn.  0, or -1: the statement's error.  *ended: what fn said. */
static int
fetch_rows(MYSQL_STMT *st, my_row_fn *fn, void *arg, uint64_t *rows,
    int *ended)
{
	struct cells *c = mem_alloc(1, sizeof *c);
	struct my_row *row = mem_alloc(1, sizeof *row);
	int r = -1, got;

	row->n = mysql_stmt_field_count(st);
	if (row->n > MY_COLS)
		abort();                /* a statement of ours: never */
	if (bind_cells(st, c, row->n) < 0)
		goto done;
	while ((got = mysql_stmt_fetch(st)) == 0 ||
	    got == MYSQL_DATA_TRUNCATED) {
		for (unsigned i = 0; i < row->n; i++) {
			str_clear(&row->col[i]);
			if (c->null[i])
				continue;
			if (c->len[i] <= CELL)
				str_catb(&row->col[i], c->text[i], c->len[i]);
			else if (fetch_long(st, i, c->len[i],
			    &row->col[i]) < 0)
				goto done;
		}
		(*rows)++;
		if (fn != NULL && (*ended = fn(arg, row)) != 0)
			break;
	}
	r = got == 1 ? -1 : 0;
done:
	explicit_bzero(c, sizeof *c);
	free(c);
	row_free(row);
	free(row);
	return r;
}

/* One attempt on one server.  *sent: the server may have seen it. */
static enum verdict
attempt(struct my *m, struct link *l, const struct my_query *q,
    my_row_fn *fn, void *arg, struct my_done *out, bool *sent)
{
	enum verdict v = V_FAILED;
	MYSQL_STMT *st = prepare(m, l, &q->sql, false, &v);
	int ended = 0, r;

	*sent = false;
	out->rows = 0;
	if (st == NULL)
		return v;
	*sent = true;
	r = send_query(st, q);
	if (r == 0 && mysql_stmt_field_count(st) > 0) {
		r = mysql_stmt_store_result(st) == 0 ? 0 : -1;
		if (r == 0)
			r = fetch_rows(st, fn, arg, &out->rows, &ended);
	} else if (r == 0)
		out->rows = mysql_stmt_affected_rows(st);
	if (r < 0) {
		explain(m, l, mysql_stmt_errno(st), mysql_stmt_error(st));
		(void)mysql_stmt_free_result(st);
		return judge(m->err);
	}
	(void)mysql_stmt_free_result(st);
	l->used = now_ms();
	m->err = 0;
	return V_OK;
}

static enum vstore_status
status(enum verdict v)
{
	return v == V_OK ? VSTORE_OK : v == V_EXISTS ? VSTORE_EXISTS :
	    v == V_WIDE ? VSTORE_WIDE : VSTORE_TEMP;
}

/* A connection that stood idle is looked at before a change is sent on it:
 * afterwards nobody could say whether it was done. */
static void
look_at(struct my *m, struct link *l)
{
	if (l->used != 0 && now_ms() - l->used > IDLE_MS &&
	    mysql_ping(l->my) != 0) {
		disconnect(l);
		(void)link_connect(m, l);
	}
}

/* It broke at err: would another go better? */
static void
look_again(struct my *m, struct link *l, unsigned err)
{
	enum verdict v = judge(err);

	if (v == V_READONLY)
		l->ro_until = now_ms() + DOWN_MS;
	m->bulk_again = (v == V_LOST || v == V_READONLY ||
	    err == ER_LOCK_DEADLOCK) &&
	    now_ms() - m->bulk_began < (int64_t)l->conf->timeout * 1000;
}

static enum vstore_status
run_bulk(struct my *m, const struct my_query *q, my_row_fn *fn, void *arg,
    struct my_done *out)
{
	bool sent;
	enum verdict v;

	if (m->bulk_broken)
		return VSTORE_TEMP;     /* the reason stays */
	m->from_copy = false;
	v = attempt(m, m->bulk, q, fn, arg, out, &sent);
	/* some errors undo the transaction and say nothing of it */
	if (v != V_OK && v != V_EXISTS && v != V_WIDE) {
		m->bulk_broken = true;
		look_again(m, m->bulk, m->err);
	}
	return status(v);
}

enum vstore_status
my_run(struct my *m, enum my_role role, const struct my_query *q,
    my_row_fn *fn, void *arg, struct my_done *out)
{
	struct my_done unused;
	unsigned tried = 0, broken = 0, deadlocks = 0;
	struct link *l;

	if (out == NULL)
		out = &unused;
	*out = (struct my_done){0};
	m->err = 0;
	if (m->bulk != NULL)
		return run_bulk(m, q, fn, arg, out);
	while ((l = pick(m, role, &tried)) != NULL) {
		unsigned bit = 1u << (l - m->link);
		int64_t began;
		bool sent;
		enum verdict v;

		if (is_change(role))
			look_at(m, l);
		if (l->my == NULL) {
			tried |= bit;
			continue;
		}
		began = now_ms();
		v = attempt(m, l, q, fn, arg, out, &sent);
		if (m->err == ER_LOCK_DEADLOCK && deadlocks++ < DEADLOCKS)
			continue;       /* nothing of it was done */
		if (v != V_LOST && v != V_READONLY) {
			l->down_until = 0;
			m->from_copy = (l->conf->use & MYCONF_UPDATE) == 0;
			if (role == MY_UPDATE)
				m->sticky_until = now_ms() + STICKY_MS;
			return status(v);
		}
		if (v == V_READONLY) {
			l->ro_until = now_ms() + DOWN_MS;
			tried |= bit;
			continue;
		}
		disconnect(l);
		out->again |= sent;
		if (now_ms() - began >= (int64_t)l->conf->timeout * 1000) {
			l->down_until = now_ms() + DOWN_MS;
			tried |= bit;
			if (is_change(role))
				break;  /* it may still be at it */
		}
		if ((broken & bit) != 0) {
			l->down_until = now_ms() + DOWN_MS;
			tried |= bit;
		}
		broken |= bit;
	}
	return VSTORE_TEMP;
}

/* Opens what is walked: the statement with its cursor, or NULL. */
static MYSQL_STMT *
walk_open(struct my *m, struct link *l, const struct my_query *q,
    enum verdict *v)
{
	unsigned long cursor = CURSOR_TYPE_READ_ONLY, rows = WALK_ROWS;
	MYSQL_STMT *st = prepare(m, l, &q->sql, true, v);

	if (st == NULL)
		return NULL;
	(void)mysql_stmt_attr_set(st, STMT_ATTR_CURSOR_TYPE, &cursor);
	(void)mysql_stmt_attr_set(st, STMT_ATTR_PREFETCH_ROWS, &rows);
	if (send_query(st, q) == 0)
		return st;
	explain(m, l, mysql_stmt_errno(st), mysql_stmt_error(st));
	*v = judge(m->err);
	(void)mysql_stmt_close(st);
	return NULL;
}

enum vstore_status
my_walk(struct my *m, enum my_role role, const struct my_query *q,
    my_row_fn *fn, void *arg, int *ended_out)
{
	unsigned tried = 0, broken = 0;
	enum vstore_status out = VSTORE_OK;
	enum verdict v = V_FAILED;
	MYSQL_STMT *st = NULL;
	struct link *l = NULL;
	uint64_t rows = 0;

	m->err = 0;
	if (m->bulk_broken)
		return VSTORE_TEMP;
	while (st == NULL && (l = m->bulk != NULL ? m->bulk :
	    pick(m, role, &tried)) != NULL) {
		unsigned bit = 1u << (l - m->link);

		st = walk_open(m, l, q, &v);
		if (st != NULL)
			break;
		if (v != V_LOST || m->bulk != NULL)
			return status(v);
		disconnect(l);
		if ((broken & bit) != 0) {
			l->down_until = now_ms() + DOWN_MS;
			tried |= bit;
		}
		broken |= bit;
	}
	if (st == NULL)
		return VSTORE_TEMP;
	m->from_copy = (l->conf->use & MYCONF_UPDATE) == 0;
	if (fetch_rows(st, fn, arg, &rows, ended_out) < 0) {
		explain(m, l, mysql_stmt_errno(st), mysql_stmt_error(st));
		out = VSTORE_TEMP;
	}
	(void)mysql_stmt_close(st);
	if (out != VSTORE_OK && judge(m->err) == V_LOST && m->bulk == NULL)
		disconnect(l);
	return out;
}

bool
my_in_bulk(const struct my *m)
{
	return m->bulk != NULL;
}

bool
my_bulk_again(const struct my *m)
{
	return m->bulk_again;
}

enum vstore_status
my_bulk_begin(struct my *m)
{
	unsigned tried = 0, broken = 0;
	struct link *l;

	m->bulk_again = false;
	m->bulk_began = now_ms();
	if (m->bulk != NULL)
		return VSTORE_OK;
	while ((l = pick(m, MY_UPDATE, &tried)) != NULL) {
		unsigned bit = 1u << (l - m->link);

		look_at(m, l);
		if (l->my != NULL && mysql_autocommit(l->my, 0) == 0) {
			m->bulk = l;
			m->bulk_broken = false;
			return VSTORE_OK;
		}
		if (l->my != NULL)
			explain(m, l, mysql_errno(l->my), mysql_error(l->my));
		disconnect(l);
		if ((broken & bit) != 0)
			tried |= bit;
		broken |= bit;
	}
	return VSTORE_TEMP;
}

enum vstore_status
my_bulk_end(struct my *m)
{
	struct link *l = m->bulk;

	if (l == NULL)
		return VSTORE_OK;
	m->bulk = NULL;
	m->sticky_until = now_ms() + STICKY_MS;
	if (m->bulk_broken) {
		m->bulk_broken = false;
		disconnect(l);          /* which undoes it */
		return VSTORE_TEMP;     /* with the reason of the break */
	}
	if (mysql_commit(l->my) != 0) {
		explain(m, l, mysql_errno(l->my), mysql_error(l->my));
		look_again(m, l, m->err);
		disconnect(l);
		return VSTORE_TEMP;
	}
	l->used = now_ms();
	if (mysql_autocommit(l->my, 1) != 0)
		disconnect(l);          /* but it is done */
	return VSTORE_OK;
}
