/* mail/addr.c - see addr.h.  One pass over the bytes, no recursion.
 *
 * Tokens since the last separator are kept until it is known what they were:
 * before "<" or ":" a display name, before anything else addresses.  Decoded
 * bytes of tokens live in work, which is emptied at every separator; what an
 * item keeps is copied to the list's text. */
#include "mail/addr.h"

#include "mail/quote.h"

#include <stdlib.h>
#include <string.h>

#define NO_AT SIZE_MAX

enum tok_kind {
	TOK_ATOM,
	TOK_QUOTED,             /* printed in quotes */
	TOK_LITERAL,            /* with its brackets */
	TOK_DOT,
	TOK_AT,
	TOK_COMMA,              /* these two only inside < > */
	TOK_COLON,
	TOK_COMMENT,            /* with its parentheses, consecutive ones joined */
};

struct tok {
	enum tok_kind kind;
	bool spaced;            /* white space or a comment stood before it */
	size_t off, len;
};

struct parser {
	const char *s;
	size_t n, at;
	struct addr_list *list;
	struct str work, pre, post, spec;
	struct tok *toks;
	size_t ntok, captok;
	bool in_angle, in_group, spaced;
	bool open;              /* the last item may still get comments: post */
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_special(char c)
{
	return c != '\0' && strchr("()<>[]:;@\\,.\"", c) != NULL;
}

static bool
is_word(enum tok_kind k)
{
	return k == TOK_ATOM || k == TOK_QUOTED || k == TOK_LITERAL;
}

const char *
addr_text(enum addr_status st)
{
	static const char *const texts[] = {
#define X(id, text) [ADDR_##id] = text,
		ADDR_TABLE(X)
#undef X
	};

	return texts[st];
}

const char *
addr_part_peek(const struct addr_list *l, struct addr_part p)
{
	return str_c(&l->text) + p.off;
}

bool
addr_is_empty(const struct addr_item *it)
{
	return it->local.len == 0 && !it->has_at;
}

bool
addr_is_literal(const struct addr_list *l, const struct addr_item *it)
{
	return it->host.len > 0 && *addr_part_peek(l, it->host) == '[';
}

void
addr_free(struct addr_list *l)
{
	free(l->items);
	str_free(&l->text);
	*l = (struct addr_list){0};
}

static struct addr_part
keep(struct addr_list *l, const char *s, size_t n)
{
	struct addr_part p = {.off = l->text.len, .len = n};

	str_catb(&l->text, s, n);
	return p;
}

static enum addr_status
add_item(struct addr_list *l, const struct addr_item *it)
{
	if (l->n == l->cap) {
		if (l->n >= ADDR_ITEMS_MAX)
			return ADDR_MANY;
		l->cap = l->cap == 0 ? 4 : l->cap * 2;
		l->items = mem_resize(l->items, l->cap, sizeof *l->items);
	}
	l->items[l->n++] = *it;
	return ADDR_OK;
}

void
addr_set_host(struct addr_list *l, size_t i, const char *host, size_t n)
{
	l->items[i].host = keep(l, host, n);
	l->items[i].has_at = true;
}

/* ---- lexing ---- */

static enum addr_status
add_tok(struct parser *p, enum tok_kind kind, size_t off)
{
	struct tok *last = p->ntok > 0 ? &p->toks[p->ntok - 1] : NULL;

	if (kind == TOK_COMMENT && last != NULL && last->kind == kind) {
		last->len = p->work.len - last->off;
		p->spaced = true;
		return ADDR_OK;
	}
	if (p->ntok >= ADDR_ITEMS_MAX)
		return ADDR_MANY;
	if (p->ntok == p->captok) {
		p->captok = p->captok == 0 ? 16 : p->captok * 2;
		p->toks = mem_resize(p->toks, p->captok, sizeof *p->toks);
	}
	p->toks[p->ntok++] = (struct tok){.kind = kind, .spaced = p->spaced,
	    .off = off, .len = p->work.len - off};
	p->spaced = kind == TOK_COMMENT;
	return ADDR_OK;
}

/* Bytes that may not be printed bare are left out: CR and LF are folding, and
 * a backslash before them does not make them text. */
static enum addr_status
add_byte(struct parser *p, char c)
{
	if (c == '\0')
		return ADDR_NUL;
	if (c != '\r' && c != '\n')
		str_catc(&p->work, c);
	return ADDR_OK;
}

static enum addr_status
lex_comment(struct parser *p)
{
	size_t off = p->work.len;
	size_t depth = 0;

	if (p->ntok > 0 && p->toks[p->ntok - 1].kind == TOK_COMMENT)
		str_catc(&p->work, ' ');
	do {
		char c = p->s[p->at++];

		if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth--;
		} else if (c == '\\' && p->at < p->n) {
			char d = p->s[p->at++];

			if (d == '\r' || d == '\n')
				continue;
			str_catc(&p->work, '\\');
			c = d;
		} else if (c == '\\') {
			return ADDR_COMMENT;
		}
		if (add_byte(p, c) != ADDR_OK)
			return ADDR_NUL;
	} while (depth > 0 && p->at < p->n);
	if (depth > 0)
		return ADDR_COMMENT;
	return add_tok(p, TOK_COMMENT, off);
}

