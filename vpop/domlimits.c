/* vpop/domlimits.c - the limits of a domain, taken and shown; see
 * domlimits.h. */
#include "vpop/domlimits.h"

#include "mail/quota.h"
#include "mail/show.h"
#include "vpop/command.h"
#include "vpop/vflags.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define LABEL 25                /* columns of a label of permissions */
#define CREATE 1u
#define MODIFY 2u
#define DELETE 4u

#define AT(field) offsetof(struct vlimits, field)

/* In the order in which they are shown. */
static const struct count { char letter; size_t at; const char *label, *json; }
counts[] = {
	{'P', AT(maxpopaccounts), "Max Pop Accounts", "max_accounts"},
	{'A', AT(maxaliases), "Max Aliases", "max_aliases"},
	{'F', AT(maxforwards), "Max Forwards", "max_forwards"},
	{'R', AT(maxautoresponders), "Max Autoresponders",
	    "max_autoresponders"},
	{'L', AT(maxmailinglists), "Max Mailing Lists", "max_lists"},
};
static const struct size {
	char letter;
	size_t at;
	const char *label, *unit, *json;
} sizes[] = {
	{'Q', AT(diskquota_mb), "Domain Quota", " MB", "quota_mb"},
	{'q', AT(defaultquota), "Default User Quota", " bytes",
	    "default_quota"},
	{'M', AT(maxmsgcount), "Max Domain Messages", "", "max_messages"},
	{'m', AT(defaultmaxmsgcount), "Default Max Messages per User", "",
	    "default_max_messages"},
};
static const struct perm { char letter; size_t at; const char *label, *json; }
perms[] = {
	{'p', AT(perm_account), "pop account", "account"},
	{'a', AT(perm_alias), "alias", "alias"},
	{'f', AT(perm_forward), "forward", "forward"},
	{'r', AT(perm_autoresponder), "autoresponder", "autoresponder"},
	{'l', AT(perm_maillist), "mailing list", "list"},
	{'u', AT(perm_maillist_users), "mailing list users", "list_users"},
	{'o', AT(perm_maillist_moderators), "mailing list moderators",
	    "list_moderators"},
	{'x', AT(perm_quota), "quota", "quota"},
	{'z', AT(perm_defaultquota), "default quota", "default_quota"},
};
#define N(table) (sizeof(table) / sizeof(table)[0])

/* The order of the flags on this page is not that of an account's. */
static const char flag_order[] = "ispwdrucxm";

static int64_t
count_of(const struct vlimits *l, const struct count *c)
{
	int64_t v;

	memcpy(&v, (const char *)l + c->at, sizeof v);
	return v;
}

static uint64_t
size_of(const struct vlimits *l, const struct size *z)
{
	uint64_t v;

	memcpy(&v, (const char *)l + z->at, sizeof v);
	return v;
}

static unsigned
perm_of(const struct vlimits *l, const struct perm *p)
{
	unsigned v;

	memcpy(&v, (const char *)l + p->at, sizeof v);
	return v;
}

static int
no(struct str *why, const char *text)
{
	str_copys(why, text);
	return -1;
}

static int
take_number(const char *s, uint64_t max, uint64_t *out)
{
	size_t n = scan_u64(s, out);

	return n > 0 && s[n] == '\0' && *out <= max ? 0 : -1;
}

/* Columns of databases are int, and bigint for sizes. */
static int
take_count(int64_t *out, const char *value, struct str *why)
{
	uint64_t n;

	if (strcmp(value, "-1") == 0)
		*out = -1;
	else if (take_number(value, INT32_MAX, &n) == 0)
		*out = (int64_t)n;
	else
		return no(why, "neither a number nor -1 for no limit");
	return 0;
}

/* NOQUOTA and 10M are for bytes only. */
static int
take_size(uint64_t *out, char letter, const char *value, struct str *why)
{
	struct quota q;

	if (letter == 'q') {
		if (quota_parse(value, strlen(value), &q) < 0 ||
		    q.count > 0 || (ascii_lower(value[0]) == 'n' &&
		    strcasecmp(value, "NOQUOTA") != 0))
			return no(why, "not a number of bytes");
		*out = q.bytes;
		return 0;
	}
	if (take_number(value, INT64_MAX >> (letter == 'Q' ? 20 : 0), out) < 0)
		return no(why, letter == 'Q' ? "not a number of megabytes" :
		    "not a number");
	return 0;
}

static int
take_perm(unsigned *out, const char *value, struct str *why)
{
	unsigned v = 0;

	for (; *value != '\0'; value++)
		switch (*value) {
		case 'a':
			v |= CREATE | MODIFY | DELETE;
			break;
		case 'c':
			v |= CREATE;
			break;
		case 'm':
			v |= MODIFY;
			break;
		case 'd':
			v |= DELETE;
			break;
		default:
			return no(why, "the letters are a, c, m and d");
		}
	*out = v;
	return 0;
}

