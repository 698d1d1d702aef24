/* inject/smopts.c - see smopts.h. */
#include "inject/smopts.h"

#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

enum takes {
	TAKES_NOTHING,
	TAKES_VALUE,            /* the rest of the word, or the next word */
	TAKES_REST,             /* the rest of the word, maybe empty */
};

enum action {
	DO_IGNORE,              /* known, and nothing to do in this system */
	DO_NUMBER,              /* ignored, but it must be a number */
	DO_MODE,
	DO_ALIASES,
	DO_DOTS,
	DO_HEADER,
	DO_VERBOSE,
	DO_JSON,
	DO_SENDER,
	DO_NAME,
	DO_OPTION,
	DO_QUEUE,
	DO_NOTIFY,
	DO_RETURN,
	DO_ENVID,
};

static const struct option {
	char letter;
	enum takes takes;
	enum action action;
} table[] = {
	{'A', TAKES_VALUE, DO_IGNORE},          /* -Am, -Ac, -A filter */
	{'B', TAKES_VALUE, DO_IGNORE},          /* body type: all is 8-bit */
	{'C', TAKES_VALUE, DO_IGNORE},          /* there is no such file */
	{'E', TAKES_NOTHING, DO_IGNORE},
	{'F', TAKES_VALUE, DO_NAME},
	{'G', TAKES_NOTHING, DO_IGNORE},
	{'I', TAKES_NOTHING, DO_ALIASES},
	{'J', TAKES_NOTHING, DO_IGNORE},
	{'L', TAKES_VALUE, DO_IGNORE},
	{'N', TAKES_VALUE, DO_NOTIFY},
	{'O', TAKES_VALUE, DO_IGNORE},
	{'R', TAKES_VALUE, DO_RETURN},
	{'U', TAKES_NOTHING, DO_IGNORE},
	{'V', TAKES_VALUE, DO_ENVID},
	{'b', TAKES_VALUE, DO_MODE},
	{'c', TAKES_NOTHING, DO_IGNORE},
	{'e', TAKES_VALUE, DO_IGNORE},          /* where errors go: to 2 */
	{'f', TAKES_VALUE, DO_SENDER},
	{'h', TAKES_VALUE, DO_NUMBER},
	{'i', TAKES_NOTHING, DO_DOTS},
	{'j', TAKES_NOTHING, DO_JSON},
	{'m', TAKES_NOTHING, DO_IGNORE},
	{'o', TAKES_VALUE, DO_OPTION},
	{'p', TAKES_VALUE, DO_IGNORE},
	{'q', TAKES_REST, DO_QUEUE},
	{'r', TAKES_VALUE, DO_SENDER},
	{'t', TAKES_NOTHING, DO_HEADER},
	{'v', TAKES_NOTHING, DO_VERBOSE},
	{'x', TAKES_NOTHING, DO_IGNORE},
};

static int
set_mode(struct smopts *o, const char *v)
{
	static const struct {
		char letter;
		enum sm_mode mode;
	} modes[] = {
		{'m', SM_MAIL}, {'a', SM_MAIL}, {'s', SM_SMTP}, {'p', SM_LIST},
		{'i', SM_ALIASES}, {'v', SM_VERIFY}, {'d', SM_DAEMON},
		{'D', SM_DAEMON},
	};
	size_t i;

	for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (v[0] == modes[i].letter && v[1] == '\0') {
			o->mode = modes[i].mode;
			return 0;
		}
	}
	return -1;
}

static int
check_number(const char *v)
{
	uint64_t n;
	size_t len = scan_u64(v, &n);

	return len > 0 && v[len] == '\0' ? 0 : -1;
}

/* -q, -qf, -q15m: the whole queue.  -qIid, -qRsub, -qSsub: some of it. */
static int
set_queue(struct smopts *o, const char *v)
{
	if (o->mode != SM_DAEMON)
		o->mode = SM_FLUSH;
	if (v[0] == 'I') {
		o->q_id = v + 1;
		return check_number(o->q_id);
	}
	if (v[0] == 'R')
		o->q_rcpt = v + 1;
	else if (v[0] == 'S')
		o->q_sender = v + 1;
	return 0;
}

