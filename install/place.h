/* install/place.h - one item of the tree on the disk: reach it and make it.
 *
 * Runs as root below directories that belong to other users, so it walks one
 * component at a time and follows a symbolic link only when root (or the
 * caller) made it; below a DESTDIR it follows none.  A file is replaced by
 * rename: a running program keeps the old one. */
#ifndef INSTALL_PLACE_H
#define INSTALL_PLACE_H

#include "install/tree.h"

struct place {
	int root;               /* descriptor of / or DESTDIR */
	bool staged;            /* below a DESTDIR */
	bool owners;            /* set and compare owners */
	bool owner_skipped;     /* out: an account did not exist */
	const char *source;     /* directory of the source tree, or NULL */
	struct str aside;       /* out: a line for each file put aside */
};

enum place_result {
	PLACE_SAME,             /* was as it should be */
	PLACE_CHANGED,          /* made, replaced, or its owner or mode set */
	PLACE_EDITED,           /* a text that somebody edited: left alone */
	PLACE_FAILED,           /* errno */
};

/* destdir NULL: the machine itself.  0, or -1 with errno. */
__attribute__((warn_unused_result))
int place_init(struct place *, const char *destdir, const char *source);
void place_done(struct place *);

/* An O_PATH descriptor of a directory, or -1.  ELOOP: a link that is not
 * followed. */
__attribute__((warn_unused_result))
int place_open_dir(const struct place *, const char *path);
/* The directory above path, and path's last component in *name. */
__attribute__((warn_unused_result))
int place_open_parent(const struct place *, const char *path,
    const char **name);

enum place_result place_make(struct place *, const struct tree_item *);
/* Makes a file that is missing; PLACE_SAME, whatever it holds, when it is
 * there.  Same owner and mode rules. */
enum place_result place_make_once(struct place *, const char *path,
    const char *owner, const char *group, mode_t mode, const char *text);
/* Appends the file's bytes; ENOENT when missing. */
__attribute__((warn_unused_result))
int place_read(const struct place *, const char *path, struct str *out);

/* Owner and group of an item as ids.  PLACE_SAME; PLACE_EDITED when owners
 * are not to be touched (unprivileged, or an account missing below a DESTDIR);
 * PLACE_FAILED. */
enum place_result place_owner(struct place *, const struct tree_item *,
    uid_t *uid, gid_t *gid);

#endif