static enum addr_status
lex_quoted(struct parser *p)
{
	size_t off = p->work.len;

	for (p->at++; p->at < p->n; p->at++) {
		char c = p->s[p->at];

		if (c == '"') {
			p->at++;
			return add_tok(p, TOK_QUOTED, off);
		}
		if (c == '\\' && ++p->at == p->n)
			break;
		if (add_byte(p, p->s[p->at]) != ADDR_OK)
			return ADDR_NUL;
	}
	return ADDR_QUOTE;
}

/* White space inside the brackets means nothing: 5322:3.4.1. */
static enum addr_status
lex_literal(struct parser *p)
{
	size_t off = p->work.len;

	str_catc(&p->work, '[');
	for (p->at++; p->at < p->n; p->at++) {
		char c = p->s[p->at];

		if (c == ']') {
			p->at++;
			str_catc(&p->work, ']');
			return add_tok(p, TOK_LITERAL, off);
		}
		if (c == '[')
			return ADDR_LITERAL;
		if (c == '\\' && ++p->at == p->n)
			break;
		c = p->s[p->at];
		if (c == '\0')
			return ADDR_NUL;
		if ((unsigned char)c <= ' ' || c == 127 || c == '[' ||
		    c == ']' || c == '\\') {
			if (!is_space(c))
				return ADDR_HOST;
			continue;
		}
		str_catc(&p->work, c);
	}
	return ADDR_LITERAL;
}

static enum addr_status
lex_atom(struct parser *p)
{
	size_t off = p->work.len;
	enum tok_kind kind = TOK_ATOM;

	for (; p->at < p->n; p->at++) {
		char c = p->s[p->at];

		if (c == '\\') {
			if (++p->at == p->n)
				return ADDR_QUOTE;
			c = p->s[p->at];
			kind = TOK_QUOTED;
		} else if (is_space(c) || is_special(c)) {
			break;
		} else if ((unsigned char)c < ' ' || c == 127) {
			kind = TOK_QUOTED;
		}
		if (add_byte(p, c) != ADDR_OK)
			return ADDR_NUL;
	}
	return add_tok(p, kind, off);
}

static enum addr_status
lex_mark(struct parser *p, enum tok_kind kind)
{
	size_t off = p->work.len;

	str_catc(&p->work, p->s[p->at++]);
	return add_tok(p, kind, off);
}

/* ---- what the tokens mean ---- */

static void
join(struct str *out, const char *s, size_t n)
{
	if (out->len > 0)
		str_catc(out, ' ');
	str_catb(out, s, n);
}

static void
cat_quoted(struct str *out, const char *s, size_t n)
{
	size_t i;

	str_catc(out, '"');
	for (i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\')
			str_catc(out, '\\');
		str_catc(out, s[i]);
	}
	str_catc(out, '"');
}

/* A display name.  One that is not words and dots ("al@x <al@x>") becomes one
 * quoted string, and its comments follow it. */
