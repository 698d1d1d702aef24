/* miniprog - the sweep's own test object: a one-message queue and delivery.
 *
 *   miniprog submit root fault < message    exit 0 = acknowledged
 *   miniprog deliver root fault             empties the queue into Maildir
 *
 * Right unless fault names a mistake, one that real programs have made:
 *   nocheck-write   the result of write is not looked at
 *   nocheck-short   a short write is taken for a whole one
 *   nocheck-close   an error of fsync is not looked at
 *   nocheck-rename  exit 0 although the commit failed
 *   unlink-first    delivery removes the queue's copy before it has its own
 * -              no fault
 *
 * Layout below root as in miniq.py, envelope fixed.  Run by sweep tests. */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *fault;

static bool
is(const char *name)
{
	return strcmp(fault, name) == 0;
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (is("nocheck-write"))
			return 0;
		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1)
			return -1;
		if (is("nocheck-short"))
			return 0;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Copy in to a new file and sync it; removes what it made when it fails. */
static int
store(int in, const char *path)
{
	char buf[1024];
	ssize_t r;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1)
		return -1;
	for (;;) {
		r = read(in, buf, sizeof buf);
		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		if (write_all(fd, buf, (size_t)r) == -1)
			goto bad;
	}
	if (r == -1)
		goto bad;
	if (fsync(fd) == -1 && !is("nocheck-close"))
		goto bad;
	close(fd);
	return 0;
bad:
	close(fd);
	(void)unlink(path);
	return -1;
}

static int
sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	int r;

	if (fd == -1)
		return -1;
	r = fsync(fd);
	close(fd);
	return r;
}

static int
submit(void)
{
	static const char env[] = "u0\0p1\0Fsender@mini\0Tuser@mini";
	char mess[64], todo[64];
	int fd;

	snprintf(mess, sizeof mess, "queue/mess/%d", (int)getpid());
	snprintf(todo, sizeof todo, "queue/todo/%d", (int)getpid());
	if (store(0, mess) == -1)
		return 111;
	fd = open("queue/intd/x", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1 || write_all(fd, env, sizeof env) == -1 ||
	    fsync(fd) == -1 || close(fd) == -1)
		return 111;
	if (rename("queue/intd/x", todo) == -1 && !is("nocheck-rename"))
		return 111;
	if (sync_dir("queue/mess") == -1 || sync_dir("queue/todo") == -1)
		return 111;
	return 0;
}

static int
deliver_one(const char *name)
{
	char mess[300], todo[300], tmp[300], new[300];
	int in, r;

	snprintf(mess, sizeof mess, "queue/mess/%s", name);
	snprintf(todo, sizeof todo, "queue/todo/%s", name);
	snprintf(tmp, sizeof tmp, "home/user/Maildir/tmp/%s", name);
	snprintf(new, sizeof new, "home/user/Maildir/new/%s", name);
	in = open(mess, O_RDONLY);
	if (in == -1)
		return errno == ENOENT ? unlink(todo) : -1;
	if (is("unlink-first"))
		(void)unlink(todo);
	r = store(in, tmp);
	close(in);
	if (r == -1 || rename(tmp, new) == -1 ||
	    sync_dir("home/user/Maildir/new") == -1)
		return -1;
	if (!is("unlink-first") && unlink(todo) == -1)
		return -1;
	return unlink(mess);
}

static int
deliver(void)
{
	DIR *d = opendir("queue/todo");
	struct dirent *e;
	int bad = 0;

	if (d == NULL)
		return 111;
	while ((errno = 0, e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && deliver_one(e->d_name) == -1)
			bad = 111;
	if (errno)
		bad = 111;
	closedir(d);
	return bad;
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		return 100;
	fault = argv[3];
	if (chdir(argv[2]) == -1)
		return 111;
	return strcmp(argv[1], "submit") == 0 ? submit() : deliver();
}
