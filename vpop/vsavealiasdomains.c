/* vsavealiasdomains - write the alias domains of users/assign to the table
 * aliasdomains, for programs that ask the database.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/assign, the database.
 * Exits:    0, 255 misuse or no such table, else 256 - number: vpop.h. */
#include "lib/map.h"
#include "vpop/command.h"
#include "vpop/store_mysql_tools.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "vsavealiasdomains [-v]"

struct run {
	struct vcommand c;
	struct map real;        /* of alias domains: a copy of the name */
	struct str stale;       /* rows that are none: alias NUL ... */
	uint64_t written, same, removed;
};

static int
gather(void *arg, const struct vdomain *d)
{
	struct run *r = arg;

	if (vdomain_is_alias(d))
		map_set(&r->real, str_c(&d->name), d->name.len,
		    mem_dup_copy(str_c(&d->real)));
	return 0;
}

/* What the table says right needs no writing. */
static int
look(void *arg, const char *alias, const char *real)
{
	struct run *r = arg;
	size_t n = strlen(alias);
	char *want = map_get(&r->real, alias, n);

	if (want == NULL) {
		str_catb(&r->stale, alias, n + 1);
	} else if (strcmp(want, real) == 0) {
		r->same++;
		map_del(&r->real, alias, n);
		free(want);
	}
	return 0;
}

static void
need(struct run *r, enum vstore_status st)
{
	if (st == VSTORE_NONE)
		vcommand_refuse("there is no table aliasdomains: the store "
		    "is not mysql, or vschema --create has not made it");
	if (st != VSTORE_OK)
		vcommand_fail_store(&r->c, st, VPOP_QUERY, VPOP_QUERY,
		    "aliasdomains");
}

static void
save(struct run *r)
{
	const char *key;
	void *value;
	size_t at = 0, n;

	for (size_t i = 0; i < r->stale.len;
	    i += strlen(r->stale.s + i) + 1) {
		need(r, vmysql_aliasdomain_set(r->c.store, r->stale.s + i,
		    NULL));
		r->removed++;
	}
	while (map_next(&r->real, &at, &key, &n, &value)) {
		struct str alias = {0};

		str_copyb(&alias, key, n);
		need(r, vmysql_aliasdomain_set(r->c.store, str_c(&alias),
		    value));
		r->written++;
		str_free(&alias);
		free(value);
	}
}

int
main(int argc, char **argv)
{
	struct run r = {0};
	struct str out = {0};
	int c, ended;

	opterr = 0;
	while ((c = getopt(argc, argv, "v")) != -1)
		if (c == 'v')
			vcommand_version();
		else
			vcommand_usage(USAGE);
	if (optind != argc)
		vcommand_usage(USAGE);
	vcommand_begin(&r.c, "vsavealiasdomains");
	if (vdomain_each(gather, &r, &ended) != VDOMAIN_OK)
		vcommand_fail(VPOP_ASSIGN, "%s", strerror(errno));
	need(&r, vmysql_aliasdomains_each(r.c.store, look, &r));
	save(&r);
	str_catf(&out, "%llu alias domains: %llu written, %llu removed\n",
	    (unsigned long long)(r.written + r.same),
	    (unsigned long long)r.written, (unsigned long long)r.removed);
	vcommand_print(&out);
	map_free(&r.real);
	str_free(&r.stale);
	str_free(&out);
	vcommand_end(&r.c);
	return 0;
}
