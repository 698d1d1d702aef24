/* smtpd/config.c - see config.h.  Control files and environment are the
 * administrator's; what TCPREMOTEHOST and TCPREMOTEINFO hold is not. */
#include "smtpd/config.h"

#include "lib/log.h"
#include "lib/tlsreq.h"
#include "mail/qpath.h"
#include "mail/verify.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A word that switches something on: set, and neither empty nor 0. */
static bool
flag(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' && strcmp(v, "0") != 0;
}

static void
env_copy(struct str *out, const char *name)
{
	const char *v = getenv(name);

	str_copys(out, v != NULL ? v : "");
}

static bool
in_path(const char *name)
{
	const char *path = getenv("PATH");
	struct str file = {0};
	bool found = false;

	if (path == NULL)
		path = "/bin:/usr/bin";
	while (!found) {
		size_t n = strcspn(path, ":");

		str_copyb(&file, path, n);
		str_cats(&file, n > 0 ? "/" : "./");
		str_cats(&file, name);
		found = access(str_c(&file), X_OK) == 0;
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	str_free(&file);
	return found;
}

/* A program that says yes to everybody: what was meant as the last argument
 * has become the first. */
static bool
says_yes(const char *program)
{
	const char *slash = strrchr(program, '/');

	if (slash != NULL)
		program = slash + 1;
	return strcmp(program, "true") == 0 || strcmp(program, ":") == 0 ||
	    strcmp(program, "echo") == 0 || strcmp(program, "cat") == 0;
}

const char *const *
smtpd_config_checkpw(const char *const *args, size_t n, const char **why)
{
	*why = NULL;
	if (n == 0)
		return NULL;
	if (n >= 3 && strchr(args[0], '/') == NULL && !in_path(args[0])) {
		args++;
		n--;
	}
	if (n < 2)
		*why = "a checkpassword program needs an argument to run";
	else if (says_yes(args[0]))
		*why = "that is no checkpassword program";
	return *why == NULL ? args : NULL;
}

static void
load_tls(struct smtpd_config *c)
{
	const char *v = getenv("UCSPITLS");
	uint64_t ctl, rfd, wfd;

	c->tls = SMTPD_TLS_OFFER;
	if (v != NULL && strcmp(v, "!") == 0)
		c->tls = SMTPD_TLS_MUST;
	else if (v != NULL && strcmp(v, "-") == 0)
		c->tls = SMTPD_TLS_NEVER;
	c->ssl_ctl = c->ssl_read = c->ssl_write = -1;
	c->inside_tls = getenv("SSL_PROTOCOL") != NULL;
	v = getenv("SSLCTLFD");
	if (v == NULL)
		return;
	if (scan_u64(v, &ctl) == 0 || getenv("SSLREADFD") == NULL ||
	    scan_u64(getenv("SSLREADFD"), &rfd) == 0 ||
	    getenv("SSLWRITEFD") == NULL ||
	    scan_u64(getenv("SSLWRITEFD"), &wfd) == 0 ||
	    ctl > INT_MAX || rfd > INT_MAX || wfd > INT_MAX) {
		log_warn("SSLCTLFD, SSLREADFD, SSLWRITEFD are not three "
		    "descriptors: no STARTTLS");
		c->tls = c->tls == SMTPD_TLS_MUST ? c->tls : SMTPD_TLS_NEVER;
		return;
	}
	c->ssl_ctl = (int)ctl;
	c->ssl_read = (int)rfd;
	c->ssl_write = (int)wfd;
}

static void
load_auth(struct smtpd_config *c, int argc, char **argv)
{
	const char *v = getenv("SMTPAUTH"), *why;

	if (v == NULL)
		v = "";
	c->auth_never = strcmp(v, "-") == 0;
	if (*v == '!') {
		c->auth_must = true;
		v++;
	}
	if (strcmp(v, "+cleartext") == 0)
		c->auth_clear = true;
	else if (*v != '\0' && !c->auth_never)
		log_warn("SMTPAUTH is not understood: %s", v);
	if (c->auth_never)
		return;
	c->checkpw = smtpd_config_checkpw((const char *const *)argv + 1,
	    argc > 0 ? (size_t)argc - 1 : 0, &why);
	if (why != NULL)
		log_warn("AUTH is not offered: %s", why);
	else if (c->checkpw == NULL && (c->auth_must || c->submission))
		log_warn("AUTH is required, but there is no checkpassword "
		    "program among the arguments: nobody can send");
}

static void
load_times(struct smtpd_config *c)
{
	const char *v = getenv("GREETDELAY");
	int idle = c->times.idle;
	uint64_t n;

	c->times = (struct smtpd_times){.idle = idle,
	    .line = 60000, .data = 60000, .session = 4 * 3600 * 1000,
	    .greet = -1, .proxy = 10000, .wrong = 1000, .slow = 1000,
	    .tls = 30000};
	if (c->times.line > idle)
		c->times.line = idle;
	if (c->times.data > idle)
		c->times.data = idle;
	if (v != NULL && scan_u64(v, &n) > 0)
		c->times.greet = n > 300 ? 300000 : (int)n * 1000;
}

static void
load_idle(struct smtpd_config *c)
{
	uint64_t idle = control_need_number(CONTROL_TIMEOUTSMTPD);

	if (idle < 1)
		idle = 1;
	if (idle > 86400)
		idle = 86400;
	c->times.idle = (int)idle * 1000;
}

void
smtpd_config_control(struct smtpd_config *c)
{
	enum control_status st = control_line(CONTROL_SMTPGREETING,
	    &c->greeting);
	const char *failed, *v = getenv("SUBMISSION");

	c->submission = v != NULL && strcmp(v, "0") != 0;
	if (st == CONTROL_DEFAULT)
		str_copy(&c->me, &c->greeting);
	else if (control_line(CONTROL_ME, &c->me) == CONTROL_TEMP)
		die_sys(111, "unable to read %s/me", control_dir());
	if (st == CONTROL_TEMP || st == CONTROL_NONE)
		control_need_line(CONTROL_SMTPGREETING, &c->greeting);
	if (control_line(CONTROL_LOCALIPHOST, &c->localiphost) ==
	    CONTROL_TEMP)
		die_sys(111, "unable to read %s/localiphost", control_dir());
	(void)control_need_list(CONTROL_BADMAILFROM, &c->badmailfrom);
	(void)control_need_list(CONTROL_LOCALS, &c->locals);
	if (c->submission)
		(void)control_need_list(CONTROL_SENDERLOGINS,
		    &c->senderlogins);
	if (rcpthosts_load(&c->rcpthosts, &failed) < 0)
		die_sys(111, "unable to read %s/%s", control_dir(), failed);
	c->databytes = control_need_number(CONTROL_DATABYTES);
	load_idle(c);
}

void
smtpd_config_watch(struct keep_program *k)
{
	static const enum control_id ids[] = {CONTROL_ME,
	    CONTROL_SMTPGREETING, CONTROL_LOCALIPHOST, CONTROL_BADMAILFROM,
	    CONTROL_LOCALS, CONTROL_SENDERLOGINS, CONTROL_RCPTHOSTS,
	    CONTROL_DATABYTES, CONTROL_TIMEOUTSMTPD};
	struct str path = {0};

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		str_clear(&path);
		str_catf(&path, "%s/%s", control_dir(),
		    control_entry(ids[i])->file);
		keep_watch(k, str_c(&path));
	}
	str_clear(&path);
	str_catf(&path, "%s/" RCPTHOSTS_MORE, control_dir());
	keep_watch(k, str_c(&path));
	str_free(&path);
}

