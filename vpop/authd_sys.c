/* vpop/authd_sys.c - system users for authdaemond; see authd_sys.h. */
#include "vpop/authd_sys.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "vpop/password.h"

#include <errno.h>
#include <poll.h>
#include <shadow.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYS_FD 3
#define SHADOW_MAX 16384        /* bytes of a record */
#define DAY 86400

enum user_status
authd_sys_shadow(const char *name, struct str *hash_out, bool *ended_out)
{
	struct str buf = {0};
	struct spwd sp, *r = NULL;
	int e;

	str_reserve(&buf, SHADOW_MAX);
	e = getspnam_r(name, &sp, buf.s, SHADOW_MAX, &r);
	if (r != NULL) {
		str_copys(hash_out, r->sp_pwdp);
		*ended_out = r->sp_expire >= 0 &&
		    clock_wall() / DAY >= r->sp_expire;
	}
	explicit_bzero(buf.s, SHADOW_MAX);
	str_free(&buf);
	if (r != NULL)
		return USER_OK;
	errno = e;
	return e == 0 || e == ENOENT ? USER_NONE : USER_TEMP;
}

/* ---- the process ---- */

static char
judge(authd_sys_hash *hash_of, const char *name, const char *password,
    struct str *like)
{
	struct str hash = {0};
	bool ended = false;
	char answer = 'D';

	switch (hash_of(name, &hash, &ended)) {
	case USER_OK:
		if (password_verify(str_c(&hash), password) == PASSWORD_OK &&
		    !ended)
			answer = 'K';
		str_copy(like, &hash);
		break;
	case USER_NONE:
		password_dummy(str_c(like), password);
		break;
	case USER_TEMP:
		answer = 'Z';
		break;
	}
	password_wipe(&hash);
	return answer;
}

static void
cat_user(struct str *out, const struct user *u)
{
	str_catu(out, u->uid);
	str_catc(out, '\0');
	str_catu(out, u->gid);
	str_catc(out, '\0');
	str_cat(out, &u->home);
	str_catc(out, '\0');
	str_catb(out, str_c(&u->gecos), strcspn(str_c(&u->gecos), ","));
}

/* s holds n bytes and a NUL behind them. */
static void
answer(authd_sys_hash *hash_of, const char *s, size_t n, struct str *like,
    struct str *out)
{
	struct user u = {0};
	size_t name = strlen(s);
	const char *password = name < n ? s + name + 1 : NULL;
	enum user_status st = user_find(s, &u);
	char c = st == USER_OK ? 'K' : st == USER_NONE ? 'D' : 'Z';

	if (st == USER_OK && (u.uid == 0 || u.home.len == 0))
		c = 'D';
	if (password != NULL && c == 'D')
		password_dummy(str_c(like), password);
	if (password != NULL && c == 'K')
		c = judge(hash_of, s, password, like);
	str_copyb(out, &c, 1);
	if (c == 'K')
		cat_user(out, &u);
	user_free(&u);
}

static _Noreturn void
serve(authd_sys_hash *hash_of)
{
	char buf[AUTHD_SYS_MAX + 1];
	struct str like = {0}, out = {0};
	ssize_t n;
	int fd;

	while ((n = sock_recv_fd(SYS_FD, buf, AUTHD_SYS_MAX, &fd)) > 0) {
		buf[n] = '\0';
		str_clear(&out);
		answer(hash_of, buf, (size_t)n, &like, &out);
		explicit_bzero(buf, sizeof buf);
		if (fd >= 0) {
			/* Who does not listen is gone. */
			(void)send(fd, out.s, out.len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
			fd_close(fd);
		}
	}
	_exit(0);
}

int
authd_sys_start(authd_sys_hash *hash_of)
{
	int ours, theirs, e;
	pid_t pid;

	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		return -1;
	pid = proc_fork();
	if (pid == 0) {
		/* It only reads: accounts, and what finds them. */
		static const char *const all[] = {"/", NULL};
		struct sandbox_fs fs = {.read = all};

		if (dup2(theirs, SYS_FD) < 0 ||
		    close_range(SYS_FD + 1, ~0u, 0) < 0 ||
		    sandbox_daemon(&fs, SANDBOX_SCOPED) < 0)
			_exit(111);
		serve(hash_of);
	}
	e = errno;
	fd_close(theirs);
	if (pid < 0) {
		fd_close(ours);
		errno = e;
		return -1;
	}
	return ours;
}

/* ---- its askers ---- */

static bool
parse_user(const char *s, size_t n, struct user *out)
{
	const char *end = s + n;
	uint64_t uid, gid;
	size_t k = scan_u64(s, &uid);

	if (k == 0 || s[k] != '\0' || uid == 0 || uid >= UINT32_MAX)
		return false;
	s += k + 1;
	if (s >= end || (k = scan_u64(s, &gid)) == 0 || s[k] != '\0' ||
	    gid >= UINT32_MAX)
		return false;
	s += k + 1;
	if (s >= end || *s != '/')
		return false;
	str_copys(&out->home, s);
	s += strlen(s) + 1;
	str_copyb(&out->gecos, s, s < end ? strlen(s) : 0);
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return true;
}

static enum auth_status
hear(int fd, struct user *out)
{
	char buf[AUTHD_SYS_MAX + 1];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = -1;

	if (poll(&p, 1, AUTHD_SYS_WAIT_MS) > 0)
		n = recv(fd, buf, AUTHD_SYS_MAX, MSG_DONTWAIT);
	if (n < 1 || (buf[0] != 'K' && buf[0] != 'D'))
		return AUTH_TEMP;
	buf[n] = '\0';
	if (buf[0] == 'D')
		return AUTH_FAIL;
	return parse_user(buf + 1, (size_t)n - 1, out) ? AUTH_OK : AUTH_TEMP;
}

enum auth_status
authd_sys_ask(int fd, const char *user, const char *password,
    struct user *out)
{
	enum auth_status st = AUTH_TEMP;
	struct str q = {0};
	int ours, theirs;

	if (*user == '\0' || strlen(user) +
	    (password != NULL ? strlen(password) : 0) + 1 >= AUTHD_SYS_MAX)
		return AUTH_FAIL;
	str_reserve(&q, AUTHD_SYS_MAX);
	str_cats(&q, user);
	if (password != NULL) {
		str_catc(&q, '\0');
		str_cats(&q, password);
	}
	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) == 0) {
		if (sock_send_fd(fd, q.s, q.len, theirs) == (ssize_t)q.len) {
			fd_close(theirs);
			st = hear(ours, out);
		} else {
			fd_close(theirs);
		}
		fd_close(ours);
	}
	password_wipe(&q);
	if (st == AUTH_OK)
		str_copys(&out->name, user);
	if (st == AUTH_TEMP)
		log_warn("no answer about a system user");
	return st;
}
