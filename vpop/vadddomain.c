/* vadddomain - add a virtual domain and its postmaster.
 * Runs as:  root; what touches the new tree as its owner.
 * Trusts:   settings, users/, control/, the store.  Not: its arguments.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/manage.h"

#include "lib/user.h"
#include "vpop/password.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define USAGE "vadddomain [-v] [-q quota] [-b] [-e address] [-u user] "       \
	"[-d dir] [-i uid] [-g gid] [-O] [-r[len]] [--unknown=action] "       \
	"domain [postmaster-password]"
#define RANDOM_LEN 8
#define RANDOM_MAX 128

enum { UNKNOWN = 256 };

struct args {
	const char *user, *dir, *quota, *everything, *action;
	uint64_t uid, gid, random;      /* UINT64_MAX: not given */
	bool version, bulk;
};

static uint64_t
number(const char *s, uint64_t max)
{
	uint64_t v = 0;

	if (*s == '\0' || scan_u64(s, &v) != strlen(s) || v > max)
		vcommand_usage(USAGE);
	return v;
}

static void
parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{"unknown", required_argument, NULL, UNKNOWN}, {0}};
	int c;

	*a = (struct args){.uid = UINT64_MAX, .gid = UINT64_MAX,
	    .random = UINT64_MAX};
	while ((c = getopt_long(argc, argv, "+vq:be:u:d:i:g:Or::", options,
	    NULL)) != -1) {
		switch (c) {
		case 'v': a->version = true; break;
		case 'q': a->quota = optarg; break;
		case 'b': a->everything = a->action = NULL; break;
		case 'e': a->everything = optarg; break;
		case UNKNOWN: a->action = optarg; break;
		case 'u': a->user = optarg; break;
		case 'd': a->dir = optarg; break;
		case 'i': a->uid = number(optarg, UINT32_MAX - 1); break;
		case 'g': a->gid = number(optarg, UINT32_MAX - 1); break;
		case 'O': a->bulk = true; break;
		case 'r':
			a->random = optarg == NULL ? RANDOM_LEN :
			    number(optarg, RANDOM_MAX);
			break;
		default:
			vcommand_usage(USAGE);
		}
	}
}

/* Whose it is, and below which directory. */
static void
set_owner(struct vcommand *c, const struct args *a, struct user *u,
    struct vmanage_domain *m)
{
	m->uid = c->uid;
	m->gid = c->gid;
	if (a->user != NULL) {
		switch (user_find(a->user, u)) {
		case USER_OK:
			break;
		case USER_NONE:
			vcommand_fail(VPOP_NO_USER, "%s", a->user);
		case USER_TEMP:
			vcommand_fail(VPOP_NO_USER, "%s: %s", a->user,
			    strerror(errno));
		}
		m->uid = u->uid;
		m->gid = u->gid;
		m->base = str_c(&u->home);
	}
	if (a->uid != UINT64_MAX)
		m->uid = (uid_t)a->uid;
	if (a->gid != UINT64_MAX)
		m->gid = (gid_t)a->gid;
	if (a->dir != NULL)
		m->base = a->dir;
	if (m->uid == 0)
		vcommand_fail(VPOP_BAD_UID, "root cannot own a domain: mail "
		    "is delivered as its owner");
	if (m->base != NULL && m->base[0] != '/')
		vcommand_fail(VPOP_BAD_DDIR, "%s: it does not begin with a "
		    "slash", m->base);
}

/* An address is forwarded to; a name is an account of the domain. */
static void
set_unknown(const struct args *a, struct str *user, struct vmanage_domain *m)
{
	struct str domain = {0};
	enum vpop_error e;

	m->action = a->action;
	if (a->everything == NULL)
		return;
	if (strchr(a->everything, '@') != NULL) {
		if ((e = vpop_split(a->everything, user, &domain)) != VPOP_OK)
			vcommand_fail(VPOP_BAD_EMAIL, "%s", a->everything);
		m->action = a->everything;
	} else {
		str_copys(user, a->everything);
		if ((e = vpop_user_name(user, true)) != VPOP_OK)
			vcommand_fail(e, "%s", a->everything);
		m->catchall = str_c(user);
	}
	str_free(&domain);
}

static void
check_new(struct vcommand *c, const char *arg, struct str *name)
{
	struct vdomain d = {0};
	struct str why = {0};
	enum vpop_error e;

	str_copys(name, arg);
	if ((e = vpop_domain_name(name)) != VPOP_OK)
		vcommand_fail(e, "%s", arg);
	if (strchr(str_c(name), '.') == NULL)
		vcommand_fail(VPOP_BAD_DOMAIN, "%s: it has no dot", arg);
	switch (vdomain_find(str_c(name), &d)) {
	case VDOMAIN_OK:
		if ((e = vmanage_domain_finish(c, &d, &why)) != VPOP_OK)
			vcommand_fail(e, "%s", str_c(&why));
		vcommand_fail(VPOP_DOMAIN_EXISTS, "%s", str_c(name));
	case VDOMAIN_NONE:
		break;
	case VDOMAIN_TEMP:
		vcommand_fail(VPOP_ASSIGN, "%s: %s", str_c(name),
		    strerror(errno));
	}
}

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct args a;
	struct user u = {0};
	struct vmanage_domain m = {0};
	struct vmanage_user pm = {.name = "postmaster",
	    .gecos = "Postmaster"};
	struct vdomain d = {0};
	struct str name = {0}, user = {0}, quota = {0}, password = {0};
	struct str hash = {0}, clear = {0}, text = {0}, why = {0};
	enum vpop_error e;

	parse(&a, argc, argv);
	if (a.version)
		vcommand_version();
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > 2)
		vcommand_usage(USAGE);
	if (argc == 2)
		vcommand_take_password(argv[1], &password);
	vcommand_begin(&c, "vadddomain");
	check_new(&c, argv[0], &name);
	m.name = str_c(&name);
	m.postmaster = &pm;
	set_owner(&c, &a, &u, &m);
	set_unknown(&a, &user, &m);
	if (a.quota != NULL) {
		vcommand_quota(&c, a.quota, &quota);
		pm.quota = str_c(&quota);
	}
	if (a.random != UINT64_MAX)
		vcommand_random_password(a.random, &password);
	else if (argc < 2)
		vcommand_ask_password("postmaster", &password);
	vcommand_hash(&c, str_c(&password), &hash, &clear);
	pm.hash = str_c(&hash);
	pm.clear = str_c(&clear);
	vmanage_quiet(a.bulk);
	if ((e = vmanage_domain_add(&c, &m, &d, &why)) != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	if (a.random != UINT64_MAX) {
		str_catf(&text, "Random password: %s\n", str_c(&password));
		vcommand_print(&text);
	}
	password_wipe(&password);
	password_wipe(&clear);
	password_wipe(&text);
	vdomain_free(&d);
	user_free(&u);
	str_free(&name);
	str_free(&user);
	str_free(&quota);
	str_free(&hash);
	str_free(&why);
	vcommand_end(&c);
	return 0;
}
