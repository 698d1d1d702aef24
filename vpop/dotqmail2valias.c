/* dotqmail2valias - move aliases from .qmail files to the table valias.
 * Runs as:  root or vpopmail; in a domain's directory as its owner.
 * Trusts:   settings, users/cdb, the database.  The files are the domain
 *           owner's.
 * Exits:    0; 255 misuse, no such table, or an alias could not be moved;
 *           else 256 - number: vpop.h. */
#include "lib/fs.h"
#include "lib/io.h"
#include "mail/authproto.h"
#include "mail/dotname.h"
#include "vpop/command.h"
#include "vpop/store_mysql_tools.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USAGE "dotqmail2valias [-v] [-d] {-a | domain ...}"
#define LOCK ".files.lock"              /* of store_files.c */
#define LOCK_MS 30000

struct run {
	struct vcommand c;
	struct vstore *files;   /* where aliases are .qmail files */
	struct vdomain_ref d;
	struct str alias, lines;        /* gathered: line NUL ... */
	struct str out;
	bool debug;
	uint64_t moved, left, failed;
};

static void
say(struct run *r, const char *text)
{
	vcommand_cat_line(&r->out, str_c(&r->alias));
	str_catf(&r->out, "@%s: ", r->d.name);
	vcommand_cat_line(&r->out, text);
	str_catc(&r->out, '\n');
	vcommand_spill(&r->out);
}

static void
path_of(const struct run *r, struct str *out)
{
	struct str name = {0};

	dotname_make(&name, "-", str_c(&r->alias), r->alias.len, "");
	str_clear(out);
	str_catf(out, "%s/%s", r->d.dir, str_c(&name));
	str_free(&name);
}

static bool
has_line(const struct run *r, const char *line)
{
	for (size_t i = 0; i < r->lines.len;
	    i += strlen(r->lines.s + i) + 1)
		if (strcmp(r->lines.s + i, line) == 0)
			return true;
	return false;
}

static int
is_ours(void *arg, const char *alias, const char *line)
{
	struct run *r = arg;

	(void)alias;
	return has_line(r, line) ? 0 : 1;
}

/* Why it stays a file; NULL: it can move. */
static const char *
reason_to_stay(struct run *r, const struct str *path)
{
	struct vfile_as as;
	struct stat st;
	int ended, found = -1;

	if (vfile_as_begin(&as, r->d.uid, r->d.gid) == 0) {
		found = lstat(str_c(path), &st);
		vfile_as_end(&as);
	}
	if (found < 0)
		return "its file cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "left: it is a mailing list's";
	for (size_t i = 0; i < r->lines.len;
	    i += strlen(r->lines.s + i) + 1)
		if (strstr(r->lines.s + i, "ezmlm") != NULL)
			return "left: it is a mailing list's";
	/* rows of a run that was stopped are among the lines */
	if (vstore_alias_each(r->c.store, &r->d, str_c(&r->alias), is_ours,
	    r, &ended) != VSTORE_OK)
		return vstore_reason_peek(r->c.store);
	return ended != 0 ? "left: the table has other lines of this alias" :
	    NULL;
}

static int
remove_file(const struct run *r, const struct str *path)
{
	struct vfile_as as;
	int e, lock, ret = -1;

	if (vfile_as_begin(&as, r->d.uid, r->d.gid) < 0)
		return -1;
	lock = vfile_lock(r->d.dir, LOCK, LOCK_MS);
	if (lock >= 0) {
		ret = unlink(str_c(path));
		if (ret == 0)
			ret = fs_sync_dir(r->d.dir);
		fd_close(lock);
	}
	e = errno;
	vfile_as_end(&as);
	errno = e;
	return ret;
}

/* The rows first: as long as the file is there it decides, so at no time is
 * there an alias that says less. */
