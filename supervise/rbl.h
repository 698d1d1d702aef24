/* supervise/rbl.h - DNS lists of addresses (5782): what they say of a client,
 * and the short SMTP session for one whose mail is refused.
 *
 * An address a.b.c.d is listed when d.c.b.a.BASE is there; of an IPv6 address
 * the 32 hex digits are reversed, a dot between.  Sources are asked in order
 * until one lists or allows the client, all within one total time.
 *
 *	allow.example		anything there allows (A) or lists (TXT)
 *	dnsbl.example:=127.0.0.2,127.0.0.8/29
 *				only these results do (A); the text is TXT
 */
#ifndef SUPERVISE_RBL_H
#define SUPERVISE_RBL_H

#include "lib/dns.h"
#include "lib/io.h"
#include "lib/ip.h"
#include "lib/str.h"

#define RBL_SOURCES_MAX 32      /* count */
#define RBL_TOTAL_MS 30000      /* for all sources together */
#define RBL_TEXT_MAX 200        /* bytes of a refusal's words */

struct rbl_source {
	bool allow;             /* who is there is not refused */
	const char *base;       /* as given, codes included */
	size_t base_len;        /* without them */
	const char *codes;      /* "ADDR[/BITS],...", or NULL: any */
};

/* Takes BASE or BASE:=CODES, kept and not copied.  -1 when it is neither. */
__attribute__((warn_unused_result))
int rbl_parse_source(const char *arg, bool allow, struct rbl_source *out);
/* Is this address one of a source's codes? */
bool rbl_is_code(const char *codes, const struct ip *);
/* Appends the name to ask for. */
void rbl_cat_name(struct str *out, const struct ip *,
    const struct rbl_source *);
/* Appends words as a reply may have them: at most RBL_TEXT_MAX bytes, "?" for
 * what does not print. */
void rbl_cat_text(struct str *out, const char *s, size_t n);

struct rbl_policy {
	struct rbl_source source[RBL_SOURCES_MAX];
	size_t n;
	bool permanent;         /* refuse for good who is listed */
	bool closed;            /* what could not be asked lists, for now, and
	                         * allows nobody */
};

enum rbl_verdict {
	RBL_PASS,
	RBL_TEMP,               /* refuse with 451 and the text */
	RBL_PERM,               /* refuse with 553 and the text */
};

typedef enum dns_status rbl_ask(void *arg, const char *name, enum dns_type,
    struct dns_answer *out);

/* What the lists say of client; *text is replaced. */
enum rbl_verdict rbl_decide(const struct rbl_policy *, const struct ip *client,
    rbl_ask *, void *arg, struct str *text);

/* The ask of a program: DNS, until a time of clock_mono_ms.  What is asked
 * later is DNS_TEMP at once. */
struct rbl_dns {
	struct dns dns;
	int64_t until;
};
enum dns_status rbl_ask_dns(void *rbl_dns, const char *name, enum dns_type,
    struct dns_answer *out);

/* Talks to a client whose mail is refused until it quits, goes, or timeout_ms
 * is over in all; 0: says the reason and that is all. */
void rbl_session(struct io *, enum rbl_verdict, const char *text,
    int timeout_ms);

#endif
