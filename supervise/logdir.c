/* logdir.c - files that fill up, are put aside and are processed.
 *
 * Every step that a crash can interrupt is told apart afterwards by a mode:
 * the owner's execute bit of current, previous or processed is set only when
 * the file is complete and synced.  recover() reads the rest from that.
 * After logdir_open nothing here can end the program, so nothing allocates
 * through lib/str.h.
 *
 * Called by logger.c for each line; trusts the directory's owner. */
#include "supervise/logdir.h"

#include "supervise/stamp.h"
#include "supervise/tool.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "lib/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_MODE 0644
#define DONE_MODE 0744
#define OLD_NAME 25             /* "@" and 24 digits: older files begin so */

/* Trouble with errno: leave, or say so and wait before the next attempt. */
static void
trouble(const struct logdir *d, const char *verb, const char *file)
{
	if (!d->ready)
		tool_die(111, "unable to %s %s/%s", verb, d->name, file);
	tool_warn("unable to %s %s/%s, pausing", verb, d->name, file);
	(void)poll(NULL, 0, LOGDIR_PAUSE_MS);
}

static int
open_once(const struct logdir *d, const char *file, int flags)
{
	return openat(d->dirfd, file, flags | O_CLOEXEC | O_NONBLOCK,
	    OPEN_MODE);
}

static int
open_until(const struct logdir *d, const char *file, int flags)
{
	int fd;

	while ((fd = open_once(d, file, flags)) < 0)
		trouble(d, "open", file);
	return fd;
}

/* Marks fd complete: on disk first, then the mode that says so. */
static void
seal(const struct logdir *d, const char *file, int fd)
{
	while (fsync(fd) < 0)
		trouble(d, "sync", file);
	while (fchmod(fd, DONE_MODE) < 0)
		trouble(d, "set the mode of", file);
}

static void
sync_names(const struct logdir *d)
{
	while (fsync(d->dirfd) < 0 && errno != EINVAL)
		trouble(d, "sync", ".");
}

static void
move(const struct logdir *d, const char *from, const char *to)
{
	while (renameat(d->dirfd, from, d->dirfd, to) < 0)
		trouble(d, "rename", from);
}

static void
drop(const struct logdir *d, const char *file)
{
	while (unlinkat(d->dirfd, file, 0) < 0 && errno != ENOENT)
		trouble(d, "remove", file);
}

