/* fuzz_pop3_send.c - any bytes as a message: however they are cut, what goes
 * out is what a loop over single bytes makes of them, has one end, and holds
 * as many bytes as its size said. */
#include "pop3d/send.h"

#include "TESTS/fuzz/fuzz.h"
#include "TESTS/unit/pop3_fake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct out out;
static char piece[SEND_PIECE];

static void
begin(void)
{
	memset(&out, 0, sizeof out);
	out_init(&out, memfd_create("wire", MFD_CLOEXEC), 1000);
}

static void
compare(const struct str *want)
{
	char *got = mem_alloc(want->len + 1, 1);

	out_flush(&out);
	if (out.fail != IO_OK || out.total != want->len ||
	    pread(out.fd, got, want->len + 1, 0) != (ssize_t)want->len ||
	    memcmp(got, str_c(want), want->len) != 0)
		abort();
	(void)close(out.fd);
	free(got);
}

/* The end is where it should be and nowhere else, and so are the dots. */
static void
check_wire(const struct str *wire, size_t size)
{
	size_t plain = 0, line = 0;

	for (size_t i = 0; i < wire->len; i++) {
		if (wire->s[i] != '\n')
			continue;
		if (i == line || wire->s[i - 1] != '\r')
			abort();
		plain += i + 1 - line;
		if (wire->s[line] == '.') {
			plain--;
			if ((i + 1 == wire->len) != (i == line + 2))
				abort();
			if (i + 1 < wire->len && wire->s[line + 1] != '.')
				abort();
		}
		line = i + 1;
	}
	/* The final dot is stuffing too, for this count; its CR LF is not. */
	if (line != wire->len || plain - 2 != size)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str want = {0};
	struct send m = {0};
	size_t cut, n;
	const char *s;
	int fd;

	if (size < 2)
		return 0;
	s = (const char *)data + 2;
	n = size - 2;
	m.lines = data[0] == 255 ? SEND_ALL : data[0];
	cut = data[1] + 1u;
	pop3_fake_wire(&want, s, n, m.lines);
	fd = pop3_fake_file(s, n);
	begin();
	if (send_message(&out, fd, n, m.lines, piece) != SEND_OK)
		abort();
	(void)close(fd);
	compare(&want);
	begin();
	for (size_t i = 0; i < n; i += cut)
		send_part(&m, &out, s + i, cut < n - i ? cut : n - i);
	send_end(&m, &out);
	compare(&want);
	if (data[0] == 255) {
		pop3_fake = (struct pop3_fake){.count = 1};
		pop3_fake.msg[0].bytes = s;
		pop3_fake.msg[0].n = n;
		check_wire(&want, box_size(NULL, 0));
	}
	str_free(&want);
	return 0;
}
