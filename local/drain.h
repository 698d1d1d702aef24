/* local/drain.h - move the mail of a Maildir into an mbox.
 *
 * The new mbox is written beside the old one, synced, and takes its place
 * while the old one's lock is held; then the Maildir's files are removed.  A
 * crash leaves a message in both, never in neither. */
#ifndef LOCAL_DRAIN_H
#define LOCAL_DRAIN_H

/* 0 when all is moved (or nothing is there); -1, logged, when nothing is. */
__attribute__((warn_unused_result))
int drain_maildir(const char *maildir, const char *mail, const char *tmp,
    int lock_ms);

#endif
