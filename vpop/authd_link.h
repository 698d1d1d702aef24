/* vpop/authd_link.h - what authdaemond and its workers say to each other: one
 * packet for a question, one for its answer, both of one machine and one
 * program.  The worker is trusted no further than the form. */
#ifndef VPOP_AUTHD_LINK_H
#define VPOP_AUTHD_LINK_H

#include "vpop/authd_work.h"

/* A worker's life: settings, then packets on fd 3.  Never returns. */
_Noreturn void authd_link_worker(const struct authd_world *, int fd);

/* asker; the request as it came; pass: the connection for a list of all
 * accounts, else -1.  0, or -1 with errno. */
__attribute__((warn_unused_result))
int authd_link_ask(int fd, uid_t asker, bool hide_ip, const char *request,
    size_t n, int pass);
/* 0; -1 with errno EAGAIN: not yet; else the worker is no more. */
__attribute__((warn_unused_result))
int authd_link_answer(int fd, struct authd_result *out);

#endif
