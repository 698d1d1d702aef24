/* send/qfile.h - the files of a preprocessed message: info/S/N, local/S/N,
 * remote/S/N, bounce/N.  HOME/queue is the working directory.
 *
 * Nothing here is synced: todo/N is removed only after a barrier (link.h). */
#ifndef SEND_QFILE_H
#define SEND_QFILE_H

#include "lib/str.h"
#include "send/config.h"

#include <time.h>

#define QFILE_CHECK __attribute__((warn_unused_result))

/* "local", "remote" */
const char *qfile_dir(int channel);

/* info/S/N with the sender and what wish.h puts after it; its mtime is the
 * birth of the message. */
QFILE_CHECK int qfile_write_info(uint64_t id, const char *sender,
    const struct str *wishes, int64_t birth);
/* Both are replaced.  wishes NULL: not wanted; of more than max bytes of them
 * EFBIG.  EPROTO when the file is not one. */
QFILE_CHECK int qfile_read_info(uint64_t id, struct str *sender,
    struct str *wishes, size_t max, int64_t *birth);
/* Writes one byte over that at offset of info/S/N. */
QFILE_CHECK int qfile_mark_info(uint64_t id, uint64_t offset, char c);
/* local/S/N or remote/S/N as it is: T and D records; read at most max bytes,
 * EFBIG when there are more. */
QFILE_CHECK int qfile_write_list(uint64_t id, int channel,
    const struct str *records);
QFILE_CHECK int qfile_read_list(uint64_t id, int channel, size_t max,
    struct str *out);
/* Turns the T at offset into a D. */
QFILE_CHECK int qfile_mark(uint64_t id, int channel, uint64_t offset);
/* Next attempt, as the mtime of the list. */
QFILE_CHECK int qfile_set_due(uint64_t id, int channel, int64_t due);
/* 0 and the mtime; -1, ENOENT when the channel has nothing left. */
QFILE_CHECK int qfile_get_due(uint64_t id, int channel, int64_t *due);
/* The mtime of info/S/N. */
QFILE_CHECK int qfile_set_birth(uint64_t id, int64_t birth);
/* All of it or nothing, unless the disk refuses even that. */
QFILE_CHECK int qfile_append_bounce(uint64_t id, const struct str *text);

/* Removes what is there of the four (and hold/N), info last. */
void qfile_remove_all(uint64_t id);
/* Of info/S/N, local/S/N, remote/S/N alone. */
void qfile_remove_info(uint64_t id);
QFILE_CHECK int qfile_remove_list(uint64_t id, int channel);

#endif
