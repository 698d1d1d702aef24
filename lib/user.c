/* lib/user.c - accounts; see user.h.
 *
 * glibc's getpwnam_r returns 0 with no entry for "not there".  The errors that
 * getpwnam(3) lists for the same (ENOENT, ESRCH and others) come, with glibc,
 * only from a service that was not available: a missing /etc/passwd or the
 * socket of a stopped daemon is ENOENT.  So only 0 is believed. */
#include "lib/user.h"

#include "lib/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define SCRATCH_MAX ((size_t)1 << 20)   /* bytes for one passwd entry */

static enum user_status
verdict(int err, bool found)
{
	if (found)
		return USER_OK;
	if (err == 0)
		return USER_NONE;
	errno = err;
	return USER_TEMP;
}

static void
take(struct user *out, const struct passwd *pw)
{
	/* Some services leave fields out. */
	str_copys(&out->name, pw->pw_name);
	str_copys(&out->home, pw->pw_dir ? pw->pw_dir : "");
	str_copys(&out->gecos, pw->pw_gecos ? pw->pw_gecos : "");
	str_copys(&out->shell, pw->pw_shell ? pw->pw_shell : "");
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
}

static enum user_status
find(const char *name, uid_t uid, struct user *out)
{
	struct str scratch = {0};
	struct passwd pw, *found = NULL;
	size_t size = 1024;
	int err;

	do {
		size *= 2;
		str_reserve(&scratch, size);
		err = name != NULL ?
		    getpwnam_r(name, &pw, scratch.s, size, &found) :
		    getpwuid_r(uid, &pw, scratch.s, size, &found);
	} while (err == EINTR || (err == ERANGE && size < SCRATCH_MAX));
	if (found != NULL)
		take(out, found);
	str_free(&scratch);
	return verdict(err, found != NULL);
}

/* glibc hides a service that failed behind the next one's "not there": with
 * passwd: files systemd, an unreadable /etc/passwd looks like a machine
 * without users.  So a "no" counts only when root is found by the same means,
 * and the second answer is no as well. */
enum user_status
user_find(const char *name, struct user *out)
{
	enum user_status st = find(name, 0, out);
	struct user root = {0};

	if (st != USER_NONE)
		return st;
	st = find("root", 0, &root);
	user_free(&root);
	if (st != USER_OK) {
		errno = EIO;
		return USER_TEMP;
	}
	return find(name, 0, out);
}

enum user_status
user_find_uid(uid_t uid, struct user *out)
{
	return find(NULL, uid, out);
}

enum user_status
user_find_group(const char *name, gid_t *out)
{
	struct str scratch = {0};
	struct group gr, *found = NULL;
	size_t size = 1024;
	int err;

	do {
		size *= 2;
		str_reserve(&scratch, size);
		err = getgrnam_r(name, &gr, scratch.s, size, &found);
	} while (err == EINTR || (err == ERANGE && size < SCRATCH_MAX));
	if (found != NULL)
		*out = found->gr_gid;
	str_free(&scratch);
	return verdict(err, found != NULL);
}

void
user_free(struct user *u)
{
	str_free(&u->name);
	str_free(&u->home);
	str_free(&u->gecos);
	str_free(&u->shell);
}

void
user_need(const char *name, uid_t *uid_out, gid_t *gid_out)
{
	struct user u = {0};
	enum user_status st = user_find(name, &u);

	if (st == USER_TEMP)
		die_sys(111, "unable to look up user %s", name);
	if (st == USER_NONE)
		die(111, "unable to look up user %s: no such user", name);
	*uid_out = u.uid;
	*gid_out = u.gid;
	user_free(&u);
}

uid_t
user_need_uid(const char *name)
{
	uid_t uid;
	gid_t gid;

	user_need(name, &uid, &gid);
	return uid;
}

gid_t
user_need_group(const char *name)
{
	gid_t gid = 0;
	enum user_status st = user_find_group(name, &gid);

	if (st == USER_TEMP)
		die_sys(111, "unable to look up group %s", name);
	if (st == USER_NONE)
		die(111, "unable to look up group %s: no such group", name);
	return gid;
}
