/* tls/store.h - changing what is installed: a new generation, then one switch.
 *
 * A change copies the current generation by links, alters the copy, makes it
 * durable and lets current point to it.  Only the current one and the one
 * before are kept.  Runs as root; one at a time. */
#ifndef TLS_STORE_H
#define TLS_STORE_H

#include "lib/str.h"

#include <stdint.h>
#include <sys/types.h>

struct store {
	const char *home;               /* of layout.h */
	uid_t keyd;                     /* owner of key files, or -1: ours */
	gid_t gid;
	int lock;
	uint64_t gen, next;             /* current (0: none), being made */
	struct str dir;                 /* of the one being made */
};

/* All: 0, or -1 with errno and *what (a verb and its object) said by
 * log_sys.  After -1 call store_abort. */
__attribute__((warn_unused_result))
int store_begin(struct store *, const char *home, uid_t keyd, gid_t gid);
/* Takes NAME out; the default goes with it.  ENOENT: there is no such. */
__attribute__((warn_unused_result))
int store_drop(struct store *, const char *name);
/* Takes one kind of NAME out, if it is there. */
__attribute__((warn_unused_result))
int store_drop_kind(struct store *, const char *name, const char *kind);
__attribute__((warn_unused_result))
int store_put(struct store *, const char *name, const char *kind,
    const struct str *certificate, const struct str *key);
/* Marks NAME as made by ourselves. */
__attribute__((warn_unused_result))
int store_mark(struct store *, const char *name);
__attribute__((warn_unused_result))
int store_default(struct store *, const char *name);
/* The NAME of the default, "" when there is none or it names nothing. */
void store_get_default(const struct store *, struct str *out);
bool store_has(const struct store *, const char *name);
bool store_marked(const struct store *, const char *name);
__attribute__((warn_unused_result))
int store_commit(struct store *);
void store_abort(struct store *);

/* Tells keyd, waits until it has the keys of these ids, tells tlsd.  0; -1
 * when a service that runs did not follow (said in the log). */
__attribute__((warn_unused_result))
int store_tell(const char *service_dir, const char *keyd_socket,
    const unsigned char (*ids)[32], size_t n);

#endif
