/* inject/rewrite.c - see rewrite.h. */
#include "inject/rewrite.h"

#include "control/control.h"

#include <stdlib.h>

static const struct {
	enum control_id file;
	const char *env, *word;
} sources[REWRITE_COUNT] = {
#define X(id, env, word) [REWRITE_##id] = {CONTROL_##id, env, word},
	REWRITE_TABLE(X)
#undef X
};

int
rewrite_name(struct rewrite *r, enum rewrite_name which,
    const struct str **out)
{
	struct str *name = &r->name[which];
	const char *env;

	*out = name;
	if (r->known[which])
		return 0;
	env = getenv(sources[which].env);

	if (env != NULL) {
		str_copys(name, env);
	} else {
		switch (control_line(sources[which].file, name)) {
		case CONTROL_OK:
		case CONTROL_DEFAULT:
			break;
		case CONTROL_NONE:
			str_copys(name, sources[which].word);
			break;
		case CONTROL_TEMP:
			r->failed = which;
			return -1;
		}
	}
	r->known[which] = true;
	return 0;
}

const char *
rewrite_failed_file(const struct rewrite *r)
{
	return control_entry(sources[r->failed].file)->file;
}

static int
append_name(struct rewrite *r, enum rewrite_name which, struct str *host)
{
	const struct str *name;

	if (rewrite_name(r, which, &name) == -1)
		return -1;
	str_catc(host, '.');
	str_cat(host, name);
	return 0;
}

int
rewrite_host(struct rewrite *r, struct str *host)
{
	const struct str *name;

	while (host->len > 0 && host->s[host->len - 1] == '.')
		str_trunc(host, host->len - 1);
	if (host->len == 0) {
		if (rewrite_name(r, REWRITE_DEFAULTHOST, &name) == -1)
			return -1;
		str_copy(host, name);
		if (host->len == 0)
			return 0;
	}
	if (host->s[0] == '[')
		return 0;
	if (host->s[host->len - 1] == '+') {
		str_trunc(host, host->len - 1);
		return append_name(r, REWRITE_PLUSDOMAIN, host);
	}
	if (bytes_chr(host->s, host->len, '.') == host->len)
		return append_name(r, REWRITE_DEFAULTDOMAIN, host);
	return 0;
}

int
rewrite_list(struct rewrite *r, struct addr_list *l)
{
	struct str host = {0};
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct addr_item *it = &l->items[i];

		if (it->kind != ADDR_MAILBOX || addr_is_empty(it))
			continue;
		str_copyb(&host, addr_part_peek(l, it->host), it->host.len);
		if (rewrite_host(r, &host) == -1) {
			str_free(&host);
			return -1;
		}
		addr_set_host(l, i, str_c(&host), host.len);
	}
	str_free(&host);
	return 0;
}

void
rewrite_free(struct rewrite *r)
{
	size_t i;

	for (i = 0; i < REWRITE_COUNT; i++)
		str_free(&r->name[i]);
	*r = (struct rewrite){0};
}
