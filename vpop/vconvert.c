/* vconvert - move accounts from one store to the other, or from the system.
 * Runs as:  root or vpopmail; the system's passwords are root's only.
 * Trusts:   settings, users/cdb, both stores, the system's accounts, FILE.
 * Exits:    0; 255 misuse or a domain is not converted; else 256 - number:
 *           vpop.h. */
#include "lib/io.h"
#include "lib/log.h"
#include "mail/authproto.h"
#include "vpop/convert.h"
#include "vpop/convert_system.h"
#include "vpop/store_mysql_tools.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define USAGE "vconvert [-v] [-d] [-f] {-c -m | -m -c} [domain ...]\n"        \
	"       vconvert [-v] [-d] {-e | -p file} {-c | -m} domain"

struct run {
	struct vcommand c;
	struct vcommand target; /* c with the other store */
	struct convert conv;
	const char *from, *to;  /* "cdb", "mysql", "system", "file" */
	struct vprogress progress;
	struct str out;
	bool debug, force;
	uint64_t left;          /* domains that are not converted */
};

static const char *
kind_of(int letter)
{
	return letter == 'c' ? "cdb" : letter == 'm' ? "mysql" : "system";
}

static void
step(void *arg, const char *user)
{
	struct run *r = arg;

	if (r->debug) {
		vcommand_cat_line(&r->out, user);
		str_catc(&r->out, '\n');
		vcommand_spill(&r->out);
	}
	vprogress_step(&r->progress, r->progress.done + 1);
}

static void
note(void *arg, const char *text)
{
	struct run *r = arg;

	vcommand_cat_line(&r->out, text);
	str_catc(&r->out, '\n');
}

static void
open_store(struct run *r, const char *kind, struct vstore **s, bool *files)
{
	enum vstore_status st;

	*s = vstore_open(kind, str_c(&r->c.home));
	st = vmysql_has_aliases(*s);
	if (st != VSTORE_OK && st != VSTORE_NONE)
		vcommand_fail(VPOP_NO_AUTH_CONNECTION, "%s",
		    vstore_reason_peek(*s));
	*files = st == VSTORE_NONE;
}

static int
count(void *arg, const struct vdomain *d)
{
	struct run *r = arg;
	struct vdomain_ref ref = vdomain_ref_peek(d);
	uint64_t n;

	if (!vdomain_is_alias(d) &&
	    vstore_user_count(r->conv.from, &ref, &n) == VSTORE_OK)
		r->progress.all += n;
	return 0;
}

static int
convert(void *arg, const struct vdomain *d)
{
	struct run *r = arg;
	struct convert_count n;
	struct str why = {0};

	if (vdomain_is_alias(d))
		return 0;
	str_catf(&r->out, "%s: ", str_c(&d->name));
	switch (convert_domain(&r->conv, d, &n, &why)) {
	case CONVERT_OK:
		str_catf(&r->out, "%llu accounts, %llu changed, %llu "
		    "aliases\n", (unsigned long long)n.users,
		    (unsigned long long)n.changed,
		    (unsigned long long)n.aliases);
		if (n.changed > 0 &&
		    vsetting_is(&r->c.settings, VSETTING_STORE, r->to))
			auth_changed(AUTHPROTO_SOCKET, str_c(&d->name), NULL);
		break;
	case CONVERT_DIFFERS:
		r->left++;
		str_cats(&r->out, "not converted: ");
		vcommand_cat_line(&r->out, str_c(&why));
		str_cats(&r->out, " (-f makes it what the source is)\n");
		break;
	case CONVERT_FAILED:
		r->left++;
		str_cats(&r->out, "not converted: ");
		vcommand_cat_line(&r->out, str_c(&why));
		str_catc(&r->out, '\n');
		/* which forgets what was not ended */
		vstore_close(r->conv.to);
		open_store(r, r->to, &r->conv.to, &r->conv.to_files);
		break;
	}
	vcommand_print(&r->out);
	str_clear(&r->out);
	str_free(&why);
	return 0;
}

/* What belongs to no domain. */

static int
put_ip(void *arg, const char *ip, const char *domain)
{
	struct run *r = arg;

	return vstore_ipmap_set(r->conv.to, ip, domain) == VSTORE_OK ? 0 : 1;
}

static void
convert_common(struct run *r)
{
	struct vdirctl c = {0};
	struct str dir = {0}, key = {0};
	enum vstore_status st;
	int ended;

	if (vstore_ipmap_each(r->conv.from, put_ip, r, &ended) != VSTORE_OK)
		vcommand_fail(VPOP_FILE, "addresses of domains: %s",
		    vstore_reason_peek(r->conv.from));
	if (ended != 0)
		vcommand_fail(VPOP_CANNOT_UPDATE, "addresses of domains: %s",
		    vstore_reason_peek(r->conv.to));
	str_catf(&dir, "%s/domains", str_c(&r->c.home));
	str_catf(&key, "dom_%lu", (unsigned long)r->c.uid);
	st = vstore_dirctl_get(r->conv.from, str_c(&key), str_c(&dir), &c);
	if (st == VSTORE_TEMP)
		vcommand_fail(VPOP_FILE, "counter of domains: %s",
		    vstore_reason_peek(r->conv.from));
	if (st == VSTORE_OK && vstore_dirctl_set(r->conv.to, str_c(&key),
	    str_c(&dir), &c) != VSTORE_OK)
		vcommand_fail(VPOP_CANNOT_UPDATE, "counter of domains: %s",
		    vstore_reason_peek(r->conv.to));
	str_free(&c.dir);
	str_free(&dir);
	str_free(&key);
}

