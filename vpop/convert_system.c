/* vpop/convert_system.c - accounts from outside; see convert_system.h. */
#include "vpop/convert_system.h"

#include "lib/io.h"
#include "vpop/password.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>

#define UID_FIRST 1000
#define UID_LAST 59999

struct work {
	struct convert_system *s;
	const struct vdomain *d;
	struct vmanage_bulk *bulk;
	struct str *why;
};

static void
note(const struct work *w, const char *user, const char *text)
{
	struct str line = {0};

	str_catf(&line, "%s: left out: %s", user, text);
	w->s->note(w->s->arg, str_c(&line));
	str_free(&line);
}

static enum vpop_error
put(struct work *w, const char *user, const char *hash, const char *clear,
    const char *gecos)
{
	struct vdomain_ref ref = vdomain_ref_peek(w->d);
	struct vmanage_user m = {.hash = hash, .clear = clear,
	    .gecos = gecos};
	struct vuser have = {0};
	struct str name = {0};
	enum vstore_status st;
	enum vpop_error e;

	str_copys(&name, user);
	e = vpop_user_name(&name, true);
	if (e != VPOP_OK) {
		note(w, user, vpop_error_text(e));
		str_free(&name);
		return VPOP_OK;
	}
	st = vstore_user_get(w->s->c->store, &ref, str_c(&name), &have);
	vuser_free(&have);
	m.name = str_c(&name);
	if (st == VSTORE_OK) {
		note(w, user, vpop_error_text(VPOP_USERNAME_EXISTS));
	} else if (st != VSTORE_NONE) {
		str_catf(w->why, "%s: %s", user,
		    vstore_reason_peek(w->s->c->store));
		e = VPOP_FILE;
	} else if ((e = vmanage_bulk_user(w->bulk, &m, w->why)) == VPOP_OK) {
		w->s->n++;
		w->s->step(w->s->arg, str_c(&name));
	}
	str_free(&name);
	return e;
}

static bool
is_hash(const char *s)
{
	return s != NULL && s[0] != '\0' && s[0] != '!' && s[0] != '*';
}

static enum vpop_error
put_passwd(struct work *w, const struct passwd *p)
{
	const struct spwd *sp;
	const char *hash = p->pw_passwd;
	struct str gecos = {0};
	enum vpop_error e;

	if (p->pw_uid < UID_FIRST || p->pw_uid > UID_LAST)
		return VPOP_OK;
	errno = 0;
	if (strcmp(hash, "x") == 0) {
		sp = getspnam(p->pw_name);
		if (sp == NULL && errno == EACCES) {
			str_cats(w->why, "/etc/shadow: Permission denied");
			return VPOP_FILE;
		}
		hash = sp == NULL ? NULL : sp->sp_pwdp;
	}
	if (!is_hash(hash)) {
		note(w, p->pw_name, "no password");
		return VPOP_OK;
	}
	/* the full name; a colon or a comma ends it */
	str_copyb(&gecos, p->pw_gecos, strcspn(p->pw_gecos, ",:"));
	if (gecos.len > VPOP_GECOS_MAX)
		str_trunc(&gecos, VPOP_GECOS_MAX);
	e = put(w, p->pw_name, hash, NULL, gecos.len > 0 ? str_c(&gecos) :
	    p->pw_name);
	str_free(&gecos);
	return e;
}

static enum vpop_error
each_passwd(struct work *w, const char *path)
{
	enum vpop_error e = VPOP_OK;
	struct passwd *p;

	(void)path;
	setpwent();
	while (e == VPOP_OK && (errno = 0, p = getpwent()) != NULL)
		e = put_passwd(w, p);
	if (e == VPOP_OK && errno != 0 && errno != ENOENT) {
		str_catf(w->why, "the system's accounts: %s",
		    strerror(errno));
		e = VPOP_FILE;
	}
	endpwent();
	return e;
}

/* As vcommand_hash, but what is wrong is for the caller: a bulk is open. */
static enum vpop_error
hash_it(struct work *w, const char *name, const char *password,
    struct str *hash, struct str *clear)
{
	const struct vcommand *c = w->s->c;
	size_t width = vstore_width(c->store, VSTORE_W_HASH);
	size_t n = strlen(password);

