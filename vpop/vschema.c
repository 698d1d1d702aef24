/* vschema - look at the tables of accounts, make them, widen them.
 * Runs as:  root or vpopmail.
 * Trusts:   etc/vpopmail.mysql and the server it names.
 * Exits:    0 done, or nothing to do; 1 --check found something to do;
 *           100 misuse, 111 it could not be done. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "lib/user.h"
#include "vpop/schema.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>

#define USAGE "vschema [--check | --upgrade [--wide-quota] | "                \
	"--create [--table-per-domain]] [--print] [-f file] [table ...]"
#define ALTER_S MYCONF_TIMEOUT_MAX      /* a large table takes its time */

enum task { CHECK, CREATE, UPGRADE };

struct options {
	enum task task;
	bool print, per_domain;
	enum schema_wide_quota quota;
	const char *file;
	bool table[SCHEMA_TABLE_COUNT];
	size_t ntables;
};

static void
read_options(int argc, char **argv, struct options *o)
{
	enum { O_CHECK = 256, O_CREATE, O_UPGRADE, O_PRINT, O_PER, O_QUOTA };
	static const struct option longs[] = {
		{"check", no_argument, NULL, O_CHECK},
		{"create", no_argument, NULL, O_CREATE},
		{"upgrade", no_argument, NULL, O_UPGRADE},
		{"print", no_argument, NULL, O_PRINT},
		{"table-per-domain", no_argument, NULL, O_PER},
		{"wide-quota", no_argument, NULL, O_QUOTA},
		{NULL, 0, NULL, 0},
	};
	int c, tasks = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "f:", longs, NULL)) != -1)
		switch (c) {
		case O_CHECK:
		case O_CREATE:
		case O_UPGRADE:
			o->task = c == O_CHECK ? CHECK : c == O_CREATE ?
			    CREATE : UPGRADE;
			tasks++;
			break;
		case O_PRINT:
			o->print = true;
			break;
		case O_PER:
			o->per_domain = true;
			break;
		case O_QUOTA:
			o->quota = SCHEMA_QUOTA_WIDEN;
			break;
		case 'f':
			o->file = optarg;
			break;
		default:
			die_usage(USAGE);
		}
	if (tasks > 1 || (o->per_domain && o->task != CREATE) ||
	    (o->quota == SCHEMA_QUOTA_WIDEN && o->task == CREATE) ||
	    (optind < argc && o->task != CREATE))
		die_usage(USAGE);
	for (; optind < argc; optind++) {
		int t = -1;

		for (int i = 0; i < SCHEMA_TABLE_COUNT; i++)
			if (strcmp(schema_table_name((enum schema_table)i),
			    argv[optind]) == 0)
				t = i;
		if (t < 0)
			die(100, "no table of accounts is called %s",
			    argv[optind]);
		o->table[t] = true;
		o->ntables++;
	}
}

/* The servers that are changed; what is only read is left alone. */
static struct my *
open_servers(const struct options *o)
{
	struct str path = {0}, why = {0};
	struct myconf conf;
	struct my *m;

	if (o->file != NULL)
		str_copys(&path, o->file);
	else {
		struct user u = {0};

		if (user_find(VPOP_USER, &u) != USER_OK)
			die(111, "unable to find user " VPOP_USER);
		str_catf(&path, "%s/etc/vpopmail.mysql", str_c(&u.home));
		user_free(&u);
	}
	if (myconf_load(str_c(&path), &conf, &why) < 0)
		die(111, "unable to use %s", str_c(&why));
	for (size_t i = 0; i < conf.n; i++) {
		conf.server[i].use &= MYCONF_UPDATE;
		conf.server[i].timeout = ALTER_S;
	}
	m = my_open_take(&conf);
	str_free(&path);
	str_free(&why);
	return m;
}

static void
say(struct str *out, const char *line)
{
	str_catf(out, "%s\n", line);
}

static void
flush(struct str *out)
{
	if (fd_write_all(1, str_c(out), out->len) < 0)
		die_sys(111, "unable to write");
	str_clear(out);
}

static void
say_done(void *arg, const char *line)
{
	struct str *out = arg;

	str_catf(out, "done: %s\n", line);
	flush(out);
}

