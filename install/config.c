/* install/config.c - first control files and aliases; see config.h. */
#include "install/config.h"

#include "install/table.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define NO_ADMIN "./Maildir/\n"

static bool
has_dot(const char *s)
{
	return strchr(s, '.') != NULL;
}

void
config_cat_host(struct str *out)
{
	struct addrinfo hints = {.ai_flags = AI_CANONNAME,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *res = NULL;
	char name[CONFIG_NAME_MAX + 1];
	const char *full;

	if (gethostname(name, sizeof name) < 0 || name[0] == '\0')
		strncpy(name, "localhost", sizeof name - 1);
	name[sizeof name - 1] = '\0';
	full = name;
	if (!has_dot(name) && getaddrinfo(name, NULL, &hints, &res) == 0 &&
	    res->ai_canonname != NULL && config_host_ok(res->ai_canonname) &&
	    has_dot(res->ai_canonname))
		full = res->ai_canonname;
	str_cats(out, full);
	str_lower(out);
	if (!has_dot(full))
		str_cats(out, ".localdomain");
	if (res != NULL)
		freeaddrinfo(res);
}

static bool
literal_ok(const char *name, size_t n)
{
	if (n < 3 || name[n - 1] != ']')
		return false;
	for (size_t i = 1; i < n - 1; i++)
		if (!isxdigit((unsigned char)name[i]) &&
		    strchr(".:IPv", name[i]) == NULL)
			return false;
	return true;
}

bool
config_host_ok(const char *name)
{
	size_t n = strlen(name), label = 0;

	if (n == 0 || n > CONFIG_NAME_MAX)
		return false;
	if (name[0] == '[')
		return literal_ok(name, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((c < 128 && isalnum(c)) || c == '-' || c == '_') {
			label++;
		} else {
			return false;
		}
	}
	return label > 0;
}

bool
config_admin_ok(const char *name)
{
	if (name[0] == '\0' || strlen(name) > CONFIG_NAME_MAX ||
	    strchr("#|./&+-", name[0]) != NULL)
		return false;
	for (; *name != '\0'; name++)
		if ((unsigned char)*name <= ' ' || *name == 127)
			return false;
	return true;
}

/* Drops labels from the left until keep are left; a shorter name stays. */
static const char *
last_labels(const char *me, unsigned keep)
{
	const char *p = me + strlen(me);

	while (p > me)
		if (*--p == '.' && --keep == 0)
			return p + 1;
	return me;
}

void
config_cat_default_domain(struct str *out, const char *me)
{
	const char *dot = strchr(me, '.');

	if (me[0] == '[')
		return;
	str_cats(out, dot != NULL && has_dot(dot + 1) ? dot + 1 : me);
}

void
config_cat_plus_domain(struct str *out, const char *me)
{
	if (me[0] != '[')
		str_cats(out, last_labels(me, 2));
}

static int
make_one(struct place *p, const char *dir, const char *file, const char *user,
    const struct str *text, struct str *done, struct str *path)
{
	str_clear(path);
	str_catf(path, "%s/%s/%s", HOME_DIR, dir, file);
	if (text->len == 0)
		return 0;
	switch (place_make_once(p, str_c(path), user, TABLE_GROUP, 0644,
	    str_c(text))) {
	case PLACE_FAILED:
		return -1;
	case PLACE_CHANGED:
		str_catf(done, "made %s\n", str_c(path));
		return 0;
	case PLACE_SAME:
	case PLACE_EDITED:
		break;
	}
	return 0;
}

static void
cat_line(struct str *out, const struct str *value)
{
	if (value->len > 0)
		str_catf(out, "%s\n", str_c(value));
}

int
config_make_control(struct place *p, const char *host, struct str *done,
    struct str *path)
{
	struct str me = {0}, dd = {0}, pd = {0}, text = {0};
	int r = -1;

	str_copys(path, HOME_DIR "/control/me");
	if (place_read(p, str_c(path), &me) < 0) {
		if (errno != ENOENT)
			goto out;
		str_copys(&me, host);
	}
	str_trunc(&me, me.len > 0 ? bytes_chr(me.s, me.len, '\n') : 0);
	str_rstrip(&me);
	config_cat_default_domain(&dd, str_c(&me));
	config_cat_plus_domain(&pd, str_c(&me));

	cat_line(&text, &me);
	if (make_one(p, "control", "me", TABLE_OWNER, &text, done, path) < 0)
		goto out;
	str_cats(&text, "localhost\n");
	/* qmail-inject completes a bare "localhost" with defaultdomain. */
	if (dd.len > 0)
		str_catf(&text, "localhost.%s\n", str_c(&dd));
	if (make_one(p, "control", "locals", TABLE_OWNER, &text, done,
	    path) < 0 || make_one(p, "control", "rcpthosts", TABLE_OWNER,
	    &text, done, path) < 0)
		goto out;
	str_clear(&text);
	cat_line(&text, &dd);
	if (make_one(p, "control", "defaultdomain", TABLE_OWNER, &text, done,
	    path) < 0)
		goto out;
	str_clear(&text);
	cat_line(&text, &pd);
	r = make_one(p, "control", "plusdomain", TABLE_OWNER, &text, done,
	    path);
out:
	str_free(&me);
	str_free(&dd);
	str_free(&pd);
	str_free(&text);
	return r;
}

int
config_make_rules(struct place *p, struct str *done, struct str *path)
{
	static const struct {
		const char *path, *text;
	} rules[] = {
		{"/etc/tcp.smtp",
		    "# Who may connect to port 25, and who may relay to "
		    "anywhere: see\n"
		    "# tcprules(1).  After a change: svc -t "
		    "/service/qmail-smtpd\n"
		    "127.:allow,RELAYCLIENT=\"\"\n"
		    "::1:allow,RELAYCLIENT=\"\"\n"
		    ":allow\n"},
		{"/etc/tcp.pop3",
		    "# Who may fetch mail, on ports 110 and 995: see "
		    "tcprules(1).\n"
		    "# After a change: svc -t /service/pop3 /service/pop3s\n"
		    "# Without this file /etc/tcp.pop3.cdb counts as it is.\n"
		    ":allow\n"},
	};

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		str_copys(path, rules[i].path);
		switch (place_make_once(p, rules[i].path, "root", "root", 0644,
		    rules[i].text)) {
		case PLACE_FAILED:
			return -1;
		case PLACE_CHANGED:
			str_catf(done, "made %s\n", rules[i].path);
			break;
		case PLACE_SAME:
		case PLACE_EDITED:
			break;
		}
	}
	return 0;
}

