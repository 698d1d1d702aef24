/* blockrec - record what a file system writes to its disk; rebuild any state.
 *
 * A single-threaded FUSE server.  Its directory holds:
 *   disk     the block device's bytes: a private copy of the base image; a
 *            loop device is attached to it
 *   control  one command per write, see commands[] at the end
 *   log      the recorded events as text, one a line: number, kind, facts
 *   nlog     the same for what was recorded on top of a rebuilt state
 * One thread means one total order of writes, flushes and marks.
 *
 * Invariant: with an empty undo stack, disk = base + events [0, at).  Above
 * that every change of the disk, ours or the kernel's, pushes what it
 * overwrote, so `pop` restores any level exactly.
 *
 * Run by block.py as root inside a private mount namespace.  Trusts its
 * control file: nobody else can reach it.
 * Exits: 0 when unmounted, 100 on misuse, 111 on local trouble. */
#define FUSE_USE_VERSION 31
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/falloc.h>

#define SECTOR 512U		/* a disk writes whole sectors or nothing */
#define IO_MAX (1U << 20)	/* largest request we let the kernel send */

enum { INO_ROOT = 1, INO_DISK, INO_CONTROL, INO_LOG, INO_NLOG };

enum kind { KIND_WRITE, KIND_PUNCH, KIND_FLUSH, KIND_MARK };

struct event {
	enum kind kind;
	uint64_t off, len;
	unsigned char *data;	/* bytes written, or the text of a mark */
};

struct log {
	struct event *e;
	size_t n, cap;
};

/* What a change overwrote; a NULL data is the start of a level. */
struct undo {
	uint64_t off, len;
	unsigned char *data;
};

static struct {
	int basefd;
	unsigned char *disk;
	uint64_t size;
	struct log log, nlog;
	bool recording, nested;
	size_t at;		/* events already applied for good */
	struct undo *undo;
	size_t nundo, capundo, levels;
	long failflush;		/* fail flush number n from now; 0 = none */
} S;

static void
die(const char *what)
{
	fprintf(stderr, "blockrec: fatal: %s: %s\n", what, strerror(errno));
	exit(111);
}

static void *
grow(void *p, size_t *cap, size_t need, size_t each)
{
	size_t want = *cap ? *cap : 64;
	void *q;

	if (need <= *cap)
		return p;
	while (want < need)
		want *= 2;
	q = reallocarray(p, want, each);
	if (q == NULL)
		die("unable to allocate");
	*cap = want;
	return q;
}

static unsigned char *
copy_bytes(const void *p, size_t n)
{
	unsigned char *q = malloc(n + 1);

	if (q == NULL)
		die("unable to allocate");
	memcpy(q, p, n);
	q[n] = 0;
	return q;
}

static void
log_add(struct log *l, enum kind kind, uint64_t off, uint64_t len,
    const void *data)
{
	l->e = grow(l->e, &l->cap, l->n + 1, sizeof *l->e);
	l->e[l->n++] = (struct event){ kind, off, len,
	    data ? copy_bytes(data, (size_t)len) : NULL };
}

static void
log_clear(struct log *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->e[i].data);
	l->n = 0;
}

static void
undo_push(uint64_t off, uint64_t len, unsigned char *data)
{
	S.undo = grow(S.undo, &S.capundo, S.nundo + 1, sizeof *S.undo);
	S.undo[S.nundo++] = (struct undo){ off, len, data };
}

/* The one place where the disk changes; data NULL writes zeros. */
static void
disk_change(uint64_t off, uint64_t len, const void *data)
{
	if (S.levels > 0)
		undo_push(off, len, copy_bytes(S.disk + off, (size_t)len));
	if (data != NULL)
		memcpy(S.disk + off, data, (size_t)len);
	else
		memset(S.disk + off, 0, (size_t)len);
}

static void
record(enum kind kind, uint64_t off, uint64_t len, const void *data)
{
	if (S.recording)
		log_add(&S.log, kind, off, len, data);
	else if (S.nested)
		log_add(&S.nlog, kind, off, len, data);
}

