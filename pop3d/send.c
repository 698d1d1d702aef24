/* pop3d/send.c - a message from its file to the wire; see send.h.
 *
 * The file is the mailbox owner's: any bytes, of any length.  They are looked
 * at by memchr alone, a line at a time, and copied once. */
#include "pop3d/send.h"

#include <string.h>
#include <unistd.h>

#define TOP_PIECE 8192                  /* mostly holds what TOP wants */

/* A line, or what there is of it, is out and its LF is next. */
static void
end_line(struct send *m, struct out *o)
{
	static const char crlf[] = "\r\n";

	out_put(o, crlf + m->cr, 2u - m->cr);
	if (m->body)
		m->lines -= m->lines != SEND_ALL;
	else
		m->body = !m->text;
	m->done = m->body && m->lines == 0;
	m->begun = m->cr = m->text = false;
}

void
send_part(struct send *m, struct out *o, const char *s, size_t n)
{
	while (n > 0 && !m->done) {
		const char *lf = memchr(s, '\n', n);
		size_t k = lf != NULL ? (size_t)(lf - s) : n;

		if (k > 0) {
			if (!m->begun && *s == '.')
				out_put(o, ".", 1);
			out_put(o, s, k);
			m->cr = s[k - 1] == '\r';
			m->text = m->begun || k > 1 || !m->cr;
			m->begun = true;
		}
		if (lf == NULL)
			return;
		end_line(m, o);
		s += k + 1;
		n -= k + 1;
	}
}

void
send_end(struct send *m, struct out *o)
{
	if (m->begun)
		out_puts(o, "\r\n");
	out_puts(o, ".\r\n");
}

/* A file whose size is not what it was is somebody else's at work in it: there
 * is no end that would be right.  A short read is the end of a file. */
enum send_status
send_message(struct out *o, int fd, uint64_t size, uint64_t lines,
    char piece[SEND_PIECE])
{
	struct send m = {.lines = lines};
	size_t want = lines == SEND_ALL ? SEND_PIECE : TOP_PIECE;
	size_t got = want;

	while (got == want && !m.done && o->fail == IO_OK) {
		ssize_t r = read(fd, piece, want);

		if (r < 0)
			return SEND_UNREADABLE;
		got = (size_t)r;
		if (got > size)
			return SEND_CHANGED;
		size -= got;
		send_part(&m, o, piece, got);
	}
	if (!m.done && size > 0 && o->fail == IO_OK)
		return SEND_CHANGED;
	send_end(&m, o);
	return SEND_OK;
}
