/* envfiles.c - a directory of variables; see envfiles.h.
 *
 * Called by envdir's main, before anything else has happened: it may die. */
#include "supervise/envfiles.h"

#include "lib/fs.h"
#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool
envfiles_value(const struct str *file, struct str *out)
{
	const char *s = str_c(file);
	size_t n = bytes_chr(s, file->len, '\n');

	str_clear(out);
	if (file->len == 0)
		return false;
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		str_catc(out, s[i] != '\0' ? s[i] : '\n');
	return true;
}

static void
load_one(int dirfd, const char *dir, const char *name, struct toolenv *env)
{
	struct str file = {0}, value = {0};
	/* Non-blocking: a fifo must not hang the service. */
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fs_read_fd(fd, &file, ENVFILES_MAX) < 0)
		tool_die(111, "unable to read %s/%s", dir, name);
	(void)close(fd);
	if (strchr(name, '=') != NULL)
		die(111, "unable to use %s/%s: a variable's name has no =",
		    dir, name);
	if (envfiles_value(&file, &value))
		toolenv_set(env, name, str_c(&value));
	else
		toolenv_set(env, name, NULL);
	str_free(&file);
	str_free(&value);
}

void
envfiles_load(const char *dir, struct toolenv *env)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *dp;

	if (fd < 0)
		tool_die(111, "unable to switch to directory %s", dir);
	if ((dp = fdopendir(fd)) == NULL)
		tool_die(111, "unable to read directory %s", dir);
	for (;;) {
		errno = 0;
		if ((d = readdir(dp)) == NULL)
			break;
		if (d->d_name[0] != '.')
			load_one(fd, dir, d->d_name, env);
	}
	if (errno != 0)
		tool_die(111, "unable to read directory %s", dir);
	(void)closedir(dp);
}
