/* vpop/command.c - the frame of the v* commands; see command.h.
 *
 * Called by their mains only: it prints and leaves the process.  What stands
 * in the arguments is an administrator's or, through a web page, anybody's;
 * settings and the system's accounts are trusted. */
#include "vpop/command.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "lib/user.h"
#include "mail/show.h"
#include "vpop/password.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_MISUSE 255         /* 256 - 1, as vpopmail's */
#define EXIT_TEMP 111
#define WHAT_MAX 1024           /* bytes of an error after its text */
#define SPILL 65536             /* bytes that a listing gathers */
/* Without 0 O 1 l I, which look alike. */
#define RANDOM_LETTERS "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"                     \
	"abcdefghijkmnopqrstuvwxyz"

/* Leaving */

void
vcommand_print(const struct str *s)
{
	if (fd_write_all(1, str_c(s), s->len) < 0)
		die_sys(EXIT_TEMP, "unable to write the output");
}

void
vcommand_spill(struct str *s)
{
	if (s->len < SPILL)
		return;
	vcommand_print(s);
	str_clear(s);
}

/* One line whatever is in it. */
static void
cat_line(struct str *out, const char *s, size_t n)
{
	size_t from = out->len;

	show_cat_text(out, s, n);
	for (size_t i = from; i < out->len; i++)
		if (out->s[i] == '\n')
			out->s[i] = '_';
}

_Noreturn static void
leave(const char *text, const char *what, int code)
{
	struct str out = {0};

	str_catf(&out, "Error: %s", text);
	if (what[0] != '\0') {
		str_cats(&out, ": ");
		cat_line(&out, what, strlen(what));
	}
	str_catc(&out, '\n');
	vcommand_print(&out);
	exit(code);
}

_Noreturn void
vcommand_fail(enum vpop_error e, const char *fmt, ...)
{
	char what[WHAT_MAX] = "";
	va_list ap;

	if (fmt != NULL) {
		int n;

		va_start(ap, fmt);
		n = vsnprintf(what, sizeof what, fmt, ap);
		va_end(ap);
		if (n >= (int)sizeof what)
			memcpy(what + sizeof what - 4, "...", 4);
	}
	leave(vpop_error_text(e), what, (256 + (int)e) & 255);
}

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

_Noreturn void
vcommand_usage(const char *usage)
{
	struct str out = {0};

	str_catf(&out, "usage: %s\n", usage);
	vcommand_print(&out);
	exit(EXIT_MISUSE);
}

void
vcommand_version(void)
{
	struct str out = {0};

	str_cats(&out, "version: " VPOP_VERSION "\n");
	vcommand_print(&out);
	str_free(&out);
}

/* Beginning and ending */

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

/* Names */

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

/* Asking */

static const int enders[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, 0};

/* A terminal whose echo is off, and what ends a program while it is. */
struct quiet {
	bool on;
	struct termios old;
	sigset_t mask;
	int sigs;
};

static void
quiet_begin(struct quiet *q)
{
	struct termios t;

	*q = (struct quiet){.sigs = -1};
	if (tcgetattr(0, &q->old) < 0)
		return;
	(void)sigprocmask(SIG_BLOCK, NULL, &q->mask);
	q->sigs = sig_open(enders);
	t = q->old;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(0, TCSAFLUSH, &t) < 0)
		die_sys(EXIT_TEMP, "unable to stop the terminal's echo");
	q->on = true;
}

static void
quiet_end(struct quiet *q)
{
	if (q->on)
		(void)tcsetattr(0, TCSANOW, &q->old);
	if (q->sigs >= 0) {
		fd_close(q->sigs);
		(void)sigprocmask(SIG_SETMASK, &q->mask, NULL);
	}
	*q = (struct quiet){.sigs = -1};
}

/* One byte of descriptor 0, which other programs may read on: 1, 0 at its end,
 * -1 with errno.  A signal ends the program as it would have, the terminal
 * being as it was. */
static ssize_t
get_byte(struct quiet *q, char *byte)
{
	struct pollfd p[2] = {{.fd = 0, .events = POLLIN},
	    {.fd = q->sigs, .events = POLLIN}};
	ssize_t n;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (q->sigs >= 0 && (p[1].revents & POLLIN)) {
			int sig = sig_next(q->sigs);

			quiet_end(q);
			if (sig > 0 && sig != SIGTSTP)
				(void)raise(sig);
			exit(EXIT_MISUSE);
		}
		n = read(0, byte, 1);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
	}
}

void
vcommand_ask_line(const char *prompt, bool echo, struct str *out)
{
	struct quiet q = {.sigs = -1};
	struct str text = {0};
	bool long_line = false, has_nul = false;
	ssize_t n;
	char c;

	str_cats(&text, prompt);
	vcommand_print(&text);
	if (!echo)
		quiet_begin(&q);
	password_wipe(out);
	/* so that growing leaves no copies behind */
	str_reserve(out, VPOP_PASSWORD_MAX + 1);
	while ((n = get_byte(&q, &c)) > 0 && c != '\n') {
		has_nul = has_nul || c == '\0';
		if (out->len < VPOP_PASSWORD_MAX)
			str_catc(out, c);
		else
			long_line = true;
	}
	str_copys(&text, "\n");
	if (q.on)
		vcommand_print(&text);
	quiet_end(&q);
	str_free(&text);
	if (n < 0)
		die_sys(EXIT_TEMP, "unable to read");
	if (n == 0 && out->len == 0)
		leave("nothing was entered", "", EXIT_MISUSE);
	if (long_line)
		vcommand_fail(VPOP_PASSWD_LONG, NULL);
	if (has_nul)
		vcommand_fail(VPOP_BAD_CHAR, "a NUL byte");
}

void
vcommand_ask_password(const char *who, struct str *out)
{
	struct str prompt = {0}, again = {0};

	str_cats(&prompt, "Please enter password for ");
	cat_line(&prompt, who, strlen(who));
	str_cats(&prompt, ": ");
	for (;;) {
		bool same;

		vcommand_ask_line(str_c(&prompt), false, out);
		vcommand_ask_line("enter password again: ", false, &again);
		same = out->len == again.len &&
		    memcmp(str_c(out), str_c(&again), out->len) == 0;
		password_wipe(&again);
		if (same)
			break;
		str_copys(&again,
		    "The passwords are not the same, try again.\n");
		vcommand_print(&again);
	}
	str_free(&again);
	str_free(&prompt);
}

void
vcommand_take_password(char *arg, struct str *out)
{
	size_t n = strlen(arg);

	password_wipe(out);
	str_copyb(out, arg, n);
	memset(arg, 'x', n);
}

/* Making */

void
vcommand_random_password(size_t n, struct str *out)
{
	const size_t letters = sizeof RANDOM_LETTERS - 1;

	password_wipe(out);
	str_reserve(out, n + 1);
	while (out->len < n) {
		unsigned char b;
		ssize_t r = getrandom(&b, 1, 0);

		if (r < 0 && errno != EINTR)
			die_sys(EXIT_TEMP, "unable to get random numbers");
		/* all letters as likely as any */
		if (r == 1 && b < 256 / letters * letters)
			str_catc(out, RANDOM_LETTERS[b % letters]);
	}
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
