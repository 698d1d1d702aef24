/* mail/header.c - see header.h.  Always one line ahead of what it returns,
 * because only the next line tells whether a field goes on. */
#include "mail/header.h"

#include <string.h>

static const struct {
	const char *name;
	size_t len;
} names[HEADER_ID_COUNT] = {
	[HEADER_OTHER] = {"", 0},
	[HEADER_MBOX] = {"", 0},
#define X(id, text) [HEADER_##id] = {text, sizeof text - 1},
	HEADER_TABLE(X)
#undef X
};

void
header_init(struct header *h, struct io *in, size_t field_max,
    size_t total_max)
{
	*h = (struct header){.in = in, .field_max = field_max,
	    .total_max = total_max};
}

void
header_free(struct header *h)
{
	str_free(&h->field);
	str_free(&h->ahead);
}

const char *
header_name(enum header_id id)
{
	return names[id].name;
}

enum header_id
header_lookup(const char *name, size_t n)
{
	unsigned i;

	for (i = HEADER_MBOX + 1; i < HEADER_ID_COUNT; i++)
		if (names[i].len == n &&
		    bytes_caseeq(names[i].name, n, name, n))
			return (enum header_id)i;
	return HEADER_OTHER;
}

size_t
header_scan_name(const char *line, size_t n, size_t *value_off)
{
	size_t i = 0, len;

	while (i < n && line[i] > ' ' && line[i] < 127 && line[i] != ':')
		i++;
	len = i;
	while (i < n && (line[i] == ' ' || line[i] == '\t'))
		i++;
	if (len == 0 || i == n || line[i] != ':')
		return 0;
	*value_off = i + 1;
	return len;
}

/* Appends the next line to ahead, LF included even where the input ends
 * without one. */
static enum header_status
read_line(struct header *h)
{
	enum io_status st;

	str_clear(&h->ahead);
	if (h->at_eof)
		return HEADER_EOF;
	st = io_getdelim(h->in, &h->ahead, '\n', h->field_max);
	if (st == IO_EOF) {
		h->at_eof = true;
		if (h->ahead.len == 0)
			return HEADER_EOF;
	} else if (st == IO_TOOLONG) {
		return HEADER_TOOLONG;
	} else if (st != IO_OK) {
		return HEADER_ERROR;
	}
	while (h->drop_cr && h->ahead.len > 0 &&
	    h->ahead.s[h->ahead.len - 1] == '\r')
		str_trunc(&h->ahead, h->ahead.len - 1);
	str_catc(&h->ahead, '\n');
	h->ahead_full = true;
	return HEADER_FIELD;
}

/* Takes the line ahead as the first of a field. */
static enum header_status
begin_field(struct header *h)
{
	const char *s = str_c(&h->ahead);
	size_t n = h->ahead.len;

	if (n == 1) {
		h->ahead_full = false;
		return HEADER_END;
	}
	h->name_len = header_scan_name(s, n, &h->value_off);
	if (h->name_len > 0) {
		h->id = header_lookup(s, h->name_len);
	} else if (n >= 5 && memcmp(s, "From ", 5) == 0) {
		h->id = HEADER_MBOX;
		h->value_off = 5;
	} else {
		return HEADER_BODY;
	}
	return HEADER_FIELD;
}

enum header_status
header_next(struct header *h)
{
	enum header_status st;

	str_clear(&h->field);
	if (!h->ahead_full && (st = read_line(h)) != HEADER_FIELD)
		return st;
	if ((st = begin_field(h)) != HEADER_FIELD)
		return st;
	do {
		if (h->ahead.len > h->field_max - h->field.len)
			return HEADER_TOOLONG;
		if (h->ahead.len > h->total_max - h->total)
			return HEADER_TOOBIG;
		h->total += h->ahead.len;
		str_cat(&h->field, &h->ahead);
		h->ahead_full = false;
		st = read_line(h);
		if (st == HEADER_EOF)
			return HEADER_FIELD;
		if (st != HEADER_FIELD)
			return st;
	} while (h->ahead.s[0] == ' ' || h->ahead.s[0] == '\t');
	return HEADER_FIELD;
}

const char *
header_value(const struct header *h, size_t *n_out)
{
	*n_out = h->field.len - h->value_off - 1;
	return str_c(&h->field) + h->value_off;
}

const char *
header_rest(const struct header *h, size_t *n_out)
{
	*n_out = h->ahead_full ? h->ahead.len : 0;
	return str_c(&h->ahead);
}
