/* send/qfile.c - files of preprocessed messages; see qfile.h. */
#include "send/qfile.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "mail/limits.h"
#include "mail/qctl.h"
#include "mail/qpath.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const dirs[CHANNELS] = {
	[CHANNEL_LOCAL] = "local",
	[CHANNEL_REMOTE] = "remote",
};

const char *
qfile_dir(int channel)
{
	return dirs[channel];
}

static int
write_new(const char *path, const struct str *bytes, int64_t mtime)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = mtime}};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (fd_write_all(fd, str_c(bytes), bytes->len) < 0 ||
	    (mtime >= 0 && futimens(fd, t) < 0)) {
		fd_close(fd);
		return -1;
	}
	return close(fd);
}

int
qfile_write_info(uint64_t id, const char *sender, const struct str *wishes,
    int64_t birth)
{
	struct str s = {0};
	int r;

	str_catc(&s, 'F');
	str_catb(&s, sender, strlen(sender) + 1);
	str_cat(&s, wishes);
	r = write_new(qpath_split("info", id).s, &s, birth);
	str_free(&s);
	return r;
}

/* The F record is at the front of what was read. */
static int
parse_info(const struct str *s, struct str *sender, struct str *wishes)
{
	size_t n = bytes_chr(str_c(s), s->len, '\0');

	if (s->len < 2 || s->s[0] != 'F' || n == s->len || n > ADDR_MAX + 1) {
		errno = EPROTO;
		return -1;
	}
	str_copys(sender, s->s + 1);
	if (wishes == NULL)
		return 0;
	str_copyb(wishes, s->s + n + 1, s->len - n - 1);
	/* A record that a crash cut off is none. */
	n = bytes_rchr(str_c(wishes), wishes->len, '\0');
	str_trunc(wishes, n < wishes->len ? n + 1 : 0);
	return 0;
}

int
qfile_read_info(uint64_t id, struct str *sender, struct str *wishes,
    size_t max, int64_t *birth)
{
	char head[ADDR_MAX + 2];
	struct str s = {0};
	struct stat st;
	int fd = open(qpath_split("info", id).s, O_RDONLY | O_CLOEXEC);
	int r = -1;
	ssize_t n;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		fd_close(fd);
		return -1;
	}
	if (wishes != NULL) {
		r = fs_read_fd(fd, &s, ADDR_MAX + 2 + max);
	} else if ((n = pread(fd, head, sizeof head, 0)) >= 0) {
		str_catb(&s, head, (size_t)n);
		r = 0;
	}
	if (r == 0)
		r = parse_info(&s, sender, wishes);
	*birth = st.st_mtim.tv_sec;
	str_free(&s);
	fd_close(fd);
	return r;
}

int
qfile_write_list(uint64_t id, int channel, const struct str *records)
{
	return write_new(qpath_split(dirs[channel], id).s, records, -1);
}

int
qfile_read_list(uint64_t id, int channel, size_t max, struct str *out)
{
	str_clear(out);
	return fs_read(qpath_split(dirs[channel], id).s, out, max);
}

static int
write_byte(const char *path, uint64_t offset, char c)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t w;

	if (fd < 0)
		return -1;
	do
		w = pwrite(fd, &c, 1, (off_t)offset);
	while (w < 0 && errno == EINTR);
	if (w != 1) {
		fd_close(fd);
		return -1;
	}
	return close(fd);
}

int
qfile_mark(uint64_t id, int channel, uint64_t offset)
{
	return write_byte(qpath_split(dirs[channel], id).s, offset, 'D');
}

int
qfile_mark_info(uint64_t id, uint64_t offset, char c)
{
	return write_byte(qpath_split("info", id).s, offset, c);
}

int
qfile_set_due(uint64_t id, int channel, int64_t due)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = due}};

	return utimensat(AT_FDCWD, qpath_split(dirs[channel], id).s, t, 0);
}

int
qfile_set_birth(uint64_t id, int64_t birth)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = birth}};

	return utimensat(AT_FDCWD, qpath_split("info", id).s, t, 0);
}

int
qfile_get_due(uint64_t id, int channel, int64_t *due)
{
	struct stat st;

	if (stat(qpath_split(dirs[channel], id).s, &st) < 0)
		return -1;
	*due = st.st_mtim.tv_sec;
	return 0;
}

int
qfile_append_bounce(uint64_t id, const struct str *text)
{
	int fd = open(qpath_flat("bounce", id).s,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		fd_close(fd);
		return -1;
	}
	if (fd_write_all(fd, str_c(text), text->len) < 0) {
		int e = errno;

		/* Half a paragraph would be before the next one. */
		(void)!ftruncate(fd, st.st_size);
		(void)close(fd);
		errno = e;
		return -1;
	}
	return close(fd);
}

static int
remove_file(const char *path)
{
	return unlink(path) == 0 || errno == ENOENT ? 0 : -1;
}

int
qfile_remove_list(uint64_t id, int channel)
{
	return remove_file(qpath_split(dirs[channel], id).s);
}

void
qfile_remove_all(uint64_t id)
{
	(void)remove_file(qpath_flat(QCTL_HOLD_DIR, id).s);
	(void)remove_file(qpath_flat("bounce", id).s);
	qfile_remove_info(id);
}

void
qfile_remove_info(uint64_t id)
{
	for (int c = 0; c < CHANNELS; c++)
		(void)remove_file(qpath_split(dirs[c], id).s);
	(void)remove_file(qpath_split("info", id).s);
}
