/* lib/cdb_ask.c - one question to a constant database that belongs to somebody
 * else; see cdb.h.
 *
 * The file may be cut, overwritten or nonsense at any moment.  So it is read
 * by offset and never mapped (a cut map kills the process), every number in it
 * is checked against what a read really gave, and no loop is longer than
 * PROBES, whatever the file says. */
#include "lib/cdb.h"

#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBES ((uint32_t)1 << 20)      /* a sound file needs a handful */
#define CHUNK 64                        /* slots in one read */

struct slot { unsigned char b[8]; };

static uint32_t
number(const unsigned char *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	    (uint32_t)b[3] << 24;
}

static int
get(int fd, void *buf, size_t n, uint64_t at)
{
	char *p = buf;

	while (n > 0) {
		ssize_t r = pread(fd, p, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (r == 0)
				errno = EINVAL;
			return -1;
		}
		p += r;
		n -= (size_t)r;
		at += (uint64_t)r;
	}
	return 0;
}

static enum cdb_status
malformed(void)
{
	errno = EINVAL;
	return CDB_TEMP;
}

/* Is the record at this place the key's?  Then its value joins out. */
static enum cdb_status
record(int fd, uint64_t at, const char *key, size_t n, size_t max,
    struct str *out)
{
	struct slot head;
	char part[256];
	uint32_t vlen;
	size_t start = out->len;

	if (get(fd, head.b, sizeof head.b, at) < 0)
		return CDB_TEMP;
	if (number(head.b) != n)
		return CDB_NONE;
	at += sizeof head.b;
	while (n > 0) {
		size_t len = n < sizeof part ? n : sizeof part;

		if (get(fd, part, len, at) < 0)
			return CDB_TEMP;
		if (memcmp(part, key, len) != 0)
			return CDB_NONE;
		key += len;
		n -= len;
		at += len;
	}
	vlen = number(head.b + 4);
	if (vlen > max)
		return malformed();
	str_reserve(out, vlen);
	while (vlen > 0) {
		size_t len = vlen < sizeof part ? vlen : sizeof part;

		if (get(fd, part, len, at) < 0) {
			str_trunc(out, start);
			return CDB_TEMP;
		}
		str_catb(out, part, len);
		at += len;
		vlen -= (uint32_t)len;
	}
	return CDB_OK;
}

static enum cdb_status
ask(int fd, const char *key, size_t n, size_t max, struct str *out)
{
	struct slot head, slots[CHUNK];
	uint32_t hash = 5381, table, count, at, have = 0;

	for (size_t i = 0; i < n; i++)
		hash = (hash * 33) ^ (unsigned char)key[i];
	if (get(fd, head.b, sizeof head.b, (hash & 255) * sizeof head) < 0)
		return CDB_TEMP;
	table = number(head.b);
	count = number(head.b + 4);
	if (count == 0)
		return CDB_NONE;
	at = (hash >> 8) % count;
	for (uint32_t i = 0, next = 0; i < count; i++, next++, at++) {
		enum cdb_status st;

		if (i == PROBES)
			return malformed();
		if (at == count)
			at = next = have = 0;
		if (next == have) {
			have = count - at < CHUNK ? count - at : CHUNK;
			next = 0;
			if (get(fd, slots, have * sizeof slots[0],
			    table + (uint64_t)at * sizeof slots[0]) < 0)
				return CDB_TEMP;
		}
		if (number(slots[next].b + 4) == 0)
			return CDB_NONE;
		if (number(slots[next].b) != hash)
			continue;
		st = record(fd, number(slots[next].b + 4), key, n, max, out);
		if (st != CDB_NONE)
			return st;
	}
	return CDB_NONE;
}

enum cdb_status
cdb_ask(const char *path, const void *key, size_t n, size_t max,
    struct str *out)
{
	enum cdb_status st = CDB_TEMP;
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? CDB_NONE : CDB_TEMP;
	if (fstat(fd, &info) == 0) {
		if (S_ISREG(info.st_mode))
			st = ask(fd, key, n, max, out);
		else
			st = malformed();
	}
	fd_close(fd);
	return st;
}