static void
move(struct run *r)
{
	struct str path = {0};
	const char *why;
	enum vstore_status st = VSTORE_OK;

	path_of(r, &path);
	why = reason_to_stay(r, &path);
	for (size_t i = 0; why == NULL && i < r->lines.len;
	    i += strlen(r->lines.s + i) + 1) {
		st = vstore_alias_add(r->c.store, &r->d, str_c(&r->alias),
		    r->lines.s + i);
		if (st != VSTORE_OK && st != VSTORE_EXISTS)
			why = vstore_reason_peek(r->c.store);
	}
	if (why == NULL && remove_file(r, &path) < 0)
		why = strerror(errno);
	if (why != NULL) {
		say(r, why);
		r->left++;
		r->failed += strncmp(why, "left:", 5) != 0;
	} else {
		r->moved++;
		auth_changed(AUTHPROTO_SOCKET, r->d.name, NULL);
		if (r->debug)
			say(r, "moved");
	}
	str_clear(&r->alias);
	str_clear(&r->lines);
	str_free(&path);
}

static int
gather(void *arg, const char *alias, const char *line)
{
	struct str *rows = arg;

	str_catb(rows, alias, strlen(alias) + 1);
	str_catb(rows, line, strlen(line) + 1);
	return 0;
}

static void
move_all(struct run *r, const struct str *rows)
{
	for (size_t i = 0; i < rows->len; ) {
		const char *alias = rows->s + i;
		const char *line = alias + strlen(alias) + 1;

		if (r->alias.len > 0 && !str_eqs(&r->alias, alias))
			move(r);
		str_copys(&r->alias, alias);
		str_catb(&r->lines, line, strlen(line) + 1);
		i = (size_t)(line - rows->s) + strlen(line) + 1;
	}
	if (r->alias.len > 0)
		move(r);
}

static int
serve(void *arg, const struct vdomain *d)
{
	struct run *r = arg;
	struct str rows = {0};
	int ended;

	if (vdomain_is_alias(d))
		return 0;
	r->d = vdomain_ref_peek(d);
	r->moved = r->left = 0;
	if (vstore_alias_each(r->files, &r->d, NULL, gather, &rows,
	    &ended) == VSTORE_OK) {
		move_all(r, &rows);
		str_catf(&r->out, "%s: %llu moved, %llu left\n", r->d.name,
		    (unsigned long long)r->moved,
		    (unsigned long long)r->left);
	} else {
		r->failed++;
		str_catf(&r->out, "%s: ", r->d.name);
		vcommand_cat_line(&r->out, vstore_reason_peek(r->files));
		str_catc(&r->out, '\n');
	}
	str_free(&rows);
	return 0;
}

static void
need_table(struct run *r)
{
	enum vstore_status st = vmysql_has_aliases(r->c.store);

	if (st == VSTORE_NONE)
		vcommand_refuse("there is no table valias: aliases are "
		    ".qmail files here");
	if (st != VSTORE_OK)
		vcommand_fail_store(&r->c, st, VPOP_QUERY, VPOP_QUERY,
		    "valias");
}

int
main(int argc, char **argv)
{
	struct run r = {0};
	struct vdomain d = {0};
	bool all = false;
	int c, ended;

	opterr = 0;
	while ((c = getopt(argc, argv, "vda")) != -1)
		switch (c) {
		case 'v': vcommand_version(); break;
		case 'd': r.debug = true; break;
		case 'a': all = true; break;
		default: vcommand_usage(USAGE);
		}
	if (all == (optind < argc))
		vcommand_usage(USAGE);
	vcommand_begin(&r.c, "dotqmail2valias");
	need_table(&r);
	r.files = vstore_open("cdb", str_c(&r.c.home));
	if (all && vdomain_each(serve, &r, &ended) != VDOMAIN_OK)
		vcommand_fail(VPOP_ASSIGN, "%s", strerror(errno));
	for (int i = optind; i < argc; i++) {
		vcommand_domain(argv[i], &d);
		(void)serve(&r, &d);
	}
	vcommand_print(&r.out);
	vstore_close(r.files);
	vdomain_free(&d);
	str_free(&r.alias);
	str_free(&r.lines);
	str_free(&r.out);
	vcommand_end(&r.c);
	return r.failed > 0 ? 255 : 0;
}
