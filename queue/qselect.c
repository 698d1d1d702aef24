/* queue/qselect.c - conditions on messages; see qselect.h.
 *
 * Patterns come from the administrator, addresses from anybody: matching one
 * takes no more steps than the product of their lengths. */
#include "queue/qselect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
qselect_given(const struct qselect *sel)
{
	return sel->all || !qselect_only_ids(sel) || sel->ids.n > 0;
}

bool
qselect_only_ids(const struct qselect *sel)
{
	return sel->sender == NULL && sel->rcpt == NULL && !sel->held &&
	    sel->age == QSELECT_ANY_AGE;
}

/* s against the pattern p: after a mismatch only the last * can give. */
static bool
glob(const char *p, const char *s)
{
	const char *star = NULL, *from = NULL;

	for (;;) {
		if (*p == '*') {
			star = p++;
			from = s;
		} else if (*s == '\0') {
			return *p == '\0';
		} else if (*p != '\0' &&
		    (*p == '?' || ascii_lower(*p) == ascii_lower(*s))) {
			p++;
			s++;
		} else if (star != NULL) {
			p = star + 1;
			s = ++from;
		} else {
			return false;
		}
	}
}

bool
qselect_match_addr(const char *pattern, const char *addr)
{
	if (strcmp(pattern, "<>") == 0)
		pattern = "";
	if (bytes_caseeq(pattern, strlen(pattern), addr, strlen(addr)))
		return true;
	if (pattern[0] == '@') {
		const char *at = strrchr(addr, '@');

		return at != NULL && glob(pattern + 1, at + 1);
	}
	return glob(pattern, addr);
}

static int
id_compare(const void *key, const void *item)
{
	uint64_t x = *(const uint64_t *)key, y = *(const uint64_t *)item;

	return (x > y) - (x < y);
}

static bool
match_rcpt(const char *pattern, const struct qscan_msg *m)
{
	struct qscan_rcpt r;

	for (size_t at = 0; qscan_rcpt_next(m, &at, &r);)
		if (!r.done && qselect_match_addr(pattern, r.addr))
			return true;
	return false;
}

bool
qselect_match(const struct qselect *sel, const struct qscan_msg *m,
    int64_t now)
{
	int64_t age = now - m->birth;

	if (sel->ids.n > 0 && bsearch(&m->id, sel->ids.ids, sel->ids.n,
	    sizeof sel->ids.ids[0], id_compare) == NULL)
		return false;
	if (sel->held && !m->held)
		return false;
	if (sel->age == QSELECT_OLDER && age <= sel->seconds)
		return false;
	if (sel->age == QSELECT_YOUNGER && age >= sel->seconds)
		return false;
	if (sel->sender != NULL &&
	    !qselect_match_addr(sel->sender, str_c(&m->sender)))
		return false;
	return sel->rcpt == NULL || match_rcpt(sel->rcpt, m);
}

int
qselect_parse_age(struct qselect *sel, const char *text)
{
	static const struct {
		const char *words;      /* each in blanks */
		int64_t seconds;
	} units[] = {
		{" s sec secs second seconds ", 1},
		{" m min mins minute minutes ", 60},
		{" h hour hours ", 3600},
		{" d day days ", 86400},
		{" w week weeks ", 604800},
	};
	struct str word = {0};
	uint64_t n;
	size_t digits;
	int r = -1;

	text += strspn(text, " ");
	sel->age = *text == '<' ? QSELECT_YOUNGER : QSELECT_OLDER;
	if (*text == '<' || *text == '>')
		text++;
	text += strspn(text, " ");
	digits = scan_u64(text, &n);
	text += digits;
	text += strspn(text, " ");
	str_catf(&word, " %s ", text);
	/* 2^32 seconds are 136 years: enough, and no overflow by weeks. */
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (digits > 0 && n <= UINT32_MAX && *text != '\0' &&
		    strchr(text, ' ') == NULL &&
		    strstr(units[i].words, str_c(&word)) != NULL) {
			sel->seconds = (int64_t)n * units[i].seconds;
			r = 0;
		}
	str_free(&word);
	if (r < 0)
		errno = EINVAL;
	return r;
}

void
qselect_free(struct qselect *sel)
{
	qscan_ids_free(&sel->ids);
	*sel = (struct qselect){0};
}
