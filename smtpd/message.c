/* smtpd/message.c - see message.h.  The message is a stranger's. */
#include "smtpd/message.h"

#include "lib/tai.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/limits.h"

#include <stdlib.h>
#include <string.h>

struct message *
message_open(void)
{
	struct message *m = mem_alloc(1, sizeof *m);

	m->decode.state = DECODE_BOL;
	m->where = MESSAGE_NAME;
	qsubmit_open(&m->q);
	return m;
}

static void
pass(struct message *m, const char *s, size_t n)
{
	if (!m->too_big && !m->too_many_hops)
		qsubmit_put(&m->q, s, n);
}

static void
pass_name(struct message *m)
{
	pass(m, m->name, m->nname);
	m->nname = 0;
}

static void
add_missing(struct message *m)
{
	struct str s = {0};
	int64_t now = clock_wall();

	if (!m->have_date) {
		str_cats(&s, "Date: ");
		date822_cat(&s, now);
		str_catc(&s, '\n');
	}
	if (!m->have_id) {
		str_cats(&s, "Message-ID: <");
		date_cat_digits(&s, now);
		str_catf(&s, ".%llu.%u@%s>\n",
		    (unsigned long long)qsubmit_qp(&m->q), m->number,
		    m->id_host);
	}
	pass(m, str_c(&s), s.len);
	str_free(&s);
}

/* The header is over: by an empty line, by one that is no field, by the end.
 * One that is no field gets the empty line it lacks, so that it never becomes
 * part of the header. */
static void
end_header(struct message *m, bool empty_line)
{
	if (m->complete) {
		add_missing(m);
		if (!empty_line)
			pass(m, "\n", 1);
	}
	m->where = MESSAGE_BODY;
}

/* A field's name and colon are in ->name. */
static void
begin_field(struct message *m)
{
	size_t off, n = header_scan_name(m->name, m->nname, &off);
	enum header_id id = header_lookup(m->name, n);

	m->where = MESSAGE_VALUE;
	m->any_field = true;
	if (id == HEADER_RECEIVED || id == HEADER_DELIVERED_TO)
		m->hops++;
	if (m->hops >= HOPS_MAX)
		m->too_many_hops = true;
	if (id == HEADER_DATE)
		m->have_date = true;
	if (id == HEADER_MESSAGE_ID)
		m->have_id = true;
	m->dropped = m->complete &&
	    (id == HEADER_BCC || id == HEADER_RESENT_BCC);
	if (m->dropped) {
		m->where = MESSAGE_SKIP;
		m->nname = 0;
	}
}

/* "From x ..." before the first field, as mbox files have it. */
static bool
is_mbox_line(const struct message *m)
{
	return m->complete && !m->any_field &&
	    ((m->nname == 5 && memcmp(m->name, "From ", 5) == 0) ||
	    (m->nname == 6 && memcmp(m->name, ">From ", 6) == 0));
}

/* One byte at the beginning of a header line.  A line that is no field ends
 * the header only where we change it: a relay that did not look further would
 * miss the hops behind it. */
static void
name_byte(struct message *m, char c)
{
	size_t off;

	if (m->nname == 0 && c == '\n') {
		end_header(m, true);
		pass(m, "\n", 1);
		return;
	}
	if (m->nname == 0 && (c == ' ' || c == '\t') &&
	    (m->any_field || !m->complete)) {
		m->where = m->dropped ? MESSAGE_SKIP : MESSAGE_VALUE;
		if (!m->dropped)
			pass(m, &c, 1);
		return;
	}
	m->name[m->nname++] = c;
	if (c == ':' && header_scan_name(m->name, m->nname, &off) > 0) {
		begin_field(m);
	} else if (is_mbox_line(m)) {
		m->where = MESSAGE_SKIP;
		m->nname = 0;
	} else if (m->name[0] <= ' ' || c == ':' || c == '\n' || m->nname == sizeof m->name) {
		m->dropped = false;
		if (m->complete)
			end_header(m, false);
		else if (c != '\n')
			m->where = MESSAGE_VALUE;
	}
	if (m->where != MESSAGE_NAME || c == '\n')
		pass_name(m);
}

void
message_put(void *message, const char *s, size_t n)
{
	struct message *m = message;

	m->size += n;
	if (m->max > 0 && m->size > m->max)
		m->too_big = true;
	while (n > 0 && m->where != MESSAGE_BODY) {
		size_t k = 1;

		if (m->where == MESSAGE_NAME) {
			name_byte(m, *s);
		} else {
			k = bytes_chr(s, n, '\n');
			if (k < n)
				k++;
			if (m->where == MESSAGE_VALUE)
				pass(m, s, k);
			if (s[k - 1] == '\n')
				m->where = MESSAGE_NAME;
		}
		s += k;
		n -= k;
	}
	if (n > 0)
		pass(m, s, n);
}

void
message_end(struct message *m)
{
	if (m->where == MESSAGE_BODY)
		return;
	if (m->nname > 0) {
		end_header(m, false);
		pass_name(m);
	} else {
		end_header(m, true);
	}
}

int
message_close_take(struct message *m, struct str *text)
{
	int code = qsubmit_close(&m->q, text);

	free(m);
	return code;
}

void
message_drop_take(struct message *m)
{
	struct str text = {0};

	if (m == NULL)
		return;
	qsubmit_fail(&m->q, QX_READ);
	(void)!message_close_take(m, &text);
	str_free(&text);
}