/* false: there is none. */
static bool
look(const struct logdir *d, const char *file, struct stat *st)
{
	while (fstatat(d->dirfd, file, st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return false;
		trouble(d, "stat", file);
	}
	return true;
}

static DIR *
list(const struct logdir *d)
{
	for (;;) {
		int fd = open_until(d, ".", O_RDONLY | O_DIRECTORY);
		DIR *dp = fdopendir(fd);

		if (dp != NULL)
			return dp;
		(void)close(fd);
		trouble(d, "read", ".");
	}
}

/* How many old files there are; the name of the oldest. */
static uint64_t
count_old(const struct logdir *d, char *oldest, size_t size)
{
	DIR *dp = list(d);
	struct dirent *e;
	uint64_t n = 0;

	oldest[0] = '\0';
	while ((e = readdir(dp)) != NULL) {
		size_t len = strlen(e->d_name);

		if (e->d_name[0] != '@' || len < OLD_NAME || len >= size)
			continue;
		if (n++ == 0 || strcmp(e->d_name, oldest) < 0)
			memcpy(oldest, e->d_name, len + 1);
	}
	(void)closedir(dp);
	return n;
}

/* Gives file a name of its own as an old file, then keeps their number. */
static void
retire(const struct logdir *d, const char *file, const char *code)
{
	char name[STAMP_LEN + 4], oldest[NAME_MAX + 1];
	struct stat st;

	do {
		struct tai now = tai_now();

		stamp_format(name, &now);
		memcpy(name + OLD_NAME, code, strlen(code) + 1);
	} while (look(d, name, &st));
	move(d, file, name);
	sync_names(d);
	while (count_old(d, oldest, sizeof oldest) >= d->num)
		drop(d, oldest);
}

static void
open_current(struct logdir *d)
{
	struct stat st;

	d->fd = open_until(d, "current", O_WRONLY | O_APPEND | O_CREAT);
	while (fchmod(d->fd, OPEN_MODE) < 0)
		trouble(d, "set the mode of", "current");
	while (fstat(d->fd, &st) < 0)
		trouble(d, "stat", "current");
	if (!S_ISREG(st.st_mode))
		die(111, "unable to write to %s/current: not a regular file",
		    d->name);
	d->bytes = (uint64_t)st.st_size;
}

/* The processor could not be run, or failed. */
static void
again_later(struct logdir *d)
{
	d->pid = 0;
	d->retry_ms = clock_mono_ms() + LOGDIR_PAUSE_MS;
}

static int
spawn_processor(struct logdir *d, const int *fd)
{
	const char *const argv[] = {"sh", "-c", d->processor, NULL};
	const struct proc_fd fds[] = {
		{fd[0], 0}, {fd[1], 1}, {2, 2}, {fd[2], 4}, {fd[3], 5},
	};
	const struct proc_spawn sp = {.argv = argv, .path = "/bin/sh",
	    .fds = fds, .nfds = 5};

	int r = -1;

	/* It runs in the log's directory, as processors expect, whatever name
	 * that has by now. */
	if (fchdir(d->dirfd) == 0)
		r = proc_spawn(&sp, &d->pid);
	if (fchdir(d->home) < 0)        /* only a relative =file would miss it */
		tool_warn("unable to leave %s", d->name);
	return r;
}

static void
start_processor(struct logdir *d)
{
	static const struct {
		const char *file;
		int flags;
	} files[] = {
		{"previous", O_RDONLY},
		{"processed", O_WRONLY | O_CREAT | O_TRUNC},
		{"state", O_RDONLY | O_CREAT},
		{"newstate", O_WRONLY | O_CREAT | O_TRUNC},
	};
	int fd[4];
	size_t n = 0;

	while (n < 4) {
		fd[n] = open_once(d, files[n].file, files[n].flags);
		if (fd[n] < 0) {
			tool_warn("unable to open %s/%s for the processor",
			    d->name, files[n].file);
			break;
		}
		n++;
	}
	if (n == 4 && spawn_processor(d, fd) < 0) {
		tool_warn("unable to run the processor of %s", d->name);
		d->pid = 0;
	}
	while (n > 0)
		(void)close(fd[--n]);
	if (d->pid == 0)
		again_later(d);
}

/* From processed sealed to everything in its place; also after a crash. */
static void
take_processed(struct logdir *d)
{
	struct stat st;

	drop(d, "previous");
	if (look(d, "newstate", &st))
		move(d, "newstate", "state");
	retire(d, "processed", ".s");
}

static void
processor_ended(struct logdir *d, int status)
{
	char text[32];
	int fd;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		log_warn("processor of %s failed, trying again: %s", d->name,
		    proc_status_text(status, text, sizeof text));
		again_later(d);
		return;
	}
	d->pid = 0;
	d->waiting = false;
	/* The new state must be there before processed says that it is. */
	fd = open_until(d, "newstate", O_RDONLY | O_CREAT);
	while (fsync(fd) < 0)
		trouble(d, "sync", "newstate");
	(void)close(fd);
	sync_names(d);
	fd = open_until(d, "processed", O_RDONLY | O_CREAT);
	seal(d, "processed", fd);
	(void)close(fd);
	take_processed(d);
}

/* Blocks until previous is free.  Once: gives up after a failure. */
static void
await_processor(struct logdir *d, bool once)
{
	while (d->waiting) {
		int status;

		if (d->pid == 0) {
			int64_t left = d->retry_ms - clock_mono_ms();

			if (left > 0)
				(void)poll(NULL, 0, (int)left);
			start_processor(d);
		}
		if (d->pid != 0) {
			if (proc_wait(d->pid, &status) < 0)
				again_later(d);
			else
				processor_ended(d, status);
		}
		if (once)
			break;
	}
}

void
logdir_reaped(struct logdir *d, pid_t pid, int status)
{
	if (d->pid != 0 && d->pid == pid)
		processor_ended(d, status);
}

