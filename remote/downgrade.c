/* remote/downgrade.c - 8-bit mail made 7-bit; see downgrade.h.
 *
 * One walk through the lines of the message, done three times: it learns
 * which parts need encoding, then counts the size of the result, then writes
 * it.  Its place is told by a stack of boundaries and by what kind of lines
 * come now: a header, a leaf's body, or text between parts. */
#include "remote/downgrade.h"

#include "remote/crlf.h"
#include "remote/encode.h"
#include "remote/mime.h"

#include <errno.h>
#include <string.h>

#define KEEP (DOWNGRADE_BOUNDARY_MAX + 8)       /* bytes of a line that are
                                 * looked at before they go on */

enum place { HEADER, LEAF, BETWEEN };
enum coding { AS_IS, TO_QP, PATCH_QP, TO_BASE64 };

struct level {
	struct str boundary;
	bool is_signed, is_digest;
};

struct walk {
	struct downgrade *d;
	bool learning;
	const char *reason;     /* learning: why it cannot be done */
	enum place place;
	bool top;               /* in the message's own header */
	bool digest;            /* a part of multipart/digest */
	struct str header, line;
	bool in_line;           /* the line is longer than KEEP */
	struct level level[DOWNGRADE_DEPTH_MAX];
	size_t depth;
	size_t part;            /* leaves before this one */
	enum mime_kind kind;    /* of the leaf */
	enum mime_cte cte;
	enum coding coding;
	struct encode encode;
	bool eol;               /* base64: a line end that may be the
	                         * boundary's */
	struct str out;         /* lines that end in LF */
	struct crlf crlf;
};

static bool
is_eightbit(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return true;
	return false;
}

static void
refuse(struct walk *w, const char *reason)
{
	if (w->reason == NULL)
		w->reason = reason;
}

static bool
in_signed(const struct walk *w)
{
	for (size_t i = 0; i < w->depth; i++)
		if (w->level[i].is_signed)
			return true;
	return false;
}

/* The leaf has an 8-bit byte: may it be encoded? */
static void
learn_leaf(struct walk *w)
{
	if (in_signed(w))
		refuse(w, "an 8-bit part of it is signed");
	else if (w->kind == MIME_RIGID)
		refuse(w, "an 8-bit part is of a type that is never encoded");
	else if (w->kind == MIME_MULTIPART || w->kind == MIME_MESSAGE)
		refuse(w, "an 8-bit part is a multipart or message that "
		    "cannot be taken apart");
	else if (w->cte == MIME_BASE64 || w->cte == MIME_UNKNOWN)
		refuse(w, "a part has 8-bit bytes that its encoding does not "
		    "allow");
	w->d->flags.s[w->part] = 1;
}

/* Leaf body bytes, line ends as LF. */
static void
leaf_bytes(struct walk *w, const char *s, size_t n)
{
	if (w->learning) {
		if (w->d->flags.s[w->part] == 0 && is_eightbit(s, n))
			learn_leaf(w);
		return;
	}
	switch (w->coding) {
	case AS_IS:
		str_catb(&w->out, s, n);
		break;
	case TO_QP:
		encode_qp_feed(&w->encode, &w->out, s, n);
		break;
	case PATCH_QP:
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)s[i] > 127)
				str_catf(&w->out, "=%02X",
				    (unsigned)(unsigned char)s[i]);
			else
				str_catc(&w->out, s[i]);
		break;
	case TO_BASE64:
		if (w->eol)
			encode_base64_feed(&w->encode, &w->out, "\r\n", 2);
		w->eol = n == 1 && s[0] == '\n';
		if (!w->eol)
			encode_base64_feed(&w->encode, &w->out, s, n);
		break;
	}
}

/* The leaf is over; by a boundary, or by the end of the message. */
static void
end_leaf(struct walk *w, bool by_boundary)
{
	if (w->place != LEAF)
		return;
	if (!w->learning && w->coding == TO_BASE64) {
		if (w->eol && !by_boundary)
			encode_base64_feed(&w->encode, &w->out, "\r\n", 2);
		encode_base64_end(&w->encode, &w->out);
	}
	w->eol = false;
	w->encode = (struct encode){0};
	w->part++;
	w->place = BETWEEN;
}

