/* authdrive - ask about accounts of virtual users, again and again.
 *
 * authdrive -k kind -c clients -n questions -f first -u users -i net
 *     [-U uid] [-G gid] DOMAIN PASSWORD [vchkpw]
 *
 * Users are box0000@DOMAIN and so on: `users' of them from `first' on, asked
 * in turn by `clients' processes at once.  Kinds: pre (who is that), resolve
 * (where does mail for it go) and login (is the password right) ask
 * authdaemond, a connection for each; vchkpw runs that program with /bin/true,
 * as a service does.  A question comes from address 10.NET.x.y, the user's:
 * another net is another question to those who keep answers.
 * Prints one line of JSON: how many were answered as they should be, in how
 * many seconds, the median and the slowest hundredth, and the CPU of its own.
 * Exit 0 when all were, 1 when not, 111 on trouble. */
#include "TESTS/bench/load.h"

#include <errno.h>
#include <grp.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET "/var/qmail/run/auth"
#define CLIENTS_MAX 1000
#define LIMIT_S 60

enum kind { PRE, RESOLVE, LOGIN, VCHKPW };
static const char *const kinds[] = { "pre", "resolve", "login", "vchkpw" };

struct ask {
	enum kind kind;
	long clients, n, first, users, net;
	const char *domain, *password, *program;
};

/* Seen by all clients. */
struct shared {
	long good[CLIENTS_MAX];
	double cpu[CLIENTS_MAX];
	double took[];          /* ms of each question, 0: not answered */
};

static bool
ask_socket(const struct ask *a, const char *user, const char *ip)
{
	static char out[65536 + 1];
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	struct timeval limit = { .tv_sec = LIMIT_S };
	char q[1024], login[512];
	size_t n = 0;
	ssize_t r = 0;
	int len, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	len = snprintf(q, sizeof q, "TCPREMOTEIP=%s\n", ip);
	if (a->kind == PRE)
		len += snprintf(q + len, sizeof q - (size_t)len,
		    "PRE . imap %s\n", user);
	else if (a->kind == RESOLVE)
		len += snprintf(q + len, sizeof q - (size_t)len,
		    "RESOLVE %s\n", user);
	else
		len += snprintf(q + len, sizeof q - (size_t)len,
		    "AUTH %d\n%s", snprintf(login, sizeof login,
		    "imap\nlogin\n%s\n%s\n", user, a->password), login);
	if (fd < 0)
		load_die("make a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	    write(fd, q, (size_t)len) == len)
		while ((r = read(fd, out + n, sizeof out - 1 - n)) > 0)
			n += (size_t)r;
	close(fd);
	out[n] = '\0';
	return r == 0 && n > 2 && strcmp(out + n - 2, ".\n") == 0 &&
	    strstr(out, "HOME=") != NULL;
}

static bool
run_program(const struct ask *a, const char *user, const char *ip)
{
	char *const argv[] = { (char *)(uintptr_t)"vchkpw",
	    (char *)(uintptr_t)"/bin/true", NULL };
	char from[96], login[512];
	char *const envp[] = { from, (char *)(uintptr_t)"PATH=/bin:/usr/bin",
	    (char *)(uintptr_t)"TCPLOCALPORT=587", NULL };
	posix_spawn_file_actions_t fa;
	int p[2], status, len;
	pid_t pid;

	snprintf(from, sizeof from, "TCPREMOTEIP=%s", ip);
	len = snprintf(login, sizeof login, "%s%c%s%c%c", user, 0,
	    a->password, 0, 0);
	if (pipe(p) < 0 || write(p[1], login, (size_t)len) != len)
		load_die("write to a pipe");
	close(p[1]);
	posix_spawn_file_actions_init(&fa);
	/* Onto itself, too: that takes close-on-exec away, and is no error. */
	posix_spawn_file_actions_adddup2(&fa, p[0], 3);
	if (p[0] != 3)
		posix_spawn_file_actions_addclose(&fa, p[0]);
	errno = posix_spawn(&pid, a->program, &fa, NULL, argv, envp);
	if (errno != 0)
		load_die("run vchkpw");
	posix_spawn_file_actions_destroy(&fa);
	close(p[0]);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0;
}

static void
client(const struct ask *a, struct shared *s, long me)
{
	struct rusage r;

	for (long i = me; i < a->n; i += a->clients) {
		long nr = a->first + i % a->users;
		double began = load_now();
		char user[256], ip[64];
		bool good;

		snprintf(user, sizeof user, "box%04ld@%s", nr, a->domain);
		snprintf(ip, sizeof ip, "10.%ld.%ld.%ld", a->net & 255,
		    nr >> 8 & 255, nr & 255);
		good = a->kind == VCHKPW ? run_program(a, user, ip) :
		    ask_socket(a, user, ip);
		if (good) {
			s->took[i] = (load_now() - began) * 1000;
			s->good[me]++;
		}
	}
	getrusage(RUSAGE_SELF, &r);
	s->cpu[me] = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int
by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

static int
drive(const struct ask *a)
{
	size_t size = sizeof(struct shared) + (size_t)a->n * sizeof(double);
	struct shared *s = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double start, took, cpu = 0;
	long good = 0, bad;

	if (s == MAP_FAILED)
		load_die("allocate");
	memset(s, 0, size);             /* its pages are not to be timed */
	start = load_now();
	for (long i = 0; i < a->clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			load_die("fork");
		if (pid == 0) {
			client(a, s, i);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	took = load_now() - start;
	for (long i = 0; i < a->clients; i++) {
		good += s->good[i];
		cpu += s->cpu[i];
	}
	bad = a->n - good;
	qsort(s->took, (size_t)a->n, sizeof *s->took, by_value);
	printf("{\"good\": %ld, \"seconds\": %.4f, \"p50_ms\": %.3f, "
	    "\"p99_ms\": %.3f, \"own_cpu_s\": %.4f}\n", good, took,
	    good ? s->took[bad + good / 2] : 0,
	    good ? s->took[bad + good * 99 / 100] : 0, cpu);
	return bad == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct ask a = { .clients = 1, .n = 1, .users = 1, .kind = VCHKPW };
	const char *kind = "";
	uid_t uid = 0;
	gid_t gid = 0;
	size_t k = 0;
	int o;

	while ((o = getopt(argc, argv, "k:c:n:f:u:i:U:G:")) != -1)
		switch (o) {
		case 'k': kind = optarg; break;
		case 'c': a.clients = load_number(optarg); break;
		case 'n': a.n = load_number(optarg); break;
		case 'f': a.first = load_number(optarg); break;
		case 'u': a.users = load_number(optarg); break;
		case 'i': a.net = load_number(optarg); break;
		case 'U': uid = (uid_t)load_number(optarg); break;
		case 'G': gid = (gid_t)load_number(optarg); break;
		default: return 100;
		}
	while (k <= VCHKPW && strcmp(kinds[k], kind) != 0)
		k++;
	if (k > VCHKPW || a.clients < 1 || a.clients > CLIENTS_MAX ||
	    a.n < 1 || a.users < 1 || optind + (k == VCHKPW ? 3 : 2) != argc) {
		fprintf(stderr, "authdrive: usage: authdrive -k kind -c n -n n "
		    "-f n -u n -i n domain password [vchkpw]\n");
		return 100;
	}
	a.kind = (enum kind)k;
	a.domain = argv[optind];
	a.password = argv[optind + 1];
	a.program = argv[optind + 2];
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		load_die("become the asker");
	return drive(&a);
}
