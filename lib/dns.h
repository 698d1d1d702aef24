/* lib/dns.h - a stub resolver: asks the name servers of /etc/resolv.conf, or
 * those of $DNSCACHEIP, and waits.
 *
 * UDP with a random port and id for each query (a connected socket; answers
 * to another question are ignored and waited past), EDNS, TCP when truncated.
 * Every wait is bounded.  "Could not be known" is never "is not there":
 * SERVFAIL, REFUSED, malformed and no answer are DNS_TEMP.
 *
 * Answers are a stranger's bytes: parsed by pure functions in dns_parse.c,
 * names cleaned to letters, digits, "-", "_", "." (anything else in a name
 * makes that record unusable; when no other is there, DNS_TEMP), at most
 * DNS_RECORDS_MAX records kept. */
#ifndef LIB_DNS_H
#define LIB_DNS_H

#include "lib/ip.h"
#include "lib/str.h"

#include <stdbool.h>

#define DNS_NAME_MAX 253        /* bytes of a name as text */
#define DNS_RECORDS_MAX 100     /* count, per answer */
#define DNS_RDATA_MAX 4096      /* bytes; a record with more data is unusable */
#define DNS_SERVERS_MAX 3       /* count */
#define DNS_TOTAL_MS 30000      /* for one question, all servers and retries */

enum dns_type {
	DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_TLSA = 52,
};

enum dns_status {
	DNS_OK,
	DNS_NXDOMAIN,           /* certainly no such name */
	DNS_NODATA,             /* the name is there, without this type */
	DNS_TEMP,               /* could not be known */
};

struct dns_server { struct ip ip; uint16_t port; };

struct dns {
	struct dns_server server[DNS_SERVERS_MAX];
	size_t nserver;
	int total_ms;           /* DNS_TOTAL_MS unless changed */
	bool trust_ad;          /* every server is on this machine, or
	                         * resolv.conf says "options trust-ad" */
};
/* Reads $DNSCACHEIP (addresses, spaces between) or /etc/resolv.conf; without
 * either 127.0.0.1.  Cannot fail. */
void dns_init(struct dns *);

struct dns_record {
	uint16_t pref;          /* MX */
	struct ip ip;           /* A, AAAA */
	struct str data;        /* MX, PTR, CNAME: the name, lower case, without
	                         * a final dot ("" is the root); TXT: its
	                         * strings joined; TLSA: raw bytes */
};
struct dns_answer {
	enum dns_status status;
	size_t n;
	struct dns_record *rec; /* in the order of the answer */
	bool ad;                /* validated; false unless trust_ad */
	struct str cname;       /* the name the records are of, when an alias
	                         * led there; else empty */
};
void dns_answer_free(struct dns_answer *);

/* One question; *out is overwritten, and the caller frees it in every case.
 * name is text, with or without the final dot, taken as
 * complete (no search list).  The status is also returned; a name that cannot
 * be one (empty label, too long) is DNS_NXDOMAIN. */
enum dns_status dns_ask(const struct dns *, const char *name, enum dns_type,
    struct dns_answer *out);
/* A and AAAA at once, in parallel (when one has found something the other is
 * waited for three seconds more); n of both in *out, IPv6 first.  DNS_TEMP
 * only when nothing was found and one of them could not be known. */
enum dns_status dns_addresses(const struct dns *, const char *name,
    struct dns_answer *out);
/* The host name of an address, from PTR; unverified. */
enum dns_status dns_name_of(const struct dns *, const struct ip *,
    struct dns_answer *out);

#endif
