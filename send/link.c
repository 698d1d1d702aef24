/* send/link.c - records between qmail-todo and qmail-send; see link.h. */
#include "send/link.h"

#include <errno.h>

void
link_cat_msg(struct str *out, const struct link_msg *m)
{
	const uint64_t v[] = {m->id, (uint64_t)m->birth, m->bytes, m->qp,
	    m->uid, m->nlocal, m->nremote, m->nwishes};

	str_catc(out, m->kind);
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		if (i > 0)
			str_catc(out, ' ');
		str_catu(out, v[i]);
	}
	str_catc(out, '\0');
}

void
link_cat_num(struct str *out, char kind, uint64_t n)
{
	str_catc(out, kind);
	str_catu(out, n);
	str_catc(out, '\0');
}

int
link_parse_msg(const char *rec, struct link_msg *out)
{
	uint64_t birth = 0;
	uint64_t *const v[] = {&out->id, &birth, &out->bytes, &out->qp,
	    &out->uid, &out->nlocal, &out->nremote, &out->nwishes};
	const size_t n = sizeof v / sizeof v[0];
	size_t k;

	out->kind = *rec++;
	for (size_t i = 0; i < n; i++) {
		k = scan_u64(rec, v[i]);
		if (k == 0 || rec[k] != (i + 1 < n ? ' ' : '\0')) {
			errno = EPROTO;
			return -1;
		}
		rec += k + 1;
	}
	out->birth = (int64_t)birth;
	return 0;
}

int
link_parse_num(const char *rec, uint64_t *out)
{
	size_t k = scan_u64(rec + 1, out);

	if (k == 0 || rec[1 + k] != '\0') {
		errno = EPROTO;
		return -1;
	}
	return 0;
}
