/* local/dotfile.c - find and read .qmail files; see dotfile.h. */
#include "local/dotfile.h"

#include "lib/fs.h"
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

static void
make_name(struct str *out, const char *dash, const char *ext, size_t n,
    const char *suffix)
{
	str_copys(out, ".qmail");
	str_cats(out, dash);
	for (size_t i = 0; i < n; i++)
		str_catc(out, ext[i] == '.' ? ':' : ascii_lower(ext[i]));
	str_cats(out, suffix);
}

/* Errors that mean: there is no such file. */
static bool
is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP ||
	    error == ENAMETOOLONG || error == ENXIO;
}

/* Opens and reads f->name.  Not to block on a FIFO, not to follow a device
 * that acts on open: O_NONBLOCK, and only regular files are read. */
static enum dotfile_status
read_file(struct dotfile *f)
{
	enum dotfile_status r = DOTFILE_OK;
	struct stat st;
	int e, fd = open(str_c(&f->name),
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return is_absent(errno) ? DOTFILE_NONE : DOTFILE_TEMP;
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
dotfile_find(const char *dash, const char *ext, struct dotfile *out)
{
	static const char def[] = "default";
	size_t ndef = sizeof def - 1, n = strlen(ext);
	enum dotfile_status st;

	make_name(&out->name, dash, ext, n, "");
	st = read_file(out);
	if (st != DOTFILE_NONE) {
		if (n >= ndef && bytes_caseeq(ext + n - ndef, ndef, def,
		    ndef)) {
			out->have_matched = true;
			out->matched_at = n - ndef;
		}
		return st;
	}
	for (size_t i = n;; i--) {
		if (i == 0 || ext[i - 1] == '-') {
			make_name(&out->name, dash, ext, i, def);
			st = read_file(out);
			if (st != DOTFILE_NONE) {
				out->have_matched = true;
				out->matched_at = i;
				return st;
			}
		}
		if (i == 0)
			return DOTFILE_NONE;
	}
}

int
dotfile_exists(const char *dash, const char *ext, const char *suffix,
    bool *out)
{
	struct str name = {0};
	struct stat st;
	int r = 0;

	make_name(&name, dash, ext, strlen(ext), suffix);
	*out = stat(str_c(&name), &st) == 0;
	if (!*out && !is_absent(errno))
		r = -1;
	str_free(&name);
	return r;
}
