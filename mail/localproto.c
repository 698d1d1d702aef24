/* mail/localproto.c - packets between qmail-lspawn and its workers; see
 * localproto.h.  Pure: bytes in, structs out. */
#include "mail/localproto.h"

#include <errno.h>
#include <string.h>

#define HEAD 4u                 /* bytes of an id */

static void
cat_id(struct str *out, uint32_t id)
{
	unsigned char b[HEAD];

	for (unsigned i = 0; i < HEAD; i++)
		b[i] = (unsigned char)(id >> (24 - 8 * i));
	str_catb(out, b, sizeof b);
}

static uint32_t
get_id(const char *s)
{
	uint32_t id = 0;

	for (unsigned i = 0; i < HEAD; i++)
		id = id << 8 | (unsigned char)s[i];
	return id;
}

/* The next NUL-terminated field, or NULL. */
static const char *
take_field(const char **s, size_t *n)
{
	const char *field = *s;
	size_t len = bytes_chr(field, *n, '\0');

	if (len == *n)
		return NULL;
	*s += len + 1;
	*n -= len + 1;
	return field;
}

static int
check_size(const struct str *out, size_t had)
{
	if (out->len - had <= LOCALPROTO_MAX)
		return 0;
	errno = EMSGSIZE;
	return -1;
}

static int
bad(void)
{
	errno = EPROTO;
	return -1;
}

int
localproto_cat_job(struct str *out, const struct localproto_job *j)
{
	const char *const field[] = {j->local, j->dash, j->ext, j->host,
	    j->sender};
	size_t had = out->len;

	cat_id(out, j->id);
	for (size_t i = 0; i < sizeof field / sizeof *field; i++)
		str_catb(out, field[i], strlen(field[i]) + 1);
	return check_size(out, had);
}

int
localproto_parse_job(const char *s, size_t n, struct localproto_job *out)
{
	const char **const field[] = {&out->local, &out->dash, &out->ext,
	    &out->host, &out->sender};

	if (n < HEAD || n > LOCALPROTO_MAX)
		return bad();
	out->id = get_id(s);
	s += HEAD;
	n -= HEAD;
	for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
		*field[i] = take_field(&s, &n);
		if (*field[i] == NULL)
			return bad();
	}
	return n == 0 ? 0 : bad();
}

void
localproto_cat_report(struct str *out, const struct localproto_report *r)
{
	size_t n = bytes_chr(r->text, r->n, '\0');

	cat_id(out, r->id);
	str_catc(out, (char)(unsigned char)r->code);
	if (n <= REPORT_LOCAL_MAX) {
		str_catb(out, r->text, n);
	} else {
		str_catb(out, r->text, REPORT_LOCAL_MAX);
		str_cats(out, "\n[the rest of this report is cut off]\n");
	}
}

int
localproto_parse_report(const char *s, size_t n,
    struct localproto_report *out)
{
	if (n < HEAD + 1 || n > LOCALPROTO_MAX)
		return bad();
	out->id = get_id(s);
	out->code = (unsigned char)s[HEAD];
	out->text = s + HEAD + 1;
	out->n = n - HEAD - 1;
	return 0;
}

int
localproto_cat_ask(struct str *out, uint32_t id, const char *local)
{
	size_t had = out->len;

	cat_id(out, id);
	str_catb(out, local, strlen(local) + 1);
	return check_size(out, had);
}

int
localproto_parse_ask(const char *s, size_t n, uint32_t *id_out,
    const char **local_out)
{
	if (n < HEAD || n > LOCALPROTO_MAX)
		return bad();
	*id_out = get_id(s);
	s += HEAD;
	n -= HEAD;
	*local_out = take_field(&s, &n);
	return *local_out != NULL && n == 0 ? 0 : bad();
}

int
localproto_cat_answer(struct str *out, uint32_t id, unsigned code,
    const char *fields, size_t n)
{
	size_t had = out->len;

	cat_id(out, id);
	str_catc(out, (char)(unsigned char)code);
	str_catb(out, fields, n);
	return check_size(out, had);
}
