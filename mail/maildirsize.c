/* mail/maildirsize.c - how much a Maildir holds; see maildirsize.h.
 *
 * A count is trusted when no directory was changed between its being opened
 * and the end of it all.  The clock of directories ticks every few
 * milliseconds, so one changed in the very tick it was opened in does not
 * count as unchanged.  Somebody may add a message between the end of the count
 * and the new file's being there, and note it in the old one: so it is looked
 * once more afterwards, and the file is taken away again then. */
#include "mail/maildirsize.h"

#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/tai.h"
#include "mail/mdscan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_FORMAT "%lld %lld\n"
#define SKEW_S 2                /* seconds of another machine's clock */

static int
open_file(const char *maildir, int flags)
{
	struct str path = {0};
	struct stat st;
	int fd;

	str_copys(&path, maildir);
	str_cats(&path, "/maildirsize");
	fd = open(str_c(&path), flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);
	str_free(&path);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		(void)close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* " -1234": the bytes of it, 0 when it is no number. */
static size_t
scan_signed(const char *s, int64_t *out)
{
	size_t blanks = strspn(s, " "), minus, digits;
	uint64_t u;

	minus = s[blanks] == '-';
	digits = scan_u64(s + blanks + minus, &u);
	if (digits == 0 || u > INT64_MAX)
		return 0;
	*out = minus ? -(int64_t)u : (int64_t)u;
	return blanks + minus + digits;
}

/* One line of two numbers; its bytes with the LF, 0 when it is none. */
static size_t
scan_line(const char *s, int64_t *bytes, int64_t *count)
{
	size_t a = scan_signed(s, bytes), b;

	if (a == 0 || s[a] != ' ' || (b = scan_signed(s + a, count)) == 0)
		return 0;
	a += b;
	a += strspn(s + a, " ");
	return s[a] == '\n' ? a + 1 : 0;
}

enum maildirsize_status
maildirsize_parse(const char *s, size_t n, struct maildirsize *out)
{
	size_t at = bytes_chr(s, n, '\n');
	struct str text = {0};
	enum maildirsize_status st = MAILDIRSIZE_BAD;

	*out = (struct maildirsize){.size = n};
	if (at == n)
		return MAILDIRSIZE_BAD;
	out->have_quota = quota_parse(s, at, &out->quota) == 0;
	/* With a NUL at its end; one inside ends a line where none may end. */
	str_copyb(&text, s, n);
	for (at++; at < n; out->lines++) {
		int64_t bytes, count;
		size_t used = scan_line(str_c(&text) + at, &bytes, &count);

		if (used == 0 ||
		    __builtin_add_overflow(out->bytes, bytes, &out->bytes) ||
		    __builtin_add_overflow(out->count, count, &out->count))
			break;
		at += used;
	}
	if (at == n && out->bytes >= 0 && out->count >= 0 && out->lines > 0)
		st = MAILDIRSIZE_OK;
	else
		out->bytes = out->count = 0;
	str_free(&text);
	return st;
}

enum maildirsize_status
maildirsize_read(const char *maildir, struct maildirsize *out)
{
	enum maildirsize_status st = MAILDIRSIZE_TEMP;
	struct str text = {0};
	struct stat sb;
	int e, fd;

	*out = (struct maildirsize){0};
	fd = open_file(maildir, O_RDONLY);
	if (fd < 0) {
		if (errno == ENOENT)
			return MAILDIRSIZE_NONE;
		return errno == EINVAL || errno == ELOOP || errno == ENXIO ?
		    MAILDIRSIZE_BAD : MAILDIRSIZE_TEMP;
	}
	if (fs_read_fd(fd, &text, MAILDIRSIZE_READ_MAX) == 0 &&
	    fstat(fd, &sb) == 0) {
		st = maildirsize_parse(str_c(&text), text.len, out);
		out->mtime = sb.st_mtim.tv_sec;
	} else if (errno == EFBIG) {
		st = MAILDIRSIZE_BAD;
	}
	e = errno;
	(void)close(fd);
	str_free(&text);
	errno = e;
	return st;
}

int64_t
maildirsize_name_bytes(const char *name)
{
	uint64_t size = mdname_size(name);

	return size <= INT64_MAX ? (int64_t)size : -1;
}

/* One walk over a Maildir: what is in it, and what would tell of a change. */
struct walk {
	bool counting;
	int64_t bytes, count;
	struct hash state;
	bool fresh;             /* a change might leave no trace */
};

/* Where it has gone meanwhile it is not counted: the walk's state says that
 * something changed. */
static int
count_file(struct walk *w, int dirfd, const char *name)
{
	int64_t size = maildirsize_name_bytes(name);
	struct stat st;

	if (name[0] == '.' || mdname_has_flag(name, 'T'))
		return 0;
	if (size < 0) {
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -1;
		if (!S_ISREG(st.st_mode))
			return 0;
		size = st.st_size;
	}
	w->count++;
	if (__builtin_add_overflow(w->bytes, size, &w->bytes))
		w->bytes = INT64_MAX;
	return 0;
}

static int
note_state(struct walk *w, int fd)
{
	struct timespec now;
	struct stat st;

	if (fstat(fd, &st) < 0 ||
	    clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0)
		return -1;
	hash_add(&w->state, &st.st_dev, sizeof st.st_dev);
	hash_add(&w->state, &st.st_ino, sizeof st.st_ino);
	hash_add(&w->state, &st.st_mtim.tv_sec, sizeof st.st_mtim.tv_sec);
	hash_add(&w->state, &st.st_mtim.tv_nsec, sizeof st.st_mtim.tv_nsec);
	if ((st.st_mtim.tv_sec > now.tv_sec ||
	    (st.st_mtim.tv_sec == now.tv_sec &&
	    st.st_mtim.tv_nsec >= now.tv_nsec)) &&
	    st.st_mtim.tv_sec < now.tv_sec + SKEW_S)
		w->fresh = true;
	return 0;
}

static DIR *
open_dir(struct walk *w, int at, const char *name, int flags)
{
	int e, fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    flags);
	DIR *d = NULL;

	if (fd < 0)
		return NULL;
	if (note_state(w, fd) == 0)
		d = fdopendir(fd);
	if (d == NULL) {
		e = errno;
		(void)close(fd);
		errno = e;
	}
	return d;
}

