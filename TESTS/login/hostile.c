/* hostile.c - a monitor of mail/login.h whose talker belongs to an attacker.
 *
 *	hostile CASE TLS-SOCKET checkpassword [argument ...]
 *
 * What the talker wins it tells the client: "won WHAT".  Built in four ways:
 *
 *	(nothing)       as it is
 *	-DNO_CALLS      with --wrap=sandbox_calls: what holds without the list of
 *	                system calls
 *	-DOPEN          with --wrap=login_confine: with nothing given up, where
 *	                these attacks must win, or they show nothing
 *	-DUNWIPED       with --wrap of explicit_bzero: the same for secrets
 *
 * The tests that use it are in TESTS/scenario/test_login_hostile.py. */
#include "lib/log.h"
#include "mail/login_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD "jo\0right\0\0"            /* a packet that would be let in */
#define BAD "jo\0wrong\0\0"
#define BYTES(s) (s), sizeof(s) - 1

#ifdef NO_CALLS
int __wrap_sandbox_calls(const int *);
int
__wrap_sandbox_calls(const int *calls)
{
	(void)calls;
	return 0;
}
#endif
#ifdef OPEN
void __wrap_login_confine(struct login *, int, pid_t);
void
__wrap_login_confine(struct login *l, int pipe, pid_t monitor)
{
	(void)monitor;
	l->pipe = pipe;
}
#endif
#ifdef UNWIPED
void __wrap_explicit_bzero(void *, size_t);
void __wrap___explicit_bzero_chk(void *, size_t, size_t);
void
__wrap_explicit_bzero(void *s, size_t n)
{
	(void)s;
	(void)n;
}
void
__wrap___explicit_bzero_chk(void *s, size_t n, size_t room)
{
	(void)s;
	(void)n;
	(void)room;
}
#endif

static pid_t boss;              /* the monitor; getppid may be forbidden */
static char *heap, *top;        /* where it began, and the stack */
static const char *number = ""; /* what follows ":" in the case's name */

static void
won(const char *what)
{
	char line[100];
	int n = snprintf(line, sizeof line, "won %s\n", what);

	(void)!write(1, line, (size_t)n);
}

/* An attacker makes room: no descriptor may be opened beside the four. */
static void
make_room(struct login *l)
{
#if defined(NO_CALLS) || defined(OPEN)
	(void)close(l->pipe);
#else
	(void)l;
#endif
}

static void
send_packet(struct login *l, const char *s, size_t n)
{
	(void)!write(l->pipe, s, n);
}

/* ---- packets ---- */

static enum login_end
good(struct login *l)
{
	if (l->why == LOGIN_HELLO)
		send_packet(l, BYTES(GOOD));
	return l->why == LOGIN_HELLO ? LOGIN_ASK : LOGIN_OVER;
}

static enum login_end
too_long(struct login *l)
{
	char s[LOGIN_PACKET + 1];

	memset(s, 'u', sizeof s);
	memcpy(s + sizeof s - 9, "\0right\0", 7);
	s[sizeof s - 2] = 't';
	s[sizeof s - 1] = '\0';
	send_packet(l, s, sizeof s);
	return LOGIN_ASK;
}

static enum login_end
long_user(struct login *l)
{
	char s[CHECKPW_MAX + 10];

	memset(s, 'u', sizeof s);
	memcpy(s + sizeof s - 8, "\0right\0", 8);
	send_packet(l, s, sizeof s);
	return LOGIN_ASK;
}

static enum login_end
pipe_full(struct login *l)
{
	static char s[60000];

	memcpy(s, GOOD, sizeof GOOD - 1);
	send_packet(l, s, sizeof s);
	return LOGIN_ASK;
}

static enum login_end
endless(struct login *l)
{
	for (;;)
		send_packet(l, BYTES(GOOD));
	return LOGIN_ASK;
}

#define PACKET(name, bytes)                                                   \
	static enum login_end                                                 \
	name(struct login *l)                                                 \
	{                                                                     \
		send_packet(l, BYTES(bytes));                                 \
		return LOGIN_ASK;                                             \
	}

