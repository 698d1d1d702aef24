/* vchangepw - let somebody change the password of his mailbox; may be a login
 * shell.
 * Runs as:  anybody; authdaemond changes it, and asks for the old one.
 * Trusts:   authdaemond.
 * Exits:    0, 3 wrong password or refused, 111 not now, 255 nothing given. */
#include "lib/log.h"
#include "lib/sig.h"
#include "mail/authproto.h"
#include "vpop/command.h"
#include "vpop/password.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_WRONG 3

static void
say(const char *line)
{
	struct str out = {0};

	str_catf(&out, "%s\n", line);
	vcommand_print(&out);
	str_free(&out);
}

int
main(int argc, char **argv)
{
	struct str who = {0}, old = {0}, new = {0};
	enum auth_status st;
	int c;

	log_init("vchangepw");
	sig_ignore(SIGPIPE);
	opterr = 0;
	/* sshd and login give a shell its words, "-c command" maybe */
	while ((c = getopt(argc, argv, "v")) != -1) {
		if (c != 'v')
			vcommand_usage("vchangepw [-v]");
		vcommand_version();
	}
	if (optind < argc)
		vcommand_usage("vchangepw [-v]");
	vcommand_ask_line("Please enter your email address: ", true, &who);
	vcommand_ask_line("Enter old password: ", false, &old);
	vcommand_ask_password(str_c(&who), &new);
	st = auth_passwd(AUTHPROTO_SOCKET, "vchangepw", NULL, str_c(&who),
	    str_c(&old), str_c(&new));
	password_wipe(&old);
	password_wipe(&new);
	str_free(&who);
	switch (st) {
	case AUTH_OK:
		say("Password changed.");
		return 0;
	case AUTH_FAIL:
		say("Not changed: the address or the old password is wrong, "
		    "or the new one is too\nshort or holds what it may not, "
		    "or it may not be changed.");
		return EXIT_WRONG;
	case AUTH_TEMP:
		break;
	}
	say("Not changed: it cannot be done now, try later.");
	return 111;
}
