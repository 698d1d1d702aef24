/* calltrace - watch or disturb the system calls of a process tree.
 *
 *   calltrace record -o log -r root [-m marks] -- command ...
 *     Every change below root's file system, in its true order, as a line:
 *       number pid program kind facts     (kinds: see note() calls below)
 *     The bytes of writes go to log.data.  A write to the file marks is a
 *     line of kind M with its text.
 *   calltrace inject -o log -p program [-k number -a action] -- command ...
 *     Counts the calls of all processes that run `program`, from the end of
 *     their start-up by libc; at call `number` performs the action: kill,
 *     killafter, short, or err=N.  Without -k it only counts.
 *
 * While a changing call runs, another process that wants one is held at its
 * entry: so the order of the log is the order of the changes.  Objects are
 * named by inode, since paths change and a passed descriptor has none.
 *
 * x86-64 only.  All tracees die with this program.
 * Exits: 0 when the last tracee has, 100 on misuse, 111 on local trouble. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* <sys/ptrace.h> and <linux/ptrace.h> cannot be included together. */
long ptrace(int request, ...);

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | \
    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
    PTRACE_O_EXITKILL)
#define TASKS 4096
#define MARKS UINT64_MAX	/* stands for the file of marks */

enum effect { EFFECT_NONE, EFFECT_ERROR, EFFECT_KILL };

struct place {			/* a name in a directory */
	uint64_t dir;		/* inode of the directory, 0 = elsewhere */
	uint64_t obj;		/* inode under that name, 0 = none */
	char name[256];
};

struct task {
	pid_t pid;
	char prog[64];
	bool target;		/* runs the program of -p */
	bool started;		/* libc's start-up is over */
	bool rseq;		/* ... nearly */
	bool incall, change, waiting;
	enum effect effect;
	uint64_t nr, a[6];
	struct place from, to;
	uint64_t obj;
};

static struct {
	bool record;
	const char *prog, *marks;
	long at;		/* disturb this call; 0 = only count */
	enum { ACT_KILL, ACT_KILLAFTER, ACT_SHORT, ACT_ERROR } act;
	int error;
	FILE *log, *data;
	dev_t dev, mark_dev;
	uint64_t mark_ino;
	unsigned long seq;
	long calls;
	pid_t holder;		/* who is inside a changing call */
	struct task t[TASKS];
	size_t ntasks;
	char buf[1 << 20];
} S;

static void
die(const char *what)
{
	fprintf(stderr, "calltrace: fatal: %s: %s\n", what, strerror(errno));
	exit(111);
}

static struct task *
task_find(pid_t pid)
{
	size_t i;

	for (i = 0; i < S.ntasks; i++)
		if (S.t[i].pid == pid)
			return &S.t[i];
	return NULL;
}

static struct task *
task_add(pid_t pid)
{
	struct task *t = task_find(pid);

	if (t != NULL)
		return t;
	if (S.ntasks == TASKS) {
		errno = ENOMEM;
		die("unable to follow a process");
	}
	t = &S.t[S.ntasks++];
	*t = (struct task){ .pid = pid };
	return t;
}

static bool
task_traced(const struct task *t)
{
	return S.record || (t->target && (S.at == 0 || S.calls < S.at ||
	    t->effect != EFFECT_NONE));
}

static void
task_go(struct task *t, int sig)
{
	/* A tracee that was killed meanwhile reports its end by wait. */
	(void)ptrace(task_traced(t) ? PTRACE_SYSCALL : PTRACE_CONT, t->pid,
	    NULL, (long)sig);
}

static void
task_exec(struct task *t)
{
	char link[64], path[4096];
	ssize_t n;
	const char *base;

	snprintf(link, sizeof link, "/proc/%d/exe", (int)t->pid);
	n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = 0;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	n = (ssize_t)strnlen(base, sizeof t->prog - 1);
	memcpy(t->prog, base, (size_t)n);
	t->prog[n] = 0;
	t->target = S.prog != NULL && strcmp(t->prog, S.prog) == 0;
	t->started = t->rseq = t->incall = false;
}

