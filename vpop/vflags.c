/* vpop/vflags.c - the flags of an account; see vflags.h. */
#include "vpop/vflags.h"

const struct vflag vflags[] = {
#define X(bit, user, domain, name, json, text)                                \
	{bit, user, domain, name, json, text},
	VFLAGS(X)
#undef X
};
const size_t vflags_n = sizeof vflags / sizeof vflags[0];

uint32_t
vflags_effective(uint32_t flags, const struct vlimits *l)
{
	return flags & VPOP_OVERRIDE ? flags : flags | l->disable;
}

uint32_t
vflags_of_user(char letter)
{
	for (size_t i = 0; i < vflags_n; i++)
		if (letter != '\0' && vflags[i].user == letter)
			return vflags[i].bit;
	return 0;
}

static uint32_t
of_domain(char letter)
{
	for (size_t i = 0; i < vflags_n; i++)
		if (letter != '\0' && vflags[i].domain == letter)
			return vflags[i].bit;
	return 0;
}

int
vflags_of_domain(const char *letters, uint32_t *out, char *bad_out)
{
	uint32_t all = 0;

	for (; *letters != '\0'; letters++) {
		uint32_t bit = of_domain(*letters);

		if (bit == 0) {
			*bad_out = *letters;
			return -1;
		}
		all |= bit;
	}
	*out = all;
	return 0;
}

void
vflags_cat_json(struct str *out, uint32_t flags)
{
	bool first = true;

	str_catc(out, '[');
	for (size_t i = 0; i < vflags_n; i++) {
		if (!(flags & vflags[i].bit))
			continue;
		str_catf(out, "%s\"%s\"", first ? "" : ",", vflags[i].json);
		first = false;
	}
	str_catc(out, ']');
}
