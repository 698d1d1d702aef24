/* fuzz_remote_message.c - any bytes as a message on its way out: only CR LF
 * line ends, no line that is a lone dot, nothing else changed but by the rules
 * of crlf.h; converted to 7 bits, it has none above 127 and the announced
 * size. */
#include "TESTS/fuzz/fuzz.h"

#include "lib/io.h"
#include "lib/str.h"
#include "remote/crlf.h"
#include "remote/downgrade.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static int
collect(void *arg, const char *s, size_t n)
{
	str_catb(arg, s, n);
	return 0;
}

static void
check_wire(const struct str *w, bool dots)
{
	const char *s = str_c(w);

	require(w->len == 0 || (w->len >= 2 && s[w->len - 1] == '\n'));
	for (size_t i = 0; i < w->len; i++) {
		bool begins = i == 0 || s[i - 1] == '\n';

		require(s[i] != '\n' || (i > 0 && s[i - 1] == '\r'));
		require(s[i] != '\r' || s[i + 1] == '\n');
		require(!dots || !begins || s[i] != '.' || s[i + 1] == '.');
	}
}

/* Without dots, spaces back to nothing and line ends to LF: the rest must be
 * the input's. */
static void
check_same(const struct str *w, const char *s, size_t n)
{
	size_t i = 0;

	for (size_t k = 0; k < w->len; k++) {
		char c = w->s[k];

		if (c == '\r')
			continue;
		if (c == '\n') {
			i += i < n && s[i] == '\r' ? 1 : 0;
			require(i == n || s[i] == '\n');
			i += i < n ? 1 : 0;
		} else {
			require(i < n && (s[i] == c ||
			    (s[i] == '\r' && c == ' ')));
			i++;
		}
	}
	require(i == n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data, *reason;
	struct str whole = {0}, parts = {0}, bare = {0};
	struct crlf a = {.dots = true, .put = collect, .arg = &whole};
	struct crlf b = {.dots = true, .put = collect, .arg = &parts};
	struct downgrade d = {0};
	int fd = memfd_create("message", MFD_CLOEXEC);
	struct message m;

	require(fd >= 0 && fd_write_all(fd, s, n) == 0);
	require(crlf_feed(&a, s, n) == 0 && crlf_end(&a) == 0);
	for (size_t i = 0; i < n; i++)
		require(crlf_feed(&b, s + i, 1) == 0);
	require(crlf_end(&b) == 0);
	require(whole.len == parts.len && (whole.len == 0 ||
	    memcmp(whole.s, parts.s, whole.len) == 0));
	check_wire(&whole, true);
	require(message_scan(&m, fd, 0) == 0);
	require(message_write(&m, false, collect, &bare) == 0);
	require(bare.len == m.wire_size);
	check_wire(&bare, false);
	check_same(&bare, s, n);
	require(downgrade_plan(&d, &m, &reason) == 0);
	if (reason == NULL) {
		str_clear(&bare);
		require(downgrade_write(&d, false, collect, &bare) == 0);
		require(bare.len == d.size);
		check_wire(&bare, false);
		for (size_t i = 0; i < bare.len; i++)
			require((unsigned char)bare.s[i] < 128);
	}
	downgrade_free(&d);
	str_free(&whole);
	str_free(&parts);
	str_free(&bare);
	(void)close(fd);
	return 0;
}
