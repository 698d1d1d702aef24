/* slowsync - preloaded into every process of a bench host: counts the calls
 * that wait for the disk, and makes each of them slower.
 *
 * Named in /etc/ld.so.preload, so that set-id programs and daemons with an
 * empty environment have it too.  The page /run/slowsync is shared by all:
 * the bench writes the delay, the processes add to the counters.  Without
 * that file calls pass through.  Counting starts of programs comes for free:
 * one constructor runs in each. */
#include "TESTS/bench/slowsync.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct slowsync_page *page;

int fsync(int fd);
int fdatasync(int fd);
int syncfs(int fd);
void sync(void);
int sync_file_range(int fd, off64_t off, off64_t len, unsigned flags);
int msync(void *p, size_t n, int flags);

__attribute__((constructor)) static void
start(void)
{
	int fd = open("/run/slowsync", O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	page = p;
	__atomic_add_fetch(&page->count[SLOWSYNC_EXEC], 1, __ATOMIC_RELAXED);
}

static void
slow(enum slowsync_call call)
{
	struct timespec ts = {0, 0};
	int saved = errno;

	if (page == NULL)
		return;
	__atomic_add_fetch(&page->count[call], 1, __ATOMIC_RELAXED);
	ts.tv_nsec = (long)page->delay_us * 1000;
	if (ts.tv_nsec > 0)
		nanosleep(&ts, NULL);
	errno = saved;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int
fsync(int fd)
{
	slow(SLOWSYNC_FSYNC);
	return REAL(fsync)(fd);
}

int
fdatasync(int fd)
{
	slow(SLOWSYNC_FDATASYNC);
	return REAL(fdatasync)(fd);
}

int
syncfs(int fd)
{
	slow(SLOWSYNC_SYNCFS);
	return REAL(syncfs)(fd);
}

void
sync(void)
{
	slow(SLOWSYNC_SYNC);
	REAL(sync)();
}

int
sync_file_range(int fd, off64_t off, off64_t len, unsigned flags)
{
	slow(SLOWSYNC_RANGE);
	return REAL(sync_file_range)(fd, off, len, flags);
}

int
msync(void *p, size_t n, int flags)
{
	slow(SLOWSYNC_MSYNC);
	return REAL(msync)(p, n, flags);
}
