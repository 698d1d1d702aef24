/* setuidgid - run a program under an account's uid and primary gid.
 * Runs as:  root, in a run script; ends as the account, for good.
 * Trusts:   its arguments and the account database.
 * Exits:    100 misuse, 111 unknown account or no right to become it. */
#include "supervise/account.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/proc.h"

int
main(int argc, char **argv)
{
	struct user u;

	log_init("setuidgid");
	if (argc < 3)
		tool_usage(100, "setuidgid account child");
	account_find(argv[1], &u);
	if (proc_drop(u.uid, u.gid) < 0)
		tool_die(111, "unable to become %s", argv[1]);
	user_free(&u);
	tool_exec(argv + 2, NULL);
}
