/* pop3d/box.h - a mailbox as a POP3 session sees it: what was there at its
 * start, in an order that does not change.
 *
 * Messages are numbered from 0 here, by time of delivery (the name's, else the
 * file's) and then by name.  A message is its base name: others may rename it,
 * move it from new/ to cur/ and delete it at any time, and what cannot be found
 * under the name it had is looked for.  Nothing changes on the disk before
 * box_update.
 *
 * Files of ours in the Maildir, both plain text:
 *	pop3d.uidl      identifiers that other servers had given, "UIDL BASE"
 *	pop3d.sizes     wire sizes that names do not tell, "SIZE BASE"; may be
 *	                removed at any time
 * The first line of both counts what follows and has its checksum.  Both are
 * the mailbox owner's, as whom this runs: what they say is checked all the
 * same, and one that makes no sense is as good as none. */
#ifndef POP3D_BOX_H
#define POP3D_BOX_H

#include "lib/str.h"

#include <stdint.h>
#include <sys/types.h>

#define BOX_UIDL 70                     /* bytes of an identifier (1939:7) */
#define BOX_UIDL_GIVEN 255              /* of one that another server gave:
                                         * Dovecot's "%f" may be longer */

struct box;                             /* memory: some 100 bytes a message */

enum box_status {
	BOX_OK,
	BOX_NONE,                       /* there is no such Maildir */
	BOX_BUSY,                       /* too many sessions have it open */
	BOX_SOON,                       /* the last login is too short ago */
	BOX_TEMP,                       /* anything else; errno */
};

struct box_config {
	const char *maildir;
	/* How identifiers of other servers are taken over, see pop3uidl in
	 * qmail-control(5): "auto", "name", "courier", "dovecot [FORMAT]". */
	const char *uidl;
	unsigned sessions;              /* at once, 0: any number */
	unsigned delay_s;               /* between logins, 0: none */
};

__attribute__((warn_unused_result))
enum box_status box_open(struct box **out, const struct box_config *);
void box_free(struct box *);

size_t box_count(const struct box *);
/* Bytes as they are sent, without dot stuffing and the final dot: exactly
 * what RETR sends.  Reads files whose names do not tell.  0 for a message
 * that is gone before its size was known. */
uint64_t box_size(struct box *, size_t i);
/* Bytes of 33..126, BOX_UIDL or BOX_UIDL_GIVEN at most, the same in every
 * session, no two the same in one.  Lives until the next is asked for. */
const char *box_uidl(struct box *, size_t i);
/* To be asked before: -1 with errno when what other servers called messages
 * cannot be read now.  To say anything else would have clients fetch
 * everything again. */
__attribute__((warn_unused_result))
int box_uidl_ready(struct box *);
/* The file, for reading; -1 with errno (ENOENT: it is gone). */
__attribute__((warn_unused_result))
int box_message(struct box *, size_t i);

void box_delete(struct box *, size_t i);
void box_undelete(struct box *);        /* all of them */
bool box_deleted(const struct box *, size_t i);
/* What is not deleted. */
void box_stat(struct box *, size_t *count_out, uint64_t *bytes_out);

bool box_uidl_config_ok(const char *);  /* else box_open says EINVAL */

struct box_result {
	size_t deleted, failed;
	int error;                      /* errno of the first that failed */
};
/* QUIT: removes what is deleted, durably, takes it off maildirsize, and moves
 * what is in new/ to cur/. */
void box_update(struct box *, struct box_result *out);

#endif
