/* qmail-qmtpd - receive mail by QMTP on descriptors 0 and 1.
 * Runs as:  qmaild, under tcpserver.
 * Trusts:   control/ and the environment.  Never: anything on descriptor 0.
 * Exits:    0, 100 for what is no QMTP, 111 for trouble or too large. */
#include "lib/log.h"
#include "lib/sig.h"
#include "smtpd/qmtpd.h"

#include <signal.h>
#include <unistd.h>

int
main(void)
{
	static struct nsd_config cfg;
	static struct io client;

	log_init("qmail-qmtpd");
	sig_ignore(SIGPIPE);
	nsd_config_load(&cfg, true);
	nsd_give_up();
	io_init(&client, STDIN_FILENO, STDOUT_FILENO, NSD_SESSION_MS);
	return qmtpd_session(&client, &cfg);
}
