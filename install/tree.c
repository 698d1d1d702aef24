/* install/tree.c - the tables and the manifest as one list; see tree.h. */
#include "install/tree.h"

#include "install/table.h"
#include "mail/limits.h"
#include "mail/qtree.h"

#include <stdlib.h>
#include <string.h>

#define BIN_DIR "/usr/local/bin"
#define COMMAND_DIR "/command"
#define MAN_DIR "/usr/local/share/man"

static struct tree_item *
add(struct tree *t, enum tree_kind kind, const char *path)
{
	struct tree_item *it;

	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->items = mem_resize(t->items, t->cap, sizeof *t->items);
	}
	it = &t->items[t->n++];
	memset(it, 0, sizeof *it);
	it->kind = kind;
	if (path[0] != '/') {
		str_cats(&it->path, HOME_DIR);
		if (path[0] != '\0')
			str_catc(&it->path, '/');
	}
	str_cats(&it->path, path);
	return it;
}

static struct tree_item *
add_owned(struct tree *t, enum tree_kind kind, const char *path,
    const char *owner, const char *group, mode_t mode)
{
	struct tree_item *it = add(t, kind, path);

	it->owner = owner;
	it->group = group;
	it->mode = mode;
	return it;
}

static void
add_copy(struct tree *t, const char *dir, const char *name, mode_t mode,
    const char *source)
{
	struct str path = {0};

	str_catf(&path, "%s/%s", dir, name);
	str_copys(&add_owned(t, TREE_COPY, str_c(&path), TABLE_OWNER,
	    dir[0] == '/' ? "root" : TABLE_GROUP, mode)->source, source);
	str_free(&path);
}

static void
add_link(struct tree *t, const char *dir, const char *name, const char *to)
{
	struct str path = {0};

	str_catf(&path, "%s/%s", dir, name);
	str_copys(&add(t, TREE_LINK, str_c(&path))->source, to);
	str_free(&path);
}

static void
add_split(struct tree *t, const char *dir, const char *owner,
    const char *group, mode_t mode)
{
	struct str path = {0};

	(void)add_owned(t, TREE_DIR, dir, owner, group, mode);
	for (unsigned i = 0; i < QUEUE_SPLIT; i++) {
		str_clear(&path);
		str_catf(&path, "%s/%u", dir, i);
		(void)add_owned(t, TREE_DIR, str_c(&path), owner, group, mode);
	}
	str_free(&path);
}

static void
add_text(struct tree *t, const char *source, const char *path, mode_t mode)
{
	struct tree_item *it = add_owned(t, TREE_TEXT, path, TABLE_OWNER,
	    TABLE_GROUP, mode);

	str_catf(&it->source, "service/%s", source);
	str_catf(&it->pristine, "%s/doc/service/%s", HOME_DIR, source);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* "queue/qmail-queue.8" goes to man8, and is linked where man(1) looks. */
static int
add_page(struct tree *t, const char *source)
{
	const char *name = base_name(source), *dot = strrchr(name, '.');
	struct str dir = {0}, target = {0};

	if (dot == NULL || dot[1] == '\0' || strchr("1578", dot[1]) == NULL ||
	    dot[2] != '\0')
		return -1;
	str_catf(&dir, "man/man%c", dot[1]);
	add_copy(t, str_c(&dir), name, 0644, source);
	str_catf(&target, "%s/%s/%s", HOME_DIR, str_c(&dir), name);
	str_clear(&dir);
	str_catf(&dir, "%s/man%c", MAN_DIR, dot[1]);
	add_link(t, str_c(&dir), name, str_c(&target));
	str_free(&dir);
	str_free(&target);
	return 0;
}

static void
add_command(struct tree *t, const char *source)
{
	const char *name = base_name(source);
	struct str target = {0};

	add_copy(t, BIN_DIR, name, PROGRAM_MODE, source);
	str_catf(&target, "%s/%s", BIN_DIR, name);
	add_link(t, COMMAND_DIR, name, str_c(&target));
	str_free(&target);
}

mode_t
tree_program_mode(const char *name)
{
	static const struct {
		const char *name;
		mode_t mode;
	} modes[] = {
#define X(name, mode) {name, mode},
		TABLE_PROGRAM_MODES(X)
#undef X
	};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(modes[i].name, name) == 0)
			return modes[i].mode;
	return PROGRAM_MODE;
}

/* Where administrators and their scripts look for these since vpopmail. */
static void
add_vpop_link(struct tree *t, const char *vpopmail, const char *name)
{
	struct tree_item *it = add(t, TREE_LINK_ASIDE, vpopmail);

	str_catf(&it->path, "/bin/%s", name);
	str_catf(&it->source, "%s/bin/%s", HOME_DIR, name);
}

