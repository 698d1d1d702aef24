/* authdaemond - answer who an account is and whether a password is right.
 * Runs as:  vpopmail; root only until its sockets are made, and in the small
 *           part that knows system users, when there is one.
 * Trusts:   VPOPMAIL/etc, users/cdb, the store; the kernel on who connected.
 *           Never: what is asked.
 * Exits:    0 after SIGTERM, 100 on misuse, 111 on trouble. */
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "lib/user.h"
#include "vpop/authd.h"
#include "vpop/authd_sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define USAGE "authdaemond"
#define BACKLOG 1024
#define CLIENTS_WANT 4096       /* a descriptor each */
#define OTHERS 64               /* descriptors for everything else */

static size_t
raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to read the limit of open files");
	rl.rlim_cur = rl.rlim_max < CLIENTS_WANT + OTHERS ? rl.rlim_max :
	    CLIENTS_WANT + OTHERS;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to raise the limit of open files");
	if (rl.rlim_cur <= 2 * OTHERS)
		die(111, "the limit of open files is too low: %lu",
		    (unsigned long)rl.rlim_cur);
	return (size_t)(rl.rlim_cur - OTHERS);
}

/* The part that stays root, where the administrator wants it. */
static void
start_system(struct authd_config *cfg)
{
	cfg->world.system = authd_sys_start(authd_sys_shadow);
	if (cfg->world.system < 0)
		die_sys(111, "unable to start the part for system users");
}

/* Those that are there: each stands between us and the network. */
static void
find_trusted(struct authd_config *cfg)
{
	static const char *const names[] = {"qmaild", "courier"};
	struct user u = {0};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		switch (user_find(names[i], &u)) {
		case USER_OK:
			cfg->trusted[cfg->ntrusted++] = u.uid;
			break;
		case USER_NONE:
			break;
		case USER_TEMP:
			die_sys(111, "unable to look up user %s", names[i]);
		}
	}
	user_free(&u);
}

/* Below /run what is missing is made at every start. */
static void
make_parents(const char *path)
{
	struct str dir = {0};

	for (size_t at = 1; path[at] != '\0'; at++)
		if (path[at] == '/') {
			str_copyb(&dir, path, at);
			if (mkdir(str_c(&dir), 0755) < 0 && errno != EEXIST)
				die_sys(111, "unable to make %s", str_c(&dir));
		}
	str_free(&dir);
}

static void
listen_on(const char *path, struct authd_config *cfg, int *listeners)
{
	int fd = sock_listen(path, SOCK_STREAM, BACKLOG, 0666);

	if (fd < 0)
		die_sys(111, "unable to listen on %s", path);
	listeners[cfg->nlisteners++] = fd;
}

static void
listen_all(const struct vsettings *set, struct authd_config *cfg,
    int *listeners)
{
	const char *path;
	struct stat st;

	listen_on(AUTHPROTO_SOCKET, cfg, listeners);
	for (size_t i = 0; (path = vsetting_item_peek(set,
	    VSETTING_AUTHSOCKETS, i)) != NULL; i++) {
		if (*path != '/')
			die(111, "authsockets: %s is no path from the root",
			    path);
		if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
			die(111, "authsockets: %s is no socket", path);
		if (cfg->nlisteners == AUTHD_LISTENERS)
			die(111, "authsockets: more than %d",
			    AUTHD_LISTENERS - 1);
		(void)umask(022);
		make_parents(path);
		(void)umask(077);
		listen_on(path, cfg, listeners);
	}
	cfg->listeners = listeners;
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};
	/* Domains may be anywhere and stores on the network; of what it may
	 * as vpopmail it gives up running programs. */
	static const char *const all[] = {"/", NULL};
	struct sandbox_fs fs = {.read = all, .write = all};
	struct authd_config cfg = {.ask_ms = AUTHD_ASK_MS,
	    .answer_ms = AUTHD_ANSWER_MS, .spare_ms = AUTHD_SPARE_MS,
	    .world = {.open = vstore_open, .find = vdomain_find,
	    .each = vdomain_each, .now = clock_wall, .system = -1}};
	int listeners[AUTHD_LISTENERS];
	struct vsettings set = {0};
	struct str reason = {0};
	struct user u = {0};

	(void)argv;
	log_init("authdaemond");
	if (argc > 1)
		die_usage(USAGE);
	(void)umask(077);
	switch (user_find(VPOP_USER, &u)) {
	case USER_OK:
		break;
	case USER_NONE:
		die(111, "there is no user %s", VPOP_USER);
	case USER_TEMP:
		die_sys(111, "unable to look up user %s", VPOP_USER);
	}
	if (u.uid == 0)
		die(111, "user %s must not be root", VPOP_USER);
	cfg.world.vpopmail_dir = str_c(&u.home);
	cfg.world.uid_vpopmail = u.uid;
	if (vsettings_load(cfg.world.vpopmail_dir, &set, &reason) < 0)
		die(111, "%s", str_c(&reason));
	find_trusted(&cfg);
	if (vsetting_on(&set, VSETTING_SYSTEMUSERS))
		start_system(&cfg);
	if (chdir("/") < 0)
		die_sys(111, "unable to enter /");
	cfg.clients_max = raise_files();
	cfg.clients_uid_max = cfg.clients_max / 4;
	cfg.signals = sig_open(signals);
	if (cfg.signals < 0)
		die_sys(111, "unable to watch signals");
	listen_all(&set, &cfg, listeners);
	vsettings_free(&set);
	if (proc_drop(u.uid, u.gid) < 0)
		die_sys(111, "unable to become %s", VPOP_USER);
	if (sandbox_daemon(&fs, SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
	return authd_run(&cfg);
}
