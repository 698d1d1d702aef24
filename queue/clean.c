/* queue/clean.c - removal of queue files; see clean.h.
 *
 * The order inside a request is the promise: todo/N goes before mess/S/N, so
 * no envelope is ever left pointing at a message of another. */
#include "queue/clean.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLD_EVERY 1000          /* requests between two looks for leftovers */

static int
remove_file(const char *path)
{
	return unlink(path) == 0 || errno == ENOENT ? 0 : -1;
}

char
clean_request(const char *s, size_t n)
{
	char text[MSGID_MAX + 1];
	struct qpath intd, todo, mess;
	uint64_t id;

	if (n < 6 || n >= sizeof text)
		return 'x';
	memcpy(text, s, n);
	text[n] = '\0';
	if (text[4] != '/' || strlen(text) != n || !qpath_parse(text + 5, &id))
		return 'x';
	intd = qpath_flat("intd", id);
	todo = qpath_flat("todo", id);
	mess = qpath_split("mess", id);
	if (memcmp(text, "foop", 4) == 0)
		return remove_file(intd.s) == 0 && remove_file(mess.s) == 0 ?
		    '+' : '!';
	if (memcmp(text, "todo", 4) == 0)
		return remove_file(intd.s) == 0 && remove_file(todo.s) == 0 ?
		    '+' : '!';
	if (memcmp(text, "done", 4) == 0)
		return remove_file(todo.s) == 0 && remove_file(intd.s) == 0 &&
		    remove_file(mess.s) == 0 ? '+' : '!';
	return 'x';
}

static void
clean_dir(const char *dir, int64_t now)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	if (d == NULL)
		return;         /* next time */
	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (e->d_name[0] == '.' ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (st.st_atim.tv_sec + QUEUE_OSSIFIED < now)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
}

void
clean_old(int64_t now)
{
	clean_dir("pid", now);
	clean_dir("intd", now);
}

int
clean_lock(void)
{
	int fd = open("intd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		log_warn("waiting for the qmail-clean before this one to end");
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			fd_close(fd);
			return -1;
		}
	return fd;
}

int
clean_run(struct io *io)
{
	struct str line = {0};
	enum io_status st;
	unsigned since = OLD_EVERY;

	while ((st = io_getdelim(io, &line, '\0', MSGID_MAX)) == IO_OK ||
	    st == IO_TOOLONG) {
		char answer = 'x';

		if (st == IO_OK)
			answer = clean_request(str_c(&line), line.len);
		else                    /* skip the rest of it: one answer */
			while ((st = io_getdelim(io, &line, '\0', MSGID_MAX)) ==
			    IO_TOOLONG)
				str_clear(&line);
		str_clear(&line);
		if (io_put(io, &answer, 1) != IO_OK)
			break;
		if (++since >= OLD_EVERY) {
			since = 0;
			clean_old(clock_wall());
		}
		if (st != IO_OK)
			break;
	}
	str_free(&line);
	return io_flush(io) == IO_OK ? 0 : 100;
}
