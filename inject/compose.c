/* inject/compose.c - see compose.h. */
#include "inject/compose.h"

#include "mail/date.h"
#include "mail/quote.h"

#include <string.h>

#define WORD_MAX 75             /* bytes of an encoded word: 2047:2 */
#define NOBODY "anonymous"

static bool
is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr(" !#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* May it stand as words?  Spaces at its ends or doubled would be lost, and
 * "=?" would look like an encoded word. */
static bool
phrase_is_words(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++) {
		if (!is_plain((unsigned char)s[i]))
			return false;
		if (s[i] == ' ' && (i == 0 || s[i + 1] == ' ' ||
		    s[i + 1] == '\0'))
			return false;
		if (s[i] == '=' && s[i + 1] == '?')
			return false;
	}
	return true;
}

static bool
needs_encoding(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < ' ' || (unsigned char)s[i] > 126)
			return true;
	return false;
}

static bool
is_utf8(const char *s)
{
	size_t n = strlen(s), i, len;

	for (i = 0; i < n; i += len)
		if ((len = utf8_len(s + i, n - i)) == 0)
			return false;
	return true;
}

/* 2047:5 (3): in a phrase only letters, digits and "!*+-/" stay. */
static void
cat_q(struct str *out, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";

	if (c == ' ' || c == '\r' || c == '\n' || c == '\t') {
		str_catc(out, '_');
	} else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr("!*+-/", c) != NULL)) {
		str_catc(out, (char)c);
	} else {
		str_catc(out, '=');
		str_catc(out, hex[c >> 4]);
		str_catc(out, hex[c & 15]);
	}
}

/* Characters are never cut in two: 2047:5. */
static void
cat_encoded(struct str *out, const char *s)
{
	const char *begin = is_utf8(s) ? "=?UTF-8?Q?" : "=?unknown-8bit?Q?";
	struct str ch = {0};
	size_t n = strlen(s), i, len, used = 0;

	for (i = 0; i < n; i += len) {
		size_t k;

		len = utf8_len(s + i, n - i);
		if (len == 0)
			len = 1;
		str_clear(&ch);
		for (k = 0; k < len; k++)
			cat_q(&ch, (unsigned char)s[i + k]);
		if (used == 0 || used + ch.len + 2 > WORD_MAX) {
			if (used > 0)
				str_cats(out, "?= ");
			str_cats(out, begin);
			used = strlen(begin);
		}
		str_cat(out, &ch);
		used += ch.len;
	}
	str_cats(out, "?=");
	str_free(&ch);
}

void
compose_cat_phrase(struct str *out, const char *name)
{
	size_t i;

	if (needs_encoding(name)) {
		cat_encoded(out, name);
		return;
	}
	if (phrase_is_words(name)) {
		str_cats(out, name);
		return;
	}
	str_catc(out, '"');
	for (i = 0; name[i] != '\0'; i++) {
		if (name[i] == '"' || name[i] == '\\')
			str_catc(out, '\\');
		str_catc(out, name[i]);
	}
	str_catc(out, '"');
}

void
compose_cat_comment(struct str *out, const char *name)
{
	size_t i;

	str_catc(out, '(');
	if (needs_encoding(name)) {
		cat_encoded(out, name);
	} else {
		for (i = 0; name[i] != '\0'; i++) {
			if (strchr("()\\", name[i]) != NULL)
				str_catc(out, '\\');
			str_catc(out, name[i]);
		}
	}
	str_catc(out, ')');
}

/* host, completed, to out. */
static int
cat_host(struct inject *in, struct str *out, const char *host)
{
	struct str h = {0};
	int r;

	if (host != NULL)
		str_cats(&h, host);
	r = rewrite_host(&in->hosts, &h);
	str_cat(out, &h);
	str_free(&h);
	return r;
}

int
compose_from(struct inject *in, struct str *out)
{
	const struct inject_config *cfg = in->cfg;
	const char *user = cfg->user != NULL ? cfg->user : NOBODY;
	const char *name = cfg->name;
	struct str addr = {0};
	bool before;

	if (name != NULL && *name == '\0')
		name = NULL;
	before = name != NULL && !cfg->name_comment;
	str_cats(&addr, user);
	str_catc(&addr, '@');
	if (cat_host(in, &addr, cfg->host) == -1) {
		str_free(&addr);
		return -1;
	}
	if (before) {
		compose_cat_phrase(out, name);
		str_cats(out, " <");
	}
	quote_cat_addr(out, str_c(&addr), addr.len);
	if (before)
		str_catc(out, '>');
	if (name != NULL && !before) {
		str_catc(out, ' ');
		compose_cat_comment(out, name);
	}
	str_free(&addr);
	return 0;
}

int
compose_sender(struct inject *in, struct str *out)
{
	const struct inject_config *cfg = in->cfg;
	const char *user = cfg->suser != NULL ? cfg->suser : cfg->user;

	str_cats(out, user != NULL ? user : NOBODY);
	if (cfg->verp_message) {
		str_catc(out, '-');
		str_catu(out, (uint64_t)cfg->now);
		str_catc(out, '.');
		str_catu(out, cfg->pid);
	}
	if (cfg->verp_rcpt)
		str_catc(out, '-');
	str_catc(out, '@');
	if (cat_host(in, out, cfg->shost != NULL ? cfg->shost : cfg->host) ==
	    -1)
		return -1;
	if (cfg->verp_rcpt)
		str_cats(out, "-@[]");
	return 0;
}

int
compose_id(struct inject *in, struct str *out)
{
	const struct inject_config *cfg = in->cfg;
	const struct str *idhost;

	if (rewrite_name(&in->hosts, REWRITE_IDHOST, &idhost) == -1)
		return -1;
	str_catc(out, '<');
	date_cat_digits(out, cfg->now);
	str_catc(out, '.');
	str_cat0(out, cfg->now_usec, 6);
	str_catc(out, '.');
	str_catu(out, cfg->pid);
	str_cats(out, ".qmail@");
	str_cat(out, idhost);
	str_catc(out, '>');
	return 0;
}