static void
each_domain(int argc, char **argv, vdomain_fn *fn, struct run *r)
{
	struct vdomain d = {0};
	int ended;

	if (optind == argc && vdomain_each(fn, r, &ended) != VDOMAIN_OK)
		vcommand_fail(VPOP_ASSIGN, "%s", strerror(errno));
	for (int i = optind; i < argc; i++) {
		vcommand_domain(argv[i], &d);
		if (vdomain_is_alias(&d))
			vcommand_fail(VPOP_BAD_DOMAIN, "%s: it is an alias "
			    "of %s", str_c(&d.name), str_c(&d.real));
		(void)fn(r, &d);
	}
	vdomain_free(&d);
}

static void
between_stores(struct run *r, int argc, char **argv)
{
	open_store(r, r->from, &r->conv.from, &r->conv.from_files);
	open_store(r, r->to, &r->conv.to, &r->conv.to_files);
	r->conv.force = r->force;
	r->conv.step = step;
	r->conv.note = note;
	r->conv.arg = r;
	each_domain(argc, argv, count, r);
	each_domain(argc, argv, convert, r);
	if (optind == argc && r->left == 0)
		convert_common(r);
	vprogress_end(&r->progress);
	if (!vsetting_is(&r->c.settings, VSETTING_STORE, r->to))
		str_catf(&r->out, "%s/etc/store still says %s\n",
		    str_c(&r->c.home), vsetting_peek(&r->c.settings,
		    VSETTING_STORE));
	vstore_close(r->conv.from);
	vstore_close(r->conv.to);
}

/* -- from the system or a file -- */

static void
from_outside(struct run *r, const char *file, const char *domain)
{
	struct convert_system s = {.c = &r->target, .step = step, .note = note,
	    .arg = r};
	struct vdomain d = {0};
	struct str why = {0};
	enum vpop_error e;
	bool files;

	vcommand_domain(domain, &d);
	if (vdomain_is_alias(&d))
		vcommand_fail(VPOP_BAD_DOMAIN, "%s: it is an alias of %s",
		    str_c(&d.name), str_c(&d.real));
	if (file == NULL && geteuid() != 0)
		vcommand_fail(VPOP_BAD_UID,
		    "only root may read the system's passwords");
	r->target = r->c;
	open_store(r, r->to, &r->target.store, &files);
	e = file != NULL ? convert_file(&s, &d, file, &why) :
	    convert_passwd(&s, &d, &why);
	if (e != VPOP_OK)
		vcommand_fail(e, "%s; nothing is converted", str_c(&why));
	vprogress_end(&r->progress);
	str_catf(&r->out, "%s: %llu accounts\n", str_c(&d.name),
	    (unsigned long long)s.n);
	vstore_close(r->target.store);
	vdomain_free(&d);
	str_free(&why);
}

int
main(int argc, char **argv)
{
	struct run r = {.progress = {.what = "accounts"}};
	const char *file = NULL;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "vdfecmSp:")) != -1)
		switch (c) {
		case 'v': vcommand_version(); break;
		case 'd': r.debug = true; break;
		case 'f': r.force = true; break;
		case 'S': log_init("vconvert");
			log_warn("-S: nothing keeps passwords of sqwebmail");
			break;
		case 'p': file = optarg; r.from = "file"; break;
		case 'e':
		case 'c':
		case 'm':
			if (r.from == NULL)
				r.from = kind_of(c);
			else if (r.to == NULL)
				r.to = kind_of(c);
			else
				vcommand_usage(USAGE);
			break;
		default: vcommand_usage(USAGE);
		}
	if (r.from == NULL || r.to == NULL || strcmp(r.from, r.to) == 0 ||
	    strcmp(r.to, "system") == 0 || strcmp(r.to, "file") == 0)
		vcommand_usage(USAGE);
	vcommand_begin(&r.c, "vconvert");
	if (strcmp(r.from, "system") != 0 && strcmp(r.from, "file") != 0)
		between_stores(&r, argc, argv);
	else if (argc - optind == 1)
		from_outside(&r, file, argv[optind]);
	else
		vcommand_usage(USAGE);
	vcommand_print(&r.out);
	str_free(&r.out);
	vcommand_end(&r.c);
	return r.left > 0 ? 255 : 0;
}
