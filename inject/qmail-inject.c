/* qmail-inject - read a message, complete its header, queue it.
 * Runs as:  whoever calls it.
 * Trusts:   control/ and its own environment.  Never: the message.
 * Exits:    0 queued, 100 refused for good, 111 try again later. */
#include "inject/account.h"
#include "inject/inject.h"
#include "lib/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define USAGE "qmail-inject [-aAhHnN] [-f sender] [recipient ...]"

static int
exit_code(enum inject_status st)
{
	switch (st) {
	case INJECT_OK:
		return 0;
	case INJECT_NORCPT:
	case INJECT_BADADDR:
	case INJECT_BADHEADER:
	case INJECT_LIMIT:
	case INJECT_REFUSED:
		return 100;
	case INJECT_READ:
	case INJECT_WRITE:
	case INJECT_CONFIG:
	case INJECT_DEFERRED:
		break;
	}
	return 111;
}

static const char *
options(struct inject_config *cfg, int argc, char **argv)
{
	const char *sender = NULL;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "+aAhHnNf:")) != -1) {
		switch (c) {
		case 'a':
			cfg->mode = INJECT_ARGS;
			break;
		case 'A':
			cfg->mode = INJECT_EITHER;
			break;
		case 'h':
			cfg->mode = INJECT_HEADER;
			break;
		case 'H':
			cfg->mode = INJECT_BOTH;
			break;
		case 'n':
			cfg->print = true;
			break;
		case 'N':
			cfg->print = false;
			break;
		case 'f':
			sender = optarg;
			break;
		default:
			die_usage(USAGE);
		}
	}
	return sender;
}

int
main(int argc, char **argv)
{
	struct inject_config cfg;
	struct inject in;
	struct str account = {0};
	struct io message;
	const char *sender;
	enum inject_status st = INJECT_OK;
	int i;

	log_init("qmail-inject");
	inject_config_env(&cfg);
	sender = options(&cfg, argc, argv);
	if (account_fill(&cfg, &account) == -1)
		die_sys(111, "unable to look up the account of uid %u",
		    (unsigned)getuid());
	io_init(&message, STDIN_FILENO, -1, IO_FOREVER);
	inject_init(&in, &cfg);
	if (sender != NULL)
		st = inject_set_sender(&in, sender, strlen(sender));
	for (i = optind; st == INJECT_OK && i < argc; i++)
		st = inject_add_rcpt(&in, argv[i], strlen(argv[i]));
	if (st == INJECT_OK)
		st = inject_run(&in, &message);
	if (st != INJECT_OK)
		die(exit_code(st), "%s", str_c(&in.err));
	inject_free(&in);
	str_free(&account);
	return 0;
}
