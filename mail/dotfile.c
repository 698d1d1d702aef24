/* mail/dotfile.c - find and read .qmail files; see dotfile.h. */
#include "mail/dotfile.h"

#include "lib/fs.h"
#include "mail/dotname.h"
#include "mail/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
dotfile_free(struct dotfile *f)
{
	str_free(&f->name);
	str_free(&f->text);
	*f = (struct dotfile){0};
}

/* Where name is to be found. */
static void
set_path(struct str *path, const char *dir, const struct str *name)
{
	str_copys(path, dir);
	if (*dir != '\0')
		str_catc(path, '/');
	str_cat(path, name);
}

/* Opens and reads path.  Not to block on a FIFO, not to follow a device
 * that acts on open: O_NONBLOCK, and only regular files are read. */
static enum dotfile_status
read_file(struct dotfile *f, const char *path)
{
	enum dotfile_status r = DOTFILE_OK;
	struct stat st;
	int e, fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return dotname_is_absent(errno) ? DOTFILE_NONE : DOTFILE_TEMP;
	if (fstat(fd, &st) < 0)
		r = DOTFILE_TEMP;
	else if (!S_ISREG(st.st_mode))
		r = DOTFILE_NONE;
	else if (st.st_mode & DOTFILE_REFUSED_BITS)
		r = DOTFILE_WRITABLE;
	else if (fs_read_fd(fd, &f->text, DOTQMAIL_MAX) < 0)
		r = DOTFILE_TEMP;
	else
		f->forward_only = (st.st_mode & S_IXUSR) != 0;
	e = errno;
	(void)close(fd);
	errno = e;
	return r;
}

enum dotfile_status
dotfile_find(const char *dir, const char *dash, const char *ext,
    struct dotfile *out)
{
	enum dotfile_status st = DOTFILE_NONE;
	struct dotname d = {0};
	struct str path = {0};

	dotname_begin(&d, dash, ext);
	while (st == DOTFILE_NONE && dotname_next(&d)) {
		str_copy(&out->name, &d.name);
		set_path(&path, dir, &d.name);
		st = read_file(out, str_c(&path));
	}
	if (st != DOTFILE_NONE) {
		out->have_matched = d.have_matched;
		out->matched_at = d.matched_at;
	}
	dotname_free(&d);
	str_free(&path);
	return st;
}

int
dotfile_exists(const char *dir, const char *dash, const char *ext,
    const char *suffix, bool *out)
{
	struct str name = {0}, path = {0};
	struct stat st;
	int r = 0;

	dotname_make(&name, dash, ext, strlen(ext), suffix);
	set_path(&path, dir, &name);
	*out = stat(str_c(&path), &st) == 0;
	if (!*out && !dotname_is_absent(errno))
		r = -1;
	str_free(&name);
	str_free(&path);
	return r;
}
