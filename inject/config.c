/* inject/config.c - what the environment asks of qmail-inject. */
#include "inject/inject.h"

#include "lib/tai.h"

#include <stdlib.h>
#include <unistd.h>

/* The first that is set and not empty. */
static const char *
first_of(const char *const *names)
{
	for (; *names != NULL; names++) {
		const char *v = getenv(*names);

		if (v != NULL && *v != '\0')
			return v;
	}
	return NULL;
}

void
inject_config_env(struct inject_config *cfg)
{
	static const char *const user[] = {"QMAILUSER", "MAILUSER", "USER",
	    "LOGNAME", NULL};
	static const char *const host[] = {"QMAILHOST", "MAILHOST", NULL};
	static const char *const suser[] = {"QMAILSUSER", NULL};
	static const char *const shost[] = {"QMAILSHOST", NULL};
	static const char *const name[] = {"QMAILNAME", "MAILNAME", "NAME",
	    NULL};
	static const char *const lists[] = {"QMAILMFTFILE", NULL};
	struct timespec now = clock_wall_ns();
	const char *letters = getenv("QMAILINJECT");

	*cfg = (struct inject_config){.mode = INJECT_EITHER};
	cfg->user = first_of(user);
	cfg->host = first_of(host);
	cfg->suser = first_of(suser);
	cfg->shost = first_of(shost);
	cfg->name = first_of(name);
	cfg->lists_file = first_of(lists);
	cfg->now = now.tv_sec;
	cfg->now_usec = (uint32_t)(now.tv_nsec / 1000);
	cfg->pid = (uint64_t)getpid();
	for (; letters != NULL && *letters != '\0'; letters++) {
		switch (*letters) {
		case 'c':
			cfg->name_comment = true;
			break;
		case 's':
			cfg->ignore_return = true;
			break;
		case 'f':
			cfg->delete_from = true;
			break;
		case 'i':
			cfg->delete_id = true;
			break;
		case 'r':
			cfg->verp_rcpt = true;
			break;
		case 'm':
			cfg->verp_message = true;
			break;
		default:
			break;          /* letters of later days */
		}
	}
}
