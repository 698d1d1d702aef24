/* pop3d/box_sizes.c - how many bytes a message has on the wire; see box.h.
 *
 * The name tells, or pop3d.sizes does, or the message is read.  What was read
 * is kept in pop3d.sizes when that saves the next session more than it costs
 * this one.  The file is only a cache: it is replaced without a sync, by
 * whichever session was last. */
#include "pop3d/box_private.h"

#include "lib/fs.h"
#include "mail/maildir.h"
#include "pop3d/lists.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIZES_FILE "pop3d.sizes"
#define READ_BUF ((size_t)256 << 10)
#define WORTH_PART 64                   /* one of so many messages was read */
#define WORTH_BYTES (1 << 20)           /* or so much in all */

/* A last line without an end gets one. */
static int
measure(struct str *buf, int fd, uint64_t *out, uint64_t *read_out)
{
	struct maildir_count c = {0};

	str_reserve(buf, READ_BUF);
	for (;;) {
		ssize_t n = read(fd, buf->s, READ_BUF);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		maildir_count_add(&c, buf->s, (size_t)n);
	}
	*read_out += c.size;
	*out = c.size + c.bare + (c.size > 0 && c.last != '\n' ? 2 : 0);
	return 0;
}

struct taking {
	struct box *b;
	size_t hint;
};

static void
take_size(void *arg, const char *name, size_t n, const char *uidl,
    uint64_t wire)
{
	struct taking *t = arg;
	size_t i = box_find(t->b, name, n, &t->hint);

	(void)uidl;
	if (i != BOX_NOWHERE && t->b->m[i].wire == BOX_UNKNOWN)
		t->b->m[i].wire = wire;
}

static void
load_sizes(struct box *b)
{
	struct taking t = {.b = b};
	struct str text = {0};
	int fd;

	b->sizes_loaded = true;
	box_line_up(b);
	fd = box_file_open(b, SIZES_FILE);
	if (fd < 0)
		return;
	if (fs_read_fd(fd, &text, LISTS_MAX) < 0 || lists_own(LISTS_SIZES,
	    str_c(&text), text.len, take_size, &t) < 0) {
		/* As good as none. */
	}
	(void)close(fd);
	str_free(&text);
}

uint64_t
box_size(struct box *b, size_t i)
{
	struct message *x = &b->m[i];
	int fd;

	if (x->wire == BOX_UNKNOWN && !b->sizes_loaded)
		load_sizes(b);
	if (x->wire != BOX_UNKNOWN)
		return x->wire;
	fd = box_message(b, i);
	if (fd < 0) {
		if (box_gone(b, i))
			x->wire = 0;
		return 0;
	}
	if (measure(&b->buf, fd, &x->wire, &b->sizes_read) == 0)
		b->sizes_new++;
	(void)close(fd);
	return x->wire != BOX_UNKNOWN ? x->wire : 0;
}

void
box_sizes_save(struct box *b)
{
	struct str text = {0};

	str_free(&b->buf);
	if (b->sizes_new == 0 || (b->sizes_new < b->n / WORTH_PART &&
	    b->sizes_read < WORTH_BYTES))
		return;
	/* Or what it had of other messages would be lost. */
	if (!b->sizes_loaded)
		load_sizes(b);
	for (size_t i = 0; i < b->n; i++) {
		const struct message *x = &b->m[i];

		if (!x->told && !box_gone(b, i) && x->wire != BOX_UNKNOWN)
			lists_own_add(LISTS_SIZES, &text, box_name(b, i),
			    x->base, "", x->wire);
	}
	lists_own_seal(LISTS_SIZES, &text);
	box_file_cache(b, SIZES_FILE, &text);
	str_free(&text);
	b->sizes_new = 0;
	b->sizes_read = 0;
}
