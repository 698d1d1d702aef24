/* send/link.h - what qmail-todo and qmail-send say to each other.
 *
 * Records end with NUL.  qmail-todo to qmail-send:
 *
 *	m ID BIRTH BYTES QP UID NL NR NW
 *	                a message; then F sender, then NL + NR times L address
 *	                or R address, and among them NW records of wishes: M
 *	                text after F, N text after the L or R it belongs to.
 *	                It stays in todo/ until `d` or `s`
 *	p ID BIRTH BYTES QP UID NL NR NW
 *	                a message whose info, local, remote files stand
 *	                already; then F sender
 *	b TOKEN                         everything that was written before
 *	                                `w TOKEN` was sent is on the disk;
 *	                                b 0, once and first: nobody who was
 *	                                here before removes files any more
 *	e ID                            nobody else knows it, do you?
 *
 * qmail-send to qmail-todo:
 *
 *	d ID            finished: forget it, have its files removed
 *	s ID            its info, local, remote files are written: sync, then
 *	                remove todo/ID
 *	f ID            answers `e` when it does not: all it ever said about
 *	                that number was said before
 *	w TOKEN         sync, then answer b TOKEN; tokens grow
 *	h               read the control files again
 *
 * Both run as qmails and trust each other. */
#ifndef SEND_LINK_H
#define SEND_LINK_H

#include "lib/str.h"

struct link_msg {
	char kind;              /* 'm' or 'p' */
	uint64_t id, bytes, qp, uid, nlocal, nremote, nwishes;
	int64_t birth;
};

void link_cat_msg(struct str *, const struct link_msg *);
void link_cat_num(struct str *, char kind, uint64_t n); /* b d e f s w */
/* A record without its NUL; -1 with EPROTO. */
__attribute__((warn_unused_result))
int link_parse_msg(const char *rec, struct link_msg *out);
__attribute__((warn_unused_result))
int link_parse_num(const char *rec, uint64_t *out);

#endif
