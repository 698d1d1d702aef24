/* queue/qselect.h - which messages a command means.
 *
 * Conditions of different kinds must all hold; of several numbers one.
 * Patterns know * (any bytes) and ? (one byte), ignore the case of ASCII
 * letters, and mean the whole address; one that begins with @ means the host.
 * An empty pattern, or <>, is the null address. */
#ifndef QUEUE_QSELECT_H
#define QUEUE_QSELECT_H

#include "queue/qscan.h"

enum qselect_age { QSELECT_ANY_AGE, QSELECT_OLDER, QSELECT_YOUNGER };

struct qselect {
	struct qscan_ids ids;   /* sorted; empty: any number */
	const char *sender;     /* NULL: any */
	const char *rcpt;       /* one that is not done yet; NULL: any */
	enum qselect_age age;
	int64_t seconds;
	bool held;              /* only messages on hold */
	bool all;               /* the administrator said so */
};

/* Was anything said at all?  What changes messages must be told which. */
bool qselect_given(const struct qselect *);
/* Can a number alone decide, without reading the message? */
bool qselect_only_ids(const struct qselect *);
bool qselect_match(const struct qselect *, const struct qscan_msg *,
    int64_t now);
bool qselect_match_addr(const char *pattern, const char *addr);
/* "[<|>] NUMBER UNIT", blanks anywhere between; > is meant when neither is
 * there.  UNIT is s, m, h, d or w, or their words: second(s), min(s),
 * minute(s), hour(s), day(s), week(s).  -1 with EINVAL. */
__attribute__((warn_unused_result))
int qselect_parse_age(struct qselect *, const char *text);
void qselect_free(struct qselect *);

#endif
