/* envuidgid - run a program with UID and GID set to those of an account.
 * Runs as:  whoever starts it, and stays so; the program drops by itself.
 * Trusts:   its arguments and the account database.
 * Exits:    100 misuse, 111 unknown account. */
#include "supervise/account.h"
#include "supervise/tool.h"

#include "lib/log.h"

int
main(int argc, char **argv)
{
	struct toolenv env;
	struct user u;

	log_init("envuidgid");
	if (argc < 3)
		tool_usage(100, "envuidgid account child");
	account_find(argv[1], &u);
	toolenv_init(&env);
	toolenv_set_uint(&env, "GID", u.gid);
	toolenv_set_uint(&env, "UID", u.uid);
	user_free(&u);
	tool_exec(argv + 2, env.v);
}
