/* TESTS/fuzz/fuzz_stamp.c - tai64nlocal over any bytes: whole and in pieces
 * give the same, and every line that holds no label comes out as it went in.
 * Byte 0: the piece size; the rest is the input. */
#include "TESTS/fuzz/fuzz.h"

#include "supervise/stamp.h"

#include "lib/sock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES 64               /* packets that a socket surely holds */

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* Input in packets of piece bytes; the output. */
static void
convert(const char *s, size_t n, size_t piece, struct str *out)
{
	static struct io io;
	char buf[4096];
	ssize_t got;
	int a, b, fd = memfd_create("out", 0);

	must(fd >= 0 && sock_pair(SOCK_SEQPACKET, &a, &b) == 0);
	for (size_t at = 0; at < n; at += piece)
		must(send(b, s + at, n - at < piece ? n - at : piece,
		    MSG_DONTWAIT) >= 0);
	must(close(b) == 0);
	io_init(&io, a, fd, IO_FOREVER);
	must(stamp_to_local(&io) == 0);
	must(lseek(fd, 0, SEEK_SET) == 0);
	while ((got = read(fd, buf, sizeof buf)) > 0)
		str_catb(out, buf, (size_t)got);
	must(close(a) == 0 && close(fd) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str whole = {0}, pieces = {0};
	const char *s = (const char *)bytes + 1;
	size_t piece;

	if (n < 2 || n > 4096)
		return 0;
	piece = bytes[0] ? bytes[0] : 1;
	n--;
	if (n > piece * PIECES)
		n = piece * PIECES;
	convert(s, n, n, &whole);
	convert(s, n, piece, &pieces);
	must(whole.len == pieces.len);
	must(whole.len == 0 || memcmp(whole.s, pieces.s, whole.len) == 0);
	if (memchr(s, '@', n) == NULL)
		must(whole.len == n && memcmp(whole.s, s, n) == 0);
	str_free(&whole);
	str_free(&pieces);
	return 0;
}
