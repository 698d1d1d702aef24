/* queue/qwalk.h - every file of a queue, as it lies, in one table.
 *
 * Unlike qscan it believes no name: a file is where it was found, whatever
 * its number says, so that a queue that was restored, moved, or split in
 * another way can be judged.  HOME/queue is the working directory and nobody
 * else may be changing it. */
#ifndef QUEUE_QWALK_H
#define QUEUE_QWALK_H

#include "lib/str.h"
#include "mail/qpath.h"

#include <sys/stat.h>
#include <sys/types.h>

/* X(ID, directory, split, owner is qmails (else qmailq), mode of files) */
#define QWALK_TABLE(X)                                                        \
	X(MESS, "mess", true, false, 0644)                                    \
	X(INTD, "intd", false, false, 0644)                                   \
	X(TODO, "todo", false, false, 0644)                                   \
	X(INFO, "info", true, true, 0600)                                     \
	X(LOCAL, "local", true, true, 0600)                                   \
	X(REMOTE, "remote", true, true, 0600)                                 \
	X(BOUNCE, "bounce", false, true, 0600)                                \
	X(HOLD, "hold", false, true, 0600)

enum qwalk_kind {
#define X(id, dir, split, sends, mode) QWALK_##id,
	QWALK_TABLE(X)
#undef X
	QWALK_KINDS
};

struct qwalk_dir {
	const char *name;
	bool split, sends;
	mode_t mode;
};
extern const struct qwalk_dir qwalk_dirs[QWALK_KINDS];

#define QWALK_NOSUB UINT32_MAX          /* directly in its directory */

struct qwalk_file {
	uint64_t id;            /* its name */
	uint64_t ino;
	uint64_t size;
	int64_t atime;
	uint32_t sub;           /* the subdirectory, or QWALK_NOSUB */
	uid_t uid;
	gid_t gid;
	mode_t mode;            /* permission bits */
	enum qwalk_kind kind;
};

struct qwalk {
	struct qwalk_file *files;       /* by id, then kind, then sub */
	size_t n, cap;
	struct qpath *extra;    /* subdirectories that should not be there */
	size_t nextra;
	/* Called for what is neither a message's file nor a directory of the
	 * layout.  path is borrowed. */
	void (*stray)(void *arg, const char *path, const char *what);
	void *arg;
};

/* Fills files and extra (set stray and arg before).  Missing directories are
 * empty ones.  -1: why names what cannot be read. */
__attribute__((warn_unused_result))
int qwalk_read(struct qwalk *, struct str *why);
void qwalk_free(struct qwalk *);

struct qpath qwalk_path(const struct qwalk_file *);     /* where it is */
struct qpath qwalk_place(enum qwalk_kind, uint64_t id); /* where it belongs */
bool qwalk_misplaced(const struct qwalk_file *);        /* the number aside */

#endif