static void
event_apply(const struct event *e, bool torn)
{
	uint64_t len = e->len;

	if (torn) {
		len = len / SECTOR / 2 * SECTOR;
		if (len == 0)
			return;
	}
	if (e->kind == KIND_WRITE)
		disk_change(e->off, len, e->data);
	else if (e->kind == KIND_PUNCH)
		disk_change(e->off, len, NULL);
}

/* ---- commands: each returns 0 or an errno --------------------------- */

static int
cmd_mark(const char *arg)
{
	record(KIND_MARK, 0, strlen(arg), arg);
	return 0;
}

static int
cmd_stop(const char *arg)
{
	(void)arg;
	S.recording = false;
	return 0;
}

static int
disk_map(void)
{
	void *p = mmap(NULL, (size_t)S.size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_NORESERVE, S.basefd, 0);

	if (p == MAP_FAILED)
		return errno;
	S.disk = p;
	return 0;
}

static int
cmd_rewind(const char *arg)
{
	(void)arg;
	if (S.recording || S.levels > 0)
		return EBUSY;
	munmap(S.disk, (size_t)S.size);
	S.at = 0;
	return disk_map();
}

/* Apply all events before number arg for good. */
static int
cmd_advance(const char *arg)
{
	size_t to = strtoul(arg, NULL, 10);

	if (S.recording || S.levels > 0)
		return EBUSY;
	if (to < S.at || to > S.log.n)
		return ERANGE;
	for (; S.at < to; S.at++)
		event_apply(&S.log.e[S.at], false);
	return 0;
}

static int
cmd_push(const char *arg)
{
	(void)arg;
	if (S.recording)
		return EBUSY;
	undo_push(0, 0, NULL);
	S.levels++;
	return 0;
}

static int
cmd_pop(const char *arg)
{
	(void)arg;
	if (S.levels == 0)
		return ERANGE;
	while (S.nundo > 0) {
		struct undo u = S.undo[--S.nundo];

		if (u.data == NULL)
			break;
		memcpy(S.disk + u.off, u.data, (size_t)u.len);
		free(u.data);
	}
	S.levels--;
	return 0;
}

/* "3-7 9 t12": events 3 to 7, event 9, and half of event 12. */
static int
apply_list(const struct log *l, const char *arg)
{
	while (*arg) {
		bool torn = *arg == 't';
		unsigned long a, b;
		char *end;

		arg += torn;
		a = b = strtoul(arg, &end, 10);
		if (end == arg)
			return EINVAL;
		if (*end == '-')
			b = strtoul(end + 1, &end, 10);
		if (b < a || b >= l->n)
			return ERANGE;
		for (; a <= b; a++)
			event_apply(&l->e[a], torn);
		for (arg = end; *arg == ' '; arg++)
			;
	}
	return 0;
}

static int
cmd_apply(const char *arg)
{
	return S.levels == 0 ? EBUSY : apply_list(&S.log, arg);
}

static int
cmd_napply(const char *arg)
{
	return S.levels == 0 || S.nested ? EBUSY : apply_list(&S.nlog, arg);
}

static int
cmd_nested(const char *arg)
{
	if (S.recording)
		return EBUSY;
	S.nested = strcmp(arg, "on") == 0;
	if (S.nested)
		log_clear(&S.nlog);
	return 0;
}

/* The n-th flush from now fails once with EIO. */
static int
cmd_failflush(const char *arg)
{
	S.failflush = strtol(arg, NULL, 10);
	return 0;
}

/* Append the log to a file: kind, off, len as u64 and the bytes, each. */
static int
cmd_save(const char *arg)
{
	FILE *f = fopen(arg, "we");
	int e = 0;
	size_t i;

	if (f == NULL)
		return errno;
	for (i = 0; i < S.log.n; i++) {
		const struct event *ev = &S.log.e[i];
		uint64_t h[3] = { ev->kind, ev->off, ev->len };

		fwrite(h, sizeof h, 1, f);
		if (ev->data != NULL)
			fwrite(ev->data, 1, (size_t)ev->len, f);
	}
	if (ferror(f))
		e = EIO;
	if (fclose(f) != 0)
		e = EIO;
	return e;
}