static void
make_phrase(struct parser *p, size_t from)
{
	const char *work = str_c(&p->work);
	bool plain = true;
	size_t i;

	str_clear(&p->pre);
	str_clear(&p->spec);
	for (i = from; i < p->ntok; i++)
		if (p->toks[i].kind == TOK_AT || p->toks[i].kind == TOK_LITERAL)
			plain = false;
	if (from < p->ntok && p->toks[from].kind == TOK_DOT)
		plain = false;  /* 5322:4.1 lets dots follow a word */
	for (i = from; i < p->ntok; i++) {
		const struct tok *t = &p->toks[i];

		if (t->kind == TOK_COMMENT && !plain)
			continue;
		if (plain && t->kind == TOK_QUOTED) {
			if (t->spaced && p->pre.len > 0)
				str_catc(&p->pre, ' ');
			cat_quoted(&p->pre, work + t->off, t->len);
			continue;
		}
		if (t->spaced && p->pre.len > 0)
			str_catc(&p->pre, ' ');
		str_catb(&p->pre, work + t->off, t->len);
	}
	if (plain)
		return;
	str_copy(&p->spec, &p->pre);
	str_clear(&p->pre);
	cat_quoted(&p->pre, str_c(&p->spec), p->spec.len);
	for (i = from; i < p->ntok; i++)
		if (p->toks[i].kind == TOK_COMMENT)
			join(&p->pre, work + p->toks[i].off, p->toks[i].len);
}

static bool
host_ok(const char *s, size_t n)
{
	size_t i, len;

	if (n > 0 && s[0] == '[')
		return bytes_chr(s, n, ']') == n - 1;
	for (i = 0; i < n; i += len) {
		char c = s[i];

		len = utf8_len(s + i, n - i);
		if (len == 0)
			return false;
		if (len == 1 && (c <= ' ' || c == 127))
			return false;
		if (len == 1 && c != '.' && is_special(c))
			return false;
	}
	return true;
}

static void
close_item(struct parser *p)
{
	if (p->open)
		p->list->items[p->list->n - 1].post =
		    keep(p->list, str_c(&p->post), p->post.len);
	p->open = false;
	str_clear(&p->post);
}

/* Adds the address in spec; what pre holds is printed before it, and post goes
 * on collecting what follows.  at: index of the last "@" or NO_AT. */
static enum addr_status
open_mailbox(struct parser *p, size_t at, bool angle)
{
	struct addr_item it = {.kind = ADDR_MAILBOX, .angle = angle};
	const char *s = str_c(&p->spec);
	size_t n = p->spec.len;

	if (at != NO_AT) {
		if (!host_ok(s + at + 1, n - at - 1))
			return ADDR_HOST;
		it.has_at = true;
		it.local = keep(p->list, s, at);
		it.host = keep(p->list, s + at + 1, n - at - 1);
	} else {
		it.local = keep(p->list, s, n);
	}
	it.pre = keep(p->list, str_c(&p->pre), p->pre.len);
	str_clear(&p->pre);
	str_clear(&p->spec);
	p->open = true;
	return add_item(p->list, &it);
}

/* The first token after a route ("@a,@b:"), from when there is none.  Its
 * comments are kept. */
static size_t
skip_route(struct parser *p, size_t from)
{
	size_t i, end = from;

	for (i = from; i < p->ntok && p->toks[i].kind == TOK_COMMENT; i++)
		continue;
	if (i == p->ntok || p->toks[i].kind != TOK_AT)
		return from;
	for (; i < p->ntok; i++)
		if (p->toks[i].kind == TOK_COLON)
			end = i + 1;
	for (i = from; i < end; i++)
		if (p->toks[i].kind == TOK_COMMENT)
			join(&p->post, str_c(&p->work) + p->toks[i].off,
			    p->toks[i].len);
	return end;
}

/* The tokens from the given one on as addresses.  Inside < > there is exactly
 * one, and it may be empty. */