/* Tables that are not there, and what that means. */
static void
say_missing(struct str *out, const struct schema *s)
{
	static const enum schema_table files[] = {SCHEMA_VALIAS,
	    SCHEMA_LASTAUTH, SCHEMA_LIMITS, SCHEMA_DIRCTL, SCHEMA_IPMAP};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		if (!s->table[files[i]])
			str_catf(out, "%s: not there; files are used instead, "
			    "until \"vschema --create %s\"\n",
			    schema_table_name(files[i]),
			    schema_table_name(files[i]));
}

static void
wanted_tables(const struct options *o, const struct schema *s,
    bool out[SCHEMA_TABLE_COUNT])
{
	static const enum schema_table usual[] = {SCHEMA_USERS, SCHEMA_VALIAS,
	    SCHEMA_LASTAUTH, SCHEMA_LIMITS, SCHEMA_DIRCTL, SCHEMA_IPMAP};

	for (int i = 0; i < SCHEMA_TABLE_COUNT; i++)
		out[i] = o->table[i];
	/* where accounts are, a new table would hide what is in files */
	if (o->ntables == 0 && s->layout == SCHEMA_NONE)
		for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
			out[usual[i]] = true;
}

static void
make_plan(struct my *m, const struct options *o, const struct schema *s,
    struct schema_plan *out)
{
	bool wanted[SCHEMA_TABLE_COUNT];

	if (o->task == CREATE) {
		bool many = s->layout == SCHEMA_MANY;

		if (!s->no_accounts && (o->per_domain ||
		    o->table[SCHEMA_USERS]) && many == o->per_domain)
			die(100, "accounts are in %s already", many ?
			    "one table for all domains" :
			    "a table for each domain");
		wanted_tables(o, s, wanted);
		schema_plan_create(s, wanted, o->per_domain, out);
	} else if (schema_plan_upgrade(m, o->quota, out) != VSTORE_OK)
		die(111, "unable to look at the tables: %s",
		    my_reason_peek(m));
}

/* Every statement with a semicolon, or every line. */
static void
say_plan(struct str *out, const struct schema_plan *p, bool sql)
{
	const char *at = str_c(sql ? &p->sql : &p->lines);

	for (size_t i = 0; i < p->n; i++) {
		str_catf(out, "%s%s\n", at, sql ? ";" : "");
		at += strlen(at) + 1;
	}
}

static int
work(struct my *m, const struct options *o, struct str *out)
{
	struct schema s;
	struct schema_plan p;
	int code = 0;

	if (schema_load(m, &s) != VSTORE_OK)
		die(111, "unable to look at the tables: %s",
		    my_reason_peek(m));
	make_plan(m, o, &s, &p);
	if (o->print) {
		say_plan(out, &p, true);
	} else if (o->task == CHECK) {
		say(out, s.layout == SCHEMA_MANY ?
		    "accounts: one table for all domains" :
		    s.layout == SCHEMA_PER_DOMAIN ?
		    "accounts: a table for each domain" :
		    "accounts: no table; \"vschema --create\" makes it");
		if (s.layout != SCHEMA_NONE)
			say_missing(out, &s);
		say_plan(out, &p, false);
		if (p.n > 0)
			say(out, "\"vschema --upgrade\" does this");
		code = p.n > 0 || s.layout == SCHEMA_NONE;
	} else {
		if (schema_run(m, &p, say_done, out) != VSTORE_OK)
			die(111, "unable to go on: %s", my_reason_peek(m));
		if (p.n == 0)
			say(out, "nothing to do");
		if (o->task == CREATE && s.layout != SCHEMA_NONE &&
		    o->ntables == 0)
			say_missing(out, &s);
	}
	flush(out);
	schema_plan_free(&p);
	schema_free(&s);
	return code;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct str out = {0};
	struct my *m;
	int code;

	log_init("vschema");
	sig_ignore(SIGPIPE);
	read_options(argc, argv, &o);
	m = open_servers(&o);
	code = work(m, &o, &out);
	my_close(m);
	str_free(&out);
	return code;
}
