/* queue/qshow.c - messages for eyes and for programs; see qshow.h. */
#include "queue/qshow.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "mail/date.h"
#include "mail/quote.h"
#include "mail/show.h"

#include <string.h>

void
qshow_cat_addr(struct str *out, const char *addr)
{
	struct str quoted = {0};

	quote_cat_addr(&quoted, addr, strlen(addr));
	show_cat_text(out, str_c(&quoted), quoted.len);
	str_free(&quoted);
}

void
qshow_cat_date(struct str *out, int64_t unix_time)
{
	size_t zone;

	date822_cat(out, unix_time);
	zone = bytes_rchr(out->s, out->len, ' ');
	str_trunc(out, zone);
	str_cats(out, " GMT");
}

static const char *
channel_word(enum qscan_channel channel)
{
	switch (channel) {
	case QSCAN_LOCAL:
		return "local";
	case QSCAN_REMOTE:
		return "remote";
	case QSCAN_RAW:
		break;
	}
	return "todo";
}

const char *
qshow_state(const struct qscan_msg *m)
{
	return m->todo ? "todo" : "queue";
}

void
qshow_cat_classic(struct str *out, const struct qscan_msg *m)
{
	struct qscan_rcpt r;

	qshow_cat_date(out, m->birth);
	str_cats(out, "  #");
	str_catu(out, m->id);
	str_cats(out, "  ");
	str_catu(out, m->size);
	str_cats(out, "  <");
	qshow_cat_addr(out, str_c(&m->sender));
	str_cats(out, m->bouncing ? "> bouncing" : ">");
	str_cats(out, m->held ? " held\n" : "\n");
	for (size_t at = 0; qscan_rcpt_next(m, &at, &r);) {
		str_cats(out, r.done ? "  done\t" : "\t");
		str_cats(out, channel_word(r.channel));
		str_catc(out, '\t');
		qshow_cat_addr(out, r.addr);
		str_catc(out, '\n');
	}
}

static void
cat_json_bool(struct str *out, const char *name, bool value)
{
	str_cats(out, ",\"");
	str_cats(out, name);
	str_cats(out, value ? "\":true" : "\":false");
}

static void
cat_json_int(struct str *out, const char *name, int64_t value)
{
	str_catf(out, ",\"%s\":%lld", name, (long long)value);
}

void
qshow_cat_json(struct str *out, const struct qscan_msg *m)
{
	struct qscan_rcpt r;
	bool first = true;

	str_cats(out, "{\"id\":");
	str_catu(out, m->id);
	str_cats(out, ",\"state\":\"");
	str_cats(out, qshow_state(m));
	str_catc(out, '"');
	cat_json_int(out, "birth", m->birth);
	cat_json_int(out, "size", (int64_t)m->size);
	if (m->todo) {
		cat_json_int(out, "uid", m->uid);
		cat_json_int(out, "qp", m->pid);
	}
	cat_json_bool(out, "held", m->held);
	cat_json_bool(out, "bouncing", m->bouncing);
	str_cats(out, ",\"sender\":");
	show_cat_json(out, str_c(&m->sender), m->sender.len);
	str_cats(out, ",\"recipients\":[");
	for (size_t at = 0; qscan_rcpt_next(m, &at, &r); first = false) {
		str_cats(out, first ? "{\"address\":" : ",{\"address\":");
		show_cat_json(out, r.addr, strlen(r.addr));
		str_cats(out, ",\"channel\":\"");
		str_cats(out, channel_word(r.channel));
		str_catc(out, '"');
		cat_json_bool(out, "done", r.done);
		str_catc(out, '}');
	}
	str_cats(out, "]}\n");
}

/* Prints one message if sel wants it.  False: nothing more can be written. */
static bool
list_one(struct io *out, const struct qselect *sel, bool json,
    const struct qscan_msg *m, int64_t now, uint64_t *count)
{
	struct str text = {0};
	enum io_status st;

	if (sel != NULL && !qselect_match(sel, m, now))
		return true;
	if (json)
		qshow_cat_json(&text, m);
	else
		qshow_cat_classic(&text, m);
	st = io_put(out, str_c(&text), text.len);
	str_free(&text);
	++*count;
	return st == IO_OK;
}

int
qshow_list(struct io *out, const struct qselect *sel, bool json,
    uint64_t *count_out)
{
	struct qscan_ids ids = {0};
	struct qscan_msg m = {0};
	struct str why = {0};
	int64_t now = clock_wall();
	int r = 0;

	*count_out = 0;
	if (qscan_list(&ids, &why) < 0) {
		log_warn("%s", str_c(&why));
		ids.n = 0;
		r = 111;
	}
	for (size_t i = 0; i < ids.n; i++) {
		enum qscan_status st = qscan_load(ids.ids[i], &m, &why);

		if (st == QSCAN_GONE)
			continue;
		if (st != QSCAN_OK) {
			log_warn("%s", str_c(&why));
			r = 111;
		}
		if (st != QSCAN_TROUBLE &&
		    !list_one(out, sel, json, &m, now, count_out))
			break;
	}
	if (io_flush(out) != IO_OK) {
		log_sys("unable to write the list");
		r = 111;
	}
	qscan_msg_free(&m);
	qscan_ids_free(&ids);
	str_free(&why);
	return r;
}
