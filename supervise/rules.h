/* supervise/rules.h - who may connect, and with which environment: the rules
 * of tcpserver as text and as a cdb.  Both ends of that file stand here.
 *
 * A line is ADDRESS:allow or ADDRESS:deny, then any number of ,VAR=QvalueQ
 * with any byte as Q.  ADDRESS is the key of a record, the rest its data: "D"
 * NUL when denied, then "+VAR=value" NUL for each variable.  Beyond the
 * historical keys there are networks, with the key "10.0.0.0/9", and one
 * record "/" that says which lengths are there: '0' or '1' for each of 33
 * lengths of IPv4 and 129 of IPv6.  A file without it has no networks.
 *
 * The text and the cdb come from an administrator; address, name and info of
 * a client are a stranger's bytes. */
#ifndef SUPERVISE_RULES_H
#define SUPERVISE_RULES_H

#include "lib/cdb.h"
#include "lib/io.h"

#define RULES_LINE_MAX 65536    /* bytes */

/* One line, parsed. */
struct rule {
	struct str key;         /* of a range: what stands before the number */
	struct str tail;        /* of a range: what stands after it */
	struct str data;
	bool range;
	unsigned low, high;     /* of a range */
	unsigned family, bits;  /* of a network: 4 or 6; else family is 0 */
	bool useless;           /* no client can have this address */
};
void rule_free(struct rule *);

enum rules_line {
	RULES_BLANK,            /* nothing, a comment, or without a colon */
	RULES_RULE,
	RULES_BAD,
};
/* Without the line feed; *why_out (static text) on RULES_BAD. */
enum rules_line rules_parse(const char *line, size_t n, struct rule *out,
    const char **why_out);

enum rules_compiled {
	RULES_OK,
	RULES_SYNTAX,
	RULES_READ,             /* errno */
	RULES_WRITE,            /* errno */
};
struct rules_report {
	struct str line;        /* the bad one */
	size_t number;          /* its number, from 1 */
	const char *why;        /* static text */
};
/* All lines of in; the caller commits or aborts the writer.  Warns of rules
 * that can never match. */
enum rules_compiled rules_compile(struct io *in, struct cdb_writer *,
    struct rules_report *);

struct rules_client {
	const char *ip;
	const char *host;       /* NULL: not known */
	const char *info;       /* NULL: not known */
};
/* The first hit, in this order: info@ip, info@=host, ip, =host, networks and
 * prefixes of ip from the longest on, =.suffixes of host from the longest on,
 * "=" when host is known, the empty address.  CDB_OK: its key and data. */
__attribute__((warn_unused_result))
enum cdb_status rules_find(struct cdb_file *, const struct rules_client *,
    struct str *key_out, struct str *data_out);

enum rules_word {
	RULES_END,
	RULES_DENY,
	RULES_SET,              /* word is "VAR=value", borrowed */
};
/* Walks data: start with *at = 0. */
enum rules_word rules_next(const struct str *data, size_t *at,
    const char **word_out);

#endif
