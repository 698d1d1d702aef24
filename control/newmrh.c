/* control/newmrh.c - compile morercpthosts; see rcpthosts.h. */
#include "control/rcpthosts.h"

#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static int
add_lines(struct cdb_writer *w, struct str *lines)
{
	str_lower(lines);
	for (size_t i = 0; i < lines->len; i += strlen(lines->s + i) + 1)
		if (cdbwriter_add(w, lines->s + i, strlen(lines->s + i), "",
		    0) < 0)
			return -1;
	return 0;
}

static int
write_cdb(struct str *lines, const char *path, const char *tmp)
{
	struct cdb_writer *w;

	if (cdbwriter_open(tmp, &w) < 0)
		return -1;
	if (add_lines(w, lines) == 0)
		return cdbwriter_commit(w, path, 0644);
	cdbwriter_abort(w);
	return -1;
}

static int
compile(const char **failed)
{
	struct str lines = {0}, path = {0}, tmp = {0};
	enum control_status st = control_list(CONTROL_MORERCPTHOSTS, &lines);
	int r = -1, e;

	*failed = "read morercpthosts";
	if (st == CONTROL_NONE)
		errno = ENOENT;
	if (st == CONTROL_OK) {
		str_catf(&path, "%s/morercpthosts.cdb", control_dir());
		str_catf(&tmp, "%s/morercpthosts.tmp", control_dir());
		*failed = "write morercpthosts.cdb";
		r = write_cdb(&lines, str_c(&path), str_c(&tmp));
	}
	e = errno;
	str_free(&lines);
	str_free(&path);
	str_free(&tmp);
	errno = e;
	return r;
}

int
rcpthosts_compile(const char **failed)
{
	int r, fd = open(control_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*failed = "lock the directory";
	if (fd < 0)
		return -1;
	/* Two that write the same file under one name would mix it up. */
	r = flock(fd, LOCK_EX) < 0 ? -1 : compile(failed);
	fd_close(fd);
	return r;
}