/* As xtext, which is what sendmail wants; plain text is made into that. */
static int
set_envid(struct smopts *o, const char *v)
{
	struct str x = {0};
	int r;

	str_clear(&o->dsn.envid);
	r = dsn_message_param(&o->dsn, "ENVID", v);
	if (r < 0) {
		dsn_xtext_encode(&x, v, strlen(v));
		r = dsn_message_param(&o->dsn, "ENVID", str_c(&x));
		str_free(&x);
	}
	return r;
}

/* -1: the value makes no sense. */
static int
apply(struct smopts *o, enum action action, const char *v)
{
	switch (action) {
	case DO_IGNORE:
		break;
	case DO_NUMBER:
		return check_number(v);
	case DO_MODE:
		return set_mode(o, v);
	case DO_ALIASES:
		o->mode = SM_ALIASES;
		break;
	case DO_DOTS:
		o->dots_pass = true;
		break;
	case DO_HEADER:
		o->from_header = true;
		break;
	case DO_VERBOSE:
		o->verbose = true;
		break;
	case DO_JSON:
		if (o->mode != SM_LIST)
			return -1;
		o->json = true;
		break;
	case DO_SENDER:
		o->sender = v;
		break;
	case DO_NAME:
		o->name = v;
		break;
	case DO_OPTION:
		if (v[0] == 'i')
			o->dots_pass = true;
		else if (v[0] == 'v')
			o->verbose = true;
		break;
	case DO_QUEUE:
		return set_queue(o, v);
	case DO_NOTIFY:
		dsn_rcpt_free(&o->notify);
		return dsn_rcpt_param(&o->notify, "NOTIFY", v);
	case DO_RETURN:
		o->dsn.ret = DSN_RET_NONE;
		return dsn_message_param(&o->dsn, "RET", v);
	case DO_ENVID:
		return set_envid(o, v);
	}
	return 0;
}

static const struct option *
find(char letter)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].letter == letter)
			return &table[i];
	return NULL;
}

/* One word of options, "-tif"; next is the word after it or NULL.  1 when
 * next was used as a value. */
static int
parse_word(struct smopts *o, const char *word, const char *next,
    struct str *why)
{
	const char *p;

	for (p = word + 1; *p != '\0'; p++) {
		const struct option *opt = find(*p);
		const char *v = "";
		bool used = false;

		if (opt == NULL) {
			str_cats(why, "unknown option -");
			log_quote(why, p, 1);
			return -1;
		}
		if (opt->takes == TAKES_VALUE && p[1] == '\0') {
			if (next == NULL) {
				str_catf(why, "option -%c needs a value", *p);
				return -1;
			}
			v = next;
			used = true;
		} else if (opt->takes != TAKES_NOTHING) {
			v = p + 1;
		}
		if (apply(o, opt->action, v) == -1) {
			str_catf(why, "option -%c: unusable value ", *p);
			log_quote(why, v, strlen(v));
			return -1;
		}
		if (opt->takes != TAKES_NOTHING)
			return used ? 1 : 0;
	}
	return 0;
}

static void
mode_of_name(struct smopts *o, const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *name = slash != NULL ? slash + 1 : argv0;

	if (strcmp(name, "mailq") == 0)
		o->mode = SM_LIST;
	else if (strcmp(name, "newaliases") == 0)
		o->mode = SM_ALIASES;
}

int
smopts_parse(struct smopts *o, int argc, char **argv, struct str *why)
{
	bool options = true;
	int i, r;

	*o = (struct smopts){.mode = SM_MAIL};
	o->rcpts = mem_alloc((size_t)argc + 1, sizeof *o->rcpts);
	if (argc > 0)
		mode_of_name(o, argv[0]);
	for (i = 1; i < argc; i++) {
		if (!options || argv[i][0] != '-' || argv[i][1] == '\0') {
			o->rcpts[o->nrcpts++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		r = parse_word(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL,
		    why);
		if (r == -1)
			return -1;
		i += r;
	}
	return 0;
}

void
smopts_free(struct smopts *o)
{
	free(o->rcpts);
	dsn_message_free(&o->dsn);
	dsn_rcpt_free(&o->notify);
	*o = (struct smopts){0};
}
