/* vuserinfo - show accounts.
 * Runs as:  root or vpopmail; only root is shown hashes and passwords.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse or no such user, else 256 - number: vpop.h. */
#include "lib/log.h"
#include "mail/maildirsize.h"
#include "vpop/command.h"
#include "vpop/userinfo.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define USAGE "vuserinfo [-v] [-j] [-a] [-n] [-p] [-u] [-g] [-c] [-d] [-q] "  \
	"[-Q] [-C] [-l] {-D domain | address}"

struct show {
	struct vcommand c;
	struct vdomain d;
	struct userinfo info;
	struct str out;
	bool field[USERINFO_FIELDS], any, json;
};

static bool
wants(const struct show *s, enum userinfo_field f)
{
	return s->json || !s->any || s->field[f];
}

/* What the Maildir holds, as the domain's user. */
static void
take_usage(struct show *s, const struct vuser *u)
{
	struct userinfo *i = &s->info;
	struct maildirsize now;
	struct quota q;
	struct str maildir = {0};
	struct vfile_as as;

	i->limited = quota_parse(str_c(&u->quota), u->quota.len, &q) == 0 &&
	    quota_is_limited(&q);
	i->have_usage = true;
	i->percent = 0;
	i->bytes = i->count = 0;
	if (!i->limited || u->dir.len == 0)
		return;
	str_catf(&maildir, "%s/Maildir", str_c(&u->dir));
	if (vfile_as_begin(&as, s->d.uid, s->d.gid) < 0) {
		i->have_usage = false;
	} else {
		if (maildirsize_get(str_c(&maildir), &q, &now) == 0) {
			i->bytes = now.bytes;
			i->count = now.count;
			i->percent = quota_percent(&q, now.bytes, now.count);
		} else {
			i->have_usage = errno == ENOENT;
		}
		vfile_as_end(&as);
	}
	if (!i->have_usage)
		log_sys("unable to count %s", str_c(&maildir));
	str_free(&maildir);
}

static void
take_last(struct show *s, const struct vdomain_ref *d, const struct vuser *u)
{
	struct userinfo *i = &s->info;
	enum vstore_status st = vstore_lastauth_get(s->c.store, d, u,
	    &i->last, &i->last_ip);

	i->have_last = st == VSTORE_OK;
	if (st == VSTORE_TEMP)
		log_warn("%s: %s", str_c(&u->name),
		    vstore_reason_peek(s->c.store));
}

static int
show(void *arg, const struct vuser *u)
{
	struct show *s = arg;
	struct vdomain_ref d = vdomain_ref_peek(&s->d);

	s->info.user = u;
	if (wants(s, USERINFO_USAGE))
		take_usage(s, u);
	if (wants(s, USERINFO_LAST))
		take_last(s, &d, u);
	if (s->json)
		userinfo_cat_json(&s->out, &s->info);
	else if (!s->any)
		userinfo_cat_all(&s->out, &s->info);
	for (unsigned f = 0; !s->json && s->any && f < USERINFO_FIELDS; f++)
		if (s->field[f])
			userinfo_cat_field(&s->out, &s->info,
			    (enum userinfo_field)f);
	vcommand_spill(&s->out);
	return 0;
}

static void
take_limits(struct show *s)
{
	struct vdomain_ref d = vdomain_ref_peek(&s->d);

	if (vstore_limits_get(s->c.store, &d, &s->info.limits) == VSTORE_TEMP)
		vcommand_fail_store(&s->c, VSTORE_TEMP, VPOP_LIMITS,
		    VPOP_LIMITS, d.name);
}

static void
show_domain(struct show *s, const char *name)
{
	struct vdomain_ref d;
	enum vstore_status st;
	int ended;

	vcommand_domain(name, &s->d);
	s->info.domain = str_c(&s->d.name);
	d = vdomain_ref_peek(&s->d);
	take_limits(s);
	st = vstore_user_each(s->c.store, &d, show, s, &ended);
	vcommand_print(&s->out);
	if (st != VSTORE_OK)
		vcommand_fail_store(&s->c, st, VPOP_NO_DOMAIN,
		    VPOP_NO_DOMAIN, name);
}

static void
show_user(struct show *s, const char *addr)
{
	struct str name = {0};
	struct vdomain_ref d;
	struct vuser u = {0};
	enum vstore_status st;

	vcommand_address(&s->c, addr, &name, &s->d);
	s->info.domain = str_c(&s->d.name);
	d = vdomain_ref_peek(&s->d);
	st = vstore_user_get(s->c.store, &d, str_c(&name), &u);
	if (st == VSTORE_NONE) {
		str_cats(&s->out, "no such user ");
		vcommand_cat_line(&s->out, addr);
		str_catc(&s->out, '\n');
		vcommand_print(&s->out);
		_exit(255);
	}
	if (st != VSTORE_OK)
		vcommand_fail_store(&s->c, st, VPOP_NO_USER, VPOP_NO_USER,
		    addr);
	take_limits(s);
	(void)show(s, &u);
	vcommand_print(&s->out);
	vuser_free(&u);
	str_free(&name);
}

int
main(int argc, char **argv)
{
	struct show s = {0};
	const char *domain = NULL;
	bool all = false;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "vjaD:" USERINFO_LETTERS)) != -1) {
		const char *letter = strchr(USERINFO_LETTERS, c);

		if (c == 'v')
			vcommand_version();
		else if (c == 'j')
			s.json = true;
		else if (c == 'a')
			all = true;
		else if (c == 'D')
			domain = optarg;
		else if (letter != NULL)
			s.field[letter - USERINFO_LETTERS] = s.any = true;
		else
			vcommand_usage(USAGE);
	}
	s.any = s.any && !all;
	if (argc - optind != (domain == NULL))
		vcommand_usage(USAGE);
	vcommand_begin(&s.c, "vuserinfo");
	s.info.secrets = getuid() == 0;
	s.info.apop_base = vsetting_is(&s.c.settings, VSETTING_STORE, "cdb");
	if (domain != NULL)
		show_domain(&s, domain);
	else
		show_user(&s, argv[optind]);
	str_free(&s.out);
	str_free(&s.info.last_ip);
	vdomain_free(&s.d);
	vcommand_end(&s.c);
	return 0;
}
