/* lib/cdb.h - constant databases, the one user of tinycdb.
 *
 * Programs that use it link -lcdb.  Reading is by memory map of an immutable
 * file; a writer replaces the file durably. */
#ifndef LIB_CDB_H
#define LIB_CDB_H

#include "lib/str.h"

enum cdb_status {
	CDB_OK,
	CDB_NONE,               /* no such key, or (opening) no such file */
	CDB_TEMP,               /* could not be read; errno */
};

struct cdb_file;                /* opaque */

/* CDB_TEMP with EINVAL for what is no regular file or too short. */
__attribute__((warn_unused_result))
enum cdb_status cdbfile_open(const char *path, struct cdb_file **out);
/* Appends the first record of key to out.  CDB_TEMP with EINVAL when the file
 * is damaged or cut where it was looked at. */
__attribute__((warn_unused_result))
enum cdb_status cdbfile_get(struct cdb_file *, const void *key, size_t n,
    struct str *out);
/* Has the path been replaced since it was opened? */
bool cdbfile_stale(const struct cdb_file *, const char *path);
void cdbfile_close(struct cdb_file *);          /* NULL is fine */

/* One question to a file whose owner may cut or overwrite it meanwhile: it is
 * read and not mapped, and needs no -lcdb.  As cdbfile_open and cdbfile_get;
 * EINVAL also for a value of more than max bytes. */
__attribute__((warn_unused_result))
enum cdb_status cdb_ask(const char *path, const void *key, size_t n,
    size_t max, struct str *out);

struct cdb_writer;
__attribute__((warn_unused_result))
int cdbwriter_open(const char *tmp, struct cdb_writer **out);
__attribute__((warn_unused_result))
int cdbwriter_add(struct cdb_writer *, const void *key, size_t klen,
    const void *value, size_t vlen);
/* Finishes and syncs tmp, for a caller who does something between this and the
 * commit.  On failure abort is still to be called. */
__attribute__((warn_unused_result))
int cdbwriter_prepare(struct cdb_writer *, unsigned mode);
/* Finishes, syncs, renames to path, syncs the directory; frees the writer
 * either way.  On failure tmp is gone and path untouched; only when the last
 * sync fails is path new already but may not survive a power cut. */
__attribute__((warn_unused_result))
int cdbwriter_commit(struct cdb_writer *, const char *path, unsigned mode);
void cdbwriter_abort(struct cdb_writer *);

#endif
