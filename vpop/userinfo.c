/* vpop/userinfo.c - an account as vuserinfo shows it; see userinfo.h.
 *
 * Texts of an account may hold any byte: on a terminal they are one line of
 * printable characters. */
#include "vpop/userinfo.h"

#include "mail/show.h"
#include "vpop/command.h"
#include "vpop/vflags.h"

#include <string.h>
#include <time.h>

#define INDENT "        "
#define HIDDEN "*"              /* in the place of a secret */
#define NO_LOGIN "0.0.0.0"      /* what vadduser writes for an address */

static void
cat_line(struct str *out, const char *label, const char *value)
{
	str_cats(out, label);
	vcommand_cat_line(out, value);
	str_catc(out, '\n');
}

static void
cat_time(struct str *out, int64_t when)
{
	char text[64];
	time_t t = (time_t)when;
	struct tm tm;

	/* as ctime(3), without its line end */
	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &tm) == 0)
		str_catf(out, "%lld", (long long)when);
	else
		str_cats(out, text);
}

static const char *
secret(const struct userinfo *i, const struct str *value)
{
	return i->secrets || value->len == 0 ? str_c(value) : HIDDEN;
}

static void
cat_usage(struct str *out, const struct userinfo *i)
{
	if (!i->limited)
		str_cats(out, "NOQUOTA");
	else if (!i->have_usage)
		str_cats(out, "unknown");
	else
		str_catf(out, "%u%%", i->percent);
}

static bool
has_logged_in(const struct userinfo *i)
{
	return i->have_last && !str_eqs(&i->last_ip, NO_LOGIN) &&
	    i->last_ip.len > 0;
}

static void
cat_limits(struct str *out, const struct userinfo *i, uint32_t effective)
{
	if (effective == 0) {
		str_cats(out, "limits: No user limits set.\n");
		return;
	}
	str_cats(out, "limits:\n");
	for (size_t k = 0; k < vflags_n; k++) {
		if (!(effective & vflags[k].bit))
			continue;
		str_catf(out, INDENT "%s%s\n", vflags[k].text,
		    i->user->flags & vflags[k].bit ? "" : " (*)");
	}
	if (effective != i->user->flags)
		str_cats(out, INDENT "(*) by the limits of the domain\n");
}

void
userinfo_cat_all(struct str *out, const struct userinfo *i)
{
	const struct vuser *u = i->user;
	uint32_t effective = vflags_effective(u->flags, &i->limits);

	cat_line(out, "name:   ", str_c(&u->name));
	cat_line(out, "passwd: ", secret(i, &u->hash));
	cat_line(out, "clear passwd: ", secret(i, &u->clear));
	cat_line(out, "comment/gecos: ", str_c(&u->gecos));
	str_catf(out, "uid:    %u\n", u->apop + i->apop_base);
	str_catf(out, "gid:    %lu\n", (unsigned long)u->flags);
	str_catf(out, "flags:  %lu\n", (unsigned long)effective);
	cat_line(out, "gecos: ", str_c(&u->gecos));
	cat_limits(out, i, effective);
	cat_line(out, "dir:       ", str_c(&u->dir));
	cat_line(out, "quota:     ", str_c(&u->quota));
	str_cats(out, "usage:     ");
	cat_usage(out, i);
	str_catc(out, '\n');
	if (has_logged_in(i)) {
		str_cats(out, "last auth: ");
		cat_time(out, i->last);
		cat_line(out, "\nlast auth ip: ", str_c(&i->last_ip));
		return;
	}
	if (i->have_last) {
		str_cats(out, "account created: ");
		cat_time(out, i->last);
		str_catc(out, '\n');
	}
	str_cats(out, "last auth: Never logged in\n");
}

void
userinfo_cat_field(struct str *out, const struct userinfo *i,
    enum userinfo_field field)
{
	const struct vuser *u = i->user;

	switch (field) {
	case USERINFO_NAME:
		cat_line(out, "", str_c(&u->name));
		return;
	case USERINFO_PASSWD:
		cat_line(out, "", secret(i, &u->hash));
		return;
	case USERINFO_CLEAR:
		cat_line(out, "", secret(i, &u->clear));
		return;
	case USERINFO_UID:
		str_catf(out, "%u\n", u->apop + i->apop_base);
		return;
	case USERINFO_GID:
		str_catf(out, "%lu\n", (unsigned long)u->flags);
		return;
	case USERINFO_COMMENT:
		cat_line(out, "", str_c(&u->gecos));
		return;
	case USERINFO_DIR:
		cat_line(out, "", str_c(&u->dir));
		return;
	case USERINFO_QUOTA:
		cat_line(out, "", str_c(&u->quota));
		return;
	case USERINFO_USAGE:
		cat_usage(out, i);
		break;
	case USERINFO_LAST:
		if (has_logged_in(i))
			cat_time(out, i->last);
		else
			str_cats(out, "Never logged in");
		break;
	case USERINFO_FIELDS:
		return;
	}
	str_catc(out, '\n');
}

static void
cat_member(struct str *out, const char *name, const struct str *value)
{
	str_catf(out, ",\"%s\":", name);
	show_cat_json(out, str_c(value), value->len);
}

void
userinfo_cat_json(struct str *out, const struct userinfo *i)
{
	const struct vuser *u = i->user;

	str_cats(out, "{\"name\":");
	show_cat_json(out, str_c(&u->name), u->name.len);
	str_cats(out, ",\"domain\":");
	show_cat_json(out, i->domain, strlen(i->domain));
	if (i->secrets) {
		cat_member(out, "passwd", &u->hash);
		cat_member(out, "clear_passwd", &u->clear);
	}
	cat_member(out, "comment", &u->gecos);
	str_catf(out, ",\"uid\":%u,\"gid\":%lu,\"flags\":",
	    u->apop + i->apop_base, (unsigned long)u->flags);
	vflags_cat_json(out, u->flags);
	str_cats(out, ",\"effective_flags\":");
	vflags_cat_json(out, vflags_effective(u->flags, &i->limits));
	cat_member(out, "dir", &u->dir);
	cat_member(out, "quota", &u->quota);
	if (i->limited && i->have_usage)
		str_catf(out, ",\"usage_percent\":%u,\"usage_bytes\":%lld,"
		    "\"usage_messages\":%lld", i->percent,
		    (long long)i->bytes, (long long)i->count);
	else
		str_cats(out, ",\"usage_percent\":null");
	if (has_logged_in(i)) {
		str_catf(out, ",\"last_auth\":%lld", (long long)i->last);
		cat_member(out, "last_auth_ip", &i->last_ip);
	} else {
		if (i->have_last)
			str_catf(out, ",\"created\":%lld",
			    (long long)i->last);
		str_cats(out, ",\"last_auth\":null");
	}
	str_cats(out, "}\n");
}
