/* remote/message.c - reading the message file; see message.h. */
#include "remote/message.h"

#include "lib/io.h"
#include "mail/quote.h"
#include "remote/crlf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
message_read(const struct message *m, message_put *put, void *arg)
{
	static char buf[MESSAGE_CHUNK];
	uint64_t at = 0;

	while (at < m->size) {
		size_t want = sizeof buf;
		ssize_t n;

		if (want > m->size - at)
			want = (size_t)(m->size - at);
		n = pread(m->fd, buf, want, (off_t)(m->start + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;    /* it became shorter */
		if (n <= 0 || put(arg, buf, (size_t)n) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

static int
feed(void *arg, const char *s, size_t n)
{
	return crlf_feed(arg, s, n);
}

int
message_write(const struct message *m, bool dots, message_put *put, void *arg)
{
	struct crlf c = {.dots = dots, .put = put, .arg = arg};

	if (message_read(m, feed, &c) < 0)
		return -1;
	return crlf_end(&c);
}

/* State of the look through a message; it sees the lines of the wire. */
struct scan {
	struct message *m;
	bool in_body;
	size_t line;            /* bytes of this line so far, no line end */
	char seq[4];            /* an unfinished UTF-8 character */
	size_t nseq, want;
};

static bool
has_eightbit(const char *s, size_t n)
{
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all |= (unsigned char)s[i];
	return all > 127;
}

static void
check_utf8(struct scan *sc, unsigned char c)
{
	if (sc->nseq == 0) {
		if (c < 128)
			return;
		sc->want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	}
	sc->seq[sc->nseq++] = (char)c;
	if (c < 128 || (sc->nseq == sc->want &&
	    utf8_len(sc->seq, sc->nseq) != sc->nseq))
		sc->m->header_utf8 = false;
	if (c < 128 || sc->nseq == sc->want)
		sc->nseq = 0;
}

static int
look(void *arg, const char *s, size_t n)
{
	struct scan *sc = arg;
	bool high = has_eightbit(s, n);

	sc->m->wire_size += n;
	sc->m->eightbit = sc->m->eightbit || high;
	if (sc->in_body)
		return 0;
	/* Line ends come as pieces of their own (crlf.c). */
	if (n == 2 && s[0] == '\r') {
		sc->in_body = sc->line == 0;
		sc->line = 0;
	} else {
		sc->line += n;
		sc->m->header_eightbit = sc->m->header_eightbit || high;
	}
	if (high || sc->nseq > 0)
		for (size_t i = 0; i < n; i++)
			check_utf8(sc, (unsigned char)s[i]);
	return 0;
}

int
message_scan(struct message *m, int fd, uint64_t start)
{
	struct scan sc = {.m = m};
	struct stat st;

	*m = (struct message){.fd = fd, .start = start, .header_utf8 = true};
	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if ((uint64_t)st.st_size > start)
		m->size = (uint64_t)st.st_size - start;
	if (message_write(m, false, look, &sc) < 0)
		return -1;
	if (sc.nseq > 0)
		m->header_utf8 = false;
	return 0;
}

int
message_spool(int from)
{
	static char buf[MESSAGE_CHUNK];
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	while (fd >= 0) {
		ssize_t n = read(from, buf, sizeof buf);

		if (n == 0)
			return fd;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || fd_write_all(fd, buf, (size_t)n) < 0) {
			fd_close(fd);
			return -1;
		}
	}
	return -1;
}
