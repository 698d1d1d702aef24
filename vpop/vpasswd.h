/* vpop/vpasswd.h - the text of a domain's vpasswd file.
 *
 * A line a user, "name:hash:uid:gid:comment:dir:quota" and perhaps ":clear",
 * sorted by name; uid 1 is a pop and 2 an apop account, gid the flag bits.
 * What a line says that is not understood stays as it is, byte for byte, and
 * so does every line that is not changed.  Of lines with one name the first
 * counts. */
#ifndef VPOP_VPASSWD_H
#define VPOP_VPASSWD_H

#include "lib/map.h"
#include "vpop/store.h"

/* The whole line, or (name not NULL) what follows the name and its colon, as
 * vpasswd.cdb has it; without LF.  -1 when it is no account. */
__attribute__((warn_unused_result))
int vpasswd_parse(const char *name, const char *s, size_t n,
    struct vuser *out);
/* Appends the line without LF.  old: the line of that user before, or NULL:
 * its uid and gid keep their form, and eight fields stay eight.  eight: say
 * the clear password even when it is empty. */
void vpasswd_cat(struct str *, const struct vuser *, const char *old,
    size_t n, bool eight);
/* The first field that a line cannot hold (it has a colon), or NULL. */
const char *vpasswd_misfit(const struct vuser *);

struct vpasswd_line { const char *s; size_t n; };
struct vpasswd {
	struct str text;                /* as read */
	struct vpasswd_line *line;      /* of text, or of memory of its own */
	size_t n, cap;
	struct map by_name;             /* index + 1, when indexed */
	bool indexed, twice, changed;   /* twice: a name has two lines */
};

/* Takes the text over. */
void vpasswd_load_take(struct vpasswd *, struct str *text);
/* For many look-ups: makes them fast. */
void vpasswd_index(struct vpasswd *);
/* The user's line, NULL when there is none; borrowed until a change. */
const struct vpasswd_line *vpasswd_find(struct vpasswd *, const char *name);
/* add wants a user who is not there, set and del one who is. */
void vpasswd_add(struct vpasswd *, const struct vuser *);
void vpasswd_set(struct vpasswd *, const struct vuser *);
void vpasswd_del(struct vpasswd *, const char *name);
/* Sorts by name, what has one name in the order it had. */
void vpasswd_sort(struct vpasswd *);
/* Where the line's name ends. */
size_t vpasswd_name(const struct vpasswd_line *);
void vpasswd_free(struct vpasswd *);

#endif
