/* vadduser - add an account to a virtual domain, or many from a file.
 * Runs as:  root or vpopmail; what touches the tree as the domain's owner.
 * Trusts:   settings, users/cdb, the store.  Not: arguments, the file.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/manage.h"

#include "lib/log.h"
#include "vpop/password.h"
#include "vpop/vload.h"

#include <getopt.h>
#include <string.h>

#define USAGE "vadduser [-v] [-q quota] [-c comment] [-e hash] [-n] "         \
	"[-r[len]] [-s] address [password]\n"                                 \
	"   or: vadduser [-v] [-q quota] [-E] -F file domain"
#define RANDOM_LEN 8
#define RANDOM_MAX 128

struct args {
	const char *quota, *comment, *file;
	struct str hash;
	uint64_t random;                /* UINT64_MAX: not given */
	bool version, no_password, hashed, have_hash;
};

static void
parse(struct args *a, int argc, char **argv)
{
	int c;

	*a = (struct args){.random = UINT64_MAX};
	while ((c = getopt(argc, argv, "+vq:c:e:nr::sF:E")) != -1) {
		switch (c) {
		case 'v': a->version = true; break;
		case 'q': a->quota = optarg; break;
		case 'c': a->comment = optarg; break;
		case 'e':
			vcommand_take_password(optarg, &a->hash);
			a->have_hash = true;
			break;
		case 'n': a->no_password = true; break;
		case 'r':
			a->random = RANDOM_LEN;
			if (optarg != NULL && (*optarg == '\0' ||
			    scan_u64(optarg, &a->random) != strlen(optarg) ||
			    a->random > RANDOM_MAX))
				vcommand_usage(USAGE);
			break;
		case 's':
			log_warn("-s does nothing any more");
			break;
		case 'F': a->file = optarg; break;
		case 'E': a->hashed = true; break;
		default:
			vcommand_usage(USAGE);
		}
	}
	if ((a->file == NULL && a->hashed) || (a->file != NULL &&
	    (a->comment != NULL || a->have_hash || a->no_password ||
	    a->random != UINT64_MAX)))
		vcommand_usage(USAGE);
}

/* Before anything is asked. */
static void
check_new(struct vcommand *c, const struct vdomain *d, struct str *user)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vuser u = {0};
	enum vpop_error e = vpop_user_name(user, true);
	enum vstore_status st;

	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(user));
	st = vstore_user_get(c->store, &ref, str_c(user), &u);
	vuser_free(&u);
	if (st != VSTORE_NONE)
		vcommand_fail_store(c, st == VSTORE_OK ? VSTORE_EXISTS : st,
		    VPOP_NO_USER, VPOP_USERNAME_EXISTS, str_c(user));
}

static void
get_password(struct vcommand *c, const struct args *a, const char *address,
    bool given, struct str *password, struct str *hash, struct str *clear)
{
	if (a->have_hash) {
		str_copy(hash, &a->hash);
		if (hash->len > vstore_width(c->store, VSTORE_W_HASH))
			vcommand_fail(VPOP_PASSWD_LONG,
			    "the store keeps %zu bytes of a hash",
			    vstore_width(c->store, VSTORE_W_HASH));
		return;
	}
	if (a->no_password)
		return;
	if (a->random != UINT64_MAX)
		vcommand_random_password(a->random, password);
	else if (!given)
		vcommand_ask_password(address, password);
	vcommand_hash(c, str_c(password), hash, clear);
}

