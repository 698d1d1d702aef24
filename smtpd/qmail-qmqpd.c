/* qmail-qmqpd - take one message by QMQP on descriptors 0 and 1 and queue it.
 * Runs as:  qmaild, under tcpserver, whose rules let in trusted clients only:
 *           they may send anywhere.
 * Trusts:   control/, the environment, and the client as to whom it mails.
 *           Never: the bytes on descriptor 0.
 * Exits:    0, 100 for what is no QMQP, 111 for trouble or too large. */
#include "lib/log.h"
#include "lib/sig.h"
#include "smtpd/qmqpd.h"

#include <signal.h>
#include <unistd.h>

int
main(void)
{
	static struct nsd_config cfg;
	static struct io client;

	log_init("qmail-qmqpd");
	sig_ignore(SIGPIPE);
	nsd_config_load(&cfg, false);
	nsd_give_up();
	io_init(&client, STDIN_FILENO, STDOUT_FILENO, NSD_SESSION_MS);
	return qmqpd_session(&client, &cfg);
}