	str_catf(w->why, "%s: the password", name);
	if (n < c->settings.number[VSETTING_MINPASSWORDLENGTH])
		return VPOP_PASSWD_SHORT;
	if (n > VPOP_PASSWORD_MAX)
		return VPOP_PASSWD_LONG;
	if (password_make(vsetting_peek(&c->settings, VSETTING_HASHSCHEME),
	    width < VPOP_HASH_MAX ? width : VPOP_HASH_MAX, password,
	    hash) < 0)
		return VPOP_CRYPT;
	if (vsetting_on(&c->settings, VSETTING_CLEARPASSWORDS)) {
		if (n > VPOP_CLEAR_MAX)
			return VPOP_CLEAR_LONG;
		str_copys(clear, password);
	}
	str_clear(w->why);
	return VPOP_OK;
}

static enum vpop_error
put_line(struct work *w, char *line)
{
	size_t n = strcspn(line, ": \t");
	struct str hash = {0}, clear = {0};
	char *password = line + n;
	enum vpop_error e;

	if (line[0] == '\0' || line[0] == '#')
		return VPOP_OK;
	if (*password != '\0')
		*password++ = '\0';
	while (*password == ' ' || *password == '\t')
		password++;
	if (*password == '\0') {
		str_catf(w->why, "%s: it has no password", line);
		return VPOP_BAD_CHAR;
	}
	e = hash_it(w, line, password, &hash, &clear);
	if (e == VPOP_OK)
		e = put(w, line, str_c(&hash), str_c(&clear), line);
	password_wipe(&hash);
	password_wipe(&clear);
	return e;
}

static enum vpop_error
each_line(struct work *w, const char *path)
{
	struct str line = {0};
	enum vpop_error e = VPOP_OK;
	enum io_status st = IO_ERROR;
	struct io in;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		str_catf(w->why, "%s: %s", path, strerror(errno));
		return VPOP_FILE;
	}
	io_init(&in, fd, -1, IO_FOREVER);
	do {
		str_clear(&line);
		st = io_getdelim(&in, &line, '\n', VPOP_PASSWORD_MAX +
		    VPOP_USER_MAX);
		str_rstrip(&line);
		if (str_has_nul(&line) || st == IO_TOOLONG) {
			str_catf(w->why, "%s: a line is too long or has a "
			    "NUL", path);
			e = VPOP_BAD_CHAR;
		} else if (line.len > 0) {
			e = put_line(w, line.s);
		}
	} while (e == VPOP_OK && st == IO_OK);
	if (e == VPOP_OK && st != IO_EOF) {
		str_catf(w->why, "%s: %s", path, strerror(errno));
		e = VPOP_FILE;
	}
	password_wipe(&line);
	fd_close(fd);
	return e;
}

static enum vpop_error
convert(struct convert_system *s, const struct vdomain *d, const char *path,
    enum vpop_error (*each)(struct work *, const char *), struct str *why)
{
	struct work w = {.s = s, .d = d, .why = why};
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vstore_status st = vstore_domain_add(s->c->store, &ref);
	enum vpop_error e, e2;

	if (st != VSTORE_OK && st != VSTORE_EXISTS) {
		str_catf(why, "%s: %s", ref.name,
		    vstore_reason_peek(s->c->store));
		return VPOP_FILE;
	}
	e = vmanage_bulk_begin(s->c, d, &w.bulk, why);
	if (e != VPOP_OK)
		return e;
	e = each(&w, path);
	e2 = vmanage_bulk_end(w.bulk, e == VPOP_OK, why);
	return e != VPOP_OK ? e : e2;
}

enum vpop_error
convert_passwd(struct convert_system *s, const struct vdomain *d,
    struct str *why)
{
	return convert(s, d, NULL, each_passwd, why);
}

enum vpop_error
convert_file(struct convert_system *s, const struct vdomain *d,
    const char *path, struct str *why)
{
	return convert(s, d, path, each_line, why);
}
