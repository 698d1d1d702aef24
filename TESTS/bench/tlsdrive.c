/* tlsdrive - connect by SMTP with STARTTLS, again and again or to stay.
 *
 * tlsdrive -c processes -n connections port
 * tlsdrive -i seconds -n connections port
 *
 * Each connection to 127.0.0.1:port is greeting, EHLO, STARTTLS, a whole
 * handshake (no session is resumed), EHLO, QUIT; the processes share them.
 * Prints one line of JSON: how many were served, and in how many seconds.
 * -i: one process makes them one after the other, holds them for so long
 * without a word, and prints how many stand.
 * Exit 0 when all were served, 1 when not, 111 on trouble. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
die(const char *what)
{
	fprintf(stderr, "tlsdrive: fatal: unable to %s: %m\n", what);
	exit(111);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A reply, read until its last line is there: does it begin with want? */
static bool
expect(int fd, SSL *tls, const char *want)
{
	char buf[4096];
	size_t n = 0, line = 0;

	for (;;) {
		char *end = memchr(buf + line, '\n', n - line);
		ssize_t r;

		if (end != NULL) {
			if (buf[line + 3] != '-')
				return strncmp(buf + line, want, 3) == 0;
			line = (size_t)(end + 1 - buf);
			continue;
		}
		r = tls != NULL ? SSL_read(tls, buf + n,
		    (int)(sizeof buf - n)) :
		    read(fd, buf + n, sizeof buf - n);
		if (r <= 0)
			return false;
		n += (size_t)r;
	}
}

static bool
say(int fd, SSL *tls, const char *line, const char *want)
{
	int n = (int)strlen(line);

	return (tls != NULL ? SSL_write(tls, line, n) :
	    (int)write(fd, line, (size_t)n)) == n && expect(fd, tls, want);
}

/* A connection in TLS whose second EHLO was answered, or NULL. */
static SSL *
make_one(SSL_CTX *ctx, in_port_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = port,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { .tv_sec = 60 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *tls = SSL_new(ctx);

	if (fd < 0 || tls == NULL)
		die("make a socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	    expect(fd, NULL, "220") &&
	    say(fd, NULL, "EHLO bench.test\r\n", "250") &&
	    say(fd, NULL, "STARTTLS\r\n", "220") && SSL_set_fd(tls, fd) == 1 &&
	    SSL_connect(tls) == 1 &&
	    say(fd, tls, "EHLO bench.test\r\n", "250"))
		return tls;
	SSL_free(tls);
	close(fd);
	return NULL;
}

static long
serve_many(SSL_CTX *ctx, in_port_t port, long n)
{
	long good = 0;

	for (long i = 0; i < n; i++) {
		SSL *tls = make_one(ctx, port);

		if (tls == NULL)
			continue;
		good += say(SSL_get_fd(tls), tls, "QUIT\r\n", "221");
		close(SSL_get_fd(tls));
		SSL_free(tls);
	}
	return good;
}

static int
hold(SSL_CTX *ctx, in_port_t port, long n, long seconds)
{
	long good = 0;

	for (long i = 0; i < n; i++)
		good += make_one(ctx, port) != NULL;
	printf("{\"greeted\": %ld}\n", good);
	fflush(stdout);
	sleep((unsigned)seconds);
	return good == n ? 0 : 1;
}

static int
drive(SSL_CTX *ctx, in_port_t port, long n, long processes)
{
	double start = now();
	long good = 0, one;
	int p[2];

	if (pipe(p) < 0)
		die("make a pipe");
	for (long i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			one = serve_many(ctx, port, n / processes +
			    (i < n % processes));
			_exit(write(p[1], &one, sizeof one) ==
			    (ssize_t)sizeof one ? 0 : 111);
		}
	}
	close(p[1]);
	while (read(p[0], &one, sizeof one) == (ssize_t)sizeof one)
		good += one;
	printf("{\"served\": %ld, \"seconds\": %.3f}\n", good, now() - start);
	while (wait(NULL) > 0)
		;
	return good == n ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct rlimit nofile = { 65536, 65536 };
	long processes = 1, n = 1, idle = 0;
	in_port_t port;
	SSL_CTX *ctx;
	int o;

	while ((o = getopt(argc, argv, "c:n:i:")) != -1)
		switch (o) {
		case 'c': processes = atol(optarg); break;
		case 'n': n = atol(optarg); break;
		case 'i': idle = atol(optarg); break;
		default: return 100;
		}
	if (optind + 1 != argc || processes < 1 || n < 1)
		return 100;
	port = htons((in_port_t)atol(argv[optind]));
	setrlimit(RLIMIT_NOFILE, &nofile);
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL)
		die("start OpenSSL");
	return idle > 0 ? hold(ctx, port, n, idle) :
	    drive(ctx, port, n, processes);
}
