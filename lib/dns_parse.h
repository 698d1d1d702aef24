/* lib/dns_parse.h - DNS messages (RFC 1035, 6891) as pure functions: queries
 * made, answers taken apart.  For dns.c, its tests and its fuzz target.
 *
 * The bytes of an answer are not trusted: a name is at most 255 bytes on the
 * wire, a compression pointer leads strictly backwards, every length is
 * checked against the end of the message. */
#ifndef LIB_DNS_PARSE_H
#define LIB_DNS_PARSE_H

#include "lib/dns.h"

#define DNS_WIRE_MAX 255        /* bytes of a name on the wire: 1035:2.3.4 */
#define DNS_LABEL_MAX 63        /* bytes */
#define DNS_QUERY_MAX (12 + DNS_WIRE_MAX + 4 + 11)      /* bytes */
#define DNS_UDP_MAX 1232        /* bytes of an answer that we offer to take in
                                 * one datagram; never fragmented */
#define DNS_ALIAS_MAX 8         /* count: CNAMEs followed in an answer */

struct dns_wire_name {
	size_t len;             /* with the final zero */
	unsigned char b[DNS_WIRE_MAX];
};

struct dns_question {
	uint16_t id;
	enum dns_type type;
	bool edns, want_ad;
	struct dns_wire_name name;
};

enum dns_verdict {
	DNS_ANSWERED,           /* out->status is DNS_OK, _NXDOMAIN or _NODATA */
	DNS_NOT_OURS,           /* no answer to this question: wait on */
	DNS_TRUNCATED,          /* ask again by TCP */
	DNS_NO_EDNS,            /* FORMERR, NOTIMP, BADVERS: perhaps without */
	DNS_FAILED,             /* SERVFAIL, REFUSED, a referral and the like */
	DNS_MALFORMED,
};

/* Text to wire: with or without the final dot; any bytes but NUL and '.' in
 * labels of 1..63.  -1 when it is no name, or the root. */
__attribute__((warn_unused_result))
int dns_name_pack(const char *text, struct dns_wire_name *out);
/* Wire to text, lower case, no final dot; replaces out.  -1 when a byte is not
 * a letter, digit, '-' or '_'. */
__attribute__((warn_unused_result))
int dns_name_text(const struct dns_wire_name *, struct str *out);
bool dns_name_equal(const struct dns_wire_name *, const struct dns_wire_name *);
/* Reads the name at at; what follows it in the message begins at *next_out.
 * -1 when malformed. */
__attribute__((warn_unused_result))
int dns_name_read(const unsigned char *msg, size_t n, size_t at,
    struct dns_wire_name *out, size_t *next_out);
/* "4.3.2.1.in-addr.arpa" and its IPv6 form; replaces out. */
void dns_reverse_name(const struct ip *, struct str *out);

/* Bytes used. */
size_t dns_query_make(const struct dns_question *,
    unsigned char out[DNS_QUERY_MAX]);
/* out is touched for DNS_ANSWERED alone: overwritten, the caller frees it.
 * out->ad is the bit as it came. */
enum dns_verdict dns_answer_parse(const unsigned char *msg, size_t n,
    const struct dns_question *, struct dns_answer *out);

/* resolv.conf(5): adds the servers; sets *trust_ad_out when told so.  Unknown
 * words and lines are passed over. */
void dns_conf_parse(const char *s, size_t n, struct dns *,
    bool *trust_ad_out);

#endif
