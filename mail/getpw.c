/* mail/getpw.c - from local parts to accounts; see getpw.h.
 *
 * The local part is a stranger's; only its first ACCOUNT_MAX - 1 bytes, in
 * lower case, are ever asked for. */
#include "mail/getpw.h"

#include "lib/log.h"
#include "lib/sock.h"
#include "lib/user.h"
#include "mail/limits.h"
#include "mail/localproto.h"
#include "mail/verdict.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Is u an account that takes mail?  1 yes, 0 no, or a verdict. */
static int
judge(const struct user *u)
{
	struct stat st;

	/* Neither root nor an entry that qmail-lspawn would not take. */
	if (u->uid == 0 || u->uid == (uid_t)-1 || u->gid == (gid_t)-1 ||
	    str_c(&u->home)[0] != '/')
		return 0;
	if (stat(str_c(&u->home), &st) == 0)
		return st.st_uid == u->uid;
	/* A home behind a door that is closed to us may well be there. */
	return errno == ENOENT || errno == ENOTDIR ? 0 : VERDICT_HOMEFS;
}

static void
fill(struct users_entry *out, const struct user *u, const char *dash,
    const char *ext)
{
	str_copy(&out->user, &u->name);
	str_copy(&out->home, &u->home);
	str_copys(&out->dash, dash);
	str_copys(&out->ext, ext);
	out->uid = u->uid;
	out->gid = u->gid;
}

/* The first n bytes of local as an account: 1 found, 0 not, or a verdict. */
static int
try_account(const char *local, size_t n, struct users_entry *out)
{
	struct user u = {0};
	struct str name = {0};
	int r = 0;

	if (n == 0 || n >= ACCOUNT_MAX)
		return 0;
	str_catb(&name, local, n);
	str_lower(&name);
	switch (user_find(str_c(&name), &u)) {
	case USER_OK:
		r = judge(&u);
		if (r != 1)
			break;
		if (local[n] == '\0')
			fill(out, &u, "", "");
		else
			fill(out, &u, "-", local + n + 1);
		break;
	case USER_NONE:
		break;
	case USER_TEMP:
		r = VERDICT_SYSTEM;
		break;
	}
	user_free(&u);
	str_free(&name);
	return r;
}

static int
find_alias(const char *local, struct users_entry *out)
{
	struct user u = {0};
	int r = 0;

	switch (user_find("alias", &u)) {
	case USER_OK:
		fill(out, &u, "-", local);
		break;
	case USER_NONE:
		r = VERDICT_NOALIAS;
		break;
	case USER_TEMP:
		r = VERDICT_SYSTEM;
		break;
	}
	user_free(&u);
	return r;
}

int
getpw_find(const char *local, struct users_entry *out)
{
	size_t n = strlen(local), shorter;

	for (;;) {
		int r = try_account(local, n, out);

		if (r == 1)
			return 0;
		if (r != 0)
			return r;
		shorter = bytes_rchr(local, n, GETPW_BREAK);
		if (shorter == n)               /* no dash left */
			return find_alias(local, out);
		n = shorter;
	}
}

int
getpw_serve(int sock)
{
	char buf[LOCALPROTO_MAX];
	struct str fields = {0}, out = {0};
	int rc = 111;

	for (;;) {
		struct users_entry e = {0};
		const char *local;
		uint32_t id;
		int pass, code, fit;
		ssize_t n = sock_recv_fd(sock, buf, sizeof buf, &pass);

		if (n == 0) {
			rc = 0;
			break;
		}
		if (n < 0 || pass >= 0 ||
		    localproto_parse_ask(buf, (size_t)n, &id, &local) < 0) {
			log_warn("unable to understand a question");
			break;
		}
		code = getpw_find(local, &e);
		str_clear(&fields);
		str_clear(&out);
		if (code == 0)
			users_cat_entry(&fields, &e);
		users_entry_free(&e);
		fit = localproto_cat_answer(&out, id, (unsigned)code,
		    str_c(&fields), fields.len);
		if (fit < 0 || sock_send_fd(sock, str_c(&out), out.len,
		    -1) < 0) {
			log_sys("unable to answer");
			break;
		}
	}
	str_free(&fields);
	str_free(&out);
	return rc;
}
