/* vpop/vload.c - many accounts from a file; see vload.h.
 *
 * Processes 0 to K-1 hash the passwords of the accounts i with i mod K their
 * number, each writing lines to a pipe of its own: "+HASH", or "-" and the
 * reason.  This process reads them in the order of the file.  They end when
 * their work does, or when nobody reads it any more. */
#include "vpop/vload.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/map.h"
#include "lib/proc.h"
#include "mail/quota.h"
#include "vpop/password.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS 4                /* user password comment quota */

static enum vpop_error
at_line(enum vpop_error e, struct str *why, const char *path, size_t line,
    const char *what)
{
	str_catf(why, "%s: line %zu%s%s", path, line, *what != '\0' ? ": " :
	    "", what);
	return e;
}

static int
slurp(const char *path, struct str *out)
{
	struct io in;

	if (strcmp(path, "-") != 0)
		return fs_read(path, out, VLOAD_FILE_MAX);
	io_init(&in, 0, -1, IO_FOREVER);
	switch (io_slurp(&in, out, VLOAD_FILE_MAX)) {
	case IO_OK:
	case IO_EOF:
		return 0;
	case IO_TOOLONG:
		errno = EFBIG;
		break;
	case IO_TIMEOUT:
	case IO_ERROR:
		break;
	}
	return -1;
}

static enum vpop_error
check_password(const struct vsettings *set, const char *password, bool hashed,
    const char **what)
{
	size_t n = strlen(password);

	*what = "";
	if (hashed) {
		*what = n == 0 ? "there is no hash" : "the hash is too long";
		return n == 0 ? VPOP_CRYPT : n > VPOP_HASH_MAX ?
		    VPOP_PASSWD_LONG : VPOP_OK;
	}
	if (n == 0 || n < set->number[VSETTING_MINPASSWORDLENGTH])
		return VPOP_PASSWD_SHORT;
	if (n > VPOP_PASSWORD_MAX)
		return VPOP_PASSWD_LONG;
	return vsetting_on(set, VSETTING_CLEARPASSWORDS) &&
	    n > VPOP_CLEAR_MAX ? VPOP_CLEAR_LONG : VPOP_OK;
}

static enum vpop_error
take_fields(struct vload_user *u, char *field[FIELDS],
    const struct vsettings *set, bool hashed, const char **what)
{
	struct str name = {0};
	struct quota q;
	enum vpop_error e;

	*what = "";
	str_copys(&name, field[0]);
	e = vpop_user_name(&name, true);
	if (e == VPOP_OK)               /* now it is in lower case */
		memcpy(field[0], str_c(&name), name.len);
	str_free(&name);
	if (e != VPOP_OK)
		return e;
	if ((e = check_password(set, field[1], hashed, what)) != VPOP_OK)
		return e;
	u->name = field[0];
	u->password = field[1];
	u->gecos = field[2] != NULL && *field[2] != '\0' ? field[2] :
	    field[0];
	*what = "in the comment";
	for (const char *p = u->gecos; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == '\177')
			return VPOP_BAD_CHAR;
	*what = "";
	if (strlen(u->gecos) > VPOP_GECOS_MAX)
		return VPOP_GECOS_LONG;
	if (field[3] == NULL || *field[3] == '\0')
		return VPOP_OK;
	*what = "the quota is not understood";
	if (quota_parse(field[3], strlen(field[3]), &q) < 0)
		return VPOP_BAD_CHAR;
	quota_cat(&u->quota, &q);
	return VPOP_OK;
}

/* The line becomes four strings. */
static enum vpop_error
take_line(struct vload_user *u, char *line, size_t n,
    const struct vsettings *set, bool hashed, const char **what)
{
	char *field[FIELDS] = {line};

	*what = "";
	if (memchr(line, '\0', n) != NULL) {
		*what = "a NUL byte";
		return VPOP_BAD_CHAR;
	}
	line[n] = '\0';
	for (size_t i = 1; i < FIELDS && field[i - 1] != NULL; i++) {
		field[i] = strchr(field[i - 1], ':');
		if (field[i] != NULL)
			*field[i]++ = '\0';
	}
	if (field[1] == NULL) {
		*what = "there is no colon";
		return VPOP_CONFIG;
	}
	if (field[3] != NULL && strchr(field[3], ':') != NULL) {
		*what = "there are more than three colons";
		return VPOP_CONFIG;
	}
	return take_fields(u, field, set, hashed, what);
}

static void
grow(struct vload *l, size_t *cap)
{
	if (l->n < *cap)
		return;
	*cap = *cap == 0 ? 1024 : 2 * *cap;
	l->user = mem_resize(l->user, *cap, sizeof *l->user);
}

