/* storetool - the store of accounts as a line protocol, for tests.
 *
 *	storetool KIND VPOPMAIL_DIR DOMAINS_DIR
 *
 * A request is a line of TAB-separated words, the answer is lines and then one
 * that begins with the status: OK, NONE, EXISTS, WIDE or TEMP, and the reason.
 * In words \n, \t and \\ stand for what they are in C. */
#include "vpop/store.h"

#include "lib/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 40

struct tool {
	struct vstore *s;
	const char *domains;
	const char *word[WORDS];
	size_t n;
	struct str dir;
	unsigned long stop_after;       /* of walks, 0: never */
	unsigned long seen;
};

static const char *
word(const struct tool *t, size_t i)
{
	return i < t->n ? t->word[i] : "";
}

static int64_t
number(const struct tool *t, size_t i)
{
	return strtoll(word(t, i), NULL, 0);
}

static struct vdomain_ref
domain(struct tool *t, size_t i)
{
	str_clear(&t->dir);
	str_catf(&t->dir, "%s/%s", t->domains, word(t, i));
	return (struct vdomain_ref){word(t, i), str_c(&t->dir), 0, 0};
}

static void
answer(struct tool *t, enum vstore_status st)
{
	static const char *const names[] = {"OK", "NONE", "EXISTS", "WIDE",
	    "TEMP"};

	if (st == VSTORE_WIDE || st == VSTORE_TEMP)
		printf("%s %s\n", names[st], vstore_reason_peek(t->s));
	else
		puts(names[st]);
	(void)fflush(stdout);
}

static void
show_user(const struct vuser *u)
{
	printf("%s\t%s\t%u\t%" PRIu32 "\t%s\t%s\t%s\t%s\n", str_c(&u->name),
	    str_c(&u->hash), u->apop, u->flags, str_c(&u->gecos),
	    str_c(&u->dir), str_c(&u->quota), str_c(&u->clear));
}

static int
each_user(void *arg, const struct vuser *u)
{
	struct tool *t = arg;

	show_user(u);
	return ++t->seen == t->stop_after ? 7 : 0;
}

/* Asks the store again from inside the walk. */
static int
each_user_get(void *arg, const struct vuser *u)
{
	struct tool *t = arg;
	struct vdomain_ref d = domain(t, 1);
	struct vuser again = {0};
	enum vstore_status st = vstore_user_get(t->s, &d, str_c(&u->name),
	    &again);

	if (st == VSTORE_OK)
		show_user(&again);
	else
		puts("lost");
	vuser_free(&again);
	return 0;
}

static int
each_pair(void *arg, const char *a, const char *b)
{
	(void)arg;
	printf("%s\t%s\n", a, b);
	return 0;
}

/* NAME HASH APOP FLAGS GECOS DIR QUOTA CLEAR from word 2 on. */
static enum vstore_status
change_user(struct tool *t, bool add)
{
	struct vdomain_ref d = domain(t, 1);
	struct vuser u = {0};
	enum vstore_status st;

	str_copys(&u.name, word(t, 2));
	str_copys(&u.hash, word(t, 3));
	u.apop = (unsigned)number(t, 4);
	u.flags = (uint32_t)number(t, 5);
	str_copys(&u.gecos, word(t, 6));
	str_copys(&u.dir, word(t, 7));
	str_copys(&u.quota, word(t, 8));
	str_copys(&u.clear, word(t, 9));
	st = add ? vstore_user_add(t->s, &d, &u) :
	    vstore_user_set(t->s, &d, &u);
	vuser_free(&u);
	return st;
}

static enum vstore_status
users(struct tool *t, const char *verb)
{
	struct vdomain_ref d = domain(t, 1);
	enum vstore_status st;
	struct vuser u = {0};
	uint64_t n = 0;
	int ended = 0;

	if (strcmp(verb, "get") == 0) {
		st = vstore_user_get(t->s, &d, word(t, 2), &u);
		if (st == VSTORE_OK)
			show_user(&u);
		vuser_free(&u);
		return st;
	}
	if (strcmp(verb, "count") == 0) {
		st = vstore_user_count(t->s, &d, &n);
		printf("%" PRIu64 "\n", n);
		return st;
	}
	t->seen = 0;
	t->stop_after = (unsigned long)number(t, 2);
	st = vstore_user_each(t->s, &d, strcmp(verb, "walk") == 0 ?
	    each_user_get : each_user, t, &ended);
	printf("ended %d\n", ended);
	return st;
}

