/* inject/rewrite.h - complete the hosts of addresses, as qmail-inject(8) says.
 *
 *	joe		joe@defaulthost
 *	joe@a+		joe@a.plusdomain
 *	joe@a		joe@a.defaultdomain
 *	joe@a.b.	joe@a.b
 *	joe@[1.2.3.4]	as it is
 *
 * Each of the four names is looked up when it is first needed: the
 * environment, then the control file, then the word itself. */
#ifndef INJECT_REWRITE_H
#define INJECT_REWRITE_H

#include "lib/str.h"
#include "mail/addr.h"

/* X(ID, control file, environment variable, last resort) */
#define REWRITE_TABLE(X)                                                      \
	X(DEFAULTHOST, "QMAILDEFAULTHOST", "defaulthost")                     \
	X(DEFAULTDOMAIN, "QMAILDEFAULTDOMAIN", "defaultdomain")               \
	X(PLUSDOMAIN, "QMAILPLUSDOMAIN", "plusdomain")                        \
	X(IDHOST, "QMAILIDHOST", "idhost")

enum rewrite_name {
#define X(id, env, word) REWRITE_##id,
	REWRITE_TABLE(X)
#undef X
	REWRITE_COUNT
};

struct rewrite {                /* {0} is ready */
	struct str name[REWRITE_COUNT];
	bool known[REWRITE_COUNT];
	enum rewrite_name failed;       /* the one that could not be read */
};

/* All three: 0, or -1 with errno when a control file could not be read. */
__attribute__((warn_unused_result))
int rewrite_name(struct rewrite *, enum rewrite_name, const struct str **out);
/* Changes host in place; an empty one becomes the default host. */
__attribute__((warn_unused_result))
int rewrite_host(struct rewrite *, struct str *host);
/* Every mailbox of the list but <>. */
__attribute__((warn_unused_result))
int rewrite_list(struct rewrite *, struct addr_list *);
/* The control file of the name that could not be read. */
const char *rewrite_failed_file(const struct rewrite *);
void rewrite_free(struct rewrite *);

#endif
