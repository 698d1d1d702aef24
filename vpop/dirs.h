/* vpop/dirs.h - where the directory of a new user or domain goes: counters,
 * hashed directories, places that became free.
 *
 * A big directory has its first 99 entries in itself, the next hundred in
 * "0", then "1" ... "9" "A" ... "Z" "a" ... "z", then "0/0" "0/1" ... "z/z",
 * then three levels, and then again from "0/0/0".  What a store has noted as a
 * user's directory counts and is never computed again: this only places new
 * ones, and keeps the counters older programs go by.
 *
 * State: struct vdirctl of the store (a file .dir-control in the cdb store),
 * and DIR/.dir_control_free, a line for each place that became free, which are
 * used first. */
#ifndef VPOP_DIRS_H
#define VPOP_DIRS_H

#include "vpop/store.h"

#define VDIRS_PER_DIR 100
#define VDIRS_LIST                                                            \
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Of a directory without entries. */
void vdirs_init(struct vdirctl *);
/* Counts one more; ->dir is then where it goes, "" or "0" or "0/1". */
void vdirs_count(struct vdirctl *);
void vdirs_uncount(struct vdirctl *);
/* The text of .dir-control: eight lines.  -1 when it is not, and *out is as
 * vdirs_init makes it. */
__attribute__((warn_unused_result))
int vdirs_parse(const char *s, size_t n, struct vdirctl *out);
void vdirs_cat(struct str *, const struct vdirctl *);

/* A change of the places in one directory, which nobody else of ours changes
 * meanwhile: begin locks, end writes (or, told to forget, does not) and
 * unlocks.  between: any number of take and give. */
struct vdirs {
	struct vstore *store;
	struct str key, dir;
	struct vdirctl ctl;
	struct str free;        /* text of .dir_control_free */
	bool changed, free_changed;
	int lock;
};

/* key: the domain, or "dom_UID" when dir holds domains; see store.h. */
__attribute__((warn_unused_result))
enum vstore_status vdirs_begin(struct vdirs *, struct vstore *,
    const char *key, const char *dir);
/* Replaces *sub_out by the place below dir, "" for dir itself. */
void vdirs_take(struct vdirs *, struct str *sub_out);
/* The entry at path, which was below dir, is gone; a path that is not below
 * dir is only counted. */
void vdirs_give(struct vdirs *, const char *path);
__attribute__((warn_unused_result))
enum vstore_status vdirs_end(struct vdirs *, bool keep);

#endif