/* The mirror of cmd_save; ends recording. */
static int
cmd_load(const char *arg)
{
	FILE *f = fopen(arg, "re");
	uint64_t h[3];
	int e = 0;

	if (f == NULL)
		return errno;
	S.recording = false;
	log_clear(&S.log);
	while (e == 0 && fread(h, sizeof h, 1, f) == 1) {
		enum kind k = (enum kind)h[0];
		unsigned char *p = NULL;

		if (h[0] > KIND_MARK || h[2] > S.size) {
			e = EINVAL;
			break;
		}
		if (k == KIND_WRITE || k == KIND_MARK) {
			p = malloc((size_t)h[2] + 1);
			if (p == NULL)
				die("unable to allocate");
			if (fread(p, 1, (size_t)h[2], f) != h[2])
				e = EINVAL;
		}
		log_add(&S.log, k, h[1], h[2], p);
		free(p);
	}
	fclose(f);
	return e;
}

static const struct {
	const char *name;
	int (*run)(const char *arg);
} commands[] = {
	{ "mark", cmd_mark },		/* text: note it in the log */
	{ "stop", cmd_stop },		/* no more recording */
	{ "rewind", cmd_rewind },	/* disk = base image */
	{ "advance", cmd_advance },	/* n: events before n, for good */
	{ "push", cmd_push },		/* open an undo level */
	{ "pop", cmd_pop },		/* undo one level */
	{ "apply", cmd_apply },		/* list of events of the log */
	{ "napply", cmd_napply },	/* list of events of the nested log */
	{ "nested", cmd_nested },	/* on | off: record above a state */
	{ "failflush", cmd_failflush },	/* n: EIO once for the n-th flush */
	{ "save", cmd_save },		/* path */
	{ "load", cmd_load },		/* path */
};

static int
command(const char *buf, size_t n)
{
	char *line, *arg;
	int e = EINVAL;
	size_t i;

	while (n > 0 && buf[n - 1] == '\n')
		n--;
	line = (char *)copy_bytes(buf, n);
	arg = strchr(line, ' ');
	if (arg != NULL)
		*arg++ = 0;
	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(line, commands[i].name) == 0) {
			e = commands[i].run(arg ? arg : "");
			break;
		}
	free(line);
	return e;
}

/* ---- FUSE ------------------------------------------------------------ */

static const struct {
	const char *name;
	fuse_ino_t ino;
} files[] = {
	{ "disk", INO_DISK }, { "control", INO_CONTROL },
	{ "log", INO_LOG }, { "nlog", INO_NLOG },
};

static int
fill_stat(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){0};
	st->st_ino = ino;
	st->st_nlink = 1;
	if (ino == INO_ROOT)
		st->st_mode = S_IFDIR | 0700;
	else if (ino <= INO_NLOG)
		st->st_mode = S_IFREG | 0666;
	else
		return ENOENT;
	if (ino == INO_DISK)
		st->st_size = (off_t)S.size;
	return 0;
}

static void
op_init(void *user, struct fuse_conn_info *conn)
{
	(void)user;
	conn->max_write = IO_MAX;
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .attr_timeout = 60, .entry_timeout = 60 };
	size_t i;

	for (i = 0; parent == INO_ROOT && i < sizeof files / sizeof *files; i++)
		if (strcmp(name, files[i].name) == 0) {
			e.ino = files[i].ino;
			fill_stat(e.ino, &e.attr);
			fuse_reply_entry(req, &e);
			return;
		}
	fuse_reply_err(req, ENOENT);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int e = fill_stat(ino, &st);

	(void)fi;
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_attr(req, &st, 60);
}

/* Truncation by O_TRUNC of control is accepted and means nothing. */
static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
    struct fuse_file_info *fi)
{
	(void)attr;
	(void)to_set;
	op_getattr(req, ino, fi);
}

