/* inject/account.c - see account.h. */
#include "inject/account.h"

#include "lib/user.h"

#include <unistd.h>

int
account_fill(struct inject_config *cfg, struct str *name)
{
	struct user u = {0};

	if (cfg->user != NULL)
		return 0;
	switch (user_find_uid(getuid(), &u)) {
	case USER_OK:
		str_copy(name, &u.name);
		cfg->user = str_c(name);
		break;
	case USER_NONE:
		break;
	case USER_TEMP:
		return -1;
	}
	user_free(&u);
	return 0;
}