static void
note(const struct task *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(const struct task *t, const char *fmt, ...)
{
	va_list ap;

	fprintf(S.log, "%lu %d %s ", S.seq++, (int)t->pid, t->prog);
	va_start(ap, fmt);
	vfprintf(S.log, fmt, ap);
	va_end(ap);
	fputc('\n', S.log);
	fflush(S.log);
}

/* ---- record ---------------------------------------------------------- */

static bool
read_string(pid_t pid, uint64_t addr, char *out, size_t size)
{
	size_t got = 0;

	/* Up to the end of a page at a time: the next may not be there. */
	while (got < size) {
		size_t n = 4096 - (addr + got) % 4096;
		struct iovec to, from;
		ssize_t r;

		if (n > size - got)
			n = size - got;
		to = (struct iovec){ out + got, n };
		from = (struct iovec){ (void *)(uintptr_t)(addr + got), n };
		r = process_vm_readv(pid, &to, 1, &from, 1, 0);
		if (r <= 0)
			return false;
		if (memchr(out + got, 0, (size_t)r) != NULL)
			return true;
		got += (size_t)r;
	}
	return false;
}

/* Where a path argument points, seen from the tracee. */
static void
place_find(const struct task *t, int dirfd, uint64_t addr, struct place *out)
{
	char path[4096], full[4200];
	struct stat st;
	char *slash;
	int n;

	*out = (struct place){0};
	if (!read_string(t->pid, addr, path, sizeof path))
		return;
	if (path[0] == '/')
		n = snprintf(full, sizeof full, "/proc/%d/root%s",
		    (int)t->pid, path);
	else if (dirfd == AT_FDCWD)
		n = snprintf(full, sizeof full, "/proc/%d/cwd/%s",
		    (int)t->pid, path);
	else
		n = snprintf(full, sizeof full, "/proc/%d/fd/%d/%s",
		    (int)t->pid, dirfd, path);
	if (n < 0 || (size_t)n >= sizeof full)
		return;
	if (lstat(full, &st) == 0 && st.st_dev == S.dev)
		out->obj = st.st_ino;
	slash = strrchr(full, '/');
	snprintf(out->name, sizeof out->name, "%s", slash + 1);
	slash[1] = 0;
	if (stat(full, &st) == 0 && st.st_dev == S.dev)
		out->dir = st.st_ino;
}

static uint64_t
place_object(const struct task *t, int dirfd, uint64_t addr)
{
	struct place p;

	place_find(t, dirfd, addr, &p);
	return p.obj;
}

/* Inode behind a descriptor, if it is a file or directory below root or the
 * file of marks; else 0. */
static uint64_t
fd_object(const struct task *t, uint64_t fd)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)t->pid, (int)fd);
	if (stat(link, &st) == -1)
		return 0;
	if (S.mark_ino && st.st_ino == S.mark_ino && st.st_dev == S.mark_dev)
		return MARKS;
	if (st.st_dev != S.dev || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	return st.st_ino;
}

static uint64_t
fd_pos(const struct task *t, uint64_t fd)
{
	unsigned long long pos = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)t->pid, (int)fd);
	f = fopen(path, "re");
	if (f == NULL || fscanf(f, "pos: %llu", &pos) != 1)
		die("unable to read a file position");
	fclose(f);
	return pos;
}

static void
note_write(const struct task *t, uint64_t fd, uint64_t off, uint64_t len)
{
	char link[64];
	long at = ftell(S.data);
	uint64_t done = 0;
	int in;

	snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)t->pid, (int)fd);
	in = open(link, O_RDONLY | O_CLOEXEC);
	if (in == -1)
		die("unable to read back a write");
	while (done < len) {
		size_t want = len - done < sizeof S.buf ? (size_t)(len - done)
		    : sizeof S.buf;
		ssize_t r = pread(in, S.buf, want, (off_t)(off + done));

		if (r <= 0)
			die("unable to read back a write");
		if (t->obj == MARKS) {
			S.buf[r - (S.buf[r - 1] == '\n')] = 0;
			note(t, "M %s", S.buf);
			close(in);
			return;
		}
		fwrite(S.buf, 1, (size_t)r, S.data);
		done += (uint64_t)r;
	}
	close(in);
	fflush(S.data);
	note(t, "W %lu %lu %lu %ld", t->obj, off, len, at);
}

