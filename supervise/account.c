/* account.c - account lookup for setuidgid and envuidgid; see account.h. */
#include "supervise/account.h"

#include "supervise/tool.h"

#include "lib/log.h"

void
account_find(const char *name, struct user *out)
{
	*out = (struct user){0};
	switch (user_find(name, out)) {
	case USER_OK:
		return;
	case USER_NONE:
		die(111, "unknown account %s", name);
	case USER_TEMP:
		break;
	}
	tool_die(111, "unable to look up account %s", name);
}
