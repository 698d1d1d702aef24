/* stamp.c - the work of tai64n and tai64nlocal; see stamp.h.
 *
 * Input is anybody's bytes: lines of any length, NULs, cut anywhere.  Only
 * a label's worth of a line's beginning is ever held back. */
#include "supervise/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LABEL (STAMP_LEN - 1)

static void
hex(char *out, uint64_t u, size_t digits)
{
	while (digits > 0) {
		out[--digits] = "0123456789abcdef"[u & 15];
		u >>= 4;
	}
}

void
stamp_format(char out[STAMP_LEN], const struct tai *t)
{
	out[0] = '@';
	hex(out + 1, t->sec, 16);
	hex(out + 17, t->nano, 8);
	out[25] = ' ';
}

static int
finish(struct io *io, enum io_status st)
{
	if (st != IO_EOF)
		return -1;
	return io_flush(io) == IO_OK ? 0 : -1;
}

int
stamp_add(struct io *io)
{
	char buf[IO_BUF];
	bool fresh = true;
	enum io_status st;
	size_t got;

	while ((st = io_get(io, buf, sizeof buf, &got)) == IO_OK) {
		for (size_t at = 0; at < got;) {
			size_t n = bytes_chr(buf + at, got - at, '\n');

			if (fresh) {
				char s[STAMP_LEN];
				struct tai now = tai_now();

				stamp_format(s, &now);
				if (io_put(io, s, sizeof s) != IO_OK)
					return -1;
			}
			fresh = at + n < got;
			n += fresh;
			if (io_put(io, buf + at, n) != IO_OK)
				return -1;
			at += n;
		}
	}
	return finish(io, st);
}

/* The label as local time, or the bytes themselves. */
static enum io_status
put_label(struct io *io, const char *label, size_t n)
{
	char text[64];
	struct tm tm;
	struct tai t;
	time_t when;
	int len;

	if (n < LABEL || tai_scan_label(&t, label, n) != LABEL)
		return io_put(io, label, n);
	when = tai_unix(&t);
	if (localtime_r(&when, &tm) == NULL)
		return io_put(io, label, n);
	len = snprintf(text, sizeof text,
	    "%ld-%02d-%02d %02d:%02d:%02d.%09lu", tm.tm_year + 1900L,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (unsigned long)t.nano);
	if (len < 0 || (size_t)len >= sizeof text)
		return io_put(io, label, n);
	return io_put(io, text, (size_t)len);
}

static bool
may_continue(const char *held, size_t n, char c)
{
	if (n == 0)
		return c == '@';
	return held[0] == '@' && n < LABEL &&
	    ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
}

int
stamp_to_local(struct io *io)
{
	char buf[IO_BUF], held[LABEL];
	size_t nheld = 0, got;
	bool head = true;       /* within what may be a label */
	enum io_status st;

	while ((st = io_get(io, buf, sizeof buf, &got)) == IO_OK) {
		size_t at = 0;

		while (at < got) {
			size_t n;

			if (head && may_continue(held, nheld, buf[at])) {
				held[nheld++] = buf[at++];
				continue;
			}
			if (put_label(io, held, nheld) != IO_OK)
				return -1;
			nheld = 0;
			n = bytes_chr(buf + at, got - at, '\n');
			head = at + n < got;
			n += head;
			if (io_put(io, buf + at, n) != IO_OK)
				return -1;
			at += n;
		}
	}
	if (put_label(io, held, nheld) != IO_OK)
		return -1;
	return finish(io, st);
}
