/* inject/inject.c - see inject.h.
 *
 * A field is read, dealt with, and dropped or kept (in->header) before the
 * next is read.  Which recipients count is known only when all fields have
 * been seen, because one Resent- field makes it a resent message: so plain
 * and resent recipients are collected apart. */
#include "inject/inject.h"

#include "inject/body.h"
#include "inject/compose.h"
#include "inject/followup.h"
#include "inject/sink.h"
#include "lib/map.h"
#include "mail/date.h"
#include "mail/quote.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What is done with the fields that are more than text. */
enum field_use {
	USE_TEXT,               /* kept as it is */
	USE_ADDRS,              /* rewritten */
	USE_RCPTS,              /* and they are recipients */
	USE_RESENT,             /* recipients of a resent message */
};

static const struct {
	enum field_use use;
	bool resent;            /* makes it a resent message */
	bool drop;              /* never sent on */
} fields[HEADER_ID_COUNT] = {
	[HEADER_TO] = {USE_RCPTS, false, false},
	[HEADER_CC] = {USE_RCPTS, false, false},
	[HEADER_BCC] = {USE_RCPTS, false, true},
	[HEADER_APPARENTLY_TO] = {USE_RCPTS, false, false},
	[HEADER_FROM] = {USE_ADDRS, false, false},
	[HEADER_SENDER] = {USE_ADDRS, false, false},
	[HEADER_REPLY_TO] = {USE_ADDRS, false, false},
	[HEADER_MAIL_REPLY_TO] = {USE_ADDRS, false, false},
	[HEADER_MAIL_FOLLOWUP_TO] = {USE_ADDRS, false, false},
	[HEADER_ERRORS_TO] = {USE_ADDRS, false, false},
	[HEADER_RETURN_RECEIPT_TO] = {USE_ADDRS, false, false},
	[HEADER_NOTICE_TO] = {USE_ADDRS, false, false},
	[HEADER_RESENT_TO] = {USE_RESENT, true, false},
	[HEADER_RESENT_CC] = {USE_RESENT, true, false},
	[HEADER_RESENT_BCC] = {USE_RESENT, true, true},
	[HEADER_RESENT_FROM] = {USE_ADDRS, true, false},
	[HEADER_RESENT_SENDER] = {USE_ADDRS, true, false},
	[HEADER_RESENT_REPLY_TO] = {USE_ADDRS, true, false},
	[HEADER_RESENT_DATE] = {USE_TEXT, true, false},
	[HEADER_RESENT_MESSAGE_ID] = {USE_TEXT, true, false},
	[HEADER_RETURN_PATH] = {USE_ADDRS, false, true},
	[HEADER_CONTENT_LENGTH] = {USE_TEXT, false, true},
};

void
inject_init(struct inject *in, const struct inject_config *cfg)
{
	*in = (struct inject){.cfg = cfg};
}

void
inject_free(struct inject *in)
{
	rewrite_free(&in->hosts);
	addr_free(&in->list);
	str_free(&in->header);
	str_free(&in->added);
	str_free(&in->args.text);
	str_free(&in->plain_rcpts.text);
	str_free(&in->resent_rcpts.text);
	str_free(&in->tocc.text);
	str_free(&in->rcpts.text);
	str_free(&in->sender);
	str_free(&in->err);
}

static enum inject_status
config_trouble(struct inject *in)
{
	str_catf(&in->err, "unable to read control/%s (or me): %s",
	    rewrite_failed_file(&in->hosts), strerror(errno));
	return INJECT_CONFIG;
}

/* in->list's mailbox i, checked for what an envelope cannot carry. */
static enum inject_status
add_address(struct inject *in, struct inject_addrs *to, size_t i)
{
	size_t old = to->text.len;

	if (to->n == RCPT_MAX) {
		str_catf(&in->err, "more than %d recipients", RCPT_MAX);
		return INJECT_LIMIT;
	}
	addr_cat_plain(&to->text, &in->list, i);
	if (!quote_safe(str_c(&to->text) + old, to->text.len - old)) {
		str_cats(&in->err, "address with a line end or NUL in it");
		return INJECT_BADADDR;
	}
	if (to->text.len - old > ADDR_MAX) {
		str_catf(&in->err, "address longer than %d bytes", ADDR_MAX);
		return INJECT_BADADDR;
	}
	str_catc(&to->text, '\0');
	to->n++;
	return INJECT_OK;
}

