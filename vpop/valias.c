/* valias - show and change the aliases of a domain.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 nothing found, 254 misuse, else 256 - number: vpop.h. */
#include "mail/show.h"
#include "vpop/manage.h"
#include "vpop/vanswer.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "valias [-v] [-j] [-n | -s | -d | -i line | -w] "               \
	"{address | domain}"
#define EXIT_OPTION 254

enum task { SHOW, NAMES, DELETE, INSERT, WHERE };

struct work {
	struct vcommand c;
	struct vdomain d;
	struct str user;        /* empty: the domain */
	struct str out;
	struct str last;        /* the name that was shown last */
	enum task task;
	const char *line;
	bool json, found;
};

static int
show(void *arg, const char *alias, const char *line)
{
	struct work *w = arg;
	bool again = w->found && str_eqs(&w->last, alias);

	w->found = true;
	if (w->task == NAMES && again)
		return 0;
	str_copys(&w->last, alias);
	if (w->json) {
		str_cats(&w->out, "{\"alias\":");
		show_cat_json(&w->out, alias, strlen(alias));
		str_cats(&w->out, ",\"domain\":");
		show_cat_json(&w->out, str_c(&w->d.name), w->d.name.len);
		if (w->task == SHOW) {
			str_cats(&w->out, ",\"line\":");
			show_cat_json(&w->out, line, strlen(line));
		}
		str_cats(&w->out, "}\n");
	} else {
		vcommand_cat_line(&w->out, alias);
		str_catf(&w->out, "@%s", str_c(&w->d.name));
		if (w->task == SHOW) {
			str_cats(&w->out, " -> ");
			vcommand_cat_line(&w->out, line);
		}
		str_catc(&w->out, '\n');
	}
	vcommand_spill(&w->out);
	return 0;
}

static void
list(struct work *w, const char *what)
{
	struct vdomain_ref d = vdomain_ref_peek(&w->d);
	int ended;
	enum vstore_status st = vstore_alias_each(w->c.store, &d,
	    w->user.len > 0 ? str_c(&w->user) : NULL, show, w, &ended);

	vcommand_print(&w->out);
	str_clear(&w->out);
	if (st != VSTORE_OK && st != VSTORE_NONE)
		vcommand_fail_store(&w->c, st, VPOP_NO_USER, VPOP_NO_USER,
		    what);
	if (!w->found)
		vcommand_refuse("no alias: %s", what);
}

static void
change(struct work *w, const char *what)
{
	struct str why = {0};
	const char *name = str_c(&w->user);
	enum vpop_error e;

	/* one letter is enough for an alias; a path it may not look like */
	if (strchr(name, '/') != NULL || (w->task == INSERT &&
	    (name[0] == '.' || strstr(name, "..") != NULL)))
		vcommand_fail(VPOP_ILLEGAL_USERNAME, "%s", what);
	e = w->task == INSERT ?
	    vmanage_alias_add(&w->c, &w->d, str_c(&w->user), w->line, &why) :
	    vmanage_alias_del(&w->c, &w->d, str_c(&w->user), NULL, &why);

	if (e == VPOP_NO_USER)
		vcommand_refuse("no alias: %s", what);
	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	str_free(&why);
}

/* What delivery would do, whatever it is that decides. */
static void
where(struct work *w)
{
	struct resolver r;
	struct resolve a = {0};
	struct str addr = {0};

	str_catf(&addr, "%s@%s", str_c(&w->user), str_c(&w->d.name));
	resolver_init(&r, USERS_DIR "/cdb", AUTHPROTO_SOCKET);
	resolve_address(&r, str_c(&addr), true, &a);
	if (w->json)
		vanswer_cat_json(&w->out, str_c(&addr), &a);
	else
		vanswer_cat_text(&w->out, &a);
	vcommand_print(&w->out);
	resolve_free(&a);
	resolver_free(&r);
	str_free(&addr);
}

_Noreturn static void
misuse(void)
{
	struct str out = {0};

	str_cats(&out, "usage: " USAGE "\n");
	vcommand_print(&out);
	exit(EXIT_OPTION);
}

static void
read_options(int argc, char **argv, struct work *w)
{
	int c, tasks = 0;

	opterr = 0;
	while ((c = getopt(argc, argv, "vjnsdi:w")) != -1)
		switch (c) {
		case 'v':
			vcommand_version();
			break;
		case 'j':
			w->json = true;
			break;
		case 'n':
		case 's':
		case 'd':
		case 'i':
		case 'w':
			w->task = c == 'n' ? NAMES : c == 's' ? SHOW :
			    c == 'd' ? DELETE : c == 'i' ? INSERT : WHERE;
			w->line = optarg;
			tasks++;
			break;
		default:
			misuse();
		}
	if (tasks > 1 || argc - optind != 1)
		misuse();
}

int
main(int argc, char **argv)
{
	struct work w = {.task = SHOW};
	const char *what;

	read_options(argc, argv, &w);
	what = argv[optind];
	vcommand_begin(&w.c, "valias");
	if (strpbrk(what, "@%/") != NULL)
		vcommand_address(&w.c, what, &w.user, &w.d);
	else if (w.task == SHOW || w.task == NAMES)
		vcommand_domain(what, &w.d);
	else
		misuse();
	if (w.task == INSERT || w.task == DELETE)
		change(&w, what);
	else if (w.task == WHERE)
		where(&w);
	else
		list(&w, what);
	str_free(&w.user);
	str_free(&w.out);
	str_free(&w.last);
	vdomain_free(&w.d);
	vcommand_end(&w.c);
	return 0;
}