/* At entry: is this a change below root?  Notes what is gone at the exit. */
static bool
change_enter(struct task *t)
{
	const uint64_t *a = t->a;

	t->obj = 0;
	t->from = t->to = (struct place){0};
	switch (t->nr) {
	case SYS_open:
		if (!(a[1] & (O_CREAT | O_TRUNC)))
			return false;
		place_find(t, AT_FDCWD, a[0], &t->to);
		return t->to.dir != 0;
	case SYS_creat:
		place_find(t, AT_FDCWD, a[0], &t->to);
		return t->to.dir != 0;
	case SYS_openat:
		if (!(a[2] & (O_CREAT | O_TRUNC)))
			return false;
		place_find(t, (int)a[0], a[1], &t->to);
		return t->to.dir != 0;
	case SYS_mkdir:
	case SYS_unlink:
	case SYS_rmdir:
		place_find(t, AT_FDCWD, a[0], &t->to);
		return t->to.dir != 0;
	case SYS_mkdirat:
	case SYS_unlinkat:
		place_find(t, (int)a[0], a[1], &t->to);
		return t->to.dir != 0;
	case SYS_rename:
	case SYS_link:
		place_find(t, AT_FDCWD, a[0], &t->from);
		place_find(t, AT_FDCWD, a[1], &t->to);
		return t->to.dir != 0;
	case SYS_renameat:
	case SYS_renameat2:
		place_find(t, (int)a[0], a[1], &t->from);
		place_find(t, (int)a[2], a[3], &t->to);
		return t->to.dir != 0;
	case SYS_linkat:
		if (a[4] & AT_EMPTY_PATH)
			t->from.obj = fd_object(t, a[0]);
		else if (a[4] & AT_SYMLINK_FOLLOW) {	/* /proc/self/fd/n */
			char path[4096];
			unsigned n;

			if (read_string(t->pid, a[1], path, sizeof path) &&
			    sscanf(path, "/proc/self/fd/%u", &n) == 1)
				t->from.obj = fd_object(t, n);
		} else
			place_find(t, (int)a[0], a[1], &t->from);
		place_find(t, (int)a[2], a[3], &t->to);
		return t->to.dir != 0;
	case SYS_truncate:
		t->obj = place_object(t, AT_FDCWD, a[0]);
		return t->obj != 0;
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendfile:
	case SYS_ftruncate:
	case SYS_fallocate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_syncfs:
		t->obj = fd_object(t, a[0]);
		return t->obj != 0;
	case SYS_splice:
	case SYS_copy_file_range:
		t->obj = fd_object(t, a[2]);
		return t->obj != 0;
	case SYS_sync:
		return true;
	case SYS_mmap:
		return (a[2] & PROT_WRITE) && (a[3] & MAP_TYPE) != MAP_PRIVATE
		    && !(a[3] & MAP_ANONYMOUS) && fd_object(t, a[4]) != 0;
	case SYS_io_uring_setup:
		return true;
	default:
		return false;
	}
}

static void
change_exit(struct task *t, int64_t ret)
{
	const uint64_t *a = t->a;
	struct place *to = &t->to, *from = &t->from;
	uint64_t n = (uint64_t)ret;

	if (ret < 0)
		return;
	switch (t->nr) {
	case SYS_open:
	case SYS_creat:
	case SYS_openat:
		if (to->obj == 0)
			note(t, "C %lu %lu %s", to->dir, fd_object(t, n),
			    to->name);
		else if (fd_object(t, n) == to->obj && (t->nr == SYS_creat ||
		    a[t->nr == SYS_open ? 1 : 2] & O_TRUNC))
			note(t, "T %lu 0", to->obj);
		break;
	case SYS_mkdir:
	case SYS_mkdirat:
		if (t->nr == SYS_mkdir)
			place_find(t, AT_FDCWD, a[0], to);
		else
			place_find(t, (int)a[0], a[1], to);
		note(t, "D %lu %lu %s", to->dir, to->obj, to->name);
		break;
	case SYS_unlink:
	case SYS_rmdir:
	case SYS_unlinkat:
		note(t, "U %lu %lu %s", to->dir, to->obj, to->name);
		break;
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
		note(t, "R %lu %lu %lu %s/%s", from->dir, to->dir, from->obj,
		    from->name, to->name);
		break;
	case SYS_link:
	case SYS_linkat:
		note(t, "L %lu %lu %s", to->dir, from->obj, to->name);
		break;
	case SYS_truncate:
	case SYS_ftruncate:
		note(t, "T %lu %lu", t->obj, a[1]);
		break;
	case SYS_write:
	case SYS_writev:
	case SYS_sendfile:
		if (ret > 0)
			note_write(t, a[0], fd_pos(t, a[0]) - n, n);
		break;
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
		if (ret > 0)
			note_write(t, a[0], a[3], n);
		break;
	case SYS_splice:
	case SYS_copy_file_range:
		if (ret > 0 && a[3] == 0)
			note_write(t, a[2], fd_pos(t, a[2]) - n, n);
		else if (ret > 0)
			note(t, "? call %lu with an offset", t->nr);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		note(t, "S %lu", t->obj);
		break;
	case SYS_sync:
	case SYS_syncfs:
		note(t, "Y");
		break;
	default:		/* fallocate, shared mappings, io_uring */
		note(t, "? call %lu", t->nr);
		break;
	}
}

