/* qmail-popup - POP3 up to the password, on descriptors 0 and 1.
 * Runs as:  root, under tcpserver: the checkpassword program becomes the user;
 *           or anybody, for mailboxes of their own.
 * Trusts:   its arguments, control/, the environment, the checkpassword
 *           program.  Reads no byte of the network: see mail/login.h.
 * Exits:    0 when the connection is over, 77 when passwords were wrong and
 *           none was right, 100 on misuse, 111 on local trouble. */
#include "control/control.h"
#include "lib/keep.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/user.h"
#include "pop3d/popup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE "qmail-popup hostname subprogram [arg ...]"
#define TALKER "qmaild"

/* What is the same for every connection of a template. */
struct settings {
	struct login_config login;
	struct popup_config popup;
	const char *host;
};

static const enum control_id files[] = {CONTROL_PLAINTEXTAUTH,
    CONTROL_POP3LOGINDELAY};

static void
watch(struct keep_program *kept)
{
	struct str path = {0};

	keep_watch_self(kept);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		str_copys(&path, control_dir());
		str_catf(&path, "/%s", control_entry(files[i])->file);
		keep_watch(kept, str_c(&path));
	}
	str_free(&path);
}

static void
load(struct settings *s, const char *const *argv)
{
	s->host = argv[1];
	s->login = (struct login_config){.service = "pop3", .argv = argv + 2,
	    .root = LOGIN_ROOT, .tls_go_ahead = POPUP_GO_AHEAD,
	    .tls_socket = TLSREQ_SOCKET, .idle_ms = LOGIN_IDLE_MS,
	    .talk_ms = LOGIN_TALK_MS, .wrong_ms = LOGIN_WRONG_MS,
	    .check_ms = CHECKPW_WAIT_MS};
	s->login.plaintext = control_need_number(CONTROL_PLAINTEXTAUTH) > 0;
	s->popup.delay_s = control_need_number(CONTROL_POP3LOGINDELAY);
	/* Others cannot change: talkers are what this is. */
	s->login.uid = geteuid();
	s->login.gid = getegid();
	if (s->login.uid == 0)
		user_need_file(TALKER, &s->login.uid, &s->login.gid);
}

/* A word that switches something on: set, and neither empty nor 0. */
static bool
flag(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' && strcmp(v, "0") != 0;
}

/* What is said of this connection alone. */
static void
load_connection(struct settings *s, struct str *stamp)
{
	if (flag("PLAINTEXTAUTH"))
		s->login.plaintext = true;
	s->login.implicit_tls = flag("IMPLICITTLS");
	if (flag("APOP") && popup_stamp(stamp, s->host) < 0)
		die_sys(111, "unable to make a stamp");
}

int
main(int argc, char **argv)
{
	static struct keep_program kept;
	static struct settings s;
	struct str stamp = {0};

	log_init("qmail-popup");
	log_spare_client();
	if (argc < 3)
		die_usage(USAGE);
	if (keep_asked())
		watch(&kept);
	load(&s, (const char *const *)argv);
	if (keep_asked()) {
		if (sandbox_no_new_privs() < 0 || sandbox_undumpable() < 0)
			die_sys(111, "unable to give up rights");
		keep_serve(&kept);
	}
	load_connection(&s, &stamp);
	/* There is nothing left for exit() to do but to touch its pages. */
	_exit(login_monitor(&s.login, str_c(&stamp), popup_talk, &s.popup));
}