PACKET(no_nul, "jo right")
PACKET(one_field, "jo\0")
PACKET(two_fields, "jo\0right\0")
PACKET(four_fields, "jo\0right\0\0more\0")
PACKET(no_last_nul, "jo\0right\0x")
PACKET(empty_user, "\0right\0\0")
PACKET(control_user, "jo\nroot\0right\0\0")
PACKET(escape_user, "jo\033[2J\0right\0\0")
PACKET(tag_crlf, "jo\0right\0a\r\n* OK\0")
PACKET(tag_space, "jo\0right\0a b\0")
PACKET(tag_8bit, "jo\0right\0\xc3\xb6\0")
PACKET(tag_none, GOOD)
PACKET(tag_good, "jo\0right\0A1\0")
PACKET(two_packets, GOOD GOOD)
PACKET(right_and_wrong, GOOD BAD)

static enum login_end
tag_long(struct login *l)
{
	char s[9 + LOGIN_TAG + 2] = "jo\0right";

	memset(s + 9, 't', LOGIN_TAG + 1);
	send_packet(l, s, sizeof s);
	return LOGIN_ASK;
}

static enum login_end
empty(struct login *l)
{
	(void)l;
	return LOGIN_ASK;
}

static enum login_end
stays(struct login *l)
{
	send_packet(l, BYTES(GOOD));
	for (;;)
		(void)poll(NULL, 0, -1);
	return LOGIN_ASK;
}

static enum login_end
spins(struct login *l)
{
	send_packet(l, BYTES(GOOD));
	for (;;)
		__asm__ volatile ("pause");
	return LOGIN_ASK;
}

static enum login_end
crashes(struct login *l)
{
	send_packet(l, BYTES(GOOD));
	abort();
}

/* A right packet, and any end at all. */
static enum login_end
ends(struct login *l)
{
	if (l->why == LOGIN_HELLO)
		send_packet(l, BYTES(GOOD));
	_exit(l->why == LOGIN_HELLO ? atoi(number) : 0);
}

/* ---- ways back ---- */

static enum login_end
starttls(struct login *l)
{
	(void)l;
	(void)!write(1, "talker\n", 7);
	return LOGIN_STARTTLS;
}

/* The client's bytes behind STLS, as if they had come inside TLS. */
static enum login_end
starttls_packet(struct login *l)
{
	send_packet(l, BYTES(GOOD));
	return LOGIN_STARTTLS;
}

static enum login_end
guesses(struct login *l)
{
	(void)!write(1, "talker\n", 7);
	send_packet(l, BYTES(BAD));
	return LOGIN_ASK;
}

static enum login_end
unknowns(struct login *l)
{
	(void)!write(1, "talker\n", 7);
	send_packet(l, BYTES("jo\0trouble\0\0"));
	return LOGIN_ASK;
}

/* ---- files ---- */

static void
try_open(const char *path, int flags)
{
	if (open(path, flags, 0666) >= 0)
		won(path);
	else if (errno == ENOSYS)
		won("a strange error");
}

static enum login_end
files(struct login *l)
{
	char path[64];

	make_room(l);
	try_open("/etc/passwd", O_RDONLY);
	try_open("../../../../../../etc/passwd", O_RDONLY);
	try_open("/proc/1/environ", O_RDONLY);
	try_open("/proc/self/maps", O_RDONLY);
	(void)snprintf(path, sizeof path, "/proc/%ld/mem", (long)boss);
	try_open(path, O_RDWR);
	try_open("/", O_RDONLY | O_DIRECTORY);
	try_open(".", O_RDONLY | O_DIRECTORY);
	try_open("new", O_WRONLY | O_CREAT);
	try_open("/tmp/new", O_WRONLY | O_CREAT);
	try_open("/dev/mem", O_RDONLY);
	return LOGIN_OVER;
}

static enum login_end
root(struct login *l)
{
	make_room(l);
	if (mkdir("x", 0777) == 0)
		won("a directory");
	/* Only for itself, where it can. */
	if (unshare(CLONE_NEWNS) == 0)
		won("a namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		won("a mount");
	if (chroot(".") == 0)
		won("another root");
	if (unshare(CLONE_NEWUSER) == 0)
		won("a user namespace");
	return LOGIN_OVER;
}

static enum login_end
user(struct login *l)
{
	const gid_t none = 0;

	(void)l;
	if (setuid(0) == 0 && geteuid() == 0)
		won("uid 0");
	if (setresuid(0, 0, 0) == 0)
		won("uids 0");
	if (setgid(0) == 0)
		won("gid 0");
	if (setgroups(1, &none) == 0)
		won("groups");
	return LOGIN_OVER;
}

/* ---- connections ---- */

static void
try_unix(const char *path, int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	(void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		won(path);
	if (fd >= 0)
		(void)close(fd);
}

static enum login_end
sockets(struct login *l)
{
	make_room(l);
	try_unix(HOME_DIR "/run/queue", SOCK_STREAM);
	try_unix(HOME_DIR "/run/queue", SOCK_SEQPACKET);
	try_unix(HOME_DIR "/run/auth", SOCK_STREAM);
	try_unix(HOME_DIR "/run/tls", SOCK_SEQPACKET);
	try_unix(HOME_DIR "/run/rcpt", SOCK_SEQPACKET);
	try_unix(HOME_DIR "/run/key/socket", SOCK_SEQPACKET);
	return LOGIN_OVER;
}

static enum login_end
tcp(struct login *l)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(25),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd;

	make_room(l);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		won("port 25");
	if (fd >= 0)
		(void)close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_port = htons(1999);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0)
		won("port 1999");
	return LOGIN_OVER;
}

