/* logger.c - lines through actions; see logger.h.
 *
 * Input is read in big blocks; what one block brings is written with one
 * write per log.  A line is held back only until its first LOGGER_LINE bytes
 * or its end are known, because that is what patterns look at; after that its
 * bytes go where the line goes.
 *
 * Trusts the script; the lines are anybody's bytes. */
#include "supervise/logger.h"

#include "supervise/logpat.h"
#include "supervise/stamp.h"
#include "supervise/tool.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536             /* as much as a pipe holds */

/* What the next dir action gets. */
struct settings {
	uint64_t size, num;
	const char *processor;
};

/* The number behind s or n.  Anything that is none counts as 0, so that old
 * scripts run as they always did; but it is said. */
static uint64_t
number(const char *action, uint64_t low, uint64_t high)
{
	uint64_t u = 0;
	size_t n = scan_u64(action + 1, &u);

	if (n == 0 || action[1 + n] != '\0')
		log_warn("action %s has no proper number", action);
	return u < low ? low : u > high ? high : u;
}

static struct logger_action *
add(struct logger *l, enum logger_type type, const char *arg)
{
	struct logger_action *a = &l->actions[l->n++];

	a->type = type;
	a->arg = arg;
	return a;
}

static void
add_dir(struct logger *l, const char *name, const struct settings *s)
{
	struct logger_action *a = add(l, LOGGER_DIR, name);

	a->dir = (struct logdir){.name = name, .size = s->size,
	    .num = s->num, .processor = s->processor};
	logdir_open(&a->dir);
}

static void
add_status(struct logger *l, const char *file)
{
	if (*file == '\0')
		die(100, "action = names no file");
	add(l, LOGGER_STATUSFILE, file)->status = mem_alloc(LOGGER_STATUS, 1);
}

static void
parse_action(struct logger *l, const char *arg, struct settings *s)
{
	switch (arg[0]) {
	case '+':
		(void)add(l, LOGGER_SELECT, arg + 1);
		break;
	case '-':
		(void)add(l, LOGGER_DESELECT, arg + 1);
		break;
	case 'e':
		(void)add(l, LOGGER_ALERTS, arg);
		break;
	case '=':
		add_status(l, arg + 1);
		break;
	case 's':
		s->size = number(arg, LOGDIR_SIZE_MIN, LOGDIR_SIZE_MAX);
		break;
	case 'n':
		s->num = number(arg, LOGDIR_NUM_MIN, UINT32_MAX);
		break;
	case '!':
		s->processor = arg[1] != '\0' ? arg + 1 : NULL;
		break;
	case '.':
	case '/':
		add_dir(l, arg, s);
		break;
	default:
		log_warn("ignoring unknown action %s", arg);
		break;
	}
}

void
logger_open(struct logger *l, char *const *script)
{
	struct settings s = {LOGDIR_SIZE, LOGDIR_NUM, NULL};
	size_t n = 0;

	*l = (struct logger){0};
	if (script[0] != NULL && script[0][0] == 't') {
		l->stamp = true;
		script++;
	}
	while (script[n] != NULL)
		n++;
	l->actions = mem_alloc(n + 1, sizeof *l->actions);
	for (size_t i = 0; i < n; i++)
		parse_action(l, script[i], &s);
	str_reserve(&l->alerts, BLOCK);
}

/* Nobody may be listening there any more: the logs go on. */
static void
print_alerts(struct logger *l)
{
	if (l->alerts.len > 0 &&
	    fd_write_all(2, str_c(&l->alerts), l->alerts.len) < 0)
		l->alerts.len = 0;
	str_clear(&l->alerts);
}

static void
alert(struct logger *l)
{
	size_t n = l->len < LOGGER_ALERT ? l->len : LOGGER_ALERT;

	if (BLOCK - l->alerts.len < LOGGER_ALERT + 4)
		print_alerts(l);        /* no growing after the start */
	str_catb(&l->alerts, l->line, n);
	str_cats(&l->alerts, l->len > n ? "...\n" : "\n");
}

/* The present line's first bytes, or all of it, are in line: who wants it? */
static void
decide(struct logger *l)
{
	bool selected = true;

	l->decided = true;
	for (size_t i = 0; i < l->n; i++) {
		struct logger_action *a = &l->actions[i];

		switch (a->type) {
		case LOGGER_SELECT:
			if (!selected)
				selected = logpat_matches(a->arg, l->line,
				    l->len);
			break;
		case LOGGER_DESELECT:
			if (selected)
				selected = !logpat_matches(a->arg, l->line,
				    l->len);
			break;
		case LOGGER_ALERTS:
			if (selected)
				alert(l);
			break;
		case LOGGER_STATUSFILE:
			if (!selected)
				break;
			memset(a->status, '\n', LOGGER_STATUS);
			memcpy(a->status, l->line, l->len);
			a->dirty = true;
			break;
		case LOGGER_DIR:
			a->on = selected;
			if (selected)
				logdir_put(&a->dir, l->line, l->len);
			break;
		}
	}
}