/* The header with another transfer encoding. */
static void
cat_header(struct walk *w, const struct mime *m, const char *cte)
{
	const char *s = str_c(&w->header);
	bool bare = w->top && !m->has_version && !m->has_type;

	for (size_t i = 0, len; i < w->header.len; i += len) {
		len = mime_field_len(s + i, w->header.len - i);
		if (!mime_field_is(s + i, len, "Content-Transfer-Encoding"))
			str_catb(&w->out, s + i, len);
	}
	if (w->top && !m->has_version)
		str_cats(&w->out, "MIME-Version: 1.0\n");
	if (bare)
		str_cats(&w->out, "Content-Type: text/plain; "
		    "charset=unknown-8bit\n");
	str_catf(&w->out, "Content-Transfer-Encoding: %s\n", cte);
}

static void
write_header(struct walk *w, const struct mime *m)
{
	static const char *const names[] = {[TO_QP] = "quoted-printable",
	    [PATCH_QP] = NULL, [TO_BASE64] = "base64"};
	const char *cte = m->cte == MIME_8BIT ? "7bit" : NULL;

	w->coding = AS_IS;
	if (w->place == LEAF && w->d->flags.s[w->part] != 0) {
		w->coding = m->cte == MIME_QP ? PATCH_QP :
		    m->kind == MIME_TEXT ? TO_QP : TO_BASE64;
		cte = names[w->coding];
	}
	if (cte != NULL)
		cat_header(w, m, cte);
	else
		str_cat(&w->out, &w->header);
	str_catc(&w->out, '\n');
}

/* Where the lines after this header belong. */
static void
enter(struct walk *w, const struct mime *m)
{
	bool open = m->cte == MIME_7BIT || m->cte == MIME_8BIT;

	w->kind = m->kind;
	w->cte = m->cte;
	if (m->kind == MIME_MULTIPART && open && m->boundary.len > 0 &&
	    m->boundary.len <= DOWNGRADE_BOUNDARY_MAX) {
		if (w->depth == DOWNGRADE_DEPTH_MAX) {
			refuse(w, "its parts are nested too deeply");
			return;
		}
		str_copy(&w->level[w->depth].boundary, &m->boundary);
		w->level[w->depth].is_signed = m->is_signed;
		w->level[w->depth].is_digest = m->is_digest;
		w->depth++;
		w->place = BETWEEN;
		return;
	}
	if (m->kind == MIME_MESSAGE && open) {
		w->place = HEADER;
		return;
	}
	w->place = LEAF;
	if (!w->learning)
		return;
	if (w->part >= DOWNGRADE_PARTS_MAX)
		refuse(w, "it has too many parts");
	else
		str_catc(&w->d->flags, 0);
}

/* The empty line after a header; or, without one, the end of it all. */
static void
end_header(struct walk *w)
{
	struct mime m;

	mime_parse(&m, str_c(&w->header), w->header.len, w->digest);
	if (w->learning && is_eightbit(str_c(&w->header), w->header.len))
		refuse(w, "a header has 8-bit bytes");
	enter(w, &m);
	if (!w->learning && w->reason == NULL)
		write_header(w, &m);
	str_clear(&w->header);
	w->top = w->digest = false;
	mime_free(&m);
}

/* Is the line a boundary of the level?  *last: the closing one. */
static bool
is_boundary(const struct level *l, const char *s, size_t n, bool *last)
{
	size_t b = l->boundary.len;

	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (n < b + 2 || memcmp(s, "--", 2) != 0 ||
	    memcmp(s + 2, l->boundary.s, b) != 0)
		return false;
	*last = n == b + 4 && memcmp(s + 2 + b, "--", 2) == 0;
	return *last || n == b + 2;
}

/* Goes to where a boundary line leads.  false: it is none. */
static bool
boundary(struct walk *w)
{
	bool last;

	for (size_t i = w->depth; i-- > 0;) {
		if (!is_boundary(&w->level[i], str_c(&w->line), w->line.len,
		    &last))
			continue;
		if (w->place == HEADER && !w->learning)
			str_cat(&w->out, &w->header);
		if (w->learning && is_eightbit(str_c(&w->header),
		    w->header.len))
			refuse(w, "a header has 8-bit bytes");
		str_clear(&w->header);
		end_leaf(w, true);
		w->depth = last ? i : i + 1;
		w->place = last ? BETWEEN : HEADER;
		w->digest = !last && w->level[i].is_digest;
		if (!w->learning) {
			str_cat(&w->out, &w->line);
			str_catc(&w->out, '\n');
		}
		return true;
	}
	return false;
}

