/* tool.c - error words, usage, chain loading; see tool.h.
 *
 * Nothing here allocates but toolenv and nothing is kept between calls:
 * supervise uses the error functions after its start. */
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int err;
	const char *text;
} words[] = {
	{EACCES, "access denied"},
	{EADDRINUSE, "address already used"},
	{EADDRNOTAVAIL, "address not available"},
	{EAFNOSUPPORT, "address family not supported"},
	{EAGAIN, "temporary failure"},
	{ECONNABORTED, "connection aborted"},
	{ECONNREFUSED, "connection refused"},
	{ECONNRESET, "connection reset"},
	{EEXIST, "file already exists"},
	{EHOSTDOWN, "host down"},
	{EHOSTUNREACH, "host unreachable"},
	{EINTR, "interrupted system call"},
	{EINVAL, "invalid argument"},
	{EIO, "input/output error"},
	{EISDIR, "is a directory"},
	{ELOOP, "symbolic link loop"},
	{ENETDOWN, "network down"},
	{ENETUNREACH, "network unreachable"},
	{ENODEV, "device does not support operation"},
	{ENOENT, "file does not exist"},
	{ENOMEM, "out of memory"},
	{ENOSPC, "out of disk space"},
	{ENOTDIR, "not a directory"},
	{ENXIO, "device not configured"},
	{EPERM, "permission denied"},
	{EPIPE, "broken pipe"},
	{EPROTO, "protocol error"},
	{EROFS, "read-only file system"},
	{ETIMEDOUT, "timed out"},
	{ETXTBSY, "text busy"},
};

const char *
tool_error_text(int err)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].err == err)
			return words[i].text;
	return strerror(err);
}

#define TEXT_MAX 1024           /* bytes; log lines are cut near there */

void
tool_warn(const char *fmt, ...)
{
	char buf[TEXT_MAX];
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	log_warn("%s: %s", buf, tool_error_text(e));
	errno = e;
}

void
tool_die(int code, const char *fmt, ...)
{
	char buf[TEXT_MAX];
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	die(code, "%s: %s", buf, tool_error_text(e));
}

void
tool_usage(int code, const char *usage)
{
	log_info("usage: %s", usage);
	_exit(code);
}

void
tool_open_std(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
	if (fd < 0)
		tool_die(111, "unable to open /dev/null");
	(void)close(fd);
}

void
tool_exec(char *const *argv, const char *const *envp)
{
	proc_exec((const char *const *)argv, envp);
	tool_die(111, "unable to run %s", argv[0]);
}

static void
env_push(struct toolenv *e, const char *s)
{
	if (e->n + 1 >= e->cap) {
		e->cap = e->cap * 2 + 32;
		e->v = mem_resize(e->v, e->cap, sizeof *e->v);
	}
	e->v[e->n++] = s;
	e->v[e->n] = NULL;
}

void
toolenv_init(struct toolenv *e)
{
	*e = (struct toolenv){0};
	for (char **p = environ; p != NULL && *p != NULL; p++)
		env_push(e, mem_dup_copy(*p));
	if (e->v == NULL) {
		env_push(e, NULL);
		e->n = 0;
	}
}

static void
entry_free(const char *s)
{
	union {
		const char *in;
		char *out;
	} u = {.in = s};

	free(u.out);
}

void
toolenv_set(struct toolenv *e, const char *name, const char *value)
{
	struct str s = {0};
	size_t len = strlen(name), keep = 0;

	for (size_t i = 0; i < e->n; i++) {
		if (strncmp(e->v[i], name, len) == 0 && e->v[i][len] == '=')
			entry_free(e->v[i]);
		else
			e->v[keep++] = e->v[i];
	}
	e->n = keep;
	e->v[keep] = NULL;
	if (value == NULL)
		return;
	str_cats(&s, name);
	str_catc(&s, '=');
	str_cats(&s, value);
	env_push(e, mem_dup_copy(str_c(&s)));
	str_free(&s);
}

void
toolenv_set_uint(struct toolenv *e, const char *name, uint64_t value)
{
	struct str s = {0};

	str_catu(&s, value);
	toolenv_set(e, name, str_c(&s));
	str_free(&s);
}

void
toolenv_free(struct toolenv *e)
{
	for (size_t i = 0; i < e->n; i++)
		entry_free(e->v[i]);
	free(e->v);
	*e = (struct toolenv){0};
}