static void
lock_pass(void)
{
	size_t i;

	S.holder = 0;
	for (i = 0; i < S.ntasks; i++)
		if (S.t[i].waiting) {
			/* The world may have changed while it waited. */
			S.t[i].waiting = false;
			S.t[i].change = change_enter(&S.t[i]);
			task_go(&S.t[i], 0);
			if (S.t[i].change) {
				S.holder = S.t[i].pid;
				return;
			}
		}
}

static void
record_stop(struct task *t, bool entry, int64_t ret)
{
	if (entry) {
		t->change = change_enter(t);
		if (t->change && S.holder != 0) {
			t->waiting = true;
			return;		/* stays stopped */
		}
		if (t->change)
			S.holder = t->pid;
		task_go(t, 0);
		return;
	}
	if (t->change) {
		change_exit(t, ret);
		t->change = false;
		task_go(t, 0);
		lock_pass();
		return;
	}
	task_go(t, 0);
}

/* ---- inject ------------------------------------------------------------ */

/* What glibc does after rseq and before main; loading of libraries precedes
 * rseq. */
static bool
startup_call(uint64_t nr)
{
	return nr == SYS_mprotect || nr == SYS_prlimit64 || nr == SYS_munmap ||
	    nr == SYS_readlink || nr == SYS_readlinkat ||
	    nr == SYS_getrandom || nr == SYS_brk;
}

static void
disturb(struct task *t)
{
	struct user_regs_struct r;

	if (t->nr == SYS_exit || t->nr == SYS_exit_group ||
	    t->nr == SYS_rt_sigreturn) {
		if (S.act != ACT_KILL) {
			note(t, "skip %ld %lu", S.calls, t->nr);
			return;
		}
	}
	note(t, "hit %ld %lu", S.calls, t->nr);
	if (S.act == ACT_KILL) {
		kill(t->pid, SIGKILL);
		return;
	}
	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) == -1)
		return;
	if (S.act == ACT_SHORT) {
		bool plain = t->nr == SYS_write || t->nr == SYS_pwrite64 ||
		    t->nr == SYS_read || t->nr == SYS_pread64 ||
		    t->nr == SYS_sendto || t->nr == SYS_recvfrom;
		bool vector = t->nr == SYS_writev || t->nr == SYS_readv;

		if (plain && r.rdx > 1)
			r.rdx = 1;
		else if (vector && r.rdx > 1)
			r.rdx = 1;
		else if (t->nr == SYS_sendfile && r.r10 > 1)
			r.r10 = 1;
	} else if (S.act == ACT_ERROR) {
		r.orig_rax = ~0ULL;
		t->effect = EFFECT_ERROR;
	} else {
		t->effect = EFFECT_KILL;
	}
	(void)ptrace(PTRACE_SETREGS, t->pid, NULL, &r);
}

static void
inject_stop(struct task *t, bool entry)
{
	struct user_regs_struct r;

	if (!entry) {
		if (t->effect == EFFECT_ERROR &&
		    ptrace(PTRACE_GETREGS, t->pid, NULL, &r) == 0) {
			r.rax = (unsigned long long)-(long long)S.error;
			(void)ptrace(PTRACE_SETREGS, t->pid, NULL, &r);
		} else if (t->effect == EFFECT_KILL) {
			kill(t->pid, SIGKILL);
		}
		t->effect = EFFECT_NONE;
		task_go(t, 0);
		return;
	}
	if (t->target && !t->started) {
		if (t->nr == SYS_rseq)
			t->rseq = true;
		else if (t->rseq && !startup_call(t->nr))
			t->started = true;
	}
	if (t->target && t->started) {
		S.calls++;
		if (S.at == 0)
			note(t, "call %ld %lu", S.calls, t->nr);
		else if (S.calls == S.at)
			disturb(t);
	}
	task_go(t, 0);
}

/* ---- the loop ---------------------------------------------------------- */

static void
syscall_stop(struct task *t)
{
	struct ptrace_syscall_info si = {0};
	bool entry;
	int64_t ret = 0;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof si, &si) <= 0)
		return;
	entry = si.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (entry) {
		size_t i;

		t->nr = si.entry.nr;
		for (i = 0; i < 6; i++)
			t->a[i] = si.entry.args[i];
	} else {
		ret = si.exit.rval;
	}
	if (S.record)
		record_stop(t, entry, ret);
	else
		inject_stop(t, entry);
}