static enum addr_status
make_addrs(struct parser *p, size_t from, bool angle)
{
	const char *work = str_c(&p->work);
	bool started = angle, word = false, quoted = false;
	size_t at = NO_AT, i;
	enum addr_status st;

	if (!angle)
		str_clear(&p->pre);
	str_clear(&p->spec);
	for (i = from; i < p->ntok; i++) {
		const struct tok *t = &p->toks[i];

		if (t->kind == TOK_COMMENT) {
			join(started ? &p->post : &p->pre, work + t->off,
			    t->len);
			continue;
		}
		if (t->kind == TOK_COMMA || t->kind == TOK_COLON)
			return ADDR_ANGLE;
		if (is_word(t->kind) && word) {
			if (angle || !t->spaced)
				return ADDR_WORDS;
			if (quoted && at != NO_AT)
				return ADDR_HOST;
			if ((st = open_mailbox(p, at, false)) != ADDR_OK)
				return st;
			close_item(p);
			at = NO_AT;
			quoted = false;
		}
		if (t->kind == TOK_AT) {
			at = p->spec.len;
			quoted = false;
		} else if (t->kind == TOK_QUOTED) {
			quoted = true;
		}
		started = true;
		word = is_word(t->kind);
		str_catb(&p->spec, work + t->off, t->len);
	}
	if (quoted && at != NO_AT)
		return ADDR_HOST;
	if (started)
		return open_mailbox(p, at, angle);
	if (p->pre.len > 0) {
		struct addr_item it = {.kind = ADDR_NOTE};

		it.pre = keep(p->list, str_c(&p->pre), p->pre.len);
		return add_item(p->list, &it);
	}
	return ADDR_OK;
}

static void
drop_toks(struct parser *p)
{
	p->ntok = 0;
	str_clear(&p->work);
}

/* Comments right after an address in < > are its own; *from becomes the index
 * of the first other token, which must be apart from the ">". */
static enum addr_status
settle(struct parser *p, size_t *from)
{
	size_t i = 0;

	if (p->open) {
		for (; i < p->ntok && p->toks[i].kind == TOK_COMMENT; i++)
			join(&p->post, str_c(&p->work) + p->toks[i].off,
			    p->toks[i].len);
		if (i < p->ntok && !p->toks[i].spaced)
			return ADDR_WORDS;
		close_item(p);
	}
	*from = i;
	return ADDR_OK;
}

static enum addr_status
end_element(struct parser *p)
{
	size_t from;
	enum addr_status st;

	if ((st = settle(p, &from)) != ADDR_OK)
		return st;
	st = make_addrs(p, from, false);
	close_item(p);
	drop_toks(p);
	return st;
}

static enum addr_status
begin_angle(struct parser *p)
{
	size_t from;
	enum addr_status st;

	if (p->in_angle)
		return ADDR_ANGLE;
	if ((st = settle(p, &from)) != ADDR_OK)
		return st;
	make_phrase(p, from);
	drop_toks(p);
	p->in_angle = true;
	return ADDR_OK;
}

static enum addr_status
end_angle(struct parser *p)
{
	enum addr_status st;

	if (!p->in_angle)
		return ADDR_STRAY;
	st = make_addrs(p, skip_route(p, 0), true);
	drop_toks(p);
	p->in_angle = false;
	p->spaced = false;
	return st;
}

static enum addr_status
begin_group(struct parser *p)
{
	struct addr_item it = {.kind = ADDR_GROUP_BEGIN};
	size_t from;
	enum addr_status st;

	if (p->in_group)
		return ADDR_GROUP;
	if ((st = settle(p, &from)) != ADDR_OK)
		return st;
	make_phrase(p, from);
	if (p->pre.len == 0)
		return ADDR_GROUP;
	it.pre = keep(p->list, str_c(&p->pre), p->pre.len);
	drop_toks(p);
	p->in_group = true;
	return add_item(p->list, &it);
}

static enum addr_status
end_group(struct parser *p)
{
	struct addr_item it = {.kind = ADDR_GROUP_END};
	enum addr_status st = end_element(p);

	if (st != ADDR_OK || !p->in_group)
		return st;
	p->in_group = false;
	return add_item(p->list, &it);
}

static enum addr_status
step(struct parser *p)
{
	char c = p->s[p->at];

	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		p->spaced = true;
		p->at++;
		return ADDR_OK;
	case '(':
		return lex_comment(p);
	case '"':
		return lex_quoted(p);
	case '[':
		return lex_literal(p);
	case '.':
		return lex_mark(p, TOK_DOT);
	case '@':
		return lex_mark(p, TOK_AT);
	case ')':
	case ']':
		return ADDR_STRAY;
	default:
		break;
	}
	if (c == ',' && p->in_angle)
		return lex_mark(p, TOK_COMMA);
	if (c == ':' && p->in_angle)
		return lex_mark(p, TOK_COLON);
	if (c != ',' && c != ':' && c != ';' && c != '<' && c != '>')
		return lex_atom(p);
	p->at++;
	if (c == '<')
		return begin_angle(p);
	if (c == '>')
		return end_angle(p);
	if (c == ':')
		return begin_group(p);
	if (p->in_angle)
		return ADDR_ANGLE;
	return c == ',' ? end_element(p) : end_group(p);
}

