/* mail/relay.c - a message goes into the queue again; see relay.h. */
#include "mail/relay.h"

#include "mail/qsubmit.h"

#include <errno.h>
#include <unistd.h>

int
relay_message(int fd, const char *dtline, const char *sender,
    const char *const *rcpts, size_t n, uint64_t *qp_out, struct str *why)
{
	struct qsubmit q;
	char buf[8192];
	ssize_t got;

	qsubmit_open(&q);
	qsubmit_puts(&q, dtline);
	while ((got = read(fd, buf, sizeof buf)) != 0) {
		if (got > 0) {
			qsubmit_put(&q, buf, (size_t)got);
		} else if (errno != EINTR) {
			qsubmit_fail(&q, QX_READ);
			break;
		}
	}
	qsubmit_from(&q, sender);
	for (size_t i = 0; i < n; i++)
		qsubmit_to(&q, rcpts[i]);
	*qp_out = qsubmit_qp(&q);
	return qsubmit_close(&q, why);
}
