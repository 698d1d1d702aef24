/* pop3d/box_private.h - what the files of box.c share; see box.h.
 *
 * Messages are sorted by key and then by base name.  Their names are in one
 * pool and change when it is found that somebody renamed them; the base name
 * never does.  What is looked for by name is found by the same order. */
#ifndef POP3D_BOX_PRIVATE_H
#define POP3D_BOX_PRIVATE_H

#include "mail/mdscan.h"
#include "pop3d/box.h"

#include <assert.h>

#define BOX_UNKNOWN UINT64_MAX
#define BOX_NOWHERE SIZE_MAX
static_assert(MDSCAN_NAME <= BOX_UIDL_GIVEN, "box.given_len is of both");
#define BOX_MISSES 2                    /* complete scans without a message,
                                         * and it is gone */

struct message {
	uint64_t key;                   /* microseconds since 1970 */
	uint64_t wire;                  /* BOX_UNKNOWN: not yet looked */
	uint32_t at;                    /* its name in the pool */
	uint32_t uidl;                  /* in box.uidls; 0: none was given */
	uint8_t base;                   /* bytes of the base name */
	uint8_t room;                   /* bytes its name may have at at */
	uint8_t misses;
	bool is_new : 1;
	bool deleted : 1;
	bool untimed : 1;               /* the key is the file's time */
	bool twice : 1;                 /* it had two names */
	bool told : 1;                  /* its name tells the size */
	bool seen : 1;                  /* by the scan that is going on */
};

struct box {
	int dir;                        /* the Maildir */
	int slot;                       /* of pop3d.lock, -1: none */
	struct mdscan_watch watch;      /* from the first search on */
	struct str path;
	struct message *m;
	size_t n;
	struct str pool;                /* names, with a NUL each */
	bool lined_up;                  /* in the order of the messages */
	uint32_t *untimed;              /* these messages, by base name */
	size_t n_untimed;

	bool sizes_loaded;
	size_t sizes_new;               /* what pop3d.sizes does not have */
	uint64_t sizes_read;            /* bytes read to know them */

	struct str buf;                 /* for reading, always empty */
	struct str uidl_config;
	int uidl_fd;                    /* pop3d.uidl, -1: read or none */
	size_t uidl_lines;              /* it has */
	struct str uidls;               /* given ones, with a NUL each */
	uint64_t *given;                /* hash table of their sums, 0: free */
	size_t n_given, cap_given;      /* a power of 2, or 0 */
	bool given_len[BOX_UIDL_GIVEN + 1];     /* their lengths */
	char uidl[BOX_UIDL + 1];        /* the last answer */
};

/* box_order.c */

/* Makes the messages of a scan, whose pool it takes. */
void box_fill_take(struct box *, struct mdscan *);
/* By base name, or BOX_NOWHERE.  *hint: where it may be; moved along. */
size_t box_find(const struct box *, const char *base, size_t n, size_t *hint);
static inline const char *
box_name(const struct box *b, size_t i)
{
	return b->pool.s + b->m[i].at;
}

/* Puts the names into the order of the messages, once: before they are all
 * gone through, which would wait for memory at each otherwise. */
void box_line_up(struct box *);

/* box_name.c */

/* Does it with the message's file, relative to box.dir, wherever it is; as
 * long as that is ENOENT it is looked for.  0, or -1 with errno. */
typedef int (*box_act)(struct box *, size_t i, const char *path, void *arg);
__attribute__((warn_unused_result))
int box_reach(struct box *, size_t i, box_act, void *arg);
/* The same without looking beyond the names it is likely to have. */
__attribute__((warn_unused_result))
int box_try(struct box *, size_t i, box_act, void *arg);
/* Reads both directories and brings all names up to date. */
__attribute__((warn_unused_result))
int box_rescan(struct box *);
static inline bool
box_gone(const struct box *b, size_t i)
{
	return b->m[i].misses >= BOX_MISSES;
}

/* box_file.c */

/* A regular file in the Maildir, or -1; ENOENT also for what is none. */
__attribute__((warn_unused_result))
int box_file_open(const struct box *, const char *name);
void box_file_tmp(struct str *out, const char *name);   /* a path in tmp/ */
/* Replaces it, not durably; nothing happens where that is not possible. */
void box_file_cache(const struct box *, const char *name, const struct str *);

/* box_sizes.c */
void box_sizes_save(struct box *);      /* when it is worth it */

/* box_uidl.c */
__attribute__((warn_unused_result))
int box_uidl_open(struct box *, const char *config);
void box_uidl_prune(struct box *);

/* box_slot.c */
enum box_status box_slot_take(struct box *, const struct box_config *);
/* The login is a success: the next one has to wait from now on. */
void box_slot_note(const struct box *, const struct box_config *);

#endif
