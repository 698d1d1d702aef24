/* vpop/vanswer.h - an answer of control/resolve.h for eyes and for programs.
 *
 * Text, a line a step, an empty line behind it:
 *	address   jo@example.com
 *	route     remote jo@example.com
 *	answer    yes
 * JSON, one line:
 *	{"address":"jo@example.com","answer":"yes","reason":"",
 *	"steps":[{"step":"route","text":"remote jo@example.com"},...]}
 * answer is yes, no, full, away or unknown. */
#ifndef VPOP_VANSWER_H
#define VPOP_VANSWER_H

#include "control/resolve.h"

void vanswer_cat_text(struct str *, const struct resolve *);
void vanswer_cat_json(struct str *, const char *addr, const struct resolve *);
/* 0 yes or away, 100 no, 111 full or unknown; of several answers the greatest
 * counts. */
int vanswer_code(enum resolve_status);

#endif