/* All mailboxes of in->list but <>. */
static enum inject_status
add_addresses(struct inject *in, struct inject_addrs *to)
{
	enum inject_status st;
	size_t i;

	for (i = 0; i < in->list.n; i++) {
		if (in->list.items[i].kind != ADDR_MAILBOX ||
		    addr_is_empty(&in->list.items[i]))
			continue;
		if ((st = add_address(in, to, i)) != INJECT_OK)
			return st;
	}
	return INJECT_OK;
}

enum inject_status
inject_add_rcpt(struct inject *in, const char *addr, size_t n)
{
	if (n == 0) {
		str_cats(&in->err, "empty recipient");
		return INJECT_BADADDR;
	}
	addr_from_plain(&in->list, addr, n);
	if (rewrite_list(&in->hosts, &in->list) == -1)
		return config_trouble(in);
	return add_addresses(in, &in->args);
}

enum inject_status
inject_add_list(struct inject *in, const char *s, size_t n)
{
	size_t had = in->args.n;
	enum addr_status ast = addr_parse(&in->list, s, n);
	enum inject_status st;

	if (ast != ADDR_OK) {
		str_catf(&in->err, "unable to parse recipient: %s",
		    addr_text(ast));
		return INJECT_BADADDR;
	}
	if (rewrite_list(&in->hosts, &in->list) == -1)
		return config_trouble(in);
	st = add_addresses(in, &in->args);
	if (st == INJECT_OK && in->args.n == had) {
		str_cats(&in->err, "empty recipient");
		return INJECT_BADADDR;
	}
	return st;
}

enum inject_status
inject_set_sender(struct inject *in, const char *addr, size_t n)
{
	struct inject_addrs one = {0};
	enum inject_status st = INJECT_OK;

	if (n > 0) {
		addr_from_plain(&in->list, addr, n);
		if (rewrite_list(&in->hosts, &in->list) == -1)
			return config_trouble(in);
		st = add_address(in, &one, 0);
	}
	str_copys(&in->sender, str_c(&one.text));
	str_free(&one.text);
	in->have_sender = st == INJECT_OK;
	return st;
}

/* The topmost Return-Path that has an address, or <>, is the sender: it is
 * the one of the last delivery. */
static enum inject_status
take_return_path(struct inject *in)
{
	struct inject_addrs one = {0};
	enum inject_status st;
	size_t i;

	if (in->have_sender || in->cfg->ignore_return)
		return INJECT_OK;
	for (i = 0; i < in->list.n; i++)
		if (in->list.items[i].kind == ADDR_MAILBOX)
			break;
	if (i == in->list.n)
		return INJECT_OK;
	st = add_address(in, &one, i);
	if (st == INJECT_OK) {
		str_copys(&in->sender, str_c(&one.text));
		in->have_sender = true;
	}
	str_free(&one.text);
	return st;
}

static enum inject_status
do_addresses(struct inject *in, const struct header *h)
{
	size_t n, begin;
	const char *value = header_value(h, &n);
	enum addr_status ast = addr_parse(&in->list, value, n);
	enum inject_status st = INJECT_OK;

	if (ast != ADDR_OK) {
		str_catf(&in->err, "unable to parse header field %s: %s",
		    header_name(h->id), addr_text(ast));
		return INJECT_BADHEADER;
	}
	if (in->list.n == 0)
		return INJECT_OK;       /* empty: the same as not there */
	if (rewrite_list(&in->hosts, &in->list) == -1)
		return config_trouble(in);
	in->seen[h->id] = true;
	if (fields[h->id].use == USE_RCPTS)
		st = add_addresses(in, &in->plain_rcpts);
	else if (fields[h->id].use == USE_RESENT)
		st = add_addresses(in, &in->resent_rcpts);
	else if (h->id == HEADER_RETURN_PATH)
		st = take_return_path(in);
	if (st == INJECT_OK && (h->id == HEADER_TO || h->id == HEADER_CC) &&
	    in->cfg->lists_file != NULL)
		st = add_addresses(in, &in->tocc);
	if (st != INJECT_OK) {
		str_catf(&in->err, " in header field %s", header_name(h->id));
		return st == INJECT_BADADDR ? INJECT_BADHEADER : st;
	}
	if (fields[h->id].drop)
		return INJECT_OK;
	begin = in->header.len;
	str_catb(&in->header, str_c(&h->field), h->name_len);
	str_cats(&in->header, ": ");
	addr_cat_list(&in->header, &in->list, in->header.len - begin);
	str_catc(&in->header, '\n');
	return INJECT_OK;
}

