/* control/rcpthosts.c - see rcpthosts.h. */
#include "control/rcpthosts.h"

#include <errno.h>
#include <string.h>

static int
load_list(struct map *out)
{
	struct str lines = {0};

	out->nocase = true;
	if (control_list(CONTROL_RCPTHOSTS, &lines) == CONTROL_TEMP) {
		str_free(&lines);
		return -1;
	}
	for (size_t i = 0; i < lines.len; i += strlen(lines.s + i) + 1)
		map_set(out, lines.s + i, strlen(lines.s + i), out);
	str_free(&lines);
	return 0;
}

static int
open_more(struct cdb_file **out)
{
	struct str path = {0};
	enum cdb_status st;

	str_catf(&path, "%s/" RCPTHOSTS_MORE, control_dir());
	st = cdbfile_open(str_c(&path), out);
	str_free(&path);
	if (st != CDB_OK)
		*out = NULL;
	return st == CDB_TEMP ? -1 : 0;
}

int
rcpthosts_load(struct rcpthosts *out, const char **failed)
{
	int e;

	*failed = control_entry(CONTROL_RCPTHOSTS)->file;
	if (load_list(&out->list) == 0) {
		*failed = RCPTHOSTS_MORE;
		if (open_more(&out->more) == 0)
			return 0;
	}
	e = errno;
	rcpthosts_free(out);
	errno = e;
	return -1;
}

void
rcpthosts_free(struct rcpthosts *r)
{
	map_free(&r->list);
	cdbfile_close(r->more);
	*r = (struct rcpthosts){0};
}

/* Keys are in lower case; a value, of any content, means yes. */
static enum rcpthosts_status
ask_more(struct cdb_file *f, const char *host, size_t n)
{
	struct str key = {0}, value = {0};
	enum cdb_status st = CDB_NONE;
	int e;

	str_catb(&key, host, n);
	str_lower(&key);
	for (size_t i = 0; i < n && st == CDB_NONE; i++)
		if (i == 0 || key.s[i] == '.')
			st = cdbfile_get(f, key.s + i, n - i, &value);
	e = errno;
	str_free(&key);
	str_free(&value);
	errno = e;
	return st == CDB_OK ? RCPTHOSTS_YES :
	    st == CDB_NONE ? RCPTHOSTS_NO : RCPTHOSTS_TEMP;
}

enum rcpthosts_status
rcpthosts_find(const struct rcpthosts *r, const char *addr, size_t n)
{
	size_t at = bytes_rchr(addr, n, '@');
	const char *host;

	if (at == n)
		return RCPTHOSTS_YES;
	host = addr + at + 1;
	n -= at + 1;
	for (size_t i = 0; i < n; i++)
		if ((i == 0 || host[i] == '.') &&
		    map_get(&r->list, host + i, n - i) != NULL)
			return RCPTHOSTS_YES;
	return r->more == NULL ? RCPTHOSTS_NO : ask_more(r->more, host, n);
}