void
smtpd_config_session(struct smtpd_config *c, int argc, char **argv)
{
	const char *v = getenv("DATABYTES");
	struct stat st;

	c->tls_socket = TLSREQ_SOCKET;
	c->rcpt_socket = VERIFY_SOCKET;
	c->queue_dir = QUEUE_DIR;
	env_copy(&c->peer.ip, "TCPREMOTEIP");
	env_copy(&c->peer.host, "TCPREMOTEHOST");
	env_copy(&c->peer.info, "TCPREMOTEINFO");
	env_copy(&c->peer.local_ip, "TCPLOCALIP");
	env_copy(&c->peer.local_host, "TCPLOCALHOST");
	c->relayclient = getenv("RELAYCLIENT");
	c->barelf = flag("ALLOW_BARELF");
	c->xclient = flag("XCLIENT");
	c->proxy = flag("PROXY");
	c->net_socket = fstat(STDIN_FILENO, &st) == 0 &&
	    S_ISSOCK(st.st_mode);
	load_tls(c);
	load_auth(c, argc, argv);
	load_times(c);
	if (v != NULL && scan_u64(v, &c->databytes) == 0)
		log_warn("DATABYTES is no number: %s", v);
}

void
smtpd_config_free(struct smtpd_config *c)
{
	struct str *all[] = {&c->me, &c->greeting, &c->localiphost,
	    &c->badmailfrom, &c->locals, &c->senderlogins, &c->peer.ip,
	    &c->peer.host, &c->peer.info, &c->peer.local_ip,
	    &c->peer.local_host, &c->peer.helo};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		str_free(all[i]);
	rcpthosts_free(&c->rcpthosts);
	*c = (struct smtpd_config){0};
}
