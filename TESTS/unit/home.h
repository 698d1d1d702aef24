/* TESTS/unit/home.h - for tests of what wants the home to exist. */
#ifndef TESTS_UNIT_HOME_H
#define TESTS_UNIT_HOME_H

#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Programs run from the home: where there is none, root makes one that only
 * this process sees. */
static inline bool
unit_make_home(void)
{
	char parent[] = HOME_DIR;

	if (access(HOME_DIR, X_OK) == 0)
		return true;
	*strrchr(parent, '/') = '\0';
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", parent, "tmpfs", 0, NULL) == 0 &&
	    mkdir(HOME_DIR, 0755) == 0;
}

#endif