static enum vpop_error
read_lines(struct vload *l, const struct vsettings *set, const char *path,
    bool hashed, struct str *why)
{
	struct map seen = {0};
	enum vpop_error e = VPOP_OK;
	size_t cap = 0, line = 1;
	const char *what = "";

	for (size_t pos = 0; e == VPOP_OK && pos < l->text.len; line++) {
		char *s = l->text.s + pos;
		size_t n = bytes_chr(s, l->text.len - pos, '\n');

		pos += n + 1;
		if (n > 0 && s[n - 1] == '\r')
			n--;
		if (n == 0)
			continue;
		if (n > VLOAD_LINE_MAX) {
			what = "the line is too long";
			e = VPOP_CONFIG;
			break;
		}
		grow(l, &cap);
		l->user[l->n] = (struct vload_user){.line = line};
		e = take_line(&l->user[l->n++], s, n, set, hashed, &what);
		if (e != VPOP_OK)
			break;
		s = l->text.s + (l->user[l->n - 1].name - l->text.s);
		if (map_get(&seen, s, strlen(s)) != NULL) {
			what = "the file has that name twice";
			e = VPOP_USERNAME_EXISTS;
			break;
		}
		map_set(&seen, s, strlen(s), l);
	}
	map_free(&seen);
	return e == VPOP_OK ? VPOP_OK : at_line(e, why, path, line, what);
}

enum vpop_error
vload_read(struct vload *l, const struct vsettings *set, const char *path,
    bool hashed, struct str *why)
{
	*l = (struct vload){0};
	if (slurp(path, &l->text) < 0) {
		str_catf(why, "%s: %s", path, strerror(errno));
		return VPOP_FILE;
	}
	/* room for a NUL behind a last line without LF is always there */
	return read_lines(l, set, path, hashed, why);
}

void
vload_free(struct vload *l)
{
	for (size_t i = 0; i < l->n; i++) {
		str_free(&l->user[i].quota);
		str_free(&l->user[i].hash);
	}
	free(l->user);
	password_wipe(&l->text);
	*l = (struct vload){0};
}

/* -- hashing -- */

struct worker { pid_t pid; struct io *in; };

_Noreturn static void
work(const struct vload *l, size_t k, size_t all, const char *scheme,
    size_t width, int to)
{
	struct str hash = {0}, line = {0};

	for (size_t i = k; i < l->n; i += all) {
		str_clear(&line);
		if (password_make(scheme, width, l->user[i].password,
		    &hash) == 0)
			str_catf(&line, "+%s\n", str_c(&hash));
		else
			str_catf(&line, "-%s\n", errno == E2BIG ?
			    "no hash of that scheme fits the store" :
			    errno == ERANGE ? "too long" : strerror(errno));
		if (fd_write_all(to, str_c(&line), line.len) < 0)
			_exit(111);
	}
	_exit(0);
}

static int
start(struct worker *w, const struct vload *l, size_t k, size_t all,
    const char *scheme, size_t width, struct worker *earlier)
{
	int from, to;

	if (proc_pipe(&from, &to) < 0)
		return -1;
	w->pid = proc_fork();
	if (w->pid == 0) {
		/* or an earlier one would not see that nobody reads */
		for (size_t i = 0; i < k; i++)
			(void)close(earlier[i].in->rfd);
		(void)close(from);
		work(l, k, all, scheme, width, to);
	}
	fd_close(to);
	if (w->pid < 0) {
		fd_close(from);
		return -1;
	}
	w->in = mem_alloc(1, sizeof *w->in);
	io_init(w->in, from, -1, IO_FOREVER);
	return 0;
}

static size_t
processors(size_t most)
{
	cpu_set_t set;
	size_t n = sched_getaffinity(0, sizeof set, &set) == 0 ?
	    (size_t)CPU_COUNT(&set) : 1;

	if (n > VLOAD_PROCESSES)
		n = VLOAD_PROCESSES;
	return n > most ? most : n > 0 ? n : 1;
}

/* 1: there is a hash; 0: *why says why not; -1: the process ended. */
static int
take_hash(struct worker *w, struct str *hash, struct str *why)
{
	struct str line = {0};
	int r = -1;

	if (io_getdelim(w->in, &line, '\n', VPOP_HASH_MAX + 2) == IO_OK &&
	    line.len > 1) {
		r = line.s[0] == '+';
		str_copys(r == 1 ? hash : why, line.s + 1);
	}
	str_free(&line);
	return r;
}

static enum vpop_error
collect(struct vload *l, struct worker *w, size_t k, struct vprogress *p,
    struct str *why)
{
	struct str reason = {0};
	enum vpop_error e = VPOP_OK;

	for (size_t i = 0; i < l->n && e == VPOP_OK; i++) {
		int r = take_hash(&w[i % k], &l->user[i].hash, &reason);

		if (r != 1) {
			str_catf(why, "line %zu: %s", l->user[i].line,
			    r == 0 ? str_c(&reason) : "its process ended");
			e = VPOP_CRYPT;
		}
		vprogress_step(p, i + 1);
	}
	str_free(&reason);
	return e;
}

enum vpop_error
vload_hash(struct vload *l, const char *scheme, size_t width,
    struct vprogress *p, struct str *why)
{
	struct worker w[VLOAD_PROCESSES] = {0};
	size_t all = processors(l->n), k = 0;
	enum vpop_error e = VPOP_OK;
	int status;

	if (l->n == 0)
		return VPOP_OK;
	while (k < all && start(&w[k], l, k, all, scheme, width, w) == 0)
		k++;
	if (k < all) {
		str_catf(why, "unable to start a process: %s",
		    strerror(errno));
		e = VPOP_MEMORY;
	} else {
		e = collect(l, w, k, p, why);
	}
	for (size_t i = 0; i < k; i++) {
		(void)close(w[i].in->rfd);
		free(w[i].in);
	}
	for (size_t i = 0; i < k; i++)
		if (proc_wait(w[i].pid, &status) < 0)
			break;
	return e;
}
