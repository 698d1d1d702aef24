/* vpop/command.c - how v* commands begin and end, and what they do with the
 * store; see command.h.
 *
 * Called by their mains only: it leaves the process.  What stands in the
 * arguments is an administrator's or, through a web page, anybody's; settings
 * and the system's accounts are trusted. */
#include "vpop/command.h"

#include "lib/log.h"
#include "lib/sig.h"
#include "lib/user.h"
#include "mail/quota.h"
#include "vpop/password.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn void
vcommand_fail_store(struct vcommand *c, enum vstore_status st,
    enum vpop_error none, enum vpop_error exists, const char *what)
{
	const char *why = vstore_reason_peek(c->store);

	switch (st) {
	case VSTORE_OK:
		abort();
	case VSTORE_NONE:
		vcommand_fail(none, "%s", what);
	case VSTORE_EXISTS:
		vcommand_fail(exists, "%s", what);
	case VSTORE_WIDE:
		vcommand_fail(VPOP_CANNOT_UPDATE, "%s: %s", what, why);
	case VSTORE_TEMP:
		break;
	}
	vcommand_fail(vsetting_is(&c->settings, VSETTING_STORE, "cdb") ?
	    VPOP_FILE : VPOP_NO_AUTH_CONNECTION, "%s: %s", what, why);
}

static void
begin(struct vcommand *c, const char *prog, bool anybody)
{
	struct user u = {0};
	struct stat st;
	struct str why = {0};

	*c = (struct vcommand){0};
	log_init(prog);
	sig_ignore(SIGPIPE);
	(void)umask(077);
	switch (user_find(VPOP_USER, &u)) {
	case USER_OK:
		break;
	case USER_NONE:
		vcommand_fail(VPOP_BAD_VDIR,
		    "the system has no user " VPOP_USER);
	case USER_TEMP:
		vcommand_fail(VPOP_BAD_VDIR, "unable to look up user "
		    VPOP_USER ": %s", strerror(errno));
	}
	c->uid = u.uid;
	c->gid = u.gid;
	str_copy(&c->home, &u.home);
	while (c->home.len > 1 && c->home.s[c->home.len - 1] == '/')
		str_trunc(&c->home, c->home.len - 1);
	user_free(&u);
	if (!anybody && geteuid() != 0 && geteuid() != c->uid)
		vcommand_fail(VPOP_BAD_UID,
		    "only root and " VPOP_USER " may do this");
	if (stat(str_c(&c->home), &st) < 0 || !S_ISDIR(st.st_mode))
		vcommand_fail(VPOP_BAD_VDIR, "%s: %s", str_c(&c->home),
		    strerror(errno != 0 ? errno : ENOTDIR));
	if (vsettings_load(str_c(&c->home), &c->settings, &why) < 0)
		vcommand_fail(VPOP_CONFIG, "%s", str_c(&why));
	c->store = vstore_open(vsetting_peek(&c->settings, VSETTING_STORE),
	    str_c(&c->home));
}

void
vcommand_begin(struct vcommand *c, const char *prog)
{
	begin(c, prog, false);
}

void
vcommand_begin_any(struct vcommand *c, const char *prog)
{
	begin(c, prog, true);
}

void
vcommand_end(struct vcommand *c)
{
	vstore_close(c->store);
	vsettings_free(&c->settings);
	str_free(&c->home);
	*c = (struct vcommand){0};
}

void
vcommand_domain(const char *name, struct vdomain *out)
{
	struct str lower = {0};
	enum vpop_error e;

	str_copys(&lower, name);
	if ((e = vpop_domain_name(&lower)) != VPOP_OK)
		vcommand_fail(e, "%s", name);
	switch (vdomain_find(str_c(&lower), out)) {
	case VDOMAIN_OK:
		break;
	case VDOMAIN_NONE:
		vcommand_fail(VPOP_NO_DOMAIN, "%s", str_c(&lower));
	case VDOMAIN_TEMP:
		vcommand_fail(VPOP_ASSIGN, "%s: %s", str_c(&lower),
		    strerror(errno));
	}
	str_free(&lower);
}

