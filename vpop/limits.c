/* vpop/limits.c - the file form of domain limits; see limits.h.
 *
 * The files are written by administrators and by the web administration, read
 * at every login: what is odd in them costs its line and nothing else. */
#include "vpop/limits.h"

#include <stddef.h>
#include <string.h>

#define PERM_BITS 3             /* create 1, modify 2, delete 4 */
#define PERM_ALL 7u

enum kind { COUNT, SIZE, FLAG, PERM, MAILLIST };

/* In the order in which they are written. */
static const struct key {
	const char *name;
	enum kind kind;
	uint32_t bit;           /* of FLAG */
	size_t at;              /* of the others: offset in struct vlimits */
} keys[] = {
#define AT(field) offsetof(struct vlimits, field)
	{"maxpopaccounts", COUNT, 0, AT(maxpopaccounts)},
	{"maxaliases", COUNT, 0, AT(maxaliases)},
	{"maxforwards", COUNT, 0, AT(maxforwards)},
	{"maxautoresponders", COUNT, 0, AT(maxautoresponders)},
	{"maxmailinglists", COUNT, 0, AT(maxmailinglists)},
	{"quota", SIZE, 0, AT(diskquota_mb)},
	{"maxmsgcount", SIZE, 0, AT(maxmsgcount)},
	{"default_quota", SIZE, 0, AT(defaultquota)},
	{"default_maxmsgcount", SIZE, 0, AT(defaultmaxmsgcount)},
	{"disable_pop", FLAG, VPOP_NO_POP, 0},
	{"disable_imap", FLAG, VPOP_NO_IMAP, 0},
	{"disable_dialup", FLAG, VPOP_NO_DIALUP, 0},
	{"disable_password_changing", FLAG, VPOP_NO_PASSWD_CHNG, 0},
	{"disable_webmail", FLAG, VPOP_NO_WEBMAIL, 0},
	{"disable_external_relay", FLAG, VPOP_NO_RELAY, 0},
	{"disable_smtp", FLAG, VPOP_NO_SMTP, 0},
	{"disable_spamassassin", FLAG, VPOP_NO_SPAMASSASSIN, 0},
	{"delete_spam", FLAG, VPOP_DELETE_SPAM, 0},
	{"disable_maildrop", FLAG, VPOP_NO_MAILDROP, 0},
	{"perm_account", PERM, 0, AT(perm_account)},
	{"perm_alias", PERM, 0, AT(perm_alias)},
	{"perm_forward", PERM, 0, AT(perm_forward)},
	{"perm_autoresponder", PERM, 0, AT(perm_autoresponder)},
	{"perm_maillist", MAILLIST, 0, AT(perm_maillist)},
	{"perm_quota", PERM, 0, AT(perm_quota)},
	{"perm_defaultquota", PERM, 0, AT(perm_defaultquota)},
#undef AT
};
#define NKEYS (sizeof keys / sizeof keys[0])

static const uint32_t flags_all = VPOP_NO_POP | VPOP_NO_IMAP | VPOP_NO_DIALUP |
    VPOP_NO_PASSWD_CHNG | VPOP_NO_WEBMAIL | VPOP_NO_RELAY | VPOP_NO_SMTP |
    VPOP_NO_SPAMASSASSIN | VPOP_DELETE_SPAM | VPOP_NO_MAILDROP;

/* The number as text with its sign, at most 20 digits. */
struct value { bool negative, clean; uint64_t n; };

void
vlimits_init(struct vlimits *l)
{
	*l = (struct vlimits){.maxpopaccounts = -1, .maxaliases = -1,
	    .maxforwards = -1, .maxautoresponders = -1,
	    .maxmailinglists = -1};
}

static int64_t
count_of(const struct vlimits *l, const struct key *k)
{
	int64_t v;

	memcpy(&v, (const char *)l + k->at, sizeof v);
	return v;
}

static uint64_t
size_of(const struct vlimits *l, const struct key *k)
{
	uint64_t v;

	memcpy(&v, (const char *)l + k->at, sizeof v);
	return v;
}

static unsigned
perm_of(const struct vlimits *l, const struct key *k)
{
	unsigned v;

	memcpy(&v, (const char *)l + k->at, sizeof v);
	return v;
}

bool
vlimits_is_valid(const struct vlimits *l)
{
	for (size_t i = 0; i < NKEYS; i++) {
		const struct key *k = &keys[i];

		if ((k->kind == COUNT && count_of(l, k) < -1) ||
		    ((k->kind == PERM || k->kind == MAILLIST) &&
		    perm_of(l, k) > PERM_ALL))
			return false;
	}
	return l->perm_maillist_users <= PERM_ALL &&
	    l->perm_maillist_moderators <= PERM_ALL &&
	    (l->disable & ~flags_all) == 0;
}

bool
vlimits_equal(const struct vlimits *a, const struct vlimits *b)
{
	for (size_t i = 0; i < NKEYS; i++) {
		const struct key *k = &keys[i];
		bool same = true;

		switch (k->kind) {
		case COUNT:
			same = count_of(a, k) == count_of(b, k);
			break;
		case SIZE:
			same = size_of(a, k) == size_of(b, k);
			break;
		case PERM:
		case MAILLIST:
			same = perm_of(a, k) == perm_of(b, k);
			break;
		case FLAG:
			break;
		}
		if (!same)
			return false;
	}
	return a->disable == b->disable &&
	    a->perm_maillist_users == b->perm_maillist_users &&
	    a->perm_maillist_moderators == b->perm_maillist_moderators;
}