static enum inject_status
do_field(struct inject *in, const struct header *h)
{
	const struct inject_config *cfg = in->cfg;

	if ((h->id == HEADER_FROM && cfg->delete_from) ||
	    (h->id == HEADER_MESSAGE_ID && cfg->delete_id))
		return INJECT_OK;
	if (fields[h->id].resent)
		in->resent = true;
	if (fields[h->id].use != USE_TEXT)
		return do_addresses(in, h);
	in->seen[h->id] = true;
	if (fields[h->id].drop)
		return INJECT_OK;
	if (h->id == HEADER_MBOX)
		str_cats(&in->header, "MBOX-Line: ");
	str_cat(&in->header, &h->field);
	return INJECT_OK;
}

enum inject_status
inject_read_header(struct inject *in, struct header *h)
{
	enum header_status hst;
	enum inject_status st;

	while ((hst = header_next(h)) == HEADER_FIELD)
		if ((st = do_field(in, h)) != INJECT_OK)
			return st;
	switch (hst) {
	case HEADER_TOOLONG:
	case HEADER_TOOBIG:
		str_catf(&in->err, "header longer than %d bytes",
		    INJECT_HEADER_MAX);
		return INJECT_LIMIT;
	case HEADER_ERROR:
		str_catf(&in->err, "unable to read the message: %s",
		    strerror(errno));
		return INJECT_READ;
	case HEADER_FIELD:
	case HEADER_END:
	case HEADER_BODY:
	case HEADER_EOF:
		break;
	}
	return INJECT_OK;
}

static void
add_field(struct inject *in, enum header_id id, const char *value)
{
	str_cats(&in->added, header_name(id));
	str_cats(&in->added, ": ");
	str_cats(&in->added, value);
	str_catc(&in->added, '\n');
}

enum inject_status
inject_finish_header(struct inject *in)
{
	static const enum header_id ids[2][5] = {
		{HEADER_DATE, HEADER_MESSAGE_ID, HEADER_FROM, HEADER_TO,
		    HEADER_CC},
		{HEADER_RESENT_DATE, HEADER_RESENT_MESSAGE_ID,
		    HEADER_RESENT_FROM, HEADER_RESENT_TO, HEADER_RESENT_CC},
	};
	const enum header_id *id = ids[in->resent ? 1 : 0];
	struct str v = {0};
	int r = 0;

	if (!in->seen[id[0]]) {
		date822_cat(&v, in->cfg->now);
		add_field(in, id[0], str_c(&v));
	}
	if (!in->seen[id[1]]) {
		str_clear(&v);
		r = compose_id(in, &v);
		add_field(in, id[1], str_c(&v));
	}
	if (r == 0 && !in->seen[id[2]]) {
		str_clear(&v);
		r = compose_from(in, &v);
		add_field(in, id[2], str_c(&v));
	}
	str_free(&v);
	if (r == -1)
		return config_trouble(in);
	if (!in->seen[id[3]] && !in->seen[id[4]])
		add_field(in, id[4], "recipient list not shown: ;");
	if (in->cfg->lists_file == NULL || in->resent ||
	    in->seen[HEADER_MAIL_FOLLOWUP_TO])
		return INJECT_OK;
	if (followup_add(&in->added, &in->tocc, in->cfg->lists_file) == -1) {
		str_catf(&in->err, "unable to read QMAILMFTFILE: %s",
		    strerror(errno));
		return INJECT_CONFIG;
	}
	return INJECT_OK;
}

/* The recipients of from that are not yet there; known is NULL when there can
 * be no other. */
static enum inject_status
merge(struct inject *in, struct map *known, const struct inject_addrs *from)
{
	const char *s = str_c(&from->text);
	size_t i, len;

	for (i = 0; i < from->n; i++, s += len + 1) {
		len = strlen(s);
		if (known != NULL && map_get(known, s, len) != NULL)
			continue;
		if (in->rcpts.n == RCPT_MAX) {
			str_catf(&in->err, "more than %d recipients",
			    RCPT_MAX);
			return INJECT_LIMIT;
		}
		if (known != NULL)
			map_set(known, s, len, in);
		str_catb(&in->rcpts.text, s, len + 1);
		in->rcpts.n++;
	}
	return INJECT_OK;
}