/* Loads NUMBER users named PREFIX0000... into a domain. */
static enum vstore_status
load(struct tool *t)
{
	struct vdomain_ref d = domain(t, 1);
	enum vstore_status st = vstore_bulk_begin(t->s, &d), end;
	int64_t n = number(t, 3);

	for (int64_t i = 0; i < n && st == VSTORE_OK; i++) {
		struct vuser u = {0};

		str_catf(&u.name, "%s%06" PRId64, word(t, 2), i);
		str_copys(&u.hash, "$1$abcdefgh$0123456789012345678901");
		str_copys(&u.quota, "NOQUOTA");
		st = vstore_user_add(t->s, &d, &u);
		vuser_free(&u);
		if (i + 1 == number(t, 4)) {
			printf("stands at %" PRId64 "\n", i + 1);
			(void)fflush(stdout);
			(void)getchar();        /* a line that says go on */
		}
	}
	end = vstore_bulk_end(t->s);
	return st == VSTORE_OK ? end : st;
}

static enum vstore_status
limits(struct tool *t, const char *verb)
{
	struct vdomain_ref d = domain(t, 1);
	struct vlimits l;
	enum vstore_status st;

	if (strcmp(verb, "del") == 0)
		return vstore_limits_del(t->s, &d);
	if (strcmp(verb, "set") == 0) {
		unsigned *perm[] = {&l.perm_account, &l.perm_alias,
		    &l.perm_forward, &l.perm_autoresponder, &l.perm_maillist,
		    &l.perm_maillist_users, &l.perm_maillist_moderators,
		    &l.perm_quota, &l.perm_defaultquota};

		l = (struct vlimits){number(t, 2), number(t, 3), number(t, 4),
		    number(t, 5), number(t, 6), (uint64_t)number(t, 7),
		    (uint64_t)number(t, 8), (uint64_t)number(t, 9),
		    (uint64_t)number(t, 10), (uint32_t)number(t, 11),
		    0, 0, 0, 0, 0, 0, 0, 0, 0};
		for (size_t i = 0; i < 9; i++)
			*perm[i] = (unsigned)number(t, 12 + i);
		return vstore_limits_set(t->s, &d, &l);
	}
	st = vstore_limits_get(t->s, &d, &l);
	if (st == VSTORE_OK || st == VSTORE_NONE)
		printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %"
		    PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		    " %" PRIu32 " %u %u %u %u %u %u %u %u %u\n",
		    l.maxpopaccounts, l.maxaliases, l.maxforwards,
		    l.maxautoresponders, l.maxmailinglists, l.diskquota_mb,
		    l.maxmsgcount, l.defaultquota, l.defaultmaxmsgcount,
		    l.disable, l.perm_account, l.perm_alias, l.perm_forward,
		    l.perm_autoresponder, l.perm_maillist,
		    l.perm_maillist_users, l.perm_maillist_moderators,
		    l.perm_quota, l.perm_defaultquota);
	return st;
}

static enum vstore_status
dirctl(struct tool *t, const char *verb)
{
	struct vdirctl c = {0};
	const char *dir = domain(t, 1).dir;
	enum vstore_status st;

	if (strcmp(verb, "del") == 0)
		return vstore_dirctl_del(t->s, word(t, 1), dir);
	if (strcmp(verb, "set") == 0) {
		c.users = (uint64_t)number(t, 2);
		c.level_cur = (int)number(t, 3);
		c.level_max = (int)number(t, 4);
		for (size_t i = 0; i < 3; i++) {
			c.start[i] = (int)i;
			c.end[i] = 61;
			c.mod[i] = (int)(2 * i);
			c.index[i] = (int)(10 + i);
		}
		str_copys(&c.dir, word(t, 5));
		st = vstore_dirctl_set(t->s, word(t, 1), dir, &c);
	} else {
		st = vstore_dirctl_get(t->s, word(t, 1), dir, &c);
		if (st == VSTORE_OK)
			printf("%" PRIu64 " %d %d %d%d%d %d,%d,%d %d%d%d "
			    "%d,%d,%d %s\n", c.users, c.level_cur, c.level_max,
			    c.start[0], c.start[1], c.start[2], c.end[0],
			    c.end[1], c.end[2], c.mod[0], c.mod[1], c.mod[2],
			    c.index[0], c.index[1], c.index[2], str_c(&c.dir));
	}
	str_free(&c.dir);
	return st;
}

static enum vstore_status
lastauth(struct tool *t, const char *verb)
{
	struct vdomain_ref d = domain(t, 1);
	struct vuser u = {0};
	struct str ip = {0};
	int64_t when = 0;
	enum vstore_status st;

	str_copys(&u.name, word(t, 2));
	str_catf(&u.dir, "%s/%s", str_c(&t->dir), word(t, 2));
	if (strcmp(verb, "set") == 0)
		st = vstore_lastauth_set(t->s, &d, &u, number(t, 3),
		    word(t, 4));
	else {
		st = vstore_lastauth_get(t->s, &d, &u, &when, &ip);
		if (st == VSTORE_OK)
			printf("%" PRId64 " %s\n", when, str_c(&ip));
	}
	vuser_free(&u);
	str_free(&ip);
	return st;
}

