/* install/accounts.c - users and groups; see accounts.h. */
#include "install/accounts.h"

#include "lib/proc.h"
#include "mail/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>

struct account {
	const char *name, *group, *home;
};

static const char *const groups[] = {
#define X(group) group,
	ACCOUNTS_GROUPS(X)
#undef X
};

static const struct account users[] = {
#define X(user, group, home, runs) {user, group, home},
	ACCOUNTS_USERS(X)
#undef X
};

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define NGROUPS_OURS (sizeof groups / sizeof groups[0])
#define NUSERS_OURS (sizeof users / sizeof users[0])

enum user_status
accounts_uid(const char *name, uid_t *out)
{
	struct user u = {0};
	enum user_status st = USER_OK;

	*out = 0;
	if (strcmp(name, "root") != 0) {
		st = user_find(name, &u);
		*out = u.uid;
		user_free(&u);
	}
	return st;
}

enum user_status
accounts_gid(const char *name, gid_t *out)
{
	*out = 0;
	if (strcmp(name, "root") == 0)
		return USER_OK;
	if (strcmp(name, ACCOUNTS_VCHKPW) == 0) {
		struct user u = {0};
		enum user_status st = user_find(ACCOUNTS_VPOPMAIL, &u);

		*out = u.gid;
		user_free(&u);
		if (st != USER_NONE)
			return st;
	}
	return user_find_group(name, out);
}

int
accounts_vpopmail(struct str *out, struct str *why)
{
	struct user u = {0};
	int r = -1;

	switch (user_find(ACCOUNTS_VPOPMAIL, &u)) {
	case USER_NONE:
		str_copys(out, ACCOUNTS_VPOPMAIL_HOME);
		r = 0;
		break;
	case USER_TEMP:
		str_catf(why, "unable to look up user %s: %s",
		    ACCOUNTS_VPOPMAIL, strerror(errno));
		break;
	case USER_OK:
		if (str_c(&u.home)[0] != '/' || u.home.len < 2) {
			str_catf(why, "unable to use user %s: its home is "
			    "\"%s\"", ACCOUNTS_VPOPMAIL, str_c(&u.home));
			break;
		}
		str_copy(out, &u.home);
		r = 0;
		break;
	}
	user_free(&u);
	return r;
}

/* Runs a command to its end; -1 with the reason when it does not exit 0. */
static int
run(const char *const *argv, const char *name, struct str *why)
{
	struct proc_fd fds[] = {{-1, 0}, {1, 1}, {2, 2}};
	struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};
	char text[32];
	int status;
	pid_t pid;

	if (proc_spawn(&sp, &pid) < 0 || proc_wait(pid, &status) < 0) {
		str_catf(why, "unable to run %s: %s", argv[0],
		    strerror(errno));
		return -1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	str_catf(why, "%s failed for %s: %s", argv[0], name,
	    proc_status_text(status, text, sizeof text));
	return -1;
}

static int
make_group(const char *name, struct str *done, struct str *why)
{
	const char *argv[] = {"/usr/sbin/groupadd", "-r", name, NULL, NULL,
	    NULL};
	gid_t gid;

	switch (accounts_gid(name, &gid)) {
	case USER_OK:
		return 0;
	case USER_TEMP:
		str_catf(why, "unable to look up group %s: %s", name,
		    strerror(errno));
		return -1;
	case USER_NONE:
		break;
	}
	if (strcmp(name, ACCOUNTS_VCHKPW) == 0 &&
	    getgrgid(ACCOUNTS_VPOPMAIL_ID) == NULL) {
		argv[3] = "-g";
		argv[4] = TEXT(ACCOUNTS_VPOPMAIL_ID);
	}
	if (run(argv, name, why) < 0)
		return -1;
	str_catf(done, "made group %s\n", name);
	return 0;
}

static int
make_user(const struct account *u, bool *made, struct str *done,
    struct str *why)
{
	struct str home = {0};
	uid_t uid;
	int r = 0;

	*made = false;
	switch (accounts_uid(u->name, &uid)) {
	case USER_OK:
		return 0;
	case USER_TEMP:
		str_catf(why, "unable to look up user %s: %s", u->name,
		    strerror(errno));
		return -1;
	case USER_NONE:
		break;
	}
	if (u->home[0] != '/')
		str_catf(&home, "%s%s", HOME_DIR, *u->home ? "/" : "");
	str_cats(&home, u->home);
	{
		const char *argv[] = {"/usr/sbin/useradd", "-r",
		    u->name, "-M", "-g", u->group, "-d", str_c(&home), "-s",
		    "/usr/sbin/nologin", NULL, NULL, NULL};

		if (strcmp(u->name, ACCOUNTS_VPOPMAIL) == 0 &&
		    getpwuid(ACCOUNTS_VPOPMAIL_ID) == NULL) {
			argv[10] = "-u";
			argv[11] = TEXT(ACCOUNTS_VPOPMAIL_ID);
		}
		r = run(argv, u->name, why);
	}
	if (r == 0) {
		str_catf(done, "made user %s\n", u->name);
		*made = true;
	}
	str_free(&home);
	return r;
}

int
accounts_make(struct str *done, bool *vpopmail_out, struct str *why)
{
	bool made;

	*vpopmail_out = false;
	for (size_t i = 0; i < NGROUPS_OURS; i++)
		if (make_group(groups[i], done, why) < 0)
			return -1;
	for (size_t i = 0; i < NUSERS_OURS; i++) {
		if (make_user(&users[i], &made, done, why) < 0)
			return -1;
		if (made && strcmp(users[i].name, ACCOUNTS_VPOPMAIL) == 0)
			*vpopmail_out = true;
	}
	return 0;
}

static unsigned
say(struct str *out, const char *what, const char *name, enum user_status st)
{
	if (st == USER_OK)
		return 0;
	str_catf(out, "%s %s: %s\n", what, name, st == USER_NONE ?
	    "does not exist" : strerror(errno));
	return 1;
}

unsigned
accounts_compare(struct str *out)
{
	unsigned bad = 0;
	gid_t gid;

	for (size_t i = 0; i < NGROUPS_OURS; i++)
		bad += say(out, "group", groups[i],
		    accounts_gid(groups[i], &gid));
	for (size_t i = 0; i < NUSERS_OURS; i++) {
		struct user u = {0};
		enum user_status st = user_find(users[i].name, &u);

		bad += say(out, "user", users[i].name, st);
		if (st == USER_OK && u.uid == 0) {
			str_catf(out, "user %s: is root\n", users[i].name);
			bad++;
		}
		if (st == USER_OK &&
		    accounts_gid(users[i].group, &gid) == USER_OK &&
		    gid != u.gid) {
			str_catf(out, "user %s: primary group is %u, should "
			    "be %s\n", users[i].name, (unsigned)u.gid,
			    users[i].group);
			bad++;
		}
		user_free(&u);
	}
	return bad;
}
