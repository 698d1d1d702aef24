/* mail/users_cdb.c - users/cdb: compile it, ask it; see users.h.
 *
 * The file is root's; what is malformed in it is an error that defers mail,
 * never an answer. */
#include "mail/users.h"

#include <errno.h>
#include <string.h>

struct build {
	struct cdb_writer *w;
	struct str key;
	bool seen[256];         /* last bytes of prefixes */
};

static int
add_line(void *arg, const struct users_line *l)
{
	struct build *b = arg;

	str_clear(&b->key);
	users_cat_key(&b->key, l->name, l->nname, l->wild);
	if (l->wild && l->nname > 0)
		b->seen[(unsigned char)b->key.s[b->key.len - 1]] = true;
	return cdbwriter_add(b->w, str_c(&b->key), b->key.len,
	    str_c(&l->value), l->value.len);
}

static int
add_lasts(struct build *b)
{
	struct str lasts = {0};
	int r;

	for (int c = 0; c < 256; c++)
		if (b->seen[c])
			str_catc(&lasts, (char)(unsigned char)c);
	r = cdbwriter_add(b->w, "", 0, str_c(&lasts), lasts.len);
	str_free(&lasts);
	return r;
}

int
users_compile(const char *s, size_t n, const char *path, const char *tmp,
    size_t *line_out, const char **why)
{
	struct build b = {0};
	int r;

	*why = NULL;
	*line_out = 0;
	if (cdbwriter_open(tmp, &b.w) < 0)
		return -1;
	r = users_parse_assign(s, n, add_line, &b, line_out, why);
	if (r == 0)
		r = add_lasts(&b);
	str_free(&b.key);
	if (r == 0)
		return cdbwriter_commit(b.w, path, 0644);
	{
		int e = errno;

		cdbwriter_abort(b.w);
		errno = e;
	}
	return -1;
}

static enum cdb_status
malformed(void)
{
	errno = EPROTO;
	return CDB_TEMP;
}

/* value: of a hit; rest: what a wildcard left over. */
static enum cdb_status
hit(const struct str *value, const char *rest, struct users_entry *out)
{
	if (users_parse_entry(str_c(value), value->len, out) < 0)
		return malformed();
	str_cats(&out->ext, rest);
	return CDB_OK;
}

enum cdb_status
users_find(struct cdb_file *f, const char *local, struct users_entry *out)
{
	struct str key = {0}, lasts = {0}, value = {0};
	size_t n = strlen(local);
	enum cdb_status st;

	users_cat_key(&key, local, n, false);
	st = cdbfile_get(f, str_c(&key), key.len, &value);
	if (st == CDB_OK) {
		st = hit(&value, "", out);
		goto done;
	}
	if (st == CDB_NONE) {
		st = cdbfile_get(f, "", 0, &lasts);
		/* Every users/cdb has it. */
		if (st == CDB_NONE)
			st = malformed();
	}
	if (st != CDB_OK)
		goto done;
	/* Key is "!", the local part in lower case, NUL; shorten it. */
	for (size_t i = n;; i--) {
		if (i == 0 || bytes_chr(str_c(&lasts), lasts.len,
		    key.s[i]) < lasts.len) {
			st = cdbfile_get(f, str_c(&key), i + 1, &value);
			if (st == CDB_OK)
				st = hit(&value, local + i, out);
			if (st != CDB_NONE)
				break;
		}
		if (i == 0)
			break;
	}
done:
	str_free(&key);
	str_free(&lasts);
	str_free(&value);
	return st;
}

enum cdb_status
users_ask(struct users_table *t, const char *local, struct users_entry *out)
{
	enum cdb_status st;

	if (t->cdb != NULL && cdbfile_stale(t->cdb, t->path))
		users_table_close(t);
	if (t->cdb == NULL) {
		st = cdbfile_open(t->path, &t->cdb);
		if (st != CDB_OK) {
			t->cdb = NULL;
			return st;
		}
	}
	return users_find(t->cdb, local, out);
}

void
users_table_close(struct users_table *t)
{
	cdbfile_close(t->cdb);
	t->cdb = NULL;
}
