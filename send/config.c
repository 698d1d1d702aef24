/* send/config.c - settings of the scheduler; see config.h. */
#include "send/config.h"

#include "control/control.h"
#include "lib/log.h"
#include "mail/remoteproto.h"

static int
load_number(enum control_id id, uint64_t *out, enum control_id *failed)
{
	*failed = id;
	return control_number(id, out) == CONTROL_TEMP ? -1 : 0;
}

int
config_load(struct config *out)
{
	enum control_id failed;

	if (load_number(CONTROL_QUEUELIFETIME, &out->lifetime, &failed) < 0 ||
	    load_number(CONTROL_CONCURRENCYLOCAL,
	    &out->concurrency[CHANNEL_LOCAL], &failed) < 0 ||
	    load_number(CONTROL_CONCURRENCYREMOTE,
	    &out->concurrency[CHANNEL_REMOTE], &failed) < 0 ||
	    load_number(CONTROL_CONCURRENCYHOST, &out->per_host, &failed) <
	    0 ||
	    load_number(CONTROL_RCPTSREMOTE, &out->group, &failed) < 0 ||
	    route_load(&out->route, &failed) < 0) {
		log_sys("unable to read control/%s",
		    control_entry(failed)->file);
		*out = (struct config){0};
		return -1;
	}
	if (out->group < 1)
		out->group = 1;
	if (out->group > REMOTE_RCPTS_MAX)
		out->group = REMOTE_RCPTS_MAX;
	return 0;
}

void
config_free(struct config *c)
{
	route_free(&c->route);
	*c = (struct config){0};
}
