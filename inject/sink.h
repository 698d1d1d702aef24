/* inject/sink.h - where a finished message goes: the queue, or -n's output.
 * Errors are kept by the two below and asked for at the end. */
#ifndef INJECT_SINK_H
#define INJECT_SINK_H

#include "lib/io.h"
#include "mail/qsubmit.h"

struct sink {
	struct qsubmit *queue;  /* or NULL */
	struct io *print;       /* used when there is no queue */
};

static inline void
sink_put(struct sink *s, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	if (s->queue != NULL)
		qsubmit_put(s->queue, bytes, n);
	else
		(void)io_put(s->print, bytes, n);
}

#endif
