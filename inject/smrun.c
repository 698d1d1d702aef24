/* inject/smrun.c - see smrun.h. */
#include "inject/smrun.h"

#include "inject/account.h"
#include "inject/smverify.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define BIN HOME_DIR "/bin/"

/* Trouble of this machine is EX_TEMPFAIL: those who look at the code keep the
 * message, where another one would make them bounce it. */
int
smrun_exit_code(enum inject_status st)
{
	switch (st) {
	case INJECT_OK:
		return EX_OK;
	case INJECT_NORCPT:
		return EX_USAGE;
	case INJECT_BADADDR:
	case INJECT_BADHEADER:
	case INJECT_LIMIT:
		return EX_DATAERR;
	case INJECT_READ:
	case INJECT_WRITE:
		return EX_IOERR;
	case INJECT_REFUSED:
		return EX_NOPERM;
	case INJECT_CONFIG:
	case INJECT_DEFERRED:
		break;
	}
	return EX_TEMPFAIL;
}

static int
become(const char *const *argv, struct str *why)
{
	proc_exec(argv, NULL);
	str_catf(why, "unable to run %s: %s", argv[0], strerror(errno));
	return EX_OSERR;
}

void
smrun_sender(struct str *out, const char *arg)
{
	struct addr_list l = {0};

	str_clear(out);
	if (addr_parse(&l, arg, strlen(arg)) == ADDR_OK && l.n == 1 &&
	    l.items[0].kind == ADDR_MAILBOX)
		addr_cat_plain(out, &l, 0);
	else
		str_cats(out, arg);
	addr_free(&l);
}

/* The sender is also who a message without From is from. */
static void
use_sender(struct inject_config *cfg, const struct str *sender,
    struct str *user)
{
	size_t at = bytes_rchr(str_c(sender), sender->len, '@');

	if (at == 0)
		return;
	str_copyb(user, str_c(sender), at);
	cfg->user = str_c(user);
	cfg->host = at < sender->len ? str_c(sender) + at + 1 : NULL;
}

static void
cat_queued(struct str *out, const struct inject *in)
{
	const char *s = str_c(&in->rcpts.text);
	size_t i;

	for (i = 0; i < in->rcpts.n; i++, s += strlen(s) + 1) {
		str_cats(out, s);
		str_cats(out, "... queued, qp ");
		str_catu(out, in->qp);
		str_catc(out, '\n');
	}
}

static enum inject_status
add_recipients(struct inject *in, const struct smopts *o)
{
	enum inject_status st = INJECT_OK;
	size_t i;

	for (i = 0; st == INJECT_OK && i < o->nrcpts; i++)
		st = inject_add_list(in, o->rcpts[i], strlen(o->rcpts[i]));
	if (st == INJECT_OK && o->nrcpts == 0 && !o->from_header) {
		str_cats(&in->err, "no recipients: neither named nor -t");
		st = INJECT_NORCPT;
	}
	return st;
}

static int
run_mail(const struct smopts *o, struct str *why)
{
	struct inject_config cfg;
	struct inject in;
	struct str account = {0}, user = {0}, sender = {0};
	struct str params = {0}, rcpt_params = {0};
	struct io message;
	enum inject_status st = INJECT_OK;
	struct str said = {0};

	sig_ignore(SIGPIPE);    /* the exit code matters, not who listens */
	inject_config_env(&cfg);
	cfg.mode = o->from_header ? INJECT_BOTH : INJECT_ARGS;
	cfg.dot_ends = !o->dots_pass;
	dsn_message_cat(&params, &o->dsn);
	dsn_rcpt_cat(&rcpt_params, &o->notify);
	cfg.params = str_c(&params);
	cfg.rcpt_params = str_c(&rcpt_params);
	if (o->name != NULL)
		cfg.name = o->name;
	if (o->sender != NULL) {
		smrun_sender(&sender, o->sender);
		use_sender(&cfg, &sender, &user);
	}
	if (account_fill(&cfg, &account) == -1) {
		str_catf(why, "unable to look up the account of uid %u: %s",
		    (unsigned)getuid(), strerror(errno));
		return EX_TEMPFAIL;
	}
	io_init(&message, STDIN_FILENO, -1, IO_FOREVER);
	inject_init(&in, &cfg);
	if (o->sender != NULL)
		st = inject_set_sender(&in, str_c(&sender), sender.len);
	if (st == INJECT_OK)
		st = add_recipients(&in, o);
	if (st == INJECT_OK)
		st = o->mode == SM_VERIFY ? smverify_cat(&in, &said) :
		    inject_run(&in, &message);
	if (st != INJECT_OK)
		str_copy(why, &in.err);
	else if (o->verbose && o->mode == SM_MAIL)
		cat_queued(&said, &in);
	/* What happened has happened: nobody listening is no failure. */
	(void)!fd_write_all(STDOUT_FILENO, str_c(&said), said.len);
	str_free(&said);
	inject_free(&in);
	str_free(&params);
	str_free(&rcpt_params);
	str_free(&account);
	str_free(&user);
	str_free(&sender);
	return smrun_exit_code(st);
}

