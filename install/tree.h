/* install/tree.h - what an installation consists of, as one list.
 *
 * The list is the tables of table.h, with the manifest's programs and pages
 * filled in.  It is in an order that can be made from first to last.  Both
 * valija-setup and valija-check walk it. */
#ifndef INSTALL_TREE_H
#define INSTALL_TREE_H

#include "lib/str.h"

#include <sys/types.h>

enum tree_kind {
	TREE_DIR,               /* owner and mode are ours */
	TREE_SYSDIR,            /* only has to exist */
	TREE_KEPTDIR,           /* made with owner and mode, then left alone */
	TREE_COPY,              /* bytes of source, replaced when different */
	TREE_TEXT,              /* source with @HOME@ filled in, edits kept */
	TREE_KEPT,              /* made of size zeros when missing */
	TREE_FIFO,
	TREE_LINK,              /* symlink to source */
	TREE_LINK_ASIDE,        /* the same; what stood there is kept beside */
};

struct tree_item {
	enum tree_kind kind;
	struct str path;        /* absolute, without DESTDIR */
	struct str source;      /* below the source tree; a link's target */
	struct str pristine;    /* of a TEXT: the text as delivered */
	const char *owner, *group;      /* NULL: not ours to say */
	mode_t mode;
	size_t size;
};

struct tree {
	struct tree_item *items;
	size_t n, cap;
};

/* The manifest has a line "KIND SOURCE" for each file that make built or
 * knows: prog and script for HOME/bin, vprog for HOME/bin with a link in
 * VPOPMAIL/bin, cmd and cmdscript for /usr/local/bin, man for a page, doc for a
 * paper.  vpopmail is VPOPMAIL.  Adds everything; 0, or -1 with the line that
 * is not understood (1 and up) in *line. */
__attribute__((warn_unused_result))
int tree_build(struct tree *, const char *vpopmail, const char *manifest,
    size_t n, unsigned *line);
void tree_free(struct tree *);

mode_t tree_program_mode(const char *name);
/* Appends s with each @HOME@ replaced by HOME_DIR. */
void tree_cat_filled(struct str *, const char *s, size_t n);

#endif