/* The Maildir that collects mail for postmaster while there is no admin. */
static int
make_alias_maildir(struct place *p, struct str *path)
{
	static const char *const parts[] = {"", "/tmp", "/new", "/cur"};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		struct tree_item it = {.kind = TREE_DIR, .owner = "alias",
		    .group = "nofiles", .mode = 0700};
		enum place_result r;

		str_clear(path);
		str_catf(path, "%s/alias/Maildir%s", HOME_DIR, parts[i]);
		str_copy(&it.path, path);
		r = place_make(p, &it);
		str_free(&it.path);
		if (r == PLACE_FAILED)
			return -1;
	}
	return 0;
}

/* Removes an alias that still says what we wrote without an admin. */
static int
drop_placeholder(const struct place *p, const struct str *path)
{
	struct str have = {0};
	const char *name;
	int r = 0, dir;

	if (place_read(p, str_c(path), &have) < 0) {
		if (errno != ENOENT)
			r = -1;
	} else if (str_eqs(&have, NO_ADMIN)) {
		dir = place_open_parent(p, str_c(path), &name);
		if (dir < 0 || unlinkat(dir, name, 0) < 0)
			r = -1;
		if (dir >= 0)
			(void)close(dir);
	}
	str_free(&have);
	return r;
}

/* An admin replaces our placeholder; without one the place where such mail
 * collects has to be there before the first file that names it. */
static int
prepare_alias(struct place *p, const char *admin, const char *file,
    struct str *path)
{
	struct str have = {0};
	int r = 0;

	str_clear(path);
	str_catf(path, "%s/alias/%s", HOME_DIR, file);
	if (admin != NULL)
		return drop_placeholder(p, path);
	if (place_read(p, str_c(path), &have) < 0)
		r = errno == ENOENT ? make_alias_maildir(p, path) : -1;
	str_free(&have);
	return r;
}

int
config_make_aliases(struct place *p, const char *admin, struct str *done,
    struct str *path)
{
	static const char *const files[] = {".qmail-postmaster",
	    ".qmail-mailer-daemon", ".qmail-root"};
	struct str text = {0};
	int r = 0;

	if (admin != NULL)
		str_catf(&text, "&%s\n", admin);
	else
		str_cats(&text, NO_ADMIN);
	for (size_t i = 0; r == 0 && i < sizeof files / sizeof files[0]; i++) {
		r = prepare_alias(p, admin, files[i], path);
		if (r == 0)
			r = make_one(p, "alias", files[i], "alias", &text,
			    done, path);
	}
	str_free(&text);
	return r;
}
