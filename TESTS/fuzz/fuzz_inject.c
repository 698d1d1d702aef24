/* fuzz_inject.c - any bytes as a message for qmail-inject: what it makes of
 * the header is a header, without the fields that must go, and a second pass
 * finds nothing more to do. */
#include "inject/inject.h"

#include "TESTS/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct inject_config config = {
	.mode = INJECT_HEADER, .print = true, .user = "joe", .host = "h.x",
	.name = "J. B", .now = 1795409700, .pid = 77,
};

static void
names(void)
{
	if (setenv("QMAILDEFAULTHOST", "dh.x", 1) != 0 ||
	    setenv("QMAILDEFAULTDOMAIN", "dd.x", 1) != 0 ||
	    setenv("QMAILPLUSDOMAIN", "pd.x", 1) != 0 ||
	    setenv("QMAILIDHOST", "id.x", 1) != 0)
		abort();
}

static void
check_addresses(const struct inject *in)
{
	const struct str *t = &in->rcpts.text;

	if (t->len > 0 && t->s[t->len - 1] != '\0')
		abort();
	if (memchr(str_c(t), '\n', t->len) != NULL ||
	    memchr(str_c(&in->sender), '\n', in->sender.len) != NULL)
		abort();
}

/* The header of the bytes as it is sent on, in out; false: refused. */
static bool
pass(const void *bytes, size_t n, struct str *out)
{
	struct inject in;
	struct header h;
	struct io io;
	enum inject_status st;
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n ||
	    lseek(fd, 0, SEEK_SET) != 0)
		abort();
	io_init(&io, fd, -1, IO_FOREVER);
	inject_init(&in, &config);
	header_init(&h, &io, INJECT_HEADER_MAX, INJECT_HEADER_MAX);
	h.drop_cr = true;
	if ((st = inject_read_header(&in, &h)) == INJECT_OK &&
	    (st = inject_finish_header(&in)) == INJECT_OK)
		st = inject_make_envelope(&in);
	if (st == INJECT_OK)
		check_addresses(&in);
	if ((st == INJECT_OK) != (in.err.len == 0))
		abort();
	str_copy(out, &in.added);
	str_cat(out, &in.header);
	header_free(&h);
	inject_free(&in);
	(void)close(fd);
	return st == INJECT_OK;
}

/* Field names that may not be left. */
static void
check_gone(const struct str *text)
{
	size_t i = 0, off;

	while (i < text->len) {
		size_t n = bytes_chr(text->s + i, text->len - i, '\n');
		size_t len = header_scan_name(text->s + i, n, &off);

		enum header_id id = header_lookup(text->s + i, len);

		if (id == HEADER_BCC || id == HEADER_RESENT_BCC ||
		    id == HEADER_RETURN_PATH || id == HEADER_CONTENT_LENGTH)
			abort();
		i += n + 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str once = {0}, twice = {0};

	names();
	if (pass(data, size, &once)) {
		check_gone(&once);
		if (!pass(once.s, once.len, &twice))
			abort();
		if (once.len != twice.len ||
		    memcmp(once.s, twice.s, once.len) != 0)
			abort();
	}
	str_free(&once);
	str_free(&twice);
	return 0;
}