static void
begin_line(struct logger *l)
{
	l->open = true;
	l->decided = false;
	l->len = 0;
	if (l->stamp) {
		struct tai now = tai_now();

		stamp_format(l->line, &now);
		l->len = STAMP_LEN;
	}
}

void
logger_feed(struct logger *l, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t nl = bytes_chr(bytes, n, '\n');

		if (!l->open)
			begin_line(l);
		if (!l->decided) {
			size_t part = LOGGER_LINE - l->len;

			if (part > nl)
				part = nl;
			memcpy(l->line + l->len, bytes, part);
			l->len += part;
			bytes += part;
			n -= part;
			nl -= part;
			if (n == 0)
				return;
			decide(l);
		}
		l->open = nl == n;
		if (nl < n)
			nl++;
		for (size_t i = 0; i < l->n; i++)
			if (l->actions[i].type == LOGGER_DIR &&
			    l->actions[i].on)
				logdir_put(&l->actions[i].dir, bytes, nl);
		bytes += nl;
		n -= nl;
	}
}

static int
write_status(const struct logger_action *a)
{
	int fd = open(a->arg,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
	int r, e;

	if (fd < 0)
		return -1;
	/* Overwritten in place and then cut: no reader sees it empty. */
	r = fd_write_all(fd, a->status, LOGGER_STATUS);
	if (r == 0)
		r = ftruncate(fd, LOGGER_STATUS);
	e = errno;
	(void)close(fd);
	errno = e;
	return r;
}

void
logger_settle(struct logger *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct logger_action *a = &l->actions[i];

		if (a->type == LOGGER_DIR)
			logdir_flush(&a->dir);
		while (a->dirty && write_status(a) < 0) {
			tool_warn("unable to write %s, pausing", a->arg);
			(void)poll(NULL, 0, LOGDIR_PAUSE_MS);
		}
		a->dirty = false;
	}
	print_alerts(l);
}

void
logger_close(struct logger *l)
{
	if (l->open)
		logger_feed(l, "\n", 1);
	logger_settle(l);
	for (size_t i = 0; i < l->n; i++) {
		if (l->actions[i].type == LOGGER_DIR)
			logdir_close(&l->actions[i].dir);
		free(l->actions[i].status);
	}
	free(l->actions);
	str_free(&l->alerts);
}

static void
rotate_all(struct logger *l)
{
	logger_settle(l);
	for (size_t i = 0; i < l->n; i++)
		if (l->actions[i].type == LOGGER_DIR)
			logdir_rotate(&l->actions[i].dir);
}

static void
reap_all(struct logger *l)
{
	pid_t pid;
	int status;

	while ((pid = proc_reap(&status)) > 0)
		for (size_t i = 0; i < l->n; i++)
			if (l->actions[i].type == LOGGER_DIR)
				logdir_reaped(&l->actions[i].dir, pid, status);
}

static int
tick_all(struct logger *l)
{
	int soonest = -1;

	for (size_t i = 0; i < l->n; i++) {
		int ms = l->actions[i].type == LOGGER_DIR ?
		    logdir_tick(&l->actions[i].dir) : -1;

		if (ms >= 0 && (soonest < 0 || ms < soonest))
			soonest = ms;
	}
	return soonest;
}

/* True once TERM came. */
static bool
take_signals(struct logger *l, int sigfd)
{
	bool term = false;
	int s;

	while ((s = sig_next(sigfd)) != 0) {
		if (s == SIGTERM)
			term = true;
		else if (s == SIGALRM)
			rotate_all(l);
		else
			reap_all(l);
	}
	return term;
}

int
logger_run(struct logger *l, int fd)
{
	static const int signals[] = {SIGTERM, SIGALRM, SIGCHLD, 0};
	char *block = mem_alloc(BLOCK, 1);
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
	    {.fd = sig_open(signals), .events = POLLIN}};
	bool term = false;
	int code = 0;

	if (p[1].fd < 0)
		tool_die(111, "unable to watch signals");
	for (;;) {
		ssize_t n;

		if (poll(p, 2, tick_all(l)) < 0)
			continue;
		if (p[1].revents != 0)
			term = take_signals(l, p[1].fd) || term;
		if (term && !l->open)
			break;
		if (p[0].revents == 0)
			continue;
		/* After TERM not a byte behind the newline is ours. */
		n = read(fd, block, term ? 1 : BLOCK);
		if (n == 0)
			break;
		if (n > 0) {
			logger_feed(l, block, (size_t)n);
			if (!term || !l->open)
				logger_settle(l);
		} else if (errno != EINTR && errno != EAGAIN) {
			tool_warn("unable to read input");
			code = 111;
			break;
		}
	}
	free(block);
	(void)close(p[1].fd);
	return code;
}
