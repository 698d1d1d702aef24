/* status.c - the files of a supervise directory; see status.h.
 *
 * Written by supervise alone; read by svstat, svup, svc and svscan, which
 * believe the directory's owner.  Allocates nothing but in status_text. */
#include "supervise/status.h"

#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void
status_pack(unsigned char out[STATUS_LEN], const struct status *st)
{
	uint32_t pid = (uint32_t)st->pid;

	tai_pack(out, &st->since);
	for (int i = 0; i < 4; i++)
		out[12 + i] = (unsigned char)(pid >> 8 * i);
	out[16] = st->paused;
	out[17] = (unsigned char)st->want;
}

void
status_unpack(struct status *out, const unsigned char in[STATUS_LEN])
{
	uint32_t pid = 0;

	tai_unpack(&out->since, in);
	for (int i = 3; i >= 0; i--)
		pid = pid << 8 | in[12 + i];
	out->pid = (pid_t)pid;
	out->paused = in[16] != 0;
	out->want = (char)in[17];
}

void
status_text(struct str *out, const struct status *st, bool normally_up,
    const struct tai *now)
{
	uint64_t age = now->sec > st->since.sec ? now->sec - st->since.sec : 0;

	if (st->pid != 0)
		str_catf(out, "up (pid %ld) ", (long)st->pid);
	else
		str_cats(out, "down ");
	str_catu(out, age);
	str_cats(out, " seconds");
	if (st->pid != 0 && !normally_up)
		str_cats(out, ", normally down");
	if (st->pid == 0 && normally_up)
		str_cats(out, ", normally up");
	if (st->pid != 0 && st->paused)
		str_cats(out, ", paused");
	if (st->pid == 0 && st->want == 'u')
		str_cats(out, ", want up");
	if (st->pid != 0 && st->want == 'd')
		str_cats(out, ", want down");
}

enum status_running
status_running(int dirfd)
{
	int fd = openat(dirfd, "supervise/ok",
	    O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENXIO ? STATUS_NOT :
		    errno == ENOENT ? STATUS_ABSENT : STATUS_ERROR;
	(void)close(fd);
	return STATUS_RUNS;
}

int
status_read(int dirfd, struct status *out)
{
	unsigned char buf[STATUS_LEN + 1];
	int fd = openat(dirfd, "supervise/status",
	    O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;
	int e;

	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof buf);
	e = errno;
	(void)close(fd);
	if (n != STATUS_LEN) {
		errno = n < 0 ? e : EBADMSG;
		return -1;
	}
	status_unpack(out, buf);
	return 0;
}

int
status_write(const struct status *st, const char **failed_out)
{
	unsigned char buf[STATUS_LEN];
	int fd, r, e;

	status_pack(buf, st);
	*failed_out = "supervise/status.new";
	fd = open("supervise/status.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	r = fd_write_all(fd, buf, sizeof buf);
	e = errno;
	(void)close(fd);
	if (r < 0) {
		errno = e;
		return -1;
	}
	*failed_out = "supervise/status";
	return rename("supervise/status.new", "supervise/status");
}

int
status_open_control(int dirfd)
{
	int fd = openat(dirfd, "supervise/control",
	    O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	/* Root controls services in directories of others: a link there to
	 * some file must not get the letters. */
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		return fd;
	(void)close(fd);
	errno = EINVAL;
	return -1;
}
