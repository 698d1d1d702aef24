/* qmail-qmqpc - qmail-queue's interface for a host without a queue: the
 * message goes to one of control/qmqpservers.
 * Runs as:  whoever queues.
 * Trusts:   control/; the servers, as to what became of the message.
 * Exits:    the codes of mail/qx.h, 0 when a server has the message. */
#include "control/control.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "mail/netstring.h"
#include "remote/qmqpc.h"

#include <signal.h>
#include <unistd.h>

static enum qx
read_input(struct str *message, struct str *envelope)
{
	static struct io io;

	io_init(&io, STDIN_FILENO, -1, IO_FOREVER);
	switch (io_slurp(&io, message, NETSTRING_MAX)) {
	case IO_OK:
		break;
	case IO_TOOLONG:
		return QX_REFUSED;
	case IO_EOF:
	case IO_TIMEOUT:
	case IO_ERROR:
		return QX_READ;
	}
	io_init(&io, STDOUT_FILENO, -1, IO_FOREVER);    /* open for reading */
	return qmqpc_envelope(&io, envelope);
}

int
main(void)
{
	struct str servers = {0}, message = {0}, envelope = {0};
	enum control_status st;
	enum qx x;

	log_init("qmail-qmqpc");
	sig_ignore(SIGPIPE);
	if (chdir(HOME_DIR) < 0)
		return QX_HOME;
	st = control_list(CONTROL_QMQPSERVERS, &servers);
	if (st == CONTROL_TEMP)
		log_sys("unable to read %s/qmqpservers", control_dir());
	else if (servers.len == 0)
		log_warn("%s/qmqpservers names no server", control_dir());
	if (servers.len == 0)
		return QX_CONFIG;
	x = read_input(&message, &envelope);
	return x != QX_OK ? (int)x : (int)qmqpc_send(&servers, &message,
	    &envelope);
}
