/* maildir2mbox - move the mail of a Maildir into an mbox.
 * Runs as:  a user.
 * Trusts:   MAILDIR, MAIL and MAILTMP of its environment, and his files.
 * Exits:    0 moved (or nothing to move), 100 on misuse, 111: then nothing has
 *           been moved. */
#include "lib/log.h"
#include "local/drain.h"
#include "local/helper.h"
#include "local/mbox.h"

#include <sys/stat.h>

int
main(int argc, char **argv)
{
	const char *maildir, *mail, *tmp;

	(void)argv;
	log_init("maildir2mbox");
	if (argc != 1)
		die_usage("maildir2mbox");
	(void)umask(077);
	maildir = helper_env("MAILDIR");
	mail = helper_env("MAIL");
	tmp = helper_env("MAILTMP");
	return drain_maildir(maildir, mail, tmp, MBOX_LOCK_MS) < 0 ? 111 : 0;
}