static const struct key *
find_key(const char *s, size_t n)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (strlen(keys[i].name) == n &&
		    memcmp(keys[i].name, s, n) == 0)
			return &keys[i];
	return NULL;
}

static bool
is_gap(char c)
{
	return c == ' ' || c == '\t' || c == ':';
}

/* The word a line begins with; what follows it goes to *rest. */
static size_t
split_line(const char **s, size_t *n, const char **rest, size_t *nrest)
{
	size_t len = 0, at;

	while (*n > 0 && (**s == ' ' || **s == '\t')) {
		++*s;
		--*n;
	}
	while (len < *n && !is_gap((*s)[len]))
		len++;
	for (at = len; at < *n && is_gap((*s)[at]); )
		at++;
	*rest = *s + at;
	*nrest = *n - at;
	while (*nrest > 0 && ((*rest)[*nrest - 1] == ' ' ||
	    (*rest)[*nrest - 1] == '\t'))
		--*nrest;
	return len;
}

/* false when it does not begin with a number that fits. */
static bool
take_number(const char *s, size_t n, struct value *out)
{
	size_t i = 0;

	*out = (struct value){0};
	if (i < n && (s[i] == '-' || s[i] == '+'))
		out->negative = s[i++] == '-';
	if (i == n || s[i] < '0' || s[i] > '9')
		return false;
	for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s[i] - '0');

		if (out->n > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		out->n = out->n * 10 + digit;
	}
	out->clean = i == n;
	return true;
}

/* false when the value is no number. */
static bool
take_line(struct vlimits *l, const struct key *k, const char *s, size_t n,
    uint64_t *perm_quota)
{
	struct value v;

	if (k->kind == FLAG) {
		l->disable |= k->bit;
		return true;
	}
	if (!take_number(s, n, &v))
		return false;
	if (k->kind == COUNT) {
		int64_t c = v.negative ? -1 : (int64_t)v.n;

		memcpy((char *)l + k->at, &c, sizeof c);
	} else if (k->kind == SIZE) {
		uint64_t z = v.negative ? 0 : v.n;

		memcpy((char *)l + k->at, &z, sizeof z);
	} else {
		unsigned p = (unsigned)(v.n & PERM_ALL);

		memcpy((char *)l + k->at, &p, sizeof p);
		if (k->kind == MAILLIST) {
			l->perm_maillist_users =
			    (unsigned)(v.n >> PERM_BITS & PERM_ALL);
			l->perm_maillist_moderators =
			    (unsigned)(v.n >> 2 * PERM_BITS & PERM_ALL);
		} else if (strcmp(k->name, "perm_quota") == 0) {
			*perm_quota = v.n;
		}
	}
	return v.clean;
}

/* The next line of s, without its end; false when there is none. */
static bool
next_line(const char **s, size_t *n, const char **line, size_t *len)
{
	if (*n == 0)
		return false;
	*line = *s;
	*len = bytes_chr(*s, *n, '\n');
	*s += *len < *n ? *len + 1 : *len;
	*n -= *len < *n ? *len + 1 : *len;
	while (*len > 0 && (*line)[*len - 1] == '\r')
		--*len;
	return true;
}

size_t
vlimits_parse(const char *s, size_t n, struct vlimits *out)
{
	const char *line, *rest;
	size_t len, nrest, number = 0, bad = 0;
	uint64_t perm_quota = 0;

	vlimits_init(out);
	while (next_line(&s, &n, &line, &len)) {
		size_t word = split_line(&line, &len, &rest, &nrest);
		const struct key *k = find_key(line, word);

		number++;
		if (k != NULL && !take_line(out, k, rest, nrest,
		    &perm_quota) && bad == 0)
			bad = number;
	}
	/* vpopmail's own writer puts these six bits into the wrong line. */
	if (out->perm_maillist_users == 0 &&
	    out->perm_maillist_moderators == 0) {
		out->perm_maillist_users =
		    (unsigned)(perm_quota >> PERM_BITS & PERM_ALL);
		out->perm_maillist_moderators =
		    (unsigned)(perm_quota >> 2 * PERM_BITS & PERM_ALL);
	}
	return bad;
}

void
vlimits_cat(struct str *out, const struct vlimits *l, const char *old,
    size_t n)
{
	const char *line, *rest;
	size_t len, nrest;

	for (size_t i = 0; i < NKEYS; i++) {
		const struct key *k = &keys[i];

		switch (k->kind) {
		case COUNT:
			str_catf(out, "%s: %lld\n", k->name,
			    (long long)count_of(l, k));
			break;
		case SIZE:
			str_catf(out, "%s: %llu\n", k->name,
			    (unsigned long long)size_of(l, k));
			break;
		case FLAG:
			if (l->disable & k->bit)
				str_catf(out, "%s\n", k->name);
			break;
		case PERM:
			str_catf(out, "%s: %u\n", k->name, perm_of(l, k));
			break;
		case MAILLIST:
			str_catf(out, "%s: %u\n", k->name, perm_of(l, k) |
			    l->perm_maillist_users << PERM_BITS |
			    l->perm_maillist_moderators << 2 * PERM_BITS);
			break;
		}
	}
	while (next_line(&old, &n, &line, &len)) {
		const char *whole = line;
		size_t nwhole = len, word;

		word = split_line(&line, &len, &rest, &nrest);
		if (nwhole == 0 || find_key(line, word) != NULL)
			continue;
		str_catb(out, whole, nwhole);
		str_catc(out, '\n');
	}
}
