/* local/receipt.h - delivery receipts that a message asks for by
 * Notice-Requested-Upon-Delivery-To. */
#ifndef LOCAL_RECEIPT_H
#define LOCAL_RECEIPT_H

#include "lib/io.h"
#include "lib/str.h"

/* Reads the message's header from fd and, when it asks for a notice about
 * address, queues one to sender (none to "" and "#@[]").  dtline may be NULL.
 * 0, or 100 or 111 and the reason in why. */
__attribute__((warn_unused_result))
int receipt_answer(int fd, const char *address, const char *sender,
    const char *dtline, struct str *why);

/* Does the header on in ask about address?  1, 0, or -1 with the reason in
 * why; msgid_out: the value of Message-ID, one line, or nothing. */
__attribute__((warn_unused_result))
int receipt_asked(struct io *in, const char *address, struct str *msgid_out,
    struct str *why);
/* The notice itself, header and body. */
void receipt_cat_notice(struct str *out, const char *address,
    const char *sender, const char *msgid, int64_t now);

#endif
