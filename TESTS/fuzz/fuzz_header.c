/* fuzz_header.c - any bytes as a message: the fields and what is left over are
 * the input again, and no limit is passed. */
#include "mail/header.h"

#include "TESTS/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIELD_MAX 300
#define TOTAL_MAX 2000

/* The fields, a mark after each; then the status; then the rest. */
static void
digest(int fd, bool drop_cr, struct str *out, struct str *joined)
{
	struct io io;
	struct header h;
	enum header_status st;
	const char *s;
	size_t n;

	if (lseek(fd, 0, SEEK_SET) != 0)
		abort();
	io_init(&io, fd, -1, IO_FOREVER);
	header_init(&h, &io, FIELD_MAX, TOTAL_MAX);
	h.drop_cr = drop_cr;
	while ((st = header_next(&h)) == HEADER_FIELD) {
		if (h.field.len < 2 || h.field.len > FIELD_MAX ||
		    h.field.s[h.field.len - 1] != '\n')
			abort();
		s = header_value(&h, &n);
		if (s + n + 1 != h.field.s + h.field.len)
			abort();
		str_cat(joined, &h.field);
		str_cat(out, &h.field);
		str_catf(out, "|%d %zu|", (int)h.id, h.name_len);
	}
	if (st == HEADER_ERROR || joined->len > TOTAL_MAX)
		abort();
	if (st == HEADER_END)
		str_catc(joined, '\n');
	if (st != HEADER_TOOLONG && st != HEADER_TOOBIG) {
		s = header_rest(&h, &n);
		str_catb(joined, s, n);
		if (io_slurp(&io, joined, 1 << 20) != IO_OK)
			abort();
	} else {
		str_clear(joined);
	}
	str_catf(out, "%d", (int)st);
	header_free(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str a = {0}, joined = {0};
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	digest(fd, false, &a, &joined);
	/* An LF may have been added to the last line; else nothing changed. */
	if (joined.len > 0 && (joined.len < size || joined.len > size + 1 ||
	    memcmp(joined.s, data, size) != 0))
		abort();
	str_clear(&a);
	str_clear(&joined);
	digest(fd, true, &a, &joined);
	(void)close(fd);
	str_free(&a);
	str_free(&joined);
	return 0;
}
