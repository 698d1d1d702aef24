/* control/showctl.c - the settings as text; see showctl.h. */
#include "control/showctl.h"

#include "control/control.h"
#include "lib/fs.h"
#include "lib/user.h"
#include "mail/accounts.h"
#include "mail/limits.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
cat_user(struct str *out, const char *name, const char *runs)
{
	struct user u = {0};

	str_catf(out, "user %s: ", name);
	switch (user_find(name, &u)) {
	case USER_OK:
		str_catf(out, "uid %u, gid %u, home %s", (unsigned)u.uid,
		    (unsigned)u.gid, str_c(&u.home));
		break;
	case USER_NONE:
		str_cats(out, "does not exist");
		break;
	case USER_TEMP:
		str_cats(out, strerror(errno));
		break;
	}
	str_catf(out, " (%s)\n", runs);
	user_free(&u);
}

void
showctl_cat_accounts(struct str *out)
{
#define X(name, group, home, runs) cat_user(out, name, runs);
	ACCOUNTS_USERS(X)
#undef X
}

/* The files of which every line counts. */
static bool
is_list(enum control_id id)
{
	static const enum control_id lists[] = {CONTROL_BADMAILFROM,
	    CONTROL_LOCALS, CONTROL_MOREIPME, CONTROL_MORERCPTHOSTS,
	    CONTROL_PERCENTHACK, CONTROL_QMQPSERVERS, CONTROL_RCPTHOSTS,
	    CONTROL_SMTPROUTES, CONTROL_VIRTUALDOMAINS};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (lists[i] == id)
			return true;
	return false;
}

static void
cat_value(struct str *out, const char *value, const char *remark)
{
	str_cats(out, "    ");
	for (; *value != '\0'; value++)
		str_catc(out, (unsigned char)*value < ' ' || *value == 127 ?
		    '?' : *value);
	str_cats(out, remark);
	str_catc(out, '\n');
}

static int
cat_file(struct str *out, enum control_id id)
{
	const struct control_entry *e = control_entry(id);
	struct str value = {0};
	enum control_status st = is_list(id) ? control_list(id, &value) :
	    control_line(id, &value);
	const char *remark = st == CONTROL_DEFAULT ? " (default)" : "";
	int r = 0;

	str_catf(out, "\n%s: %s (%s)\n", e->file, e->meaning, e->reader);
	switch (st) {
	case CONTROL_DEFAULT:
	case CONTROL_OK:
		if (!is_list(id) || value.len == 0)
			cat_value(out, str_c(&value), value.len == 0 ?
			    "(empty)" : remark);
		else
			for (size_t i = 0; i < value.len;
			    i += strlen(value.s + i) + 1)
				cat_value(out, value.s + i, remark);
		break;
	case CONTROL_NONE:
		cat_value(out, "", "(no such file)");
		break;
	case CONTROL_TEMP:
		str_catf(out, "    (unable to read: %s)\n", strerror(errno));
		r = -1;
		break;
	}
	str_free(&value);
	return r;
}

static bool
is_known(const char *name)
{
	for (int id = 0; id < CONTROL_COUNT; id++)
		if (strcmp(control_entry((enum control_id)id)->file, name)
		    == 0)
			return true;
	/* smtpauth is known, but holds passwords: its content is not shown. */
	return strcmp(name, "morercpthosts.cdb") == 0 ||
	    strcmp(name, "smtpauth") == 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
cat_strangers(struct str *out, const char *dir)
{
	char **names = NULL;
	const struct dirent *d;
	size_t n = 0;
	DIR *list = opendir(dir);

	if (list == NULL) {
		str_catf(out, "\nunable to list %s: %s\n", dir,
		    strerror(errno));
		return -1;
	}
	while ((d = readdir(list)) != NULL) {
		if (d->d_name[0] == '.' || is_known(d->d_name))
			continue;
		names = mem_resize(names, n + 1, sizeof *names);
		names[n++] = mem_dup_copy(d->d_name);
	}
	(void)closedir(list);
	if (n > 0) {
		qsort(names, n, sizeof *names, by_name);
		str_catf(out, "\nfiles in %s that no program here reads:\n",
		    dir);
	}
	for (size_t i = 0; i < n; i++) {
		cat_value(out, names[i], "");
		free(names[i]);
	}
	free(names);
	return 0;
}

int
showctl_cat_control(struct str *out, const char *dir)
{
	int r = 0;

	control_set_dir(dir);
	for (int id = 0; id < CONTROL_COUNT; id++)
		if (cat_file(out, (enum control_id)id) < 0)
			r = -1;
	if (cat_strangers(out, dir) < 0)
		r = -1;
	return r;
}
