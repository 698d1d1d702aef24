/* TESTS/fuzz/fuzz_io.c - io_getdelim over a socket, fed in pieces, against the
 * same records found by hand.  Byte 0: the piece size; byte 1: the maximum;
 * byte 2: the delimiter; the rest is the stream. */
#include "TESTS/fuzz/fuzz.h"

#include "lib/io.h"
#include "lib/sock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* What io_getdelim has to answer at s. */
static enum io_status
model(const char *s, size_t n, char delim, size_t max, size_t *len,
    size_t *used)
{
	size_t end = bytes_chr(s, n, delim);

	if (end > max) {
		*len = *used = max;
		return IO_TOOLONG;
	}
	*len = end;
	*used = end < n ? end + 1 : end;
	return end < n ? IO_OK : IO_EOF;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct io io;
	const char *s;
	size_t piece, max, at = 0, sent = 0;
	char delim;
	int a, b;

	if (n < 3 || n > 4096)
		return 0;
	piece = bytes[0] ? bytes[0] : 1;
	max = bytes[1];
	delim = (char)bytes[2];
	s = (const char *)bytes + 3;
	n -= 3;
	must(sock_pair(SOCK_SEQPACKET, &a, &b) == 0);
	for (; sent < n && sent / piece < 64; sent += piece)
		must(send(b, s + sent, n - sent < piece ? n - sent : piece,
		    MSG_DONTWAIT) >= 0);
	if (sent < n)
		n = sent;
	must(close(b) == 0);
	io_init(&io, a, -1, IO_FOREVER);
	for (;;) {
		struct str got = {0};
		size_t len, used;
		enum io_status want = model(s + at, n - at, delim, max, &len,
		    &used);
		enum io_status st = io_getdelim(&io, &got, delim, max);

		must(st == want && got.len == len);
		must(len == 0 || memcmp(got.s, s + at, len) == 0);
		str_free(&got);
		at += used;
		if (st == IO_EOF)
			break;
		if (st == IO_TOOLONG && max == 0) {
			char c;

			must(io_getall(&io, &c, 1) == IO_OK && c == s[at]);
			at++;
		}
	}
	must(close(a) == 0);
	return 0;
}