/* Text that nobody is meant to read. */
static void
between(struct walk *w, const char *s, size_t n)
{
	if (w->learning)
		return;
	for (size_t i = 0; i < n; i++)
		str_catc(&w->out, (unsigned char)s[i] > 127 ? '?' : s[i]);
}

static void
body_bytes(struct walk *w, const char *s, size_t n)
{
	if (n == 0)
		return;
	if (w->place == LEAF)
		leaf_bytes(w, s, n);
	else
		between(w, s, n);
}

static void
end_line(struct walk *w)
{
	bool whole = !w->in_line;

	w->in_line = false;
	if (whole && w->depth > 0 && boundary(w)) {
		str_clear(&w->line);
		return;
	}
	if (w->place == HEADER) {
		if (w->line.len == 0 && whole) {
			end_header(w);
		} else if (w->header.len + w->line.len >=
		    DOWNGRADE_HEADER_MAX) {
			refuse(w, "a header is too long");
		} else {
			str_cat(&w->header, &w->line);
			str_catc(&w->header, '\n');
		}
	} else {
		body_bytes(w, str_c(&w->line), w->line.len);
		body_bytes(w, "\n", 1);
	}
	str_clear(&w->line);
}

static int
flush(struct walk *w)
{
	int r = 0;

	if (w->out.len > 0 && w->crlf.put != NULL)
		r = crlf_feed(&w->crlf, w->out.s, w->out.len);
	str_clear(&w->out);
	return r;
}

/* A piece of the message as crlf.c makes them: a line end alone, or bytes
 * without one. */
static int
piece(void *arg, const char *s, size_t n)
{
	struct walk *w = arg;

	if (w->reason != NULL)
		return -1;
	if (n == 2 && s[0] == '\r') {
		end_line(w);
	} else if (w->in_line) {
		body_bytes(w, s, n);
	} else if (w->line.len + n > DOWNGRADE_HEADER_MAX &&
	    w->place == HEADER) {
		refuse(w, "a header is too long");
	} else {
		str_catb(&w->line, s, n);
		if (w->place != HEADER && w->line.len > KEEP) {
			w->in_line = true;
			body_bytes(w, w->line.s, w->line.len);
			str_clear(&w->line);
		}
	}
	if (w->out.len >= MESSAGE_CHUNK)
		return flush(w);
	return 0;
}

static void
walk_free(struct walk *w)
{
	for (size_t i = 0; i < DOWNGRADE_DEPTH_MAX; i++)
		str_free(&w->level[i].boundary);
	str_free(&w->header);
	str_free(&w->line);
	str_free(&w->out);
}

static int
walk(struct walk *w)
{
	w->place = HEADER;
	w->top = true;
	if (message_write(w->d->message, false, piece, w) < 0)
		return -1;
	/* A message, or a part, may end with its header. */
	if (w->place == HEADER && w->header.len > 0) {
		if (w->learning && is_eightbit(str_c(&w->header),
		    w->header.len))
			refuse(w, "a header has 8-bit bytes");
		if (!w->learning)
			str_cat(&w->out, &w->header);
	}
	end_leaf(w, false);
	return flush(w);
}

static int
count(void *arg, const char *s, size_t n)
{
	(void)s;
	*(uint64_t *)arg += n;
	return 0;
}

int
downgrade_plan(struct downgrade *d, const struct message *m,
    const char **reason)
{
	struct walk w = {.d = d, .learning = true};
	int r;

	downgrade_free(d);
	d->message = m;
	r = walk(&w);
	*reason = w.reason;
	walk_free(&w);
	if (*reason != NULL)
		return 0;
	return r < 0 ? -1 : downgrade_write(d, false, count, &d->size);
}

int
downgrade_write(const struct downgrade *d, bool dots, message_put *put,
    void *arg)
{
	struct downgrade copy = *d;
	struct walk w = {.d = &copy, .crlf = {.dots = dots, .put = put,
	    .arg = arg}};
	int r = walk(&w);

	if (r == 0 && w.reason != NULL) {
		errno = EIO;    /* not the message that was planned for */
		r = -1;
	}
	walk_free(&w);
	return r == 0 ? crlf_end(&w.crlf) : r;
}

void
downgrade_free(struct downgrade *d)
{
	str_free(&d->flags);
	*d = (struct downgrade){0};
}
