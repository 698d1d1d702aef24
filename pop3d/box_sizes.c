/* pop3d/box_sizes.c - how many bytes a message has on the wire; see box.h. */
#include "pop3d/box_private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BUF ((size_t)256 << 10)

/* LFs that will be sent with a CR of ours; *last: the byte before s, and then
 * the last one of it. */
static uint64_t
count_bare(const char *s, size_t n, char *last)
{
	const char *p = s, *end = s + n, *lf;
	uint64_t bare = 0;

	for (; p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL;
	    p = lf + 1)
		bare += (lf > s ? lf[-1] : *last) != '\r';
	if (n > 0)
		*last = end[-1];
	return bare;
}

/* A last line without an end gets one. */
static int
measure(struct str *buf, int fd, uint64_t *out)
{
	uint64_t size = 0;
	char last = '\n';

	str_reserve(buf, READ_BUF);
	for (;;) {
		ssize_t n = read(fd, buf->s, READ_BUF);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		size += (uint64_t)n + count_bare(buf->s, (size_t)n, &last);
	}
	*out = size + (last != '\n' ? 2 : 0);
	return 0;
}

uint64_t
box_size(struct box *b, size_t i)
{
	struct message *x = &b->m[i];
	int fd;

	if (x->wire != BOX_UNKNOWN)
		return x->wire;
	fd = box_message(b, i);
	if (fd < 0 || measure(&b->buf, fd, &x->wire) < 0) {
		if (fd >= 0)
			(void)close(fd);
		if (box_gone(b, i))
			x->wire = 0;
		return 0;
	}
	(void)close(fd);
	b->sizes_new++;
	b->sizes_read += x->wire;
	return x->wire;
}

void
box_sizes_save(struct box *b)
{
	(void)b;
}