static char *
log_text(const struct log *l, size_t *len_out)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len_out);
	size_t i;

	if (f == NULL)
		die("unable to allocate");
	for (i = 0; i < l->n; i++) {
		const struct event *e = &l->e[i];

		if (e->kind == KIND_FLUSH)
			fprintf(f, "%zu F\n", i);
		else if (e->kind == KIND_MARK)
			fprintf(f, "%zu M %s\n", i, (const char *)e->data);
		else
			fprintf(f, "%zu %c %llu %llu\n", i,
			    e->kind == KIND_WRITE ? 'W' : 'P',
			    (unsigned long long)e->off,
			    (unsigned long long)e->len);
	}
	if (fclose(f) != 0)
		die("unable to allocate");
	return text;
}

struct text {
	char *s;
	size_t len;
};

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fi->fh = 0;
	if (ino == INO_LOG || ino == INO_NLOG) {
		struct text *t = malloc(sizeof *t);

		if (t == NULL)
			die("unable to allocate");
		t->s = log_text(ino == INO_LOG ? &S.log : &S.nlog, &t->len);
		fi->fh = (uint64_t)(uintptr_t)t;
	}
	fuse_reply_open(req, fi);
}

static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct text *t = (struct text *)(uintptr_t)fi->fh;

	(void)ino;
	if (t != NULL) {
		free(t->s);
		free(t);
	}
	fuse_reply_err(req, 0);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	const char *from = NULL;
	uint64_t at = (uint64_t)off, len = 0;

	if (ino == INO_DISK) {
		from = (const char *)S.disk;
		len = S.size;
	} else if (fi->fh != 0) {
		const struct text *t = (struct text *)(uintptr_t)fi->fh;

		from = t->s;
		len = t->len;
	}
	if (at >= len) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	if (size > len - at)
		size = (size_t)(len - at);
	fuse_reply_buf(req, from + at, size);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
    off_t off, struct fuse_file_info *fi)
{
	uint64_t at = (uint64_t)off;
	int e = 0;

	(void)fi;
	if (ino == INO_CONTROL) {
		e = command(buf, size);
	} else if (ino != INO_DISK) {
		e = EBADF;
	} else if (at > S.size || size > S.size - at) {
		e = ENOSPC;
	} else {
		record(KIND_WRITE, at, size, buf);
		disk_change(at, size, buf);
	}
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_write(req, size);
}

static void
op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
    struct fuse_file_info *fi)
{
	uint64_t at = (uint64_t)off, n = (uint64_t)len;

	(void)fi;
	if (ino != INO_DISK ||
	    !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (at > S.size || n > S.size - at) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	record(KIND_PUNCH, at, n, NULL);
	disk_change(at, n, NULL);
	fuse_reply_err(req, 0);
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
    struct fuse_file_info *fi)
{
	(void)datasync;
	(void)fi;
	if (ino == INO_DISK) {
		if (S.failflush > 0 && --S.failflush == 0) {
			fuse_reply_err(req, EIO);
			return;
		}
		record(KIND_FLUSH, 0, 0, NULL);
	}
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init, .lookup = op_lookup, .getattr = op_getattr,
	.setattr = op_setattr, .open = op_open, .release = op_release,
	.read = op_read, .write = op_write, .fallocate = op_fallocate,
	.fsync = op_fsync,
};

int
main(int argc, char **argv)
{
	char name[] = "blockrec", opt[] = "-oallow_other,fsname=blockrec";
	char *fargv[] = { name, opt, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, fargv);
	struct fuse_session *se;
	struct stat st;
	int e;

	if (argc != 3) {
		fprintf(stderr, "blockrec: usage: blockrec base-image dir\n");
		return 100;
	}
	S.basefd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (S.basefd == -1 || fstat(S.basefd, &st) == -1)
		die("unable to open base image");
	S.size = (uint64_t)st.st_size;
	S.recording = true;
	e = disk_map();
	if (e) {
		errno = e;
		die("unable to map base image");
	}
	se = fuse_session_new(&args, &ops, sizeof ops, NULL);
	if (se == NULL || fuse_session_mount(se, argv[2]) != 0)
		die("unable to mount");
	e = fuse_session_loop(se);
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return e ? 111 : 0;
}
