/* qmail-pop3d - read a Maildir by POP3 on descriptors 0 and 1.
 * Runs as:  the user, in the home, from a checkpassword program that
 *           qmail-popup ran; or anybody, by hand.
 * Trusts:   control/ and the environment.  Never: anything on descriptor 0,
 *           and what is in the Maildir.
 * Exits:    0 when the session is over, 100 on misuse, 111 on local trouble
 *           before it began. */
#include "control/control.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/tlsreq.h"
#include "mail/login.h"
#include "pop3d/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TIMEOUT_MAX 86400               /* s */

static const char *
env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? value : "";
}

static unsigned
small_number(enum control_id id, unsigned max)
{
	uint64_t n = control_need_number(id);

	return n < max ? (unsigned)n : max;
}

static void
configure(struct session_config *cfg, struct str *uidl, const char *maildir)
{
	unsigned s = small_number(CONTROL_TIMEOUTPOP3D, TIMEOUT_MAX);

	control_need_line(CONTROL_POP3UIDL, uidl);
	cfg->box.maildir = maildir;
	cfg->box.uidl = str_c(uidl);
	cfg->box.sessions = small_number(CONTROL_POP3SESSIONS, UINT32_MAX);
	cfg->box.delay_s = small_number(CONTROL_POP3LOGINDELAY, UINT32_MAX);
	cfg->timeout_ms = (int)(s > 0 ? s : 1) * 1000;
	cfg->user = getenv("VPOPUSER") != NULL ? env("VPOPUSER") : env("USER");
	cfg->ip = env("TCPREMOTEIP");
	cfg->tls = env("SSL_PROTOCOL");
	cfg->passwords = getenv(LOGIN_FD_ENV) != NULL;
	/* After a login, what started us is what tcpserver counts. */
	cfg->pid = cfg->passwords ? getppid() : getpid();
	cfg->stls = cfg->passwords && *cfg->tls == '\0' &&
	    access(TLSREQ_SOCKET, F_OK) == 0;
}

/* Virtual users share a uid: what keeps them apart is that nothing but this
 * Maildir can be opened from here on.  Where there is none, nothing can. */
static void
give_up_files(const char *maildir)
{
	static const struct sandbox_limit limits[] = {
		{RLIMIT_NOFILE, 64}, {RLIMIT_NPROC, 0}, {RLIMIT_AS, 2u << 30},
		{RLIMIT_FSIZE, 512 << 20},
	};
	const char *const paths[] = {maildir, NULL};
	struct sandbox_fs fs = {.write = paths}, none = {.read = NULL};
	int r;

	if (sandbox_limits(limits, sizeof limits / sizeof *limits) < 0)
		die_sys(111, "unable to set limits");
	r = sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED);
	if (r < 0 && fs.bad != NULL)
		r = sandbox_daemon(&none, SANDBOX_NO_TCP | SANDBOX_SCOPED);
	if (r < 0)
		die_sys(111, "unable to give up rights");
}

static void
give_up_calls(void)
{
	static const int calls[] = {
		/* the connection, the log, time */
		SYS_read, SYS_write, SYS_poll, SYS_sendto, SYS_setsockopt,
		SYS_shutdown, SYS_clock_gettime, SYS_gettimeofday,
		/* the Maildir: reading it, */
		SYS_openat, SYS_close, SYS_newfstatat, SYS_fstat, SYS_fstatfs,
		SYS_getdents64, SYS_lseek, SYS_pread64, SYS_inotify_init1,
		SYS_inotify_add_watch, SYS_inotify_rm_watch,
		SYS_clock_nanosleep,
		/* and changing it */
		SYS_fcntl, SYS_fsync, SYS_ftruncate, SYS_utimensat, SYS_fchmod,
		SYS_rename, SYS_renameat, SYS_renameat2, SYS_unlink,
		SYS_unlinkat, SYS_linkat, SYS_getpid, SYS_getrandom, SYS_uname,
		/* memory and the end */
		SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise,
		SYS_restart_syscall, SYS_exit, SYS_exit_group, -1,
	};

	if (sandbox_calls(calls) < 0)
		die_sys(111, "unable to give up system calls");
}

int
main(int argc, char **argv)
{
	static struct session_config cfg;
	struct str uidl = {0};

	log_init("qmail-pop3d");
	log_spare_client();
	sig_ignore(SIGPIPE);
	/* A file of the user's that is too large is no reason to die at QUIT. */
	sig_ignore(SIGXFSZ);
	if (argc != 2)
		die_usage("qmail-pop3d maildir");
	configure(&cfg, &uidl, argv[1]);
	give_up_files(argv[1]);
	give_up_calls();
	session_run(&cfg, STDIN_FILENO, STDOUT_FILENO);
	/* There is nothing left for exit() to do but to touch its pages. */
	_exit(0);
}