int
domlimits_set(struct vlimits *l, char letter, const char *value,
    struct str *why)
{
	char bad;

	if (letter == 'g')
		return vflags_of_domain(value, &l->disable, &bad) == 0 ? 0 :
		    no(why, "the letters are u, d, p, s, w, i, r, c, x "
		    "and m");
	for (size_t i = 0; i < N(counts); i++) {
		int64_t v;

		if (counts[i].letter != letter)
			continue;
		if (take_count(&v, value, why) < 0)
			return -1;
		memcpy((char *)l + counts[i].at, &v, sizeof v);
		return 0;
	}
	for (size_t i = 0; i < N(sizes); i++) {
		uint64_t v;

		if (sizes[i].letter != letter)
			continue;
		if (take_size(&v, letter, value, why) < 0)
			return -1;
		memcpy((char *)l + sizes[i].at, &v, sizeof v);
		return 0;
	}
	for (size_t i = 0; i < N(perms); i++) {
		unsigned v;

		if (perms[i].letter != letter)
			continue;
		if (take_perm(&v, value, why) < 0)
			return -1;
		memcpy((char *)l + perms[i].at, &v, sizeof v);
		return 0;
	}
	return no(why, "no such option");
}

static const char *
flag_name(char letter, uint32_t *bit)
{
	for (size_t i = 0; i < vflags_n; i++)
		if (vflags[i].domain == letter) {
			*bit = vflags[i].bit;
			return vflags[i].name;
		}
	*bit = 0;
	return "";
}

static void
cat_flags(struct str *out, uint32_t disable)
{
	struct str letters = {0};
	uint32_t bit;

	str_cats(out, "GID Flags:\n");
	for (const char *f = flag_order; *f != '\0'; f++) {
		const char *name = flag_name(*f, &bit);

		if (!(disable & bit))
			continue;
		str_catf(out, "  %s\n", name);
		str_catc(&letters, *f);
	}
	str_catf(out, "Flags (for commandline): %s\n", str_c(&letters));
	str_free(&letters);
}

void
domlimits_cat_text(struct str *out, const char *header, const char *name,
    const struct vlimits *l)
{
	str_cats(out, header);
	vcommand_cat_line(out, name);
	str_cats(out, "\n--\n");
	for (size_t i = 0; i < N(counts); i++)
		str_catf(out, "%s: %lld\n", counts[i].label,
		    (long long)count_of(l, &counts[i]));
	cat_flags(out, l->disable);
	str_cats(out, "Flags for non postmaster accounts:\n");
	for (size_t i = 0; i < N(perms); i++) {
		unsigned v = perm_of(l, &perms[i]);

		str_catf(out, "  %s:%*s%-13s %-13s %s\n", perms[i].label,
		    LABEL - (int)strlen(perms[i].label), "",
		    v & CREATE ? "DENY_CREATE" : "ALLOW_CREATE",
		    v & MODIFY ? "DENY_MODIFY" : "ALLOW_MODIFY",
		    v & DELETE ? "DENY_DELETE" : "ALLOW_DELETE");
	}
	for (size_t i = 0; i < N(sizes); i++)
		str_catf(out, "%s: %llu%s\n", sizes[i].label,
		    (unsigned long long)size_of(l, &sizes[i]),
		    sizes[i].unit);
}

void
domlimits_cat_json(struct str *out, const char *domain,
    const struct vlimits *l, bool own)
{
	str_cats(out, "{\"domain\":");
	if (domain == NULL)
		str_cats(out, "null");
	else
		show_cat_json(out, domain, strlen(domain));
	str_catf(out, ",\"own\":%s", own ? "true" : "false");
	for (size_t i = 0; i < N(counts); i++)
		str_catf(out, ",\"%s\":%lld", counts[i].json,
		    (long long)count_of(l, &counts[i]));
	for (size_t i = 0; i < N(sizes); i++)
		str_catf(out, ",\"%s\":%llu", sizes[i].json,
		    (unsigned long long)size_of(l, &sizes[i]));
	str_cats(out, ",\"disabled\":");
	vflags_cat_json(out, l->disable);
	str_cats(out, ",\"denied\":{");
	for (size_t i = 0; i < N(perms); i++) {
		unsigned v = perm_of(l, &perms[i]);

		str_catf(out, "%s\"%s\":[%s%s%s%s%s]", i > 0 ? "," : "",
		    perms[i].json, v & CREATE ? "\"create\"" : "",
		    v & CREATE && v > CREATE ? "," : "",
		    v & MODIFY ? "\"modify\"" : "",
		    v & MODIFY && v & DELETE ? "," : "",
		    v & DELETE ? "\"delete\"" : "");
	}
	str_cats(out, "}}\n");
}
