/* qmail-queue - queue one message: the historical interface.
 * Runs as:  whoever queues; the queue service learns who from the kernel.
 * Trusts:   nothing; the message on 0 and the envelope on 1 are passed on.
 * Exits:    the codes of mail/qx.h, 0 when the message is on disk. */
#include "lib/log.h"
#include "mail/qsubmit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int
copy(struct qsubmit *q, int fd,
    void (*put)(struct qsubmit *, const void *, size_t))
{
	char buf[16384];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof buf);

		if (n == 0)
			return 0;
		if (n > 0)
			put(q, buf, (size_t)n);
		else if (errno != EINTR)
			return -1;
	}
}

int
main(void)
{
	struct qsubmit q;
	struct str text = {0};
	int code;

	log_init("qmail-queue");
	if (unsetenv("QMAILQUEUE") < 0)         /* or it would call itself */
		return QX_BUG;
	if (chdir(HOME_DIR) < 0)
		return QX_HOME;
	qsubmit_open(&q);
	if (copy(&q, 0, qsubmit_put) < 0 || copy(&q, 1, qsubmit_envelope) < 0)
		qsubmit_fail(&q, QX_READ);
	code = qsubmit_close(&q, &text);
	str_free(&text);
	return code;
}
