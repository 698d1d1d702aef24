/* send/wish.c - records of wishes; see wish.h.  Pure. */
#include "send/wish.h"

#include "mail/dsn.h"
#include "send/config.h"

#include <stdlib.h>
#include <string.h>

static const char letter[CHANNELS] = {
	[CHANNEL_LOCAL] = 'l',
	[CHANNEL_REMOTE] = 'r',
};

void
wish_cat_message(struct str *out, const char *text)
{
	if (*text == '\0')
		return;
	str_catc(out, 'M');
	str_catb(out, text, strlen(text) + 1);
}

void
wish_cat_rcpt(struct str *out, int channel, uint64_t at, const char *text)
{
	if (*text == '\0')
		return;
	str_catc(out, 'N');
	str_catc(out, letter[channel]);
	str_catu(out, at);
	str_catc(out, ' ');
	str_catb(out, text, strlen(text) + 1);
}

const char *
wish_message_peek(const struct str *bytes)
{
	return bytes->len > 0 && bytes->s[0] == 'M' ? bytes->s + 1 : "";
}

/* The record at s: its place in the list and where its text begins. */
static bool
record(const char *s, uint64_t *at, size_t *text)
{
	size_t n;

	if ((s[0] != 'N' && s[0] != 'n') || (s[1] != 'l' && s[1] != 'r'))
		return false;
	n = scan_u64(s + 2, at);
	*text = 2 + n + 1;
	return n > 0 && s[2 + n] == ' ';
}

static unsigned
notify_of(const char *text)
{
	struct dsn_rcpt r = {0};
	unsigned notify = 0;

	if (dsn_rcpt_parse(text, strlen(text), &r) == 0)
		notify = r.notify;
	dsn_rcpt_free(&r);
	return notify;
}

void
wish_index(struct wishes *out, const struct str *bytes, int channel)
{
	size_t cap = 0, text;
	uint64_t at;

	*out = (struct wishes){0};
	for (size_t i = 0; i < bytes->len; i += strlen(bytes->s + i) + 1) {
		const char *s = bytes->s + i;

		if (s[0] == 'M')
			continue;
		if (!record(s, &at, &text))
			break;
		if (s[1] != letter[channel])
			continue;
		if (out->n > 0 && out->v[out->n - 1].at >= at)
			break;
		if (out->n == cap) {
			cap = cap ? cap * 2 : 8;
			out->v = mem_resize(out->v, cap, sizeof *out->v);
		}
		out->v[out->n++] = (struct wish){at, i, i + text,
		    notify_of(s + text)};
	}
}

void
wish_free(struct wishes *w)
{
	free(w->v);
	*w = (struct wishes){0};
}

const struct wish *
wish_find(const struct wishes *w, size_t at)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (w->v[mid].at == at)
			return &w->v[mid];
		if (w->v[mid].at < at)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *
wish_text_peek(const struct str *bytes, const struct wish *w)
{
	return w == NULL ? "" : bytes->s + w->text;
}
