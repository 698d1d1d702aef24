/* remote/tcpto.c - the table of connection timeouts; see tcpto.h.  Several
 * qmail-remote write it at once, each under a lock. */
#include "remote/tcpto.h"

#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define RECORDS 64              /* count, of each family */
#define OLD_SIZE 16             /* bytes of a record */
#define NEW_SIZE 32
#define OLD_BYTES (RECORDS * OLD_SIZE)
#define FILE_BYTES (OLD_BYTES + RECORDS * NEW_SIZE)
#define COUNT_MAX 10
#define COUNT_DEAD 2
#define MERGE 120               /* seconds in which timeouts count once */
#define AGE_UNIT 64             /* seconds; a host rests for 60 to 91 of them */

struct table {
	int fd;
	size_t n;               /* bytes in the file */
	unsigned char b[FILE_BYTES];
};

struct record {
	struct ip ip;
	unsigned count;
	int64_t when;           /* Unix time */
};

/* Where record i of a family is. */
static size_t
offset(unsigned family, size_t i)
{
	return family == 4 ? i * OLD_SIZE : OLD_BYTES + i * NEW_SIZE;
}

static void
get(const struct table *t, unsigned family, size_t i, struct record *out)
{
	const unsigned char *p = t->b + offset(family, i);
	size_t alen = family == 4 ? 4 : 16;
	uint64_t when = 0;

	*out = (struct record){.ip = {.family = (uint8_t)family}};
	memcpy(out->ip.b, p, alen);
	out->count = p[alen];
	p += family == 4 ? 8 : 24;
	for (size_t k = 8; k-- > 0;)
		when = when << 8 | p[k];
	out->when = when <= INT64_MAX / 4 ? (int64_t)when : 0;
}

static size_t
put(struct table *t, size_t i, const struct record *r)
{
	size_t off = offset(r->ip.family, i);
	size_t alen = r->ip.family == 4 ? 4 : 16;
	unsigned char *p = t->b + off;

	memset(p, 0, r->ip.family == 4 ? OLD_SIZE : NEW_SIZE);
	memcpy(p, r->ip.b, alen);
	p[alen] = (unsigned char)r->count;
	p += r->ip.family == 4 ? 8 : 24;
	for (size_t k = 0; k < 8; k++)
		p[k] = (unsigned char)((uint64_t)r->when >> (8 * k));
	return off;
}

static int
table_open(struct table *t, const char *path, bool change)
{
	t->n = 0;
	memset(t->b, 0, sizeof t->b);
	t->fd = open(path, (change ? O_RDWR : O_RDONLY) | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return -1;
	if (flock(t->fd, change ? LOCK_EX : LOCK_SH) == 0)
		while (t->n < sizeof t->b) {
			ssize_t n = read(t->fd, t->b + t->n,
			    sizeof t->b - t->n);

			if (n < 0 && errno == EINTR)
				continue;
			if (n == 0)
				return 0;
			if (n < 0)
				break;
			t->n += (size_t)n;
		}
	if (t->n == sizeof t->b)
		return 0;
	fd_close(t->fd);
	return -1;
}

static bool
same(const struct record *r, const struct ip *ip)
{
	return memcmp(r->ip.b, ip->b, ip->family == 4 ? 4 : 16) == 0;
}

bool
tcpto_is_dead(const char *path, const struct ip *ip, int64_t now,
    unsigned jitter)
{
	static struct table t;
	bool dead = false;

	if (ip->family == 0 || table_open(&t, path, false) < 0)
		return false;
	for (size_t i = 0; i < RECORDS; i++) {
		struct record r;

		get(&t, ip->family, i, &r);
		if (!same(&r, ip) || r.count < COUNT_DEAD)
			continue;
		/* A time to come is of a clock that was put back. */
		dead = r.when <= now && now - r.when <
		    (60 + (int64_t)(jitter & 31)) * AGE_UNIT;
		break;
	}
	(void)close(t.fd);
	return dead;
}

/* The address's own record, else the one that is missed least. */
static size_t
choose(const struct table *t, const struct ip *ip, struct record *out)
{
	size_t best = 0;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < RECORDS; i++) {
		int64_t worth;

		get(t, ip->family, i, out);
		if (same(out, ip) && (out->count > 0 || out->when > 0))
			return i;
		worth = out->when + (int64_t)out->count * 1024;
		if (worth < least) {
			least = worth;
			best = i;
		}
	}
	*out = (struct record){0};
	return best;
}

void
tcpto_note(const char *path, const struct ip *ip, bool timed_out, int64_t now)
{
	static struct table t;
	struct record r;
	size_t i, off, size = ip->family == 4 ? OLD_SIZE : NEW_SIZE;

	if (ip->family == 0 || table_open(&t, path, true) < 0)
		return;
	i = choose(&t, ip, &r);
	if (timed_out ? r.ip.family == 0 || r.count == 0 || r.when > now ||
	    now - r.when >= MERGE : r.ip.family != 0 && r.count != 0) {
		r.ip = *ip;
		if (!timed_out)
			r.count = 0;
		else if (r.count < COUNT_MAX)
			r.count++;
		if (timed_out)
			r.when = now;
		off = put(&t, i, &r);
		/* Past the old part its bytes before the record must be
		 * there; zeros are empty records. */
		if (pwrite(t.fd, t.b + off, size, (off_t)off) < 0)
			errno = 0;
	}
	(void)close(t.fd);
}

int
tcpto_cat(const char *path, int64_t now, struct str *out)
{
	static const unsigned families[] = {4, 6};
	static struct table t;
	char text[IP_TEXT];

	if (table_open(&t, path, false) < 0)
		return -1;
	for (size_t f = 0; f < 2; f++)
		for (size_t i = 0; i < RECORDS; i++) {
			struct record r;

			get(&t, families[f], i, &r);
			if (r.count == 0)
				continue;
			str_catf(out, "%s timed out %lld seconds ago; # recent "
			    "timeouts: %u\n", ip_text(&r.ip, text),
			    (long long)(now - r.when), r.count);
		}
	(void)close(t.fd);
	return 0;
}

int
tcpto_clear(const char *path)
{
	static const char zeros[OLD_BYTES];
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r = -1, e;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX) == 0 && ftruncate(fd, 0) == 0)
		r = fd_write_all(fd, zeros, sizeof zeros);
	e = errno;
	(void)close(fd);
	errno = e;
	return r;
}
