/* inject/smverify.c - see smverify.h. */
#include "inject/smverify.h"

#include "control/route.h"

#include <errno.h>
#include <string.h>

/* A recipient may hold any byte, and the line may be shown on a terminal. */
static void
cat_shown(struct str *out, const char *addr)
{
	for (; *addr != '\0'; addr++) {
		unsigned char c = (unsigned char)*addr;

		str_catc(out, c < ' ' || c == 127 ? '?' : *addr);
	}
}

enum inject_status
smverify_cat(struct inject *in, struct str *out)
{
	struct route r = {0};
	struct str to = {0};
	enum control_id failed;
	const char *s = str_c(&in->args.text);
	size_t i;

	if (route_load(&r, &failed) == -1) {
		str_catf(&in->err, "unable to read control/%s: %s",
		    control_entry(failed)->file, strerror(errno));
		return INJECT_CONFIG;
	}
	for (i = 0; i < in->args.n; i++, s += strlen(s) + 1) {
		enum route_channel ch = route_find(&r, s, &to);

		cat_shown(out, s);
		str_cats(out, ch == ROUTE_LOCAL ? "... local delivery to " :
		    "... remote delivery to ");
		cat_shown(out, str_c(&to));
		str_catc(out, '\n');
	}
	str_free(&to);
	route_free(&r);
	return INJECT_OK;
}