/* The pipe's end through the connection, for somebody who stays. */
static enum login_end
passes(struct login *l)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {{0}};
	char c = 'x';
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1,
	    .msg_control = u.room, .msg_controllen = sizeof u.room};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &l->pipe, sizeof(int));
	if (sendmsg(l->pipe, &m, 0) >= 0)
		won("a message on the pipe");
	if (sendmsg(1, &m, 0) >= 0)
		won("the pipe elsewhere");
	return LOGIN_OVER;
}

/* ---- other processes ---- */

static enum login_end
signals(struct login *l)
{
	(void)l;
	if (kill(boss, 0) == 0)
		won("a signal to the monitor");
	return LOGIN_OVER;
}

/* Others are qmaild, too: its servers.  (To -1 would tell nothing.) */
static enum login_end
signals_all(struct login *l)
{
	(void)l;
	for (pid_t pid = 2; pid < 32768; pid++)
		if (pid != getpid() && kill(pid, 0) == 0) {
			won("a signal to others");
			break;
		}
	return LOGIN_OVER;
}

static enum login_end
traces(struct login *l)
{
	char here[sizeof boss];
	struct iovec to = {here, sizeof here}, from = {&boss, sizeof here};

	(void)l;
	if (process_vm_readv(boss, &to, 1, &from, 1, 0) > 0)
		won("the monitor's memory");
	if (process_vm_writev(boss, &to, 1, &from, 1, 0) > 0)
		won("the monitor's memory to write");
	/* Last: it stops the monitor. */
	if (ptrace(PTRACE_ATTACH, boss, NULL, NULL) == 0) {
		(void)waitpid(boss, NULL, 0);
		won("a trace of the monitor");
		(void)ptrace(PTRACE_DETACH, boss, NULL, NULL);
	}
	return LOGIN_OVER;
}

static enum login_end
forks(struct login *l)
{
	pid_t pid;

	(void)l;
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		won("a child");
	return LOGIN_OVER;
}

static enum login_end
executes(struct login *l)
{
	char *const argv[] = {(char[]){"sh"}, (char[]){"-c"},
	    (char[]){"echo won a shell"}, NULL};

	make_room(l);
	(void)execv("/bin/sh", argv);
	return LOGIN_OVER;
}

/* ---- what it has ---- */

/* poll tells of each whether it is open. */
static enum login_end
descriptors(struct login *l)
{
	char text[32];

	for (int fd = 3; fd < 1024; fd++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (fd == l->pipe || poll(&p, 1, 0) < 0 ||
		    (p.revents & POLLNVAL))
			continue;
		(void)snprintf(text, sizeof text, "descriptor %d", fd);
		won(text);
	}
	return LOGIN_OVER;
}

static enum login_end
forges(struct login *l)
{
	(void)l;
	(void)!write(2, BYTES("tcpserver: forged line\n"));
	return LOGIN_OVER;
}

