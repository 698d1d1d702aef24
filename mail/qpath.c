/* mail/qpath.c - names in the queue; see qpath.h. */
#include "mail/qpath.h"

#include "lib/str.h"
#include "mail/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct qpath
qpath_split(const char *dir, uint64_t id)
{
	struct qpath p;

	(void)snprintf(p.s, sizeof p.s, "%s/%" PRIu64 "/%" PRIu64, dir,
	    id % QUEUE_SPLIT, id);
	return p;
}

struct qpath
qpath_flat(const char *dir, uint64_t id)
{
	struct qpath p;

	(void)snprintf(p.s, sizeof p.s, "%s/%" PRIu64, dir, id);
	return p;
}

struct qpath
qpath_messid(uint64_t id)
{
	struct qpath p;

	(void)snprintf(p.s, sizeof p.s, "%" PRIu64 "/%" PRIu64,
	    id % QUEUE_SPLIT, id);
	return p;
}

bool
qpath_parse(const char *name, uint64_t *id_out)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 20 && name[0] != '0' &&
	    scan_u64(name, id_out) == n;
}