enum inject_status
inject_make_envelope(struct inject *in)
{
	const struct inject_addrs *hdr =
	    in->resent ? &in->resent_rcpts : &in->plain_rcpts;
	enum inject_mode mode = in->cfg->mode;
	enum inject_status st = INJECT_OK;
	struct map map = {0};
	struct map *known = in->args.n + hdr->n > 1 ? &map : NULL;

	if (!in->have_sender && compose_sender(in, &in->sender) == -1)
		return config_trouble(in);
	if (in->sender.len > ADDR_MAX ||
	    !quote_safe(str_c(&in->sender), in->sender.len)) {
		str_cats(&in->err, "unusable envelope sender");
		return INJECT_BADADDR;
	}
	if (mode == INJECT_EITHER)
		mode = in->args.n > 0 ? INJECT_ARGS : INJECT_HEADER;
	if (mode != INJECT_HEADER)
		st = merge(in, known, &in->args);
	if (st == INJECT_OK && mode != INJECT_ARGS)
		st = merge(in, known, hdr);
	map_free(&map);
	if (st == INJECT_OK && in->rcpts.n == 0 && !in->cfg->print) {
		str_cats(&in->err, "no recipients");
		return INJECT_NORCPT;
	}
	return st;
}

/* Everything after the header, which h has read to its end. */
static enum inject_status
copy_body(struct inject *in, struct header *h, struct sink *out)
{
	struct body body;
	char buf[IO_BUF];
	enum io_status st = IO_OK;
	size_t n;
	const char *rest = header_rest(h, &n);

	body_init(&body, out, in->cfg->dot_ends);
	body_feed(&body, rest, n);
	while (!body.ended &&
	    (st = io_get(h->in, buf, sizeof buf, &n)) == IO_OK)
		body_feed(&body, buf, n);
	if (!body.ended && st != IO_EOF) {
		str_catf(&in->err, "unable to read the message: %s",
		    strerror(errno));
		return INJECT_READ;
	}
	body_finish(&body);
	return INJECT_OK;
}

static enum inject_status
copy_message(struct inject *in, struct header *h, struct sink *out)
{
	sink_put(out, str_c(&in->added), in->added.len);
	sink_put(out, str_c(&in->header), in->header.len);
	sink_put(out, "\n", 1);
	return copy_body(in, h, out);
}

static enum inject_status
print_message(struct inject *in, struct header *h)
{
	struct io out;
	struct sink sink = {.print = &out};
	struct str first = {0};
	enum inject_status st;

	io_init(&out, -1, STDOUT_FILENO, IO_FOREVER);
	str_cats(&first, "Return-Path: <");
	quote_cat_addr(&first, str_c(&in->sender), in->sender.len);
	str_cats(&first, ">\n");
	sink_put(&sink, str_c(&first), first.len);
	str_free(&first);
	st = copy_message(in, h, &sink);
	if (st == INJECT_OK && io_flush(&out) != IO_OK) {
		str_catf(&in->err, "unable to print the message: %s",
		    strerror(errno));
		return INJECT_WRITE;
	}
	return st;
}

static enum inject_status
queue_message(struct inject *in, struct header *h)
{
	struct qsubmit q;
	struct sink sink = {.queue = &q};
	struct str text = {0};
	const char *s = str_c(&in->rcpts.text);
	enum inject_status st;
	size_t i;
	int code;

	qsubmit_open(&q);
	st = copy_message(in, h, &sink);
	if (st != INJECT_OK)
		qsubmit_fail(&q, QX_READ);
	qsubmit_from(&q, str_c(&in->sender));
	if (in->cfg->params != NULL)
		qsubmit_params(&q, in->cfg->params);
	for (i = 0; i < in->rcpts.n; i++, s += strlen(s) + 1) {
		qsubmit_to(&q, s);
		if (in->cfg->rcpt_params != NULL)
			qsubmit_rcpt_params(&q, in->cfg->rcpt_params);
	}
	in->qp = qsubmit_qp(&q);
	code = qsubmit_close(&q, &text);
	if (st == INJECT_OK && code != 0) {
		str_cat(&in->err, &text);
		st = qx_permanent(code) ? INJECT_REFUSED : INJECT_DEFERRED;
	}
	str_free(&text);
	return st;
}

enum inject_status
inject_run(struct inject *in, struct io *io)
{
	struct header h;
	enum inject_status st;

	header_init(&h, io, INJECT_HEADER_MAX, INJECT_HEADER_MAX);
	h.drop_cr = true;
	if ((st = inject_read_header(in, &h)) == INJECT_OK &&
	    (st = inject_finish_header(in)) == INJECT_OK &&
	    (st = inject_make_envelope(in)) == INJECT_OK)
		st = in->cfg->print ? print_message(in, &h) :
		    queue_message(in, &h);
	header_free(&h);
	return st;
}
