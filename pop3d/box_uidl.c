/* pop3d/box_uidl.c - unique identifiers; see box.h.
 *
 * A message's is its base name, or a hash of it where that may not stand in a
 * reply: nothing needs to be kept for it to be the same for ever.  Only what
 * another server has called a message is kept, in pop3d.uidl.  That file is
 * made once, in the first session that finds another server's list and none
 * of ours, and is what counts from then on.
 *
 * Unique: base names are, and so are hashes.  A given one is taken for the
 * first message that has it; a message whose own would be like one that was
 * given to any message, also one that is gone, has the hash instead, so that
 * what a client knows by it does not depend on who else is there. */
#include "pop3d/box_private.h"

#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "pop3d/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UIDL_FILE "pop3d.uidl"
#define HASHED 'h'                      /* begins one that is a hash */
#define HASH_HEX 32
#define PRUNE_MIN 100                   /* dead lines; and half of them all */

static bool
is_plain(const char *s, size_t n, size_t max)
{
	unsigned bad = n < 1 || n > max;

	if (bad)
		return false;
	for (size_t i = 0; i < n; i++)
		bad |= (unsigned char)(s[i] - 33) > 126 - 33;
	return !bad;
}

static uint64_t
sum(const char *s, size_t n)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_add(&h, s, n);
	return hash_end(&h) | 1;        /* never 0 */
}

/* The letter and the bytes of SipHash-2-4-128 with a key of zeros. */
static size_t
hash_name(const char *base, size_t n, char out[BOX_UIDL + 1])
{
	struct hash h;
	uint64_t v[2];

	hash_init128(&h, 0, 0);
	hash_add(&h, base, n);
	hash_end128(&h, v);
	out[0] = HASHED;
	for (size_t i = 0; i < HASH_HEX / 2; i++) {
		unsigned byte = (unsigned)(v[i / 8] >> i % 8 * 8 & 255);

		out[1 + 2 * i] = "0123456789abcdef"[byte >> 4];
		out[2 + 2 * i] = "0123456789abcdef"[byte & 15];
	}
	out[1 + HASH_HEX] = '\0';
	return 1 + HASH_HEX;
}

/* A base name that could be the hash of another is hashed itself. */
static bool
looks_hashed(const char *s, size_t n)
{
	return n == 1 + HASH_HEX && s[0] == HASHED &&
	    strspn(s + 1, "0123456789abcdef") >= HASH_HEX;
}

/* Given ones: which were, a hundred thousand of them in some ms. */

/* Where it is, or would be. */
static size_t
given_slot(const uint64_t *table, size_t cap, uint64_t v)
{
	size_t i = (size_t)v & (cap - 1);

	while (table[i] != 0 && table[i] != v)
		i = (i + 1) & (cap - 1);
	return i;
}

static void
grow_given(struct box *b)
{
	size_t cap = b->cap_given ? 2 * b->cap_given : 256;
	uint64_t *table = mem_alloc(cap, sizeof *table);

	for (size_t i = 0; i < b->cap_given; i++)
		if (b->given[i] != 0)
			table[given_slot(table, cap, b->given[i])] =
			    b->given[i];
	free(b->given);
	b->given = table;
	b->cap_given = cap;
}

static bool
is_given(const struct box *b, const char *s, size_t n)
{
	uint64_t v;

	if (!b->given_len[n])
		return false;
	v = sum(s, n);
	return b->given[given_slot(b->given, b->cap_given, v)] == v;
}

static void
note_given(struct box *b, const char *s, size_t n)
{
	uint64_t v = sum(s, n);
	size_t i;

	if (2 * b->n_given >= b->cap_given)
		grow_given(b);
	b->given_len[n] = true;
	i = given_slot(b->given, b->cap_given, v);
	b->n_given += b->given[i] == 0;
	b->given[i] = v;
}

struct taking {
	struct box *b;
	size_t hint;
	size_t lines;
	bool own;                       /* it is pop3d.uidl */
};

static void
give(struct box *b, struct message *x, const char *uidl, size_t n)
{
	if (b->uidls.len == 0)
		str_catc(&b->uidls, '\0');
	x->uidl = (uint32_t)b->uidls.len;
	str_catb(&b->uidls, uidl, n);
	str_catc(&b->uidls, '\0');
}

