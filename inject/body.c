/* inject/body.c - see body.h. */
#include "inject/body.h"

#include <string.h>

void
body_init(struct body *b, struct sink *out, bool dot_ends)
{
	*b = (struct body){.out = out, .dot_ends = dot_ends};
}

static void
release_held(struct body *b)
{
	if (b->dot)
		sink_put(b->out, ".", 1);
	for (; b->crs > 0; b->crs--)
		sink_put(b->out, "\r", 1);
	b->dot = false;
}

/* One byte where something is held back, or at the beginning of a line.
 * False: it is not settled here and begins a run. */
static bool
feed_edge(struct body *b, char c)
{
	if (c == '\r') {
		b->crs++;
		return true;
	}
	if (c == '\n') {
		if (b->dot) {
			b->ended = true;
			return true;
		}
		b->crs = 0;
		b->inside = false;
		sink_put(b->out, "\n", 1);
		return true;
	}
	if (c == '.' && b->dot_ends && !b->inside && !b->dot &&
	    b->crs == 0) {
		b->dot = true;
		return true;
	}
	if (b->dot || b->crs > 0)
		b->inside = true;
	release_held(b);
	return false;
}

/* From s on without the things that edges are made of: bytes that pass. */
static size_t
run_length(const struct body *b, const char *s, size_t n)
{
	size_t len = bytes_chr(s, n, '\r');
	const char *p = s;
	const char *end = s + len;

	if (!b->dot_ends)
		return len;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p++;
		if (p == end || *p == '.')
			return (size_t)(p - s);
	}
	return len;
}

void
body_feed(struct body *b, const char *s, size_t n)
{
	size_t i = 0, len;

	while (i < n && !b->ended) {
		if ((b->dot || b->crs > 0 || !b->inside || s[i] == '\r') &&
		    feed_edge(b, s[i])) {
			i++;
			continue;
		}
		len = run_length(b, s + i, n - i);
		sink_put(b->out, s + i, len);
		i += len;
		b->inside = s[i - 1] != '\n';
	}
}

void
body_finish(struct body *b)
{
	if (!b->ended && !b->dot && b->inside)
		sink_put(b->out, "\n", 1);
}