/* new/ or cur/. */
static int
walk_messages(struct walk *w, int at, const char *name)
{
	DIR *d = open_dir(w, at, name, 0);
	struct dirent *e;
	int r = 0, err;

	if (d == NULL)
		return -1;
	while (w->counting && r == 0 && (errno = 0, (e = readdir(d)) != NULL))
		r = count_file(w, dirfd(d), e->d_name);
	if (errno != 0 && w->counting)
		r = -1;
	err = errno;
	(void)closedir(d);
	errno = err;
	return r;
}

static int
walk_folder(struct walk *w, int at, const char *name)
{
	int e, r, fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);

	/* A file with such a name, a link, a folder gone or half made. */
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ?
		    0 : -1;
	r = walk_messages(w, fd, "new");
	if (r == 0)
		r = walk_messages(w, fd, "cur");
	if (r < 0 && (errno == ENOENT || errno == ENOTDIR))
		r = 0;
	e = errno;
	(void)close(fd);
	errno = e;
	return r;
}

static bool
is_folder(const char *name)
{
	return name[0] == '.' && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0 && strcmp(name, ".Trash") != 0;
}

static int
walk_maildir(struct walk *w, const char *maildir)
{
	struct dirent *e;
	int r, err;
	DIR *d;

	hash_init(&w->state, 0, 0);
	d = opendir(maildir);
	if (d == NULL)
		return -1;
	r = walk_messages(w, dirfd(d), "new");
	if (r == 0)
		r = walk_messages(w, dirfd(d), "cur");
	while (r == 0 && (errno = 0, (e = readdir(d)) != NULL))
		if (is_folder(e->d_name))
			r = walk_folder(w, dirfd(d), e->d_name);
	if (r == 0 && errno != 0)
		r = -1;
	err = errno;
	(void)closedir(d);
	errno = err;
	return r;
}

/* The number that changes with the Maildir. */
static int
look_again(const char *maildir, uint64_t *out)
{
	struct walk w = {0};

	if (walk_maildir(&w, maildir) < 0)
		return -1;
	*out = hash_end(&w.state);
	return 0;
}

static int
count_with_state(const char *maildir, struct walk *w, uint64_t *state_out)
{
	*w = (struct walk){.counting = true};
	if (walk_maildir(w, maildir) < 0)
		return -1;
	*state_out = hash_end(&w->state);
	return 0;
}

static bool
is_steady(const char *maildir, const struct walk *w, uint64_t state)
{
	uint64_t now;

	return !w->fresh && look_again(maildir, &now) == 0 && now == state;
}

int
maildirsize_count(const char *maildir, int64_t *bytes_out, int64_t *count_out,
    bool *steady_out)
{
	struct walk w;
	uint64_t state;

	if (count_with_state(maildir, &w, &state) < 0)
		return -1;
	*bytes_out = w.bytes;
	*count_out = w.count;
	*steady_out = is_steady(maildir, &w, state);
	return 0;
}

static void
cat_tmp_name(struct str *out, const char *maildir)
{
	struct timespec t = clock_wall_ns();
	char host[HOST_NAME_MAX + 1];

	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	str_catf(out, "%s/tmp/%lld.M%06ldP%ld_NeWmAiLdIrSiZe.", maildir,
	    (long long)t.tv_sec, t.tv_nsec / 1000, (long)getpid());
	for (const char *p = host; *p; p++)
		str_catc(out, *p == '/' ? '_' : *p);
}

static int
write_tmp(const char *tmp, const struct str *text)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -1;
	r = fd_write_all(fd, str_c(text), text->len);
	if (close(fd) < 0 || r < 0) {
		(void)unlink(tmp);
		return -1;
	}
	return 0;
}

