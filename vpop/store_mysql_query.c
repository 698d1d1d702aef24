/* vpop/store_mysql_query.c - a statement with what is bound to it, and numbers
 * of rows: the part of store_mysql_conn.h that needs no server. */
#include "vpop/store_mysql_conn.h"

#include <stdlib.h>
#include <string.h>

static void
bind_bytes(struct my_query *q, const char *s, size_t n)
{
	if (q->n == MY_ARGS)
		abort();                /* a statement of ours: never */
	q->off[q->n] = q->bytes.len;
	q->len[q->n++] = n;
	str_catb(&q->bytes, s, n);
}

void
my_bind(struct my_query *q, const char *s)
{
	bind_bytes(q, s, strlen(s));
}

void
my_bind_str(struct my_query *q, const struct str *s)
{
	bind_bytes(q, str_c(s), s->len);
}

void
my_bind_u(struct my_query *q, uint64_t v)
{
	struct str s = {0};

	str_catu(&s, v);
	my_bind_str(q, &s);
	str_free(&s);
}

void
my_bind_i(struct my_query *q, int64_t v)
{
	struct str s = {0};

	if (v < 0)
		str_catc(&s, '-');
	str_catu(&s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
	my_bind_str(q, &s);
	str_free(&s);
}

void
my_query_free(struct my_query *q)
{
	if (q->bytes.len > 0)
		explicit_bzero(q->bytes.s, q->bytes.len);
	str_free(&q->sql);
	str_free(&q->bytes);
	*q = (struct my_query){0};
}

uint64_t
my_u(const struct my_row *r, size_t col)
{
	uint64_t v = 0;

	(void)scan_u64(str_c(&r->col[col]), &v);
	return v;
}

int64_t
my_i(const struct my_row *r, size_t col)
{
	const char *s = str_c(&r->col[col]);
	uint64_t v = 0;

	(void)scan_u64(*s == '-' ? s + 1 : s, &v);
	if (v > INT64_MAX)
		v = INT64_MAX;
	return *s == '-' ? -(int64_t)v : (int64_t)v;
}