static enum vstore_status
alias(struct tool *t, const char *verb)
{
	struct vdomain_ref d = domain(t, 1);
	int ended = 0;

	if (strcmp(verb, "add") == 0)
		return vstore_alias_add(t->s, &d, word(t, 2), word(t, 3));
	if (strcmp(verb, "del") == 0)
		return vstore_alias_del(t->s, &d, word(t, 2),
		    t->n > 3 ? word(t, 3) : NULL);
	if (strcmp(verb, "keeps") == 0) {
		bool keeps;
		enum vstore_status st = vstore_alias_keeps(t->s, &d,
		    word(t, 2), &keeps);

		printf("%d\n", keeps);
		return st;
	}
	return vstore_alias_each(t->s, &d, t->n > 2 ? word(t, 2) : NULL,
	    each_pair, t, &ended);
}

static enum vstore_status
ipmap(struct tool *t, const char *verb)
{
	struct str name = {0};
	enum vstore_status st;
	int ended = 0;

	if (strcmp(verb, "set") == 0)
		return vstore_ipmap_set(t->s, word(t, 1),
		    t->n > 2 ? word(t, 2) : NULL);
	if (strcmp(verb, "each") == 0)
		return vstore_ipmap_each(t->s, each_pair, t, &ended);
	st = vstore_ipmap_get(t->s, word(t, 1), &name);
	if (st == VSTORE_OK)
		puts(str_c(&name));
	str_free(&name);
	return st;
}

static enum vstore_status
domains(struct tool *t, const char *verb)
{
	struct vdomain_ref d = domain(t, 1);

	return strcmp(verb, "add") == 0 ? vstore_domain_add(t->s, &d) :
	    vstore_domain_del(t->s, &d);
}

static enum vstore_status
run(struct tool *t, const char *name)
{
	const char *verb = strchr(name, '-');

	verb = verb == NULL ? "" : verb + 1;
	if (strncmp(name, "user-add", 8) == 0 ||
	    strncmp(name, "user-set", 8) == 0)
		return change_user(t, *verb == 'a');
	if (strncmp(name, "user-del", 8) == 0) {
		struct vdomain_ref d = domain(t, 1);

		return vstore_user_del(t->s, &d, word(t, 2));
	}
	if (strncmp(name, "user-", 5) == 0)
		return users(t, verb);
	if (strcmp(name, "load") == 0)
		return load(t);
	if (strncmp(name, "limits-", 7) == 0)
		return limits(t, verb);
	if (strncmp(name, "dirctl-", 7) == 0)
		return dirctl(t, verb);
	if (strncmp(name, "lastauth-", 9) == 0)
		return lastauth(t, verb);
	if (strncmp(name, "alias-", 6) == 0)
		return alias(t, verb);
	if (strncmp(name, "ipmap-", 6) == 0)
		return ipmap(t, verb);
	if (strncmp(name, "domain-", 7) == 0)
		return domains(t, verb);
	if (strcmp(name, "width") == 0) {
		for (int w = 0; w <= VSTORE_W_CLEAR; w++)
			printf("%zd ", (ssize_t)vstore_width(t->s,
			    (enum vstore_width)w));
		puts("");
		return VSTORE_OK;
	}
	die(100, "what is %s", name);
}

/* Splits the line, in place. */
static void
split(struct tool *t, char *line)
{
	char *to = line;

	t->n = 0;
	t->word[t->n++] = line;
	for (char *p = line; *p != '\0' && *p != '\n'; p++) {
		if (*p == '\t') {
			*to++ = '\0';
			if (t->n < WORDS)
				t->word[t->n++] = to;
		} else if (*p == '\\' && p[1] != '\0') {
			p++;
			*to++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
		} else
			*to++ = *p;
	}
	*to = '\0';
}

int
main(int argc, char **argv)
{
	struct tool t = {0};
	char *line = NULL;
	size_t size = 0;

	log_init("storetool");
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 4)
		die_usage("storetool kind vpopmail domains");
	t.s = vstore_open(argv[1], argv[2]);
	t.domains = argv[3];
	while (getline(&line, &size, stdin) > 0) {
		split(&t, line);
		answer(&t, run(&t, word(&t, 0)));
	}
	free(line);
	str_free(&t.dir);
	vstore_close(t.s);
	return 0;
}
