/* queue/envelope.h - the envelope as submitters send it:
 * F sender NUL [M wishes NUL] {T recipient NUL [N wishes NUL]} NUL. */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include "mail/qx.h"

#include <stddef.h>

/* Untrusted bytes.  QX_OK: *n_out is the length without the end mark; what
 * follows the mark is ignored, as it always was.  QX_READ: it ends early (the
 * submitter gave up).  QX_PROTO: not an envelope, or wishes (mail/dsn.h) that
 * are none.  QX_ADDR_LONG: an address
 * over ADDR_MAX.  QX_REFUSED: more than ENVELOPE_RCPTS recipients. */
__attribute__((warn_unused_result))
enum qx envelope_check(const char *bytes, size_t n, size_t *n_out);

#endif