/* Is descriptor 0 a connection to another machine, as inetd would make it? */
static bool
from_network(void)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;

	return getpeername(STDIN_FILENO, (struct sockaddr *)&sa, &n) == 0 &&
	    (sa.ss_family == AF_INET || sa.ss_family == AF_INET6);
}

/* A local program speaks SMTP on pipes: it may send anywhere, as it could by
 * any other option.  A stranger on a socket may not; whoever started us for
 * him has said who he is, or the server has to ask the socket. */
static int
run_smtp(struct str *why)
{
	static const char *const argv[] = {BIN "qmail-smtpd", NULL};
	static const char *const env[][2] = {
		{"PROTO", "TCP"},
		{"TCPLOCALHOST", "localhost"},
		{"TCPLOCALIP", "127.0.0.1"},
		{"TCPLOCALPORT", "25"},
		{"TCPREMOTEHOST", "localhost"},
		{"TCPREMOTEIP", "127.0.0.1"},
		{"TCPREMOTEPORT", "0"},
		{"RELAYCLIENT", ""},
	};
	struct str uid = {0};
	size_t i;
	int r = 0;

	if (from_network() || getenv("TCPREMOTEIP") != NULL)
		return become(argv, why);
	for (i = 0; i < sizeof env / sizeof env[0]; i++)
		r |= setenv(env[i][0], env[i][1], 1);
	str_cats(&uid, "uid-");
	str_catu(&uid, (uint64_t)getuid());
	r |= setenv("TCPREMOTEINFO", str_c(&uid), 1);
	str_free(&uid);
	if (r != 0) {
		str_cats(why, "unable to set the environment");
		return EX_OSERR;
	}
	return become(argv, why);
}

static int
run_list(const struct smopts *o, struct str *why)
{
	const char *argv[] = {BIN "qmail-qread", o->json ? "-j" : NULL, NULL};

	return become(argv, why);
}

/* "*part*", the pattern for an address with part in it. */
static int
retry_some(const char *option, const char *part, struct str *why)
{
	struct str pattern = {0};
	const char *argv[] = {BIN "qmail-queuectl", "retry", option, NULL,
	    NULL};
	int code;

	str_catc(&pattern, '*');
	str_cats(&pattern, part);
	str_catc(&pattern, '*');
	argv[3] = str_c(&pattern);
	code = become(argv, why);
	str_free(&pattern);
	return code;
}

static int
run_flush(const struct smopts *o, struct str *why)
{
	const char *all[] = {BIN "qmail-queuectl", "flush", NULL};
	const char *one[] = {BIN "qmail-queuectl", "retry", o->q_id, NULL};

	if (o->q_id != NULL)
		return become(one, why);
	if (o->q_rcpt != NULL)
		return retry_some("--recipient", o->q_rcpt, why);
	if (o->q_sender != NULL)
		return retry_some("--sender", o->q_sender, why);
	return become(all, why);
}

int
smrun(const struct smopts *o, struct str *why)
{
	switch (o->mode) {
	case SM_MAIL:
	case SM_VERIFY:
		return run_mail(o, why);
	case SM_SMTP:
		return run_smtp(why);
	case SM_LIST:
		return run_list(o, why);
	case SM_FLUSH:
		return run_flush(o, why);
	case SM_ALIASES:
		break;          /* aliases are files: nothing to rebuild */
	case SM_DAEMON:
		log_info("the mail system is run by svscan, not by -bd");
		break;
	}
	return EX_OK;
}
