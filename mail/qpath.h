/* mail/qpath.h - names in the queue: mess/S/N, info/S/N, local/S/N,
 * remote/S/N, intd/N, todo/N, bounce/N, relative to HOME/queue.
 * S = N mod QUEUE_SPLIT, N = the inode number of the mess file. */
#ifndef MAIL_QPATH_H
#define MAIL_QPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_DIR HOME_DIR "/queue"
#define QPATH_MAX 64

struct qpath {
	char s[QPATH_MAX];
};

struct qpath qpath_split(const char *dir, uint64_t id); /* "dir/S/N" */
struct qpath qpath_flat(const char *dir, uint64_t id);  /* "dir/N" */
struct qpath qpath_messid(uint64_t id);                 /* "S/N" */
/* A file name of digits only, no leading zero, that fits 64 bits: some file
 * systems use all of them. */
bool qpath_parse(const char *name, uint64_t *id_out);

#endif