void
vcommand_address(struct vcommand *c, const char *addr, struct str *user_out,
    struct vdomain *out)
{
	struct str domain = {0};
	enum vpop_error e = vpop_split(addr, user_out, &domain);

	if (e != VPOP_OK)
		vcommand_fail(e, "%s", addr);
	if (domain.len == 0) {
		const char *env = getenv("VPOPMAIL_DOMAIN");

		str_copys(&domain, env != NULL && *env != '\0' ? env :
		    vsetting_peek(&c->settings, VSETTING_DEFAULTDOMAIN));
		if (domain.len == 0)
			vcommand_fail(VPOP_BAD_DOMAIN, "%s: an address has "
			    "a domain, or else etc/defaultdomain names one",
			    addr);
	}
	vcommand_domain(str_c(&domain), out);
	str_free(&domain);
}

void
vcommand_quota(struct vcommand *c, const char *arg, struct str *out)
{
	size_t n = strlen(arg), width = vstore_width(c->store, VSTORE_W_QUOTA);
	struct quota q;

	/* what is stored may begin with NO and go on as it likes; who types
	 * "none" or "nothing" is asked what he means */
	if (quota_parse(arg, n, &q) < 0 || (ascii_lower(arg[0]) == 'n' &&
	    !bytes_caseeq(arg, n, "NOQUOTA", 7)))
		vcommand_fail(VPOP_BAD_CHAR, "%s: a quota is NOQUOTA, or "
		    "bytes (5000, 10K, 10M) or messages (100C) or both "
		    "(10M,100C)", arg);
	str_clear(out);
	quota_cat(out, &q);
	if (out->len > width || out->len > VPOP_QUOTA_MAX)
		vcommand_fail(VPOP_QUOTA_LONG, "%s: the store keeps %zu "
		    "bytes", str_c(out), width);
}

/* Where the reason is one of the settings or of the store. */
_Noreturn static void
fail_hash(struct vcommand *c, size_t width)
{
	const char *scheme = vsetting_peek(&c->settings, VSETTING_HASHSCHEME);

	if (errno == ERANGE)
		vcommand_fail(VPOP_PASSWD_LONG, NULL);
	if (errno == E2BIG)
		vcommand_fail(VPOP_CRYPT, "no hash of scheme \"%s\" fits the "
		    "store, which keeps %zu bytes; see vschema(8)", scheme,
		    width);
	vcommand_fail(VPOP_CRYPT, "scheme \"%s\": %s", scheme,
	    strerror(errno));
}

void
vcommand_hash(struct vcommand *c, const char *password, struct str *hash_out,
    struct str *clear_out)
{
	uint64_t least =
	    c->settings.number[VSETTING_MINPASSWORDLENGTH];
	size_t n = strlen(password);
	size_t width = vstore_width(c->store, VSTORE_W_HASH);

	str_clear(hash_out);
	password_wipe(clear_out);
	if (n == 0 || n < least)
		vcommand_fail(VPOP_PASSWD_SHORT,
		    "it has at least %llu bytes",
		    (unsigned long long)(least > 0 ? least : 1));
	if (n > VPOP_PASSWORD_MAX)
		vcommand_fail(VPOP_PASSWD_LONG, NULL);
	if (strpbrk(password, "\n\r") != NULL)
		vcommand_fail(VPOP_BAD_CHAR, "a line end in the password");
	if (width > VPOP_HASH_MAX)
		width = VPOP_HASH_MAX;
	if (password_make(vsetting_peek(&c->settings, VSETTING_HASHSCHEME),
	    width, password, hash_out) < 0)
		fail_hash(c, width);
	if (!vsetting_on(&c->settings, VSETTING_CLEARPASSWORDS))
		return;
	width = vstore_width(c->store, VSTORE_W_CLEAR);
	if (n > width || n > VPOP_CLEAR_MAX)
		vcommand_fail(VPOP_CLEAR_LONG, "the store keeps %zu bytes",
		    width < VPOP_CLEAR_MAX ? width : (size_t)VPOP_CLEAR_MAX);
	str_copys(clear_out, password);
}
