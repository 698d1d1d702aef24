/* lib/user_file.c - accounts for static programs, which have no name service:
 * those of a system's own programs are in the file. */
#include "lib/user.h"

#include "lib/log.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

void
user_need_file(const char *name, uid_t *uid_out, gid_t *gid_out)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw;

	if (f == NULL)
		die_sys(111, "unable to read /etc/passwd");
	do
		pw = fgetpwent(f);
	while (pw != NULL && strcmp(pw->pw_name, name) != 0);
	if (pw == NULL)
		die(111, "no account %s in /etc/passwd", name);
	*uid_out = pw->pw_uid;
	*gid_out = pw->pw_gid;
	(void)fclose(f);
}
