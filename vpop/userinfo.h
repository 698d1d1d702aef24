/* vpop/userinfo.h - an account as vuserinfo shows it: in lines whose spacing
 * scripts rely on, in bare values, and as JSON. */
#ifndef VPOP_USERINFO_H
#define VPOP_USERINFO_H

#include "vpop/domain.h"

struct userinfo {
	const struct vuser *user;
	const char *domain;     /* as it was asked for */
	struct vlimits limits;  /* of the domain */
	bool secrets;           /* hashes and clear passwords are shown */
	unsigned apop_base;     /* what the store calls a pop account: 0, 1 */
	/* What is looked up beside the record. */
	bool have_usage;        /* it could be told */
	bool limited;           /* there is a quota */
	unsigned percent;
	int64_t bytes, count;   /* of a limited one */
	bool have_last;
	int64_t last;           /* seconds since 1970 */
	struct str last_ip;     /* 0.0.0.0: no login yet */
};

/* Fields of vuserinfo, in the order in which they are printed. */
enum userinfo_field {
	USERINFO_NAME, USERINFO_PASSWD, USERINFO_CLEAR, USERINFO_UID,
	USERINFO_GID, USERINFO_COMMENT, USERINFO_DIR, USERINFO_QUOTA,
	USERINFO_USAGE, USERINFO_LAST, USERINFO_FIELDS
};
#define USERINFO_LETTERS "npCugcdqQl"

void userinfo_cat_all(struct str *, const struct userinfo *);
void userinfo_cat_field(struct str *, const struct userinfo *,
    enum userinfo_field);
/* One line, an object.  Hashes and passwords only with secrets. */
void userinfo_cat_json(struct str *, const struct userinfo *);

#endif
