/* qmail-local - deliver one message to one local address, or, as a worker of
 * qmail-lspawn, one after the other.
 * Runs as:  the recipient's user; never as root.
 * Trusts:   its arguments.  Never: the message and the addresses.
 * Exits:    0 done, 99 never, 100 failed for good, 111 later. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "local/delivery.h"
#include "local/worker.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USAGE "qmail-local [-nN] user home local dash ext host sender " \
	"aliasempty"

static int
deliver(char *const *arg, bool dry)
{
	struct delivery d = {.user = arg[0], .home = arg[1], .local = arg[2],
	    .dash = arg[3], .ext = arg[4], .host = arg[5], .sender = arg[6],
	    .aliasempty = arg[7], .mfd = 0, .time_ms = DELIVERY_TIME_MS};
	struct str words = {0};
	int code;

	delivery_init(&d);
	code = delivery_prepare(&d, &words);
	if (code == DELIVERY_OK) {
		if (dry)
			delivery_cat_plan(&d, &words);
		else
			code = delivery_run(&d, &words);
	}
	/* Undelivered words change nothing about the delivery. */
	if (fd_write_all(1, str_c(&words), words.len) < 0)
		log_sys("unable to write the report");
	str_free(&words);
	delivery_free(&d);
	return code;
}

int
main(int argc, char **argv)
{
	bool dry = false;
	int opt;

	log_init("qmail-local");
	(void)umask(077);
	if (argc == 5 && strcmp(argv[1], "--worker") == 0) {
		if (getuid() == 0 || geteuid() == 0)
			die(111, "refusing to deliver as root");
		return worker_run(0, argv[2], argv[3], argv[4]);
	}
	while ((opt = getopt(argc, argv, "+nN")) != -1) {
		if (opt == '?')
			die_usage(USAGE);
		dry = opt == 'n';
	}
	if (argc - optind != 8 || argv[optind + 1][0] != '/')
		die_usage(USAGE);
	if (!dry && (getuid() == 0 || geteuid() == 0))
		die(111, "refusing to deliver as root");
	sig_ignore(SIGPIPE);
	return deliver(argv + optind, dry);
}
