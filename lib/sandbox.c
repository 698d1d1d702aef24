/* lib/sandbox.c - no_new_privs, limits, Landlock, filters; see sandbox.h.
 *
 * Landlock's numbers are written out here, because the headers of Debian 12
 * stop at ABI 2 while kernels go on: 3 truncate, 4 TCP, 5 ioctl, 6 scopes,
 * 7 audit flags, of which the default (denials of a process that did not
 * sandbox itself further are logged) is what we want. */
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REFER = 1 << 13,             /* ABI 2: to another directory */
	FS_TRUNCATE = 1 << 14,          /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15,         /* ABI 5 */
	FS_ABI_1 = (1 << 13) - 1,
	FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE |
	    FS_IOCTL_DEV,
	NET_TCP = 1 << 0 | 1 << 1,      /* ABI 4: bind, connect */
	SCOPE_ALL = 1 << 0 | 1 << 1,    /* ABI 6: abstract sockets, signals */
	RULE_PATH_BENEATH = 1,
	CREATE_VERSION = 1,
};

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

int
sandbox_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int
sandbox_undumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int
limit(int resource, uint64_t max)
{
	struct rlimit rl;

	if (getrlimit((__rlimit_resource_t)resource, &rl) < 0)
		return -1;
	if (rl.rlim_max > max)
		rl.rlim_max = max;
	if (rl.rlim_cur > max)
		rl.rlim_cur = max;
	return setrlimit((__rlimit_resource_t)resource, &rl);
}

int
sandbox_limits(const struct sandbox_limit *limits, size_t n)
{
	if (limit(RLIMIT_CORE, 0) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (limit(limits[i].resource, limits[i].max) < 0)
			return -1;
	return 0;
}

/* The version the kernel speaks; 0 when it has none or it is switched off. */
static int
kernel_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
	    CREATE_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* Allows what lies at each path of the list. */
static int
add_paths(int ruleset, struct sandbox_fs *fs, const char *const *list,
    uint64_t rights)
{
	for (; list != NULL && *list != NULL; list++) {
		struct path_attr at = {.allowed = rights};
		struct stat st;
		int e;

		fs->bad = *list;
		at.fd = open(*list, O_PATH | O_CLOEXEC);
		if (at.fd < 0)
			return -1;
		if (fstat(at.fd, &st) == 0) {
			if (!S_ISDIR(st.st_mode))
				at.allowed &= FS_OF_FILES;
			e = syscall(SYS_landlock_add_rule, ruleset,
			    RULE_PATH_BENEATH, &at, 0) < 0 ? errno : 0;
		} else {
			e = errno;
		}
		(void)close(at.fd);
		if (e != 0) {
			errno = e;
			return -1;
		}
		fs->bad = NULL;
	}
	return 0;
}

int
sandbox_landlock(struct sandbox_fs *fs, unsigned flags)
{
	struct ruleset_attr attr = {.fs = FS_ABI_1};
	size_t size = sizeof attr.fs;
	int fd, r, e;

	fs->bad = NULL;
	fs->abi = kernel_abi();
	if (sandbox_no_new_privs() < 0)
		return -1;
	if (fs->abi == 0 ||
	    (fs->abi == 1 && fs->write != NULL && *fs->write != NULL))
		return 0;
	if (fs->abi >= 2)
		attr.fs |= FS_REFER;
	if (fs->abi >= 3)
		attr.fs |= FS_TRUNCATE;
	if (fs->abi >= 4) {
		size = sizeof attr.fs + sizeof attr.net;
		attr.net = flags & SANDBOX_NO_TCP ? NET_TCP : 0;
	}
	if (fs->abi >= 5)
		attr.fs |= FS_IOCTL_DEV;
	if (fs->abi >= 6) {
		size = sizeof attr;
		attr.scoped = flags & SANDBOX_SCOPED ? SCOPE_ALL : 0;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -1;
	r = add_paths(fd, fs, fs->read, FS_READ_FILE | FS_READ_DIR);
	if (r == 0)
		r = add_paths(fd, fs, fs->exec,
		    FS_READ_FILE | FS_READ_DIR | FS_EXECUTE);
	if (r == 0)
		r = add_paths(fd, fs, fs->write,
		    attr.fs & ~(uint64_t)FS_EXECUTE);
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	e = errno;
	(void)close(fd);
	errno = e;
	return r;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED false
#endif

#define LOAD(field) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
    (uint32_t)offsetof(struct seccomp_data, field)))
#define RETURN(what) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what))
#define JUMP(op, value, yes, no) \
    ((struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, value, yes, no))

int
sandbox_calls(const int *allowed)
{
	struct sock_filter f[6 + 2 * SANDBOX_CALLS];
	struct sock_fprog prog = {.filter = f};
	unsigned short n = 0;

	if (sandbox_no_new_privs() < 0)
		return -1;
	if (SANITIZED)
		return 0;
	f[n++] = LOAD(arch);
	f[n++] = JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	f[n++] = LOAD(nr);
	for (size_t i = 0; allowed[i] >= 0; i++) {
		if (i == SANDBOX_CALLS) {
			errno = EINVAL;
			return -1;
		}
		f[n++] = JUMP(BPF_JEQ, (uint32_t)allowed[i], 0, 1);
		f[n++] = RETURN(SECCOMP_RET_ALLOW);
	}
	f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	prog.len = n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return errno == EINVAL ? 0 : -1;
	return 0;
}

int
sandbox_daemon(struct sandbox_fs *fs, unsigned flags)
{
	fs->bad = NULL;
	if (sandbox_undumpable() < 0 || sandbox_limits(NULL, 0) < 0)
		return -1;
	return sandbox_landlock(fs, flags);
}
