/* mail/limits.h - every limit on input, once.  Bytes unless said otherwise.
 *
 * A limit is either a protocol's, or far above what honest mail needs and far
 * below what could hurt. */
#ifndef MAIL_LIMITS_H
#define MAIL_LIMITS_H

#include <assert.h>

#define ADDR_MAX 1002           /* an address; with its NUL 1003, as ever */
#define ENVELOPE_MAX (64 << 20) /* all addresses of one message */
#define ENVELOPE_RCPTS (1 << 20) /* recipients the queue takes at a time, count:
                                 * routing may make each of them longer */
#define QLIST_MAX (1 << 29)     /* recipients of a channel, routed */
#define LINE_MAX_HDR 65536      /* one header field, folded lines included */
#define HEADER_MAX (1 << 20)    /* a whole header that must be parsed */
#define INJECT_HEADER_MAX (8 << 20) /* one that a local user writes: all of
                                 * RCPT_MAX recipients fit, 128 bytes each */
#define RCPT_MAX 65536          /* recipients of one message, count */
#define MSGID_MAX 100           /* "SPLIT/INODE" or "INODE" as text */
#define REPORT_MAX 10000        /* a delivery's report in qmail-send */
#define REPORT_LOCAL_MAX 3000   /* a local delivery's own words */
#define QTEXT_MAX 255           /* a queue refusal's own words */
#define CONTROL_MAX (16 << 20)  /* a control file */
#define CONTROL_LINE_MAX 4096   /* a one-value control file's line */
#define DOTQMAIL_MAX (1 << 20)  /* a .qmail file */
#define ACCOUNT_MAX 32          /* a user name that qmail-getpw looks up */
#define HOPS_MAX 100            /* Received and Delivered-To lines, count */
#define QUEUE_SPLIT 23          /* subdirectories of mess, info, local, remote */

#define QUEUE_LIFE 604800       /* seconds until a message is given up */
#define QUEUE_DEATH 86400       /* seconds after which a submission is dropped */
#define QUEUE_OSSIFIED 129600   /* seconds after which leftovers are swept */

static_assert(QUEUE_OSSIFIED > QUEUE_DEATH,
    "the sweep must not touch a message that is being received");
static_assert(QLIST_MAX >= ENVELOPE_MAX + ENVELOPE_RCPTS * 256,
    "what the queue takes can be routed");
static_assert(REPORT_LOCAL_MAX < REPORT_MAX, "a report carries the words");
static_assert(INJECT_HEADER_MAX / RCPT_MAX >= 128, "room for every recipient");
static_assert(ADDR_MAX < CONTROL_LINE_MAX, "envnoathost and the like fit");

#endif