int
logdir_tick(struct logdir *d)
{
	int64_t left;

	if (!d->waiting || d->pid != 0)
		return -1;
	left = d->retry_ms - clock_mono_ms();
	if (left > 0)
		return (int)left;
	start_processor(d);
	return d->pid != 0 ? -1 : LOGDIR_PAUSE_MS;
}

void
logdir_rotate(struct logdir *d)
{
	if (d->bytes == 0)
		return;
	seal(d, "current", d->fd);
	if (d->processor != NULL)
		await_processor(d, false);
	(void)close(d->fd);
	if (d->processor != NULL) {
		move(d, "current", "previous");
		open_current(d);
		sync_names(d);
		d->waiting = true;
		start_processor(d);
	} else {
		retire(d, "current", ".s");
		open_current(d);
	}
}

static void
write_all(struct logdir *d, const char *p, size_t n)
{
	d->bytes += n;
	while (n > 0) {
		ssize_t w = write(d->fd, p, n);

		if (w >= 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno != EINTR) {
			trouble(d, "write to", "current");
		}
	}
}

/* Writes to current as much of the n bytes as belongs there. */
static size_t
write_part(struct logdir *d, const char *p, size_t n)
{
	uint64_t room = d->size > d->bytes ? d->size - d->bytes : 0;
	size_t near, nl;

	if (room == 0) {
		logdir_rotate(d);
		return 0;
	}
	if (n > room)
		n = (size_t)room;
	/* The first line that ends within LOGDIR_NEAR of the end is the last
	 * one of this file: near is where, in p, that may be. */
	near = room > LOGDIR_NEAR ? (size_t)(room - LOGDIR_NEAR) - 1 : 0;
	nl = near < n ? near + bytes_chr(p + near, n - near, '\n') : n;
	if (nl < n)
		n = nl + 1;
	write_all(d, p, n);
	if (nl < n || d->bytes >= d->size)
		logdir_rotate(d);
	return n;
}

void
logdir_flush(struct logdir *d)
{
	for (size_t at = 0; at < d->len;)
		at += write_part(d, d->buf + at, d->len - at);
	d->len = 0;
}

void
logdir_put(struct logdir *d, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t part = LOGDIR_BUF - d->len;

		if (part > n)
			part = n;
		memcpy(d->buf + d->len, bytes, part);
		d->len += part;
		bytes += part;
		n -= part;
		if (d->len == LOGDIR_BUF)
			logdir_flush(d);
	}
}

/* What an earlier multilog left, orderly or not. */
static void
recover(struct logdir *d)
{
	struct stat st;

	if (look(d, "processed", &st) && st.st_mode & 0100) {
		take_processed(d);
	} else {
		drop(d, "processed");
		drop(d, "newstate");
	}
	if (look(d, "previous", &st)) {
		if (!(st.st_mode & 0100))
			retire(d, "previous", ".u");
		else if (d->processor == NULL)
			retire(d, "previous", ".s");
		else
			d->waiting = true;
	}
	if (look(d, "current", &st) && !(st.st_mode & 0100) &&
	    st.st_size > 0) {
		/* What is older gets the older name, if that can be had. */
		await_processor(d, true);
		retire(d, "current", ".u");
	}
}

void
logdir_open(struct logdir *d)
{
	struct str path = {0};

	if (mkdir(d->name, 0700) < 0 && errno != EEXIST)
		tool_die(111, "unable to create directory %s", d->name);
	d->home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->home < 0)
		tool_die(111, "unable to open the current directory");
	d->dirfd = open(d->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dirfd < 0)
		tool_die(111, "unable to open directory %s", d->name);
	str_cats(&path, d->name);
	str_cats(&path, "/lock");
	d->lock = fs_lock(str_c(&path), 0600, false);
	if (d->lock < 0)
		tool_die(111, "unable to lock directory %s", d->name);
	str_free(&path);
	d->buf = mem_resize(NULL, LOGDIR_BUF, 1);
	recover(d);
	open_current(d);
	d->ready = true;
}

void
logdir_close(struct logdir *d)
{
	logdir_flush(d);
	await_processor(d, true);
	seal(d, "current", d->fd);
	sync_names(d);
	(void)close(d->fd);
	(void)close(d->lock);
	(void)close(d->dirfd);
	(void)close(d->home);
	free(d->buf);
	d->buf = NULL;
}