static void
take_line(void *arg, const char *name, size_t n, const char *uidl,
    uint64_t wire)
{
	char hashed[BOX_UIDL + 1];
	struct taking *t = arg;
	struct box *b = t->b;
	size_t i = box_find(b, name, n, &t->hint), len = strlen(uidl);
	struct message *x = i != BOX_NOWHERE ? &b->m[i] : NULL;

	t->lines++;
	if (x != NULL && x->wire == BOX_UNKNOWN && wire != BOX_UNKNOWN) {
		x->wire = wire;
		b->sizes_new++;
	}
	if (!is_plain(uidl, len, BOX_UIDL_GIVEN))
		return;
	if (x != NULL && x->uidl == 0) {
		if (is_given(b, uidl, len))
			give(b, x, hashed, hash_name(name, n, hashed));
		else
			give(b, x, uidl, len);
	}
	if (x != NULL || t->own)
		note_given(b, uidl, len);
}

/* Those that messages have which are there; also the hash of one that must not
 * have its base name, or it would have it once the line that forbids it is
 * gone. */
static size_t
cat_lines(struct box *b, struct str *out)
{
	char hashed[BOX_UIDL + 1];
	size_t count = 0;

	for (size_t i = 0; i < b->n; i++) {
		const char *name = box_name(b, i);
		size_t n = b->m[i].base;

		if (b->m[i].uidl == 0 && is_plain(name, n, BOX_UIDL) &&
		    is_given(b, name, n))
			give(b, &b->m[i], hashed, hash_name(name, n, hashed));
		if (b->m[i].uidl == 0 || box_gone(b, i))
			continue;
		lists_own_add(LISTS_UIDL, out, box_name(b, i), b->m[i].base,
		    b->uidls.s + b->m[i].uidl, 0);
		count++;
	}
	return count;
}

/* Durably: a list that is lost has clients fetch everything again.  Where it
 * cannot be, as on a full disk, the next session tries. */
static void
write_list(struct box *b)
{
	struct str text = {0}, path = {0}, tmp = {0};
	size_t count = cat_lines(b, &text);

	lists_own_seal(LISTS_UIDL, &text);
	str_copy(&path, &b->path);
	str_cats(&path, "/" UIDL_FILE);
	str_copy(&tmp, &b->path);
	str_catc(&tmp, '/');
	box_file_tmp(&tmp, UIDL_FILE);
	if (fs_replace(str_c(&path), str_c(&tmp), str_c(&text), text.len,
	    0600) == 0)
		b->uidl_lines = count;
	str_free(&text);
	str_free(&path);
	str_free(&tmp);
}

/* Lists of other servers. */

enum server {
	COURIER,
	DOVECOT,
	SERVERS,
};
static const char *const server_file[SERVERS] = {
	"courierpop3dsizelist", "dovecot-uidlist",
};

/* Which lists a setting wants, and the format of Dovecot's. */
static int
parse_config(const char *s, bool want[SERVERS], const char **format)
{
	bool any = strcmp(s, "auto") == 0;

	*format = LISTS_DOVECOT;
	want[COURIER] = any || strcmp(s, "courier") == 0;
	want[DOVECOT] = any || strcmp(s, "dovecot") == 0;
	if (strncmp(s, "dovecot ", 8) == 0) {
		*format = s + 8;
		want[DOVECOT] = true;
	}
	if (!want[COURIER] && !want[DOVECOT] && strcmp(s, "name") != 0)
		return -1;
	return lists_format_ok(*format) ? 0 : -1;
}

bool
box_uidl_config_ok(const char *s)
{
	bool want[SERVERS];
	const char *format;

	return parse_config(s, want, &format) == 0;
}

static int
import(struct box *b, enum server which, const char *format, int fd)
{
	struct taking t = {.b = b};
	struct str text = {0};
	int r = fs_read_fd(fd, &text, LISTS_MAX);

	box_line_up(b);
	if (r == 0)
		r = which == COURIER ?
		    lists_courier(str_c(&text), text.len, take_line, &t) :
		    lists_dovecot(str_c(&text), text.len, format, take_line,
		    &t);
	str_free(&text);
	return r;
}