/* Best effort: without the file every question is answered by counting. */
static void
install(const char *maildir, const struct quota *q, const struct walk *w,
    uint64_t state)
{
	struct str text = {0}, tmp = {0}, path = {0};

	str_copys(&path, maildir);
	str_cats(&path, "/maildirsize");
	if (!quota_is_limited(q)) {
		(void)unlink(str_c(&path));
		str_free(&path);
		return;
	}
	quota_cat(&text, q);
	str_catf(&text, "\n" LINE_FORMAT, (long long)w->bytes,
	    (long long)w->count);
	cat_tmp_name(&tmp, maildir);
	if (is_steady(maildir, w, state) &&
	    write_tmp(str_c(&tmp), &text) == 0) {
		if (rename(str_c(&tmp), str_c(&path)) < 0)
			(void)unlink(str_c(&tmp));
		else if (!is_steady(maildir, w, state))
			(void)unlink(str_c(&path));
	}
	str_free(&text);
	str_free(&tmp);
	str_free(&path);
}

int
maildirsize_rebuild(const char *maildir, const struct quota *q,
    struct maildirsize *out)
{
	struct walk w;
	uint64_t state;

	*out = (struct maildirsize){.quota = *q, .have_quota = true,
	    .lines = 1, .mtime = clock_wall()};
	if (count_with_state(maildir, &w, &state) < 0)
		return -1;
	out->bytes = w.bytes;
	out->count = w.count;
	install(maildir, q, &w, state);
	return 0;
}

int
maildirsize_get(const char *maildir, const struct quota *want,
    struct maildirsize *out)
{
	switch (maildirsize_read(maildir, out)) {
	case MAILDIRSIZE_OK:
		if (out->size < MAILDIRSIZE_MAX && out->have_quota &&
		    out->quota.bytes == want->bytes &&
		    out->quota.count == want->count)
			return 0;
		break;
	case MAILDIRSIZE_NONE:
	case MAILDIRSIZE_BAD:
		break;
	case MAILDIRSIZE_TEMP:
		return -1;
	}
	return maildirsize_rebuild(maildir, want, out);
}

static bool
would_exceed(const struct quota *q, const struct maildirsize *m,
    int64_t bytes, int64_t count)
{
	if (__builtin_add_overflow(m->bytes, bytes, &bytes) ||
	    __builtin_add_overflow(m->count, count, &count))
		return true;
	return quota_exceeded(q, bytes, count);
}

int
maildirsize_fits(const char *maildir, const struct quota *want,
    int64_t bytes, int64_t count, struct maildirsize *out, bool *over_out)
{
	*over_out = false;
	*out = (struct maildirsize){0};
	if (!quota_is_limited(want))
		return 0;
	if (maildirsize_get(maildir, want, out) < 0)
		return -1;
	*over_out = would_exceed(want, out, bytes, count);
	if (!*over_out || (out->lines <= 1 &&
	    clock_wall() - out->mtime <= MAILDIRSIZE_OLD))
		return 0;
	if (maildirsize_rebuild(maildir, want, out) < 0)
		return -1;
	*over_out = would_exceed(want, out, bytes, count);
	return 0;
}

int
maildirsize_add(const char *maildir, int64_t bytes, int64_t count)
{
	int e, r = 0, fd = open_file(maildir, O_WRONLY | O_APPEND);
	struct str line = {0};
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	str_catf(&line, LINE_FORMAT, (long long)bytes, (long long)count);
	/* In one write: others append too.  A line cut by a full disk makes no
	 * sense, so the file is made again. */
	do
		n = write(fd, str_c(&line), line.len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)line.len) {
		if (n >= 0)
			errno = ENOSPC;
		r = -1;
	}
	e = errno;
	(void)close(fd);
	str_free(&line);
	errno = e;
	return r;
}

int
maildirsize_quota(const char *maildir, struct quota *out)
{
	struct maildirsize m;

	*out = (struct quota){0};
	if (maildirsize_read(maildir, &m) == MAILDIRSIZE_TEMP)
		return -1;
	if (m.have_quota)
		*out = m.quota;
	return 0;
}

int
maildirsize_root(const char *maildir, struct str *out)
{
	size_t n = strlen(maildir), slash;
	struct str mark = {0};
	struct stat st;
	int r;

	while (n > 1 && maildir[n - 1] == '/')
		n--;
	str_copyb(out, maildir, n);
	str_copy(&mark, out);
	str_cats(&mark, "/maildirfolder");
	r = lstat(str_c(&mark), &st);
	str_free(&mark);
	if (r < 0 && errno != ENOENT && errno != ENOTDIR)
		return -1;
	slash = bytes_rchr(str_c(out), out->len, '/');
	if (r == 0 && slash > 0 && slash < out->len)
		str_trunc(out, slash);
	if (str_c(out)[out->len - 1] != '/')
		str_catc(out, '/');
	return 0;
}