static void
add_one(struct vcommand *c, const struct args *a, const char *address,
    const char *quota, struct str *password, bool given)
{
	struct vdomain d = {0};
	struct vmanage_user m = {.quota = quota};
	struct str user = {0}, hash = {0}, clear = {0}, why = {0}, out = {0};
	enum vpop_error e;

	vcommand_address(c, address, &user, &d);
	check_new(c, &d, &user);
	get_password(c, a, address, given, password, &hash, &clear);
	m.name = str_c(&user);
	m.hash = str_c(&hash);
	m.clear = str_c(&clear);
	m.gecos = a->comment != NULL ? a->comment : str_c(&user);
	if ((e = vmanage_user_add(c, &d, &m, &why)) != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	if (a->random != UINT64_MAX) {
		str_catf(&out, "Random password: %s\n", str_c(password));
		vcommand_print(&out);
	}
	password_wipe(&clear);
	password_wipe(&out);
	str_free(&user);
	str_free(&hash);
	str_free(&why);
	vdomain_free(&d);
}

/* The line that a failure is about stands before it. */
_Noreturn static void
fail_at(enum vpop_error e, const char *file, size_t line,
    const struct str *why)
{
	vcommand_fail(e, "%s: line %zu: %s", file, line, str_c(why));
}

static void
add_all(struct vcommand *c, const struct args *a, const struct vdomain *d,
    const struct vload *l, const char *quota)
{
	struct vmanage_bulk *b;
	struct vprogress p = {.what = "accounts", .all = l->n};
	struct str why = {0}, more = {0};
	bool clear = !a->hashed && vsetting_on(&c->settings,
	    VSETTING_CLEARPASSWORDS);
	enum vpop_error e = vmanage_bulk_begin(c, d, &b, &why);

	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	for (size_t i = 0; i < l->n; i++) {
		const struct vload_user *u = &l->user[i];
		struct vmanage_user m = {.name = u->name,
		    .hash = a->hashed ? u->password : str_c(&u->hash),
		    .clear = clear ? u->password : "", .gecos = u->gecos,
		    .quota = u->quota.len > 0 ? str_c(&u->quota) : quota};

		if ((e = vmanage_bulk_user(b, &m, &why)) != VPOP_OK) {
			if (vmanage_bulk_end(b, false, &more) != VPOP_OK)
				log_warn("%s", str_c(&more));
			fail_at(e, a->file, u->line, &why);
		}
		vprogress_step(&p, i + 1);
	}
	if ((e = vmanage_bulk_end(b, true, &why)) != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	vprogress_end(&p);
	str_free(&why);
	str_free(&more);
}

static void
load(struct vcommand *c, const struct args *a, const char *domain,
    const char *quota)
{
	struct vdomain d = {0};
	struct vload l;
	struct vprogress p = {.what = "passwords"};
	struct str why = {0};
	size_t width = vstore_width(c->store, VSTORE_W_HASH);
	enum vpop_error e;

	vcommand_domain(domain, &d);
	e = vload_read(&l, &c->settings, a->file, a->hashed, &why);
	if (e == VPOP_OK && !a->hashed && l.n > 0) {
		p.all = l.n;
		e = vload_hash(&l, vsetting_peek(&c->settings,
		    VSETTING_HASHSCHEME), width < VPOP_HASH_MAX ? width :
		    VPOP_HASH_MAX, &p, &why);
		if (e == VPOP_OK)
			vprogress_end(&p);
	}
	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	if (l.n > 0)
		add_all(c, a, &d, &l, quota);
	vload_free(&l);
	vdomain_free(&d);
	str_free(&why);
}

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct args a;
	struct str quota = {0}, password = {0};
	const char *q;

	log_init("vadduser");
	parse(&a, argc, argv);
	if (a.version)
		vcommand_version();
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > (a.file != NULL ? 1 : 2))
		vcommand_usage(USAGE);
	if (argc == 2)
		vcommand_take_password(argv[1], &password);
	vcommand_begin(&c, "vadduser");
	if (a.quota != NULL)
		vcommand_quota(&c, a.quota, &quota);
	q = a.quota != NULL ? str_c(&quota) : NULL;
	if (a.file != NULL)
		load(&c, &a, argv[0], q);
	else
		add_one(&c, &a, argv[0], q, &password, argc == 2);
	password_wipe(&password);
	password_wipe(&a.hash);
	str_free(&quota);
	vcommand_end(&c);
	return 0;
}