static bool
is_newer(int fd, int than)
{
	struct stat a, c;

	return than < 0 || (fd >= 0 && fstat(fd, &a) == 0 &&
	    fstat(than, &c) == 0 && (a.st_mtim.tv_sec > c.st_mtim.tv_sec ||
	    (a.st_mtim.tv_sec == c.st_mtim.tv_sec &&
	    a.st_mtim.tv_nsec > c.st_mtim.tv_nsec)));
}

/* -1: there may be a list that could not be looked at, which says nothing
 * about what clients know. */
static int
open_list(const struct box *b, const char *name, int *fd)
{
	*fd = box_file_open(b, name);
	return *fd >= 0 || errno == ENOENT || errno == EACCES ? 0 : -1;
}

/* The newest that makes sense; -1: it could not be read. */
static int
import_any(struct box *b)
{
	const char *format;
	bool want[SERVERS];
	int fd[SERVERS] = {-1, -1}, r = -1, opened = 0;
	enum server first;

	if (parse_config(str_c(&b->uidl_config), want, &format) < 0)
		return -1;
	for (int i = 0; i < SERVERS; i++)
		if (want[i] && open_list(b, server_file[i], &fd[i]) < 0)
			opened = -1;
	first = is_newer(fd[COURIER], fd[DOVECOT]) ? COURIER : DOVECOT;
	for (int i = 0; i < SERVERS && r < 0 && opened == 0; i++) {
		enum server which = i == 0 ? first : 1 - first;

		if (fd[which] >= 0)
			r = import(b, which, format, fd[which]);
	}
	for (int i = 0; i < SERVERS; i++)
		if (fd[i] >= 0)
			(void)close(fd[i]);
	/* Whose messages are yet to come, as in a migration, has not been
	 * taken over. */
	if (r == 0 && b->uidls.len > 0)
		write_list(b);
	return opened;
}

/* Our own list, when it is first asked for.  One that makes no sense is as
 * good as none; one that cannot be read says nothing. */
int
box_uidl_ready(struct box *b)
{
	struct taking t = {.b = b, .own = true};
	struct str text = {0};
	int r = 0;

	if (b->uidl_fd < 0)
		return 0;
	box_line_up(b);
	if (fs_read_fd(b->uidl_fd, &text, LISTS_MAX) < 0 && errno != EFBIG)
		r = -1;
	else if (lists_own(LISTS_UIDL, str_c(&text), text.len, take_line,
	    &t) == 0)
		b->uidl_lines = t.lines;
	else
		r = import_any(b);
	str_free(&text);
	if (r < 0)
		return -1;
	(void)close(b->uidl_fd);
	b->uidl_fd = -1;
	return 0;
}

int
box_uidl_open(struct box *b, const char *config)
{
	str_copys(&b->uidl_config, config);
	if (!box_uidl_config_ok(config)) {
		log_warn("control/pop3uidl is not understood: it is auto, "
		    "name, courier, or dovecot with a format");
		errno = EINVAL;
		return -1;
	}
	b->uidl_fd = box_file_open(b, UIDL_FILE);
	if (b->uidl_fd < 0 && errno != ENOENT)
		return -1;
	return b->uidl_fd < 0 ? import_any(b) : 0;
}

void
box_uidl_prune(struct box *b)
{
	size_t live = 0;

	if (b->uidl_lines < PRUNE_MIN)
		return;
	for (size_t i = 0; i < b->n; i++)
		live += b->m[i].uidl != 0 && !box_gone(b, i);
	if (live <= b->uidl_lines && b->uidl_lines - live >= PRUNE_MIN &&
	    b->uidl_lines - live > live)
		write_list(b);
}

const char *
box_uidl(struct box *b, size_t i)
{
	const char *name;
	size_t n = b->m[i].base;

	box_line_up(b);
	name = box_name(b, i);
	/* Who asks in spite of that, as for a log line, gets the name. */
	if (box_uidl_ready(b) < 0)
		log_sys("unable to read %s/" UIDL_FILE, str_c(&b->path));
	if (b->m[i].uidl != 0)
		return b->uidls.s + b->m[i].uidl;
	if (!is_plain(name, n, BOX_UIDL) || looks_hashed(name, n) ||
	    is_given(b, name, n)) {
		(void)hash_name(name, n, b->uidl);
	} else {
		memcpy(b->uidl, name, n);
		b->uidl[n] = '\0';
	}
	return b->uidl;
}
