/* send/bounce.c - bounces in the QSBMF format, and their submission; see
 * bounce.h.  notice.c has the other format.
 *
 * Programs parse these: the first paragraph begins with "Hi. This is the",
 * paragraphs about recipients begin with "<", and a line that begins with
 * "--- Below this line" comes before the copy. */
#include "send/bounce.h"

#include "control/control.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "mail/date.h"
#include "mail/qpath.h"
#include "mail/qsubmit.h"
#include "mail/quote.h"
#include "send/notice.h"
#include "send/verp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int
copy_file(struct bounce *b, const char *path, uint64_t max, bool *cut)
{
	char buf[IO_BUF];
	uint64_t total = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*cut = false;
	if (fd < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, buf, sizeof buf);
		size_t k;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)close(fd);
			return n < 0 ? -1 : 0;
		}
		k = (size_t)n;
		if (max > 0 && k > max - total) {
			k = (size_t)(max - total);
			*cut = true;
		}
		qsubmit_put(&b->q, buf, k);
		total += k;
		if (*cut) {
			(void)close(fd);
			return 0;
		}
	}
}

void
bounce_cat_header(struct str *h, const struct bounce *b, const char *subject)
{
	str_cats(h, "Date: ");
	date822_cat(h, clock_wall());
	str_cats(h, "\nFrom: ");
	quote_cat_addr(h, str_c(&b->from), b->from.len);
	str_cats(h, "\nTo: ");
	quote_cat_addr(h, str_c(&b->to), b->to.len);
	str_catf(h, "\nSubject: %s\nAuto-Submitted: auto-replied\n", subject);
}

void
bounce_cat_failed(struct str *h, const struct bounce *b)
{
	str_cats(h, "Hi. This is the qmail-send program at ");
	str_cat(h, &b->host);
	if (b->doubled)
		str_cats(h, ".\nThe bounce below could not be delivered to "
		    "the sender of the message\nthat it is about. Nobody else "
		    "is told.\n\n");
	else
		str_cats(h, ".\nYour message was not delivered to the "
		    "addresses below.\nThese are permanent errors: no further "
		    "attempt will be made.\n\n");
}

void
bounce_cat_return_path(struct str *line, const char *sender)
{
	str_cats(line, "Return-Path: <");
	quote_cat_addr(line, sender, strlen(sender));
	str_cats(line, ">\n");
}

static void
head(struct bounce *b)
{
	struct str h = {0};

	bounce_cat_header(&h, b, "failure notice");
	str_catc(&h, '\n');
	bounce_cat_failed(&h, b);
	qsubmit_put(&b->q, h.s, h.len);
	str_free(&h);
}

static int
body(struct bounce *b, uint64_t id, const char *sender,
    const struct str *paragraphs)
{
	uint64_t max = control_need_number(CONTROL_BOUNCEMAXBYTES);
	struct str line = {0};
	bool cut;

	if (paragraphs != NULL) {
		notice_put_plain(b, paragraphs);
	} else if (copy_file(b, qpath_flat("bounce", id).s, 0, &cut) < 0) {
		log_sys("unable to read bounce/%llu", (unsigned long long)id);
		return -1;
	}
	str_cats(&line, b->doubled ?
	    "--- Below this line is the original bounce.\n\n" :
	    "--- Below this line is a copy of the message.\n\n");
	bounce_cat_return_path(&line, sender);
	qsubmit_put(&b->q, line.s, line.len);
	str_free(&line);
	if (copy_file(b, qpath_split("mess", id).s, max, &cut) < 0) {
		log_sys("unable to read mess of message %llu",
		    (unsigned long long)id);
		return -1;
	}
	if (cut)
		qsubmit_puts(&b->q, "\n--- The rest of the message is left "
		    "out.\n");
	return 0;
}

/* The double bounce's recipient; 1 when there is to be none. */
static int
addressee(struct bounce *b, const char *sender)
{
	struct str host = {0};

	verp_strip(sender, &b->to);
	b->doubled = b->to.len == 0;
	if (!b->doubled)
		return 0;
	control_need_line(CONTROL_DOUBLEBOUNCETO, &b->to);
	if (b->to.len == 0)
		return 1;
	control_need_line(CONTROL_DOUBLEBOUNCEHOST, &host);
	str_catc(&b->to, '@');
	str_cat(&b->to, &host);
	str_free(&host);
	return 0;
}

/* paragraphs NULL: bounce/id, of a message without wishes. */
static int
send_report(uint64_t id, const char *sender, const char *params,
    const struct str *paragraphs)
{
	struct bounce b = {0};
	struct str why = {0};
	int code, r;

	if (addressee(&b, sender) != 0) {
		log_warn("discarding double bounce of message %llu, as "
		    "control/doublebounceto says", (unsigned long long)id);
		return 0;
	}
	control_need_line(CONTROL_BOUNCEFROM, &b.from);
	control_need_line(CONTROL_BOUNCEHOST, &b.host);
	str_catc(&b.from, '@');
	str_cat(&b.from, &b.host);
	qsubmit_open(&b.q);
	if (paragraphs != NULL && !b.doubled) {
		r = notice_put(&b, id, sender, params, paragraphs);
	} else {
		head(&b);
		r = body(&b, id, sender, paragraphs);
	}
	if (r < 0)
		qsubmit_fail(&b.q, QX_READ);
	qsubmit_from(&b.q, b.doubled ? "#@[]" : "");
	qsubmit_to(&b.q, str_c(&b.to));
	code = qsubmit_close(&b.q, &why);
	if (code != 0)
		log_warn("unable to queue the bounce of message %llu: %s",
		    (unsigned long long)id, str_c(&why));
	str_free(&why);
	str_free(&b.to);
	str_free(&b.from);
	str_free(&b.host);
	return code == 0 ? 0 : 111;
}

int
bounce_send(uint64_t id, const char *sender, const char *params)
{
	struct str paragraphs = {0};
	int code;

	if (params == NULL)
		return send_report(id, sender, "", NULL);
	if (fs_read(qpath_flat("bounce", id).s, &paragraphs, STR_MAX / 2) <
	    0) {
		log_sys("unable to read bounce/%llu", (unsigned long long)id);
		return 111;
	}
	code = send_report(id, sender, params, &paragraphs);
	str_free(&paragraphs);
	return code;
}

int
bounce_send_delay(uint64_t id, const char *sender, const char *params, int fd)
{
	struct str paragraphs = {0};
	int code;

	if (fs_read_fd(fd, &paragraphs, STR_MAX / 2) < 0) {
		log_sys("unable to read what is delayed of message %llu",
		    (unsigned long long)id);
		return 111;
	}
	code = *sender == '\0' ? 0 : send_report(id, sender, params,
	    &paragraphs);
	str_free(&paragraphs);
	return code;
}
