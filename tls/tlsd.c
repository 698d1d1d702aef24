/* tlsd - speak TLS for programs that do not; the only one with libssl.
 * Runs as:  root, reading files of root; each session as user tlsd in an
 *           empty root.
 * Trusts:   HOME/tls, and the kernel's word on who connected.
 * Exits:    0 after SIGTERM, 111 on any local trouble, 100 on misuse. */
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/str.h"
#include "lib/tlsreq.h"
#include "lib/user.h"
#include "tls/keyproto.h"
#include "tls/layout.h"
#include "tls/serve.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define USAGE "tlsd [-a account,...] [-c sessions] [-C cafile]"
#define SESSIONS 2000           /* about 0.5 MB each */
#define SESSIONS_MAX 100000

static void
raise_files(size_t sessions)
{
	struct rlimit rl;

	/* A connection that waits costs one. */
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to read the limit of open files");
	rl.rlim_cur = rl.rlim_max < sessions + 64 ? rl.rlim_max :
	    sessions + 64;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to raise the limit of open files");
}

static void
add_askers(const char *list, uid_t *askers, size_t *n)
{
	struct str name = {0};

	for (;;) {
		size_t len = strcspn(list, ",");

		if (*n == SERVE_ASKERS)
			die(100, "too many accounts");
		str_copyb(&name, list, len);
		if (len > 0)
			askers[(*n)++] = user_need_uid(str_c(&name));
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	str_free(&name);
}

static size_t
number(const char *s)
{
	uint64_t n;
	size_t k = scan_u64(s, &n);

	if (k == 0 || s[k] != '\0' || n == 0 || n > SESSIONS_MAX)
		die_usage(USAGE);
	return (size_t)n;
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGHUP, SIGTERM, SIGINT, SIGCHLD, 0};
	static uid_t askers[SERVE_ASKERS];
	struct serve_config cfg = {.home = LAYOUT_HOME,
	    .socket = TLSREQ_SOCKET,
	    .keyd = KEYPROTO_SOCKET, .root = LAYOUT_HOME "/empty",
	    .public_cas = "/etc/ssl/certs/ca-certificates.crt",
	    .sessions_max = SESSIONS, .askers = askers};
	int opt;

	log_init("tlsd");
	add_askers("root,qmaild,qmailr", askers, &cfg.naskers);
	while ((opt = getopt(argc, argv, "a:c:C:")) != -1)
		switch (opt) {
		case 'a':
			add_askers(optarg, askers, &cfg.naskers);
			break;
		case 'c':
			cfg.sessions_max = number(optarg);
			break;
		case 'C':
			cfg.public_cas = optarg;
			break;
		default:
			die_usage(USAGE);
		}
	if (optind != argc)
		die_usage(USAGE);
	(void)umask(077);
	user_need("tlsd", &cfg.uid, &cfg.gid);
	if (cfg.uid == 0)
		die(111, "user tlsd must not be root");
	if (chdir("/") < 0)
		die_sys(111, "unable to change to /");
	/* Comparing dates asks for the local time zone; a session has no
	 * file to read it from. */
	if (setenv("TZ", "UTC0", 1) < 0)
		die(111, "out of memory");
	tzset();
	cfg.naskers = cfg.naskers < SERVE_ASKERS ? cfg.naskers : SERVE_ASKERS;
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		die(111, "unable to start libcrypto");
	raise_files(cfg.sessions_max);
	cfg.signals = sig_open(signals);
	sig_ignore(SIGPIPE);
	if (cfg.signals < 0)
		die_sys(111, "unable to take signals");
	if (sandbox_undumpable() < 0 || sandbox_limits(NULL, 0) < 0)
		die_sys(111, "unable to give up rights");
	return serve_run(&cfg);
}
