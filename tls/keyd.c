/* keyd - hold the private keys and sign what tlsd has to sign.
 * Runs as:  keyd, under supervise; the only process with private keys.
 * Trusts:   the key files.  Of its peers: that they are root's, no byte.
 * Exits:    0 after SIGTERM, 111 on any local trouble, 100 on misuse. */
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "tls/keyproto.h"
#include "tls/keyserve.h"
#include "tls/layout.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BACKLOG 1024

static void
raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	rl.rlim_cur = rl.rlim_max < KEYSERVE_CLIENTS + 64 ? rl.rlim_max :
	    KEYSERVE_CLIENTS + 64;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

/* Secrets must not reach a swap device. */
static void
lock_memory(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_sys("unable to lock memory (ulimit -l): keys may be "
		    "swapped out");
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGHUP, SIGTERM, SIGINT, 0};
	static const int calls[] = {SYS_read, SYS_write, SYS_close,
	    SYS_openat, SYS_newfstatat, SYS_fstat, SYS_lseek, SYS_getdents64,
	    SYS_readlink, SYS_fcntl, SYS_epoll_create1, SYS_epoll_ctl,
	    SYS_epoll_wait, SYS_epoll_pwait, SYS_accept4, SYS_recvmsg, SYS_sendmsg,
	    SYS_getsockopt, SYS_getrandom, SYS_getpid, SYS_brk, SYS_mmap,
	    SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_futex,
	    SYS_clock_gettime, SYS_restart_syscall, SYS_rt_sigprocmask,
	    SYS_rt_sigreturn, SYS_gettid, SYS_tgkill, SYS_exit_group, -1};
	static const char *const read[] = {LAYOUT_HOME, NULL};
	struct sandbox_fs fs = {.read = read};
	struct keyserve_config cfg = {.home = "."};

	(void)argv;
	log_init("keyd");
	if (argc != 1)
		die_usage("keyd");
	(void)umask(077);
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		die(111, "unable to start libcrypto");
	if (chdir(LAYOUT_HOME) < 0)
		die_sys(111, "unable to change to %s", LAYOUT_HOME);
	cfg.signals = sig_open(signals);
	sig_ignore(SIGPIPE);
	raise_files();
	lock_memory();
	/* The directory lets nobody in but this user and root. */
	cfg.listener = sock_listen(KEYPROTO_SOCKET, SOCK_SEQPACKET, BACKLOG,
	    0600);
	if (cfg.listener < 0 || cfg.signals < 0)
		die_sys(111, "unable to listen on %s", KEYPROTO_SOCKET);
	if (sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
	if (sandbox_calls(calls) < 0)
		die_sys(111, "unable to give up system calls");
	return keyserve_run(&cfg);
}
