/* lib/log.c - log lines, exits with a reason, quoting for logs.
 *
 * The only ambient state is the program's name, set once by main. */
#include "lib/log.h"

#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *progname = "valija";

void
log_init(const char *prog)
{
	progname = prog;
}

const char *
log_prog(void)
{
	return progname;
}

void
log_spare_client(void)
{
	struct stat in, log;
	int fd;

	if (fstat(STDIN_FILENO, &in) < 0 || fstat(STDERR_FILENO, &log) < 0 ||
	    !S_ISSOCK(in.st_mode) || in.st_dev != log.st_dev ||
	    in.st_ino != log.st_ino)
		return;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(111);     /* and nobody can be told why */
	(void)close(fd);
}

/* A fixed buffer: this must work when there is no memory.  Longer lines are
 * cut; foreign bytes were quoted and bounded by the caller. */
__attribute__((format(printf, 3, 0)))
static void
line(const char *level, const char *reason, const char *fmt, va_list ap)
{
	char buf[1200];
	size_t len;
	int n;

	n = snprintf(buf, sizeof buf - 1, "%s: %s", progname, level);
	len = n < 0 ? 0 : (size_t)n;
	if (len < sizeof buf - 1) {
		n = vsnprintf(buf + len, sizeof buf - 1 - len, fmt, ap);
		len += n < 0 ? 0 : (size_t)n;
	}
	if (reason != NULL && len < sizeof buf - 1) {
		n = snprintf(buf + len, sizeof buf - 1 - len, ": %s", reason);
		len += n < 0 ? 0 : (size_t)n;
	}
	if (len > sizeof buf - 2)
		len = sizeof buf - 2;
	buf[len++] = '\n';
	if (write(2, buf, len) < 0)
		return;         /* nowhere left to say so */
}

#define LINE(level, reason)                                                   \
	do {                                                                  \
		va_list ap;                                                   \
		va_start(ap, fmt);                                            \
		line(level, reason, fmt, ap);                                 \
		va_end(ap);                                                   \
	} while (0)

void
log_info(const char *fmt, ...)
{
	LINE("", NULL);
}

void
log_warn(const char *fmt, ...)
{
	LINE("warning: ", NULL);
}

void
log_sys(const char *fmt, ...)
{
	int e = errno;

	LINE("warning: ", strerror(e));
	errno = e;
}

void
die(int code, const char *fmt, ...)
{
	LINE("fatal: ", NULL);
	_exit(code);
}

void
die_sys(int code, const char *fmt, ...)
{
	int e = errno;

	LINE("fatal: ", strerror(e));
	_exit(code);
}

void
die_usage(const char *usage)
{
	char buf[1200];
	int n = snprintf(buf, sizeof buf, "%s: usage: %s\n", progname, usage);

	if (n > 0 && write(2, buf, (size_t)n < sizeof buf ? (size_t)n :
	    sizeof buf - 1) < 0)
		_exit(100);
	_exit(100);
}

void
log_quote(struct str *out, const char *bytes, size_t n)
{
	str_reserve(out, n);
	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];

		if (c == '\n')
			c = '/';
		else if (c < 33 || c > 126 || c == '%')
			c = '_';
		str_catc(out, c);
	}
}