static void
event_stop(struct task *t, int event, int sig)
{
	unsigned long msg = 0;

	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
	    event == PTRACE_EVENT_CLONE) {
		struct task *kid;
		bool known;

		(void)ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &msg);
		known = task_find((pid_t)msg) != NULL;
		kid = task_add((pid_t)msg);
		memcpy(kid->prog, t->prog, sizeof kid->prog);
		kid->target = t->target;
		kid->started = t->started;
		if (known)	/* its first stop came before this event */
			task_go(kid, 0);
	} else if (event == PTRACE_EVENT_EXEC) {
		task_exec(t);
	} else if (event == PTRACE_EVENT_STOP && (sig == SIGSTOP ||
	    sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)) {
		(void)ptrace(PTRACE_LISTEN, t->pid, NULL, NULL);
		return;
	}
	task_go(t, 0);
}

static void
ended(pid_t pid, int status)
{
	struct task *t = task_find(pid);

	if (t == NULL)
		return;
	if (t->target && !S.record)
		note(t, "end %d", status);
	*t = S.t[--S.ntasks];
	if (S.holder == pid)
		lock_pass();
}

static void
loop(void)
{
	for (;;) {
		struct task *t;
		int status, event;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid == -1 && errno == EINTR)
			continue;
		if (pid == -1)
			return;		/* ECHILD: all gone */
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			ended(pid, status);
			continue;
		}
		if (!WIFSTOPPED(status))
			continue;
		event = status >> 16;
		t = task_find(pid);
		if (t == NULL) {
			/* A new child's first stop, before its parent's
			 * event: held until we know whose it is. */
			task_add(pid);
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			syscall_stop(t);
		else if (event != 0)
			event_stop(t, event, WSTOPSIG(status));
		else
			task_go(t, WSTOPSIG(status));
	}
}

static void
usage(void)
{
	fprintf(stderr, "calltrace: usage: calltrace record -o log -r root "
	    "[-m marks] -- command ... | calltrace inject -o log -p program "
	    "[-k number -a action] -- command ...\n");
	exit(100);
}

static void
parse_action(const char *s)
{
	if (strcmp(s, "kill") == 0)
		S.act = ACT_KILL;
	else if (strcmp(s, "killafter") == 0)
		S.act = ACT_KILLAFTER;
	else if (strcmp(s, "short") == 0)
		S.act = ACT_SHORT;
	else if (strncmp(s, "err=", 4) == 0) {
		S.act = ACT_ERROR;
		S.error = atoi(s + 4);
	} else
		usage();
}

static void
open_logs(const char *path)
{
	char name[4096];

	S.log = fopen(path, "we");
	if (S.log == NULL)
		die("unable to open the log");
	if (!S.record)
		return;
	snprintf(name, sizeof name, "%s.data", path);
	S.data = fopen(name, "we");
	if (S.data == NULL)
		die("unable to open the log");
}

int
main(int argc, char **argv)
{
	const char *log = NULL, *root = NULL;
	struct task *t;
	struct stat st;
	int c, status;
	pid_t pid;

	if (argc < 2)
		usage();
	S.record = strcmp(argv[1], "record") == 0;
	if (!S.record && strcmp(argv[1], "inject") != 0)
		usage();
	argc--;
	argv++;
	while ((c = getopt(argc, argv, "+o:r:m:p:k:a:")) != -1)
		switch (c) {
		case 'o': log = optarg; break;
		case 'r': root = optarg; break;
		case 'm': S.marks = optarg; break;
		case 'p': S.prog = optarg; break;
		case 'k': S.at = atol(optarg); break;
		case 'a': parse_action(optarg); break;
		default: usage();
		}
	if (log == NULL || optind >= argc || (S.record ? root == NULL :
	    S.prog == NULL))
		usage();
	open_logs(log);
	if (root != NULL) {
		if (stat(root, &st) == -1)
			die("unable to find root");
		S.dev = st.st_dev;
	}
	if (S.marks != NULL) {
		if (stat(S.marks, &st) == -1)
			die("unable to find the file of marks");
		S.mark_ino = st.st_ino;
		S.mark_dev = st.st_dev;
	}
	pid = fork();
	if (pid == -1)
		die("unable to fork");
	if (pid == 0) {
		raise(SIGSTOP);
		execvp(argv[optind], argv + optind);
		die("unable to run the command");
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		die("unable to start the command");
	if (ptrace(PTRACE_SEIZE, pid, NULL, (long)OPTIONS) == -1)
		die("unable to trace the command");
	t = task_add(pid);
	snprintf(t->prog, sizeof t->prog, "calltrace");
	kill(pid, SIGCONT);
	loop();
	if (!S.record && S.at == 0)
		fprintf(S.log, "total %ld\n", S.calls);
	if (fclose(S.log) != 0)
		die("unable to write the log");
	return 0;
}
