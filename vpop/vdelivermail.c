/* vdelivermail - deliver a message to a user of a virtual domain.
 * Runs as:  the domain's user, from .qmail-default, in the domain's directory.
 * Trusts:   its arguments, EXT HOST SENDER NEWSENDER RPLINE DTLINE of
 *           qmail-local, authdaemond.  Never: the message on descriptor 0.
 * Exits:    0, 99 when a program of a .qmail file said so, 100, 111. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "mail/program.h"
#include "mail/verdict.h"
#include "vpop/vdeliver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
env(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v == NULL ? fallback : v;
}

/* A file without a name.  Not every file system has them (NFS). */
static int
open_nameless(void)
{
	const int flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
	int fd = open(".", flags, 0600);

	return fd < 0 ? open("/tmp", flags, 0600) : fd;
}

/* The message must be a file: what comes by a pipe is kept in one. */
static int
open_message(void)
{
	char buf[65536];
	ssize_t n;
	int fd;

	if (lseek(0, 0, SEEK_SET) == 0)
		return 0;
	fd = open_nameless();
	if (fd < 0)
		die_sys(111, "unable to make a temporary file");
	while ((n = read(0, buf, sizeof buf)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die_sys(111, "unable to read the message");
		if (fd_write_all(fd, buf, (size_t)n) < 0)
			die_sys(111, "unable to keep the message");
	}
	return fd;
}

static void
check_depth(void)
{
	uint64_t depth;

	if (scan_u64(env("VDELIVERMAIL", "0"), &depth) > 0 &&
	    depth >= VDELIVER_DEPTH_MAX)
		die(111, "started itself too often for one message");
}

int
main(int argc, char **argv)
{
	struct vdeliver v = {.ask = auth_resolve, .auth = AUTHPROTO_SOCKET,
	    .time_ms = PROGRAM_TIME_MS, .sandbox = true};
	struct str words = {0};
	int code;

	log_init("vdelivermail");
	if (argc != 3)
		die(111, "usage: vdelivermail '' action");
	if (getenv("EXT") == NULL || getenv("HOST") == NULL)
		die(100, "EXT and HOST are not both set: it is started from "
		    "a .qmail file");
	check_depth();
	sig_ignore(SIGPIPE);
	v.ext = env("EXT", "");
	v.host = env("HOST", "");
	v.sender = env("NEWSENDER", env("SENDER", ""));
	v.rpline = env("RPLINE", "");
	v.dtline = env("DTLINE", "");
	v.action = argv[2];
	v.mfd = open_message();
	code = vdeliver_run(&v, &words);
	if (fd_write_all(1, str_c(&words), words.len) < 0)
		log_sys("unable to write the report");
	vdeliver_free(&v);
	str_free(&words);
	return code;
}
