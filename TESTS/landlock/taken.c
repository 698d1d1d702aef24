/* taken.c - programs of TESTS/landlock/init.
 *
 *	nolandlock program [argument ...]
 *
 * runs a program on a kernel that has no Landlock, for all it can tell: the
 * three calls fail with ENOSYS.  With -DTAKEN it is the session of a server
 * that an attacker has taken over (--wrap=session_run,--wrap=smtpd_session):
 * all before it, what is given up included, is the real one's.  It tells what
 * it wins: "won WHAT".  POP3's owns Maildir, runs in /home/d/a, and goes for
 * another user's in /home/d/b, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef TAKEN
#include "pop3d/session.h"
#include "smtpd/session.h"

#include <sys/inotify.h>

#define HIS "../b/Maildir/"
#define MESSAGE HIS "cur/1600000001.M1P1.b:2,S"

static void
won(const char *what, bool really)
{
	char line[100];
	int n = snprintf(line, sizeof line, "won %s\n", what);

	if (really)
		(void)!write(1, line, (size_t)n);
}

static bool
lists(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	return fd >= 0 && syscall(SYS_getdents64, fd, buf, sizeof buf) > 0;
}

static bool
reads(const char *path)
{
	int fd = open(path, O_RDONLY);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1;
}

static bool
makes(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0;
}

static bool
moves(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to) == 0;
}

static bool
links(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0) == 0;
}

/* Each undoes nothing that the next one needs. */
static void
others(void)
{
	won("his list", lists(HIS "cur"));
	won("his message", reads(MESSAGE));
	won("his message by a link", reads("Maildir/cur/link"));
	won("his message by a hard link", links(MESSAGE, "Maildir/cur/hard"));
	won("a change of his message", open(MESSAGE, O_WRONLY | O_APPEND) >= 0);
	won("a message made for him", makes(HIS "new/1.forged"));
	won("a message moved to him", moves("Maildir/tmp/mine",
	    HIS "new/2.forged"));
	won("a message linked to him", links("Maildir/cur/own",
	    HIS "new/3.forged"));
	won("his message moved away", moves(HIS "cur/1600000002.M1P1.b:2,",
	    "Maildir/cur/his"));
	won("his message removed",
	    unlinkat(AT_FDCWD, HIS "cur/1600000003.M1P1.b:2,", 0) == 0);
	won("what is above", lists("..") || makes("outside"));
}

static void
files(void)
{
	won("the accounts", reads("/etc/passwd"));
	won("control", reads("/var/qmail/control/me"));
	won("what the system is", reads("/proc/version"));
	won("a file in tmp", makes("/tmp/taken"));
}

/* Landlock has no rule for these. */
static void
unruled(void)
{
	struct stat st;
	int fd = inotify_init1(IN_NONBLOCK);

	won("that his message exists", stat(MESSAGE, &st) == 0);
	won("a watch of his Maildir",
	    inotify_add_watch(fd, HIS "cur", IN_ALL_EVENTS) >= 0);
	won("times of his message",
	    utimensat(AT_FDCWD, MESSAGE, NULL, 0) == 0);
}

void __wrap_session_run(const struct session_config *, int, int);
void
__wrap_session_run(const struct session_config *cfg, int rfd, int wfd)
{
	(void)cfg;
	(void)rfd;
	(void)wfd;
	won("my list", lists("Maildir/cur"));
	won("my message", reads("Maildir/cur/own"));
	won("a message of mine", makes("Maildir/tmp/mine") &&
	    links("Maildir/tmp/mine", "Maildir/new/mine") &&
	    moves("Maildir/new/mine", "Maildir/cur/mine"));
	others();
	files();
	unruled();
	/* No call of the list: the end. */
	(void)!write(1, "last\n", 5);
	(void)!setuid(getuid());
	won("a call", true);
}

int __wrap_smtpd_session(struct io *, struct smtpd_config *, struct checker *);
int
__wrap_smtpd_session(struct io *client, struct smtpd_config *cfg,
    struct checker *checker)
{
	(void)client;
	(void)cfg;
	(void)checker;
	files();
	(void)!write(1, "last\n", 5);
	return 0;
}

#else
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

int
main(int argc, char **argv)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
		    SYS_landlock_create_ruleset, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K,
		    SYS_landlock_restrict_self, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof f / sizeof *f, f};

	if (argc < 2)
		return 100;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0) {
		perror("nolandlock");
		return 111;
	}
	(void)execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 111;
}
#endif