static int
add_manifest_line(struct tree *t, const char *vpopmail, char *line)
{
	char *source = strchr(line, ' ');
	const char *name;

	if (source == NULL)
		return -1;
	*source++ = '\0';
	name = base_name(source);
	if (name[0] == '\0' || name[0] == '.' || strchr(source, ' ') != NULL)
		return -1;
	if (strcmp(line, "prog") == 0 || strcmp(line, "script") == 0 ||
	    strcmp(line, "vprog") == 0) {
		add_copy(t, "bin", name, tree_program_mode(name), source);
		if (line[0] == 'v')
			add_vpop_link(t, vpopmail, name);
	} else if (strcmp(line, "cmd") == 0 || strcmp(line, "cmdscript") == 0)
		add_command(t, source);
	else if (strcmp(line, "doc") == 0)
		add_copy(t, "doc", name, 0644, source);
	else if (strcmp(line, "man") == 0)
		return add_page(t, source);
	else
		return -1;
	return 0;
}

static void
add_vpop_dir(struct tree *t, const char *vpopmail, const char *path,
    const char *owner, const char *group, mode_t mode)
{
	struct tree_item *it = add_owned(t, TREE_KEPTDIR, vpopmail, owner,
	    group, mode);

	if (*path != '\0')
		str_catf(&it->path, "/%s", path);
}

static void
add_tables(struct tree *t, const char *vpopmail)
{
#define X(path) (void)add(t, TREE_SYSDIR, path);
	TABLE_SYSTEM_DIRS(X)
#undef X
#define X(path, owner, group, mode)                                           \
	(void)add_owned(t, TREE_DIR, path, owner, group, mode);
	TABLE_DIRS(X)
#undef X
#define IN_QUEUE(path) (*(path) ? "queue/" path : "queue")
#define X(path, owner, mode)                                                  \
	(void)add_owned(t, TREE_DIR, IN_QUEUE(path), owner, QTREE_GROUP, mode);
	QTREE_DIRS(X)
#undef X
#define X(path, owner, mode)                                                  \
	add_split(t, IN_QUEUE(path), owner, QTREE_GROUP, mode);
	QTREE_SPLIT_DIRS(X)
#undef X
#define X(path, owner, mode, bytes)                                           \
	add_owned(t, TREE_KEPT, IN_QUEUE(path), owner, QTREE_GROUP,           \
	    mode)->size = bytes;
	QTREE_FILES(X)
#undef X
#define X(path, owner, mode)                                                  \
	(void)add_owned(t, TREE_FIFO, IN_QUEUE(path), owner, QTREE_GROUP,     \
	    mode);
	QTREE_FIFOS(X)
#undef X
#define X(path, owner, group, mode)                                           \
	add_vpop_dir(t, vpopmail, path, owner, group, mode);
	TABLE_VPOP_DIRS(X)
#undef X
#define X(source, path, mode) add_text(t, source, path, mode);
	TABLE_TEXTS(X)
#undef X
}

int
tree_build(struct tree *t, const char *vpopmail, const char *manifest,
    size_t n, unsigned *line)
{
	struct str one = {0};
	int r = 0;

	add_tables(t, vpopmail);
	for (*line = 1; n > 0 && r == 0; (*line)++) {
		size_t len = bytes_chr(manifest, n, '\n');

		str_copyb(&one, manifest, len);
		if (str_has_nul(&one) ||
		    (len > 0 && add_manifest_line(t, vpopmail, one.s) < 0)) {
			r = -1;
			break;
		}
		len += len < n;
		manifest += len;
		n -= len;
	}
#define X(path, target) str_copys(&add(t, TREE_LINK, path)->source, target);
	TABLE_LINKS(X)
#undef X
	str_free(&one);
	return r;
}

void
tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		str_free(&t->items[i].path);
		str_free(&t->items[i].source);
		str_free(&t->items[i].pristine);
	}
	free(t->items);
	memset(t, 0, sizeof *t);
}

void
tree_cat_filled(struct str *out, const char *s, size_t n)
{
	static const char mark[] = "@HOME@";

	while (n > 0) {
		const char *at = memmem(s, n, mark, sizeof mark - 1);
		size_t upto = at != NULL ? (size_t)(at - s) : n;

		str_catb(out, s, upto);
		if (at != NULL) {
			str_cats(out, HOME_DIR);
			upto += sizeof mark - 1;
		}
		s += upto;
		n -= upto;
	}
}
