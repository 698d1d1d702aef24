/* nosync - a preloaded library in which no sync does anything.
 *
 * The planted fault for a whole mail system: with it every simulator must
 * find losses, or it would not find a forgotten sync either.  Named in
 * /etc/ld.so.preload of a throwaway host by outer.py. */
#include <unistd.h>

int
fsync(int fd)
{
	(void)fd;
	return 0;
}

int
fdatasync(int fd)
{
	(void)fd;
	return 0;
}

int
syncfs(int fd)
{
	(void)fd;
	return 0;
}

void
sync(void)
{
}