enum addr_status
addr_parse(struct addr_list *l, const char *s, size_t n)
{
	struct parser p = {.s = s, .n = n, .list = l};
	enum addr_status st = ADDR_OK;

	l->n = 0;
	str_clear(&l->text);
	while (st == ADDR_OK && p.at < n)
		st = step(&p);
	if (st == ADDR_OK && p.in_angle)
		st = ADDR_ANGLE;
	if (st == ADDR_OK)
		st = end_group(&p);
	if (st != ADDR_OK)
		l->n = 0;
	free(p.toks);
	str_free(&p.work);
	str_free(&p.pre);
	str_free(&p.post);
	str_free(&p.spec);
	return st;
}

void
addr_from_plain(struct addr_list *l, const char *addr, size_t n)
{
	struct addr_item it = {.kind = ADDR_MAILBOX, .angle = n == 0};
	size_t at = bytes_rchr(addr, n, '@');

	l->n = 0;
	str_clear(&l->text);
	it.local = keep(l, addr, at);
	if (at < n) {
		it.has_at = true;
		it.host = keep(l, addr + at + 1, n - at - 1);
	}
	(void)add_item(l, &it);         /* the first always fits */
}

/* ---- printing ---- */

void
addr_cat_plain(struct str *out, const struct addr_list *l, size_t i)
{
	const struct addr_item *it = &l->items[i];

	str_catb(out, addr_part_peek(l, it->local), it->local.len);
	if (it->has_at) {
		str_catc(out, '@');
		str_catb(out, addr_part_peek(l, it->host), it->host.len);
	}
}

static void
cat_part(struct str *out, const struct addr_list *l, struct addr_part part)
{
	if (part.len > 0)
		join(out, addr_part_peek(l, part), part.len);
}

static void
cat_mailbox(struct str *out, const struct addr_list *l,
    const struct addr_item *it)
{
	cat_part(out, l, it->pre);
	if (out->len > 0)
		str_catc(out, ' ');
	if (it->angle)
		str_catc(out, '<');
	if (!it->angle || !addr_is_empty(it))
		quote_cat_local(out, addr_part_peek(l, it->local),
		    it->local.len);
	if (it->has_at) {
		str_catc(out, '@');
		str_catb(out, addr_part_peek(l, it->host), it->host.len);
	}
	if (it->angle)
		str_catc(out, '>');
	cat_part(out, l, it->post);
}

void
addr_cat_list(struct str *out, const struct addr_list *l, size_t column)
{
	enum { NOTHING, SPACE, COMMA } due = NOTHING;
	struct str one = {0};
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct addr_item *it = &l->items[i];

		if (it->kind == ADDR_GROUP_END) {
			str_cats(out, due == SPACE ? " ;" : ";");
			column += 2;
			due = COMMA;
			continue;
		}
		str_clear(&one);
		if (it->kind == ADDR_MAILBOX)
			cat_mailbox(&one, l, it);
		else
			cat_part(&one, l, it->pre);
		if (it->kind == ADDR_GROUP_BEGIN)
			str_catc(&one, ':');
		/* A comment may follow the ";" of a group as it is. */
		if (it->kind == ADDR_NOTE && i > 0 &&
		    l->items[i - 1].kind == ADDR_GROUP_END)
			due = SPACE;
		if (due == COMMA) {
			str_catc(out, ',');
			column++;
		}
		if (due != NOTHING && column + 1 + one.len > ADDR_FOLD) {
			str_cats(out, "\n  ");
			column = 2;
		} else if (due != NOTHING) {
			str_catc(out, ' ');
			column++;
		}
		str_cat(out, &one);
		column += one.len;
		due = it->kind == ADDR_GROUP_BEGIN ? SPACE : COMMA;
	}
	str_free(&one);
}
