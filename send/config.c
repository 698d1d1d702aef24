/* send/config.c - settings of the scheduler; see config.h.
 *
 * Keys are compared without case; of equal keys the last one counts. */
#include "send/config.h"

#include "control/control.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

static int
failed(enum control_id id)
{
	log_sys("unable to read control/%s", control_entry(id)->file);
	return -1;
}

static int
load_set(enum control_id id, struct map *out)
{
	static char present;
	struct str lines = {0};

	out->nocase = true;
	if (control_list(id, &lines) == CONTROL_TEMP) {
		str_free(&lines);
		return failed(id);
	}
	for (size_t i = 0; i < lines.len; i += strlen(lines.s + i) + 1)
		map_set(out, lines.s + i, strlen(lines.s + i), &present);
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
		return failed(CONTROL_VIRTUALDOMAINS);
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
load_number(enum control_id id, uint64_t *out)
{
	return control_number(id, out) == CONTROL_TEMP ? failed(id) : 0;
}

int
config_load(struct config *out)
{
	enum control_status st;

	if (load_set(CONTROL_LOCALS, &out->locals) < 0 ||
	    load_set(CONTROL_PERCENTHACK, &out->percenthack) < 0 ||
	    load_vdoms(&out->vdoms) < 0 ||
	    load_number(CONTROL_QUEUELIFETIME, &out->lifetime) < 0 ||
	    load_number(CONTROL_CONCURRENCYLOCAL,
	    &out->concurrency[CHANNEL_LOCAL]) < 0 ||
	    load_number(CONTROL_CONCURRENCYREMOTE,
	    &out->concurrency[CHANNEL_REMOTE]) < 0)
		goto fail;
	st = control_line(CONTROL_ENVNOATHOST, &out->envnoathost);
	if (st == CONTROL_TEMP) {
		(void)failed(CONTROL_ENVNOATHOST);
		goto fail;
	}
	if (st == CONTROL_NONE) {
		log_warn("unable to read control/me: no such file");
		goto fail;
	}
	return 0;
fail:
	config_free(out);
	return -1;
}

void
config_free(struct config *c)
{
	size_t at = 0, n;
	const char *key;
	void *value;

	while (map_next(&c->vdoms, &at, &key, &n, &value))
		free(value);
	map_free(&c->vdoms);
	map_free(&c->locals);
	map_free(&c->percenthack);
	str_free(&c->envnoathost);
	*c = (struct config){0};
}
