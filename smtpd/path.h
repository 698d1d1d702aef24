/* smtpd/path.h - what stands behind MAIL FROM:, RCPT TO: and EHLO: pure
 * parsers of a stranger's bytes.
 *
 * An address becomes plain bytes: local part without quotes, "@", host.  The
 * host begins after the last "@".  There is no guessing: what is no path of
 * 5321:4.1.2 is refused, but for what honest clients do - spaces after the
 * colon, no < >, stray dots in a local part, underscores in a host. */
#ifndef SMTPD_PATH_H
#define SMTPD_PATH_H

#include "lib/ip.h"
#include "lib/str.h"

enum path_status {
	PATH_OK,
	PATH_SYNTAX,
	PATH_LONG,              /* over SMTPD_ADDR_MAX, or a host over 255, or
	                         * a label over 63 bytes */
	PATH_UTF8,              /* bytes above 127 that are not UTF-8 */
};

struct path {
	struct str addr;        /* empty: <> */
	bool has_host;
	bool literal;           /* the host is [ip] */
	bool utf8;              /* it holds bytes above 127 */
	struct ip ip;           /* of a literal */
};
void path_free(struct path *);

/* Reads s, from after the colon, into *out, which is {0} or an earlier
 * result.  *rest is then what follows: spaces and parameters, or nothing. */
__attribute__((warn_unused_result))
enum path_status path_parse(const char *s, struct path *out,
    const char **rest);
/* A host name: labels of letters, digits, "-", "_", and UTF-8. */
bool path_is_host(const char *s, size_t n);
/* "[1.2.3.4]" or "[IPv6:...]": 0 and the address, or -1. */
__attribute__((warn_unused_result))
int path_literal(const char *s, size_t n, struct ip *out);

enum param_status { PARAM_OK, PARAM_END, PARAM_SYNTAX };
/* The next " KEY" or " KEY=value" at *at, which moves behind it; key in upper
 * case.  Values are printable ASCII without "=" (5321:4.1.2). */
__attribute__((warn_unused_result))
enum param_status param_next(const char **at, struct str *key,
    struct str *value, bool *has_value);

#endif
