/* vpop/store_nomysql.c - the place of store_mysql.c in a program without the
 * connector: it answers that it is not there; see store_ops.h. */
#include "vpop/store_ops.h"

static void
close_none(struct vstore *s)
{
	(void)s;
}

static size_t
width_none(struct vstore *s, enum vstore_width w)
{
	(void)s;
	(void)w;
	return SIZE_MAX;        /* the first call gives the reason */
}

/* Without its operations every call ends in store.c with this reason. */
static const struct vstore_ops ops = {
	.kind = "mysql",
	.close = close_none,
	.width = width_none,
};

void
vstore_mysql_init(struct vstore *s)
{
	s->ops = &ops;
}
