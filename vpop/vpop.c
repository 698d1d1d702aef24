/* vpop/vpop.c - names, and what goes wrong with them; see vpop.h.
 *
 * Names become parts of paths and of lines with colons, and come from anybody:
 * what is not expressly allowed is refused. */
#include "vpop/vpop.h"

#include <string.h>

const char *
vpop_error_text(enum vpop_error e)
{
	switch (e) {
	case VPOP_OK:
		return "no error";
#define X(name, number, text)                                                 \
	case VPOP_##name:                                                     \
		return text;
	VPOP_ERRORS(X)
#undef X
	}
	return "unknown error";
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Of a name in lower case. */
static bool
is_user_char(char c)
{
	return is_alnum(c) || (c != '\0' &&
	    strchr("!#$&'*+-./=?^_`{|}~", c) != NULL);
}

enum vpop_error
vpop_user_name(struct str *name, bool creating)
{
	const char *s;

	str_lower(name);
	s = str_c(name);
	if (name->len == 0)
		return VPOP_ILLEGAL_USERNAME;
	for (size_t i = 0; i < name->len; i++)
		if (!is_user_char(s[i]))
			return VPOP_ILLEGAL_USERNAME;
	if (name->len > VPOP_USER_MAX)
		return VPOP_USER_LONG;
	if (!creating)
		return VPOP_OK;
	/* One byte would be a directory of dirs.h; the other two are files
	 * beside the users' directories. */
	if (name->len == 1 || s[0] == '.' || strchr(s, '/') != NULL ||
	    strstr(s, "..") != NULL || strcmp(s, "vpasswd") == 0 ||
	    strcmp(s, "vpasswd.cdb") == 0)
		return VPOP_ILLEGAL_USERNAME;
	return VPOP_OK;
}

enum vpop_error
vpop_domain_name(struct str *name)
{
	const char *s;

	str_lower(name);
	s = str_c(name);
	if (name->len > VPOP_DOMAIN_MAX)
		return VPOP_DOMAIN_LONG;
	if (name->len < 3)
		return VPOP_BAD_DOMAIN;
	for (size_t i = 0; i < name->len; i++) {
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '.')
			return VPOP_BAD_DOMAIN;
		/* no empty label, at the ends too */
		if (s[i] == '.' && (i == 0 || i + 1 == name->len ||
		    s[i - 1] == '.'))
			return VPOP_BAD_DOMAIN;
	}
	if (s[0] == '-' || s[name->len - 1] == '-')
		return VPOP_BAD_DOMAIN;
	return VPOP_OK;
}

enum vpop_error
vpop_split(const char *addr, struct str *user_out, struct str *domain_out)
{
	const char *at = NULL;
	enum vpop_error e;

	str_clear(user_out);
	str_clear(domain_out);
	for (const char *sep = "@%/"; *sep != '\0' && at == NULL; sep++)
		at = strchr(addr, *sep);
	if (at == NULL) {
		str_cats(user_out, addr);
		return vpop_user_name(user_out, false);
	}
	str_catb(user_out, addr, (size_t)(at - addr));
	str_cats(domain_out, at + 1);
	if ((e = vpop_user_name(user_out, false)) != VPOP_OK)
		return e;
	return vpop_domain_name(domain_out);
}
