/* control/route.c - see route.h. */
#include "control/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
load_set(enum control_id id, struct map *out)
{
	struct str lines = {0};

	out->nocase = true;
	if (control_list(id, &lines) == CONTROL_TEMP) {
		str_free(&lines);
		return -1;
	}
	for (size_t i = 0; i < lines.len; i += strlen(lines.s + i) + 1)
		map_set(out, lines.s + i, strlen(lines.s + i), out);
	str_free(&lines);
	return 0;
}

static int
load_vdoms(struct map *out)
{
	struct str lines = {0};

	out->nocase = true;
	if (control_list(CONTROL_VIRTUALDOMAINS, &lines) == CONTROL_TEMP) {
		str_free(&lines);
		return -1;
	}
	for (size_t i = 0; i < lines.len; i += strlen(lines.s + i) + 1) {
		const char *line = lines.s + i;
		const char *colon = strchr(line, ':');

		if (colon != NULL) {
			size_t n = (size_t)(colon - line);

			free(map_get(out, line, n));
			map_set(out, line, n, mem_dup_copy(colon + 1));
		}
	}
	str_free(&lines);
	return 0;
}

static int
load_host(struct str *out)
{
	switch (control_line(CONTROL_ENVNOATHOST, out)) {
	case CONTROL_OK:
	case CONTROL_DEFAULT:
		return 0;
	case CONTROL_NONE:
		errno = ENOENT;
		break;
	case CONTROL_TEMP:
		break;
	}
	return -1;
}

static int
load_one(struct route *out, enum control_id id)
{
	if (id == CONTROL_LOCALS)
		return load_set(id, &out->locals);
	if (id == CONTROL_PERCENTHACK)
		return load_set(id, &out->percenthack);
	if (id == CONTROL_VIRTUALDOMAINS)
		return load_vdoms(&out->vdoms);
	return load_host(&out->envnoathost);
}

int
route_load(struct route *out, enum control_id *failed)
{
	static const enum control_id ids[] = {CONTROL_LOCALS,
	    CONTROL_PERCENTHACK, CONTROL_VIRTUALDOMAINS, CONTROL_ENVNOATHOST};
	size_t i;

	for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		if (load_one(out, ids[i]) == -1) {
			int e = errno;

			route_free(out);
			errno = e;
			*failed = ids[i];
			return -1;
		}
	}
	return 0;
}

void
route_free(struct route *r)
{
	size_t at = 0, n;
	const char *key;
	void *value;

	while (map_next(&r->vdoms, &at, &key, &n, &value))
		free(value);
	map_free(&r->vdoms);
	map_free(&r->locals);
	map_free(&r->percenthack);
	str_free(&r->envnoathost);
	*r = (struct route){0};
}

const char *
route_prepend_peek(const struct route *r, const char *addr, size_t n,
    size_t at)
{
	const char *host = addr + at + 1;
	size_t hlen = n - at - 1;
	const char *p = map_get(&r->vdoms, addr, n);

	if (p != NULL)
		return p;
	/* The domain itself, then from each dot on, then "". */
	for (size_t i = 0; i <= hlen; i++)
		if (i == 0 || i == hlen || host[i] == '.') {
			p = map_get(&r->vdoms, host + i, hlen - i);
			if (p != NULL)
				return p;
		}
	return NULL;
}

/* "joe%host@hub" becomes joe@host while hub is a percenthack domain.  Returns
 * the index of the last "@". */
static size_t
undo_percent(const struct route *r, struct str *addr)
{
	for (;;) {
		size_t at = bytes_rchr(addr->s, addr->len, '@');
		size_t pct = bytes_rchr(addr->s, at, '%');

		if (pct == at || map_get(&r->percenthack, addr->s + at + 1,
		    addr->len - at - 1) == NULL)
			return at;
		str_trunc(addr, at);
		addr->s[pct] = '@';
	}
}

enum route_channel
route_find(const struct route *r, const char *rcpt, struct str *out)
{
	const char *prepend;
	size_t at;

	str_copys(out, rcpt);
	if (bytes_rchr(str_c(out), out->len, '@') == out->len) {
		str_catc(out, '@');
		str_cat(out, &r->envnoathost);
	}
	at = undo_percent(r, out);
	if (map_get(&r->locals, out->s + at + 1, out->len - at - 1) != NULL)
		return ROUTE_LOCAL;
	prepend = route_prepend_peek(r, out->s, out->len, at);
	if (prepend != NULL && *prepend != '\0') {
		struct str full = {0};

		str_cats(&full, prepend);
		str_catc(&full, '-');
		str_cat(&full, out);
		str_free(out);
		*out = full;
		return ROUTE_LOCAL;
	}
	return ROUTE_REMOTE;
}

const char *
route_original_peek(const struct route *r, const char *addr)
{
	size_t n = strlen(addr), at = bytes_rchr(addr, n, '@');
	const char *prepend;

	if (at == n || map_get(&r->locals, addr + at + 1, n - at - 1) != NULL)
		return addr;
	/* A key that is a whole address is looked for behind each dash. */
	for (size_t i = 0; i < at; i++)
		if (addr[i] == '-') {
			prepend = map_get(&r->vdoms, addr + i + 1, n - i - 1);
			if (prepend != NULL && strlen(prepend) == i &&
			    memcmp(prepend, addr, i) == 0)
				return addr + i + 1;
		}
	prepend = route_prepend_peek(r, addr, n, at);
	if (prepend != NULL && *prepend != '\0') {
		size_t plen = strlen(prepend);

		if (plen < at && memcmp(prepend, addr, plen) == 0 &&
		    addr[plen] == '-')
			return addr + plen + 1;
	}
	return addr;
}
