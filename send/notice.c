/* send/notice.c - multipart reports; see notice.h.
 *
 * The message is copied without looking at it but for two things: bytes above
 * 127 must be declared, and its header ends at the first empty line.  It may
 * try to end its part itself: the boundary is random. */
#include "send/notice.h"

#include "control/control.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "mail/dsn.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "send/bounce.h"
#include "send/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct original {               /* the message */
	int fd;
	uint64_t size;
	int64_t arrival;
	bool headers;           /* only those are returned */
	struct str header;
	bool eight;             /* what is returned has such bytes */
};

static bool
has_eight(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return true;
	return false;
}

/* ---- the message ---- */

/* Its header, at most HEADER_MAX bytes of whole lines. */
static int
read_header(struct original *o)
{
	char buf[IO_BUF];
	off_t at = 0;
	ssize_t n;

	while (o->header.len < HEADER_MAX &&
	    (n = pread(o->fd, buf, sizeof buf, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		str_catb(&o->header, buf, (size_t)n);
		at += n;
	}
	for (size_t i = 0; i < o->header.len; i++)
		if (o->header.s[i] == '\n' && (i + 1 == o->header.len ||
		    o->header.s[i + 1] == '\n')) {
			str_trunc(&o->header, i + 1);
			break;
		}
	if (o->header.len >= HEADER_MAX)
		str_trunc(&o->header, bytes_rchr(o->header.s,
		    HEADER_MAX, '\n') + 1);
	return 0;
}

/* One walk over the message: to look for bytes above 127, or to copy it. */
static int
walk(struct original *o, struct bounce *b)
{
	char buf[IO_BUF];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(o->fd, buf, sizeof buf, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (b != NULL)
			qsubmit_put(&b->q, buf, (size_t)n);
		else
			o->eight = o->eight || has_eight(buf, (size_t)n);
		at += n;
	}
	return 0;
}

static int
original_open(struct original *o, uint64_t id)
{
	uint64_t max = control_need_number(CONTROL_BOUNCEMAXBYTES);
	struct stat st;

	o->fd = open(qpath_split("mess", id).s,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (o->fd < 0 || fstat(o->fd, &st) < 0)
		return -1;
	o->size = (uint64_t)st.st_size;
	o->arrival = st.st_mtim.tv_sec;
	if (max > 0 && o->size > max)
		o->headers = true;
	if (!o->headers)
		return walk(o, NULL);
	if (read_header(o) < 0)
		return -1;
	o->eight = has_eight(str_c(&o->header), o->header.len);
	return 0;
}

static void
original_close(struct original *o)
{
	if (o->fd >= 0)
		(void)close(o->fd);
	str_free(&o->header);
}

/* ---- the part for people ---- */

static size_t
count(const struct str *paragraphs, enum bounce_kind kind)
{
	struct status st;
	size_t n = 0;

	for (size_t at = 0; status_next(str_c(paragraphs), paragraphs->len,
	    &at, &st);)
		n += st.kind == kind;
	return n;
}

static void
cat_paragraphs(struct str *out, const struct str *paragraphs,
    enum bounce_kind kind, const char *before)
{
	struct status st;

	if (count(paragraphs, kind) == 0)
		return;
	str_cats(out, before);
	for (size_t at = 0; status_next(str_c(paragraphs), paragraphs->len,
	    &at, &st);) {
		if (st.kind != kind)
			continue;
		/* Programs take "<" at the beginning for a failure. */
		if (kind != BOUNCE_FAILED)
			str_cats(out, "To ");
		str_catb(out, st.paragraph, st.paragraph_len);
	}
}

static void
cat_text(struct str *out, const struct bounce *b, const struct str *paragraphs)
{
	if (count(paragraphs, BOUNCE_FAILED) > 0) {
		bounce_cat_failed(out, b);
		cat_paragraphs(out, paragraphs, BOUNCE_FAILED, "");
	} else {
		str_cats(out, "This is the qmail-send program at ");
		str_cat(out, &b->host);
		str_cats(out, ".\n\n");
	}
	cat_paragraphs(out, paragraphs, BOUNCE_DELAYED,
	    "Your message has not been delivered to these addresses yet.\n"
	    "It will be tried again: you need not send it again.\n\n");
	cat_paragraphs(out, paragraphs, BOUNCE_DELIVERED,
	    "Your message was delivered to these addresses, as you asked to "
	    "be told.\n\n");
	cat_paragraphs(out, paragraphs, BOUNCE_RELAYED,
	    "Your message was passed on for these addresses to a host that "
	    "does not\nreport deliveries: nothing more will be heard of "
	    "it.\n\n");
}

void
notice_put_plain(struct bounce *b, const struct str *paragraphs)
{
	struct str out = {0};

	cat_paragraphs(&out, paragraphs, BOUNCE_FAILED, "");
	qsubmit_put(&b->q, str_c(&out), out.len);
	str_free(&out);
}

/* ---- the whole ---- */

static const char *
subject(const struct str *paragraphs)
{
	if (count(paragraphs, BOUNCE_FAILED) > 0)
		return "failure notice";
	return count(paragraphs, BOUNCE_DELAYED) > 0 ? "delay notice" :
	    "success notice";
}

static int
make_boundary(struct str *out)
{
	uint64_t r[2];

	if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
		return -1;
	str_cats(out, "=_");
	for (size_t i = 0; i < 2; i++)
		str_catx(out, r[i], 16);
	return 0;
}

static void
cat_part(struct str *out, const struct str *boundary, const char *type,
    bool eight)
{
	str_catf(out, "\n--%s\nContent-Type: %s\n", str_c(boundary), type);
	if (eight)
		str_cats(out, "Content-Transfer-Encoding: 8bit\n");
	str_catc(out, '\n');
}

static void
cat_all_status(struct str *out, const struct bounce *b, const char *params,
    const struct original *o, const struct str *paragraphs)
{
	struct status st;

	status_cat_message(out, str_c(&b->host), params, o->arrival);
	for (size_t at = 0; status_next(str_c(paragraphs), paragraphs->len,
	    &at, &st);)
		status_cat_rcpt(out, &st);
	/* An empty line is between two groups, not after the last. */
	str_trunc(out, out->len - 1);
}

static int
put_all(struct bounce *b, struct original *o, const char *sender,
    const char *params, const struct str *paragraphs)
{
	struct str text = {0}, out = {0}, boundary = {0};
	bool eight;
	int r = 0;

	if (make_boundary(&boundary) < 0)
		return -1;
	cat_text(&text, b, paragraphs);
	eight = has_eight(str_c(&text), text.len);
	bounce_cat_header(&out, b, subject(paragraphs));
	str_catf(&out, "MIME-Version: 1.0\nContent-Type: multipart/report; "
	    "report-type=delivery-status;\n\tboundary=\"%s\"\n",
	    str_c(&boundary));
	if (eight || o->eight)
		str_cats(&out, "Content-Transfer-Encoding: 8bit\n");
	cat_part(&out, &boundary, eight ? "text/plain; charset=utf-8" :
	    "text/plain; charset=us-ascii", eight);
	str_cat(&out, &text);
	cat_part(&out, &boundary, "message/delivery-status", false);
	cat_all_status(&out, b, params, o, paragraphs);
	cat_part(&out, &boundary, o->headers ? "text/rfc822-headers" :
	    "message/rfc822", o->eight);
	bounce_cat_return_path(&out, sender);
	str_cat(&out, &o->header);
	qsubmit_put(&b->q, str_c(&out), out.len);
	if (!o->headers)
		r = walk(o, b);
	str_clear(&out);
	str_catf(&out, "\n--%s--\n", str_c(&boundary));
	qsubmit_put(&b->q, str_c(&out), out.len);
	str_free(&boundary);
	str_free(&text);
	str_free(&out);
	return r;
}

int
notice_put(struct bounce *b, uint64_t id, const char *sender,
    const char *params, const struct str *paragraphs)
{
	struct original o = {.fd = -1};
	struct dsn_message m = {0};
	int r;

	/* 3461:4.3: without a failure only the header is returned. */
	o.headers = (dsn_message_parse(params, strlen(params), &m) == 0 &&
	    m.ret == DSN_RET_HDRS) || count(paragraphs, BOUNCE_FAILED) == 0;
	dsn_message_free(&m);
	r = original_open(&o, id);
	if (r == 0)
		r = put_all(b, &o, sender, params, paragraphs);
	if (r < 0)
		log_sys("unable to read mess of message %llu",
		    (unsigned long long)id);
	original_close(&o);
	return r;
}
