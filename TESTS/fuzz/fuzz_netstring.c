/* fuzz_netstring.c - one netstring after another out of any bytes, in pieces,
 * against a reader that has them all at once.  Byte 0: the piece size; byte 1:
 * the longest that is kept; the rest is the stream. */
#include "TESTS/fuzz/fuzz.h"

#include "lib/sock.h"
#include "mail/netstring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES 64               /* packets that a socket surely holds */

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* By the definition: what stands at s, and in *used how much of it. */
static enum netstring_status
model(const char *s, size_t n, size_t max, size_t *from, size_t *len,
    size_t *used)
{
	size_t d = 0;

	*len = 0;
	if (n == 0)
		return NETSTRING_END;
	while (d < n && s[d] >= '0' && s[d] <= '9') {
		if (d >= 1 && s[0] == '0')
			return NETSTRING_BAD;
		if (d == 9)
			return NETSTRING_HUGE;
		*len = *len * 10 + (size_t)(s[d++] - '0');
	}
	if (d == n)
		return NETSTRING_IO;
	if (d == 0 || s[d] != ':')
		return NETSTRING_BAD;
	*from = d + 1;
	*used = *from + *len + 1;
	if (*used > n)
		return NETSTRING_IO;
	if (s[*used - 1] != ',')
		return NETSTRING_BAD;
	return *len > max ? NETSTRING_LONG : NETSTRING_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct io io;
	const char *s = (const char *)bytes + 2;
	struct netreader r;
	struct str got = {0};
	size_t piece, max;
	int a, b;

	if (n < 2 || n > 4096)
		return 0;
	piece = bytes[0] ? bytes[0] : 1;
	max = bytes[1];
	n -= 2;
	if (n > piece * PIECES)
		n = piece * PIECES;
	must(sock_pair(SOCK_SEQPACKET, &a, &b) == 0);
	for (size_t at = 0; at < n; at += piece)
		must(send(b, s + at, n - at < piece ? n - at : piece,
		    MSG_DONTWAIT) >= 0);
	must(close(b) == 0);
	io_init(&io, a, -1, IO_FOREVER);
	netreader_init(&r, &io);
	for (;;) {
		size_t from = 0, len = 0, used = 0;
		enum netstring_status want = model(s, n, max, &from, &len,
		    &used);

		must(netreader_str(&r, &got, max) == want);
		if (want != NETSTRING_OK && want != NETSTRING_LONG)
			break;
		if (want == NETSTRING_OK)
			must(got.len == len && memcmp(str_c(&got), s + from,
			    len) == 0);
		s += used;
		n -= used;
	}
	str_free(&got);
	must(close(a) == 0);
	return 0;
}