static enum login_end
memory(struct login *l)
{
	const size_t piece = 1 << 20;

	(void)l;
	for (int i = 0; i < 64; i++) {
		char *p = mmap(NULL, piece, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return LOGIN_OVER;
		memset(p, 1, piece);
	}
	won("64 MiB");
	return LOGIN_OVER;
}

/* The secret of an attempt, which the monitor had and this talker's memory was
 * copied from; hidden, so that looking for it leaves none. */
#define MASK 0x55
static const unsigned char hidden[] = {'s' ^ MASK, 'E' ^ MASK, 'k' ^ MASK,
    'r' ^ MASK, 'E' ^ MASK, 't' ^ MASK, '0' ^ MASK, '9' ^ MASK};

static void
search(const char *from, const char *to, const char *where)
{
	for (; from + sizeof hidden <= to; from++) {
		size_t i = 0;

		while (i < sizeof hidden &&
		    ((unsigned char)from[i] ^ MASK) == hidden[i])
			i++;
		if (i == sizeof hidden)
			won(where);
	}
}

extern char __data_start[], _end[];

static enum login_end
ghosts(struct login *l)
{
	/* Memory that is freed and used again has other first bytes. */
	char p[3 + 400 + sizeof hidden + 2] = "jo";
	volatile char here = 0;

	if (l->why == LOGIN_HELLO) {
		memset(p + 3, 'x', 400);
		for (size_t i = 0; i < sizeof hidden; i++)
			p[3 + 400 + i] = (char)(hidden[i] ^ MASK);
		send_packet(l, p, sizeof p);
		return LOGIN_ASK;
	}
	(void)!write(1, BYTES("looked\n"));
	search(__data_start, _end, "a secret in the data");
	search(heap, sbrk(0), "a secret in the heap");
	/* Below is what calls have left behind. */
	search((const char *)(uintptr_t)&here - 32768,
	    top, "a secret on the stack");
	return LOGIN_OVER;
}

/* For a look from outside. */
static enum login_end
waits(struct login *l)
{
	(void)!write(1, BYTES("waiting\n"));
	while (login_line(l) == LOGIN_LINE_OK)
		;
	return LOGIN_OVER;
}

#define CASE(f) {#f, f, false}
#define TAGS(f) {#f, f, true}
static const struct attack {
	const char *name;
	enum login_end (*run)(struct login *);
	bool tags;
} attacks[] = {
	CASE(good), CASE(too_long), CASE(long_user), CASE(pipe_full),
	CASE(endless), CASE(no_nul), CASE(one_field), CASE(two_fields),
	CASE(four_fields), CASE(no_last_nul), CASE(empty_user),
	CASE(control_user), CASE(escape_user), TAGS(tag_crlf),
	TAGS(tag_space), TAGS(tag_8bit), TAGS(tag_none), TAGS(tag_good),
	TAGS(tag_long), CASE(two_packets), CASE(right_and_wrong),
	CASE(empty), CASE(stays), CASE(spins), CASE(crashes), CASE(ends),
	CASE(starttls), CASE(starttls_packet), CASE(guesses), CASE(unknowns),
	CASE(files), CASE(root), CASE(user), CASE(sockets), CASE(tcp),
	CASE(passes), CASE(signals), CASE(signals_all), CASE(traces),
	CASE(forks), CASE(executes), CASE(descriptors), CASE(forges),
	CASE(memory), CASE(ghosts), CASE(waits),
};

static enum login_end
talk(struct login *l, void *arg)
{
	const struct attack *a = arg;

	return a->run(l);
}

static const struct attack *
find(char *name)
{
	char *colon = strchr(name, ':');

	if (colon != NULL) {
		*colon = '\0';
		number = colon + 1;
	}
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
		if (strcmp(name, attacks[i].name) == 0)
			return &attacks[i];
	die(100, "there is no case %s", name);
}

static void
find_heap(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from;
	char line[300];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strstr(line, "[heap]") != NULL &&
		    sscanf(line, "%lx-", &from) == 1)
			heap = (char *)(uintptr_t)from;
	if (heap == NULL)
		die(111, "there is no heap");
	(void)fclose(f);
}

int
main(int argc, char **argv)
{
	struct login_config cfg = {.service = "pop3", .root = LOGIN_ROOT,
	    .tls_go_ahead = "go ahead\n", .plaintext = true,
	    .idle_ms = 60000, .talk_ms = 60000, .wrong_ms = 100,
	    .check_ms = 60000};
	struct attack a;
	const char *uid = getenv("TALKER_UID"), *gid = getenv("TALKER_GID");

	log_init("hostile");
	if (argc < 4 || uid == NULL || gid == NULL)
		die_usage("hostile case tls-socket checkpassword ...");
	a = *find(argv[1]);
	cfg.tags = a.tags;
	cfg.tls_socket = argv[2];
	cfg.argv = (const char *const *)argv + 3;
	cfg.uid = (uid_t)atoi(uid);
	cfg.gid = (gid_t)atoi(gid);
	if (a.run == endless || a.run == stays || a.run == spins)
		cfg.talk_ms = 3000;
	boss = getpid();
	find_heap();
	top = (char *)environ;
	return login_monitor(&cfg, "", talk, &a);
}
