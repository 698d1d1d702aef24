/* rblsmtpd - refuse mail from clients that DNS lists or $RBLSMTPD name, else
 * run an SMTP server.
 * Runs as:  the server's user, between tcpserver and the server.
 * Trusts:   its arguments, TCPREMOTEIP, RBLSMTPD.  Never: the client; the
 *           lists only as far as their word on a client goes.
 * Exits:    100 misuse, 111 trouble, 0 after a refusal; else it is the
 *           server. */
#include "supervise/rbl.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/sig.h"
#include "lib/tai.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE "rblsmtpd [ -bBcC ] [ -t timeout ] [ -r base ] ... " \
	"[ -a base ] ... program [ arg ... ]"
#define TIMEOUT_MAX 86400       /* seconds */

static void
add_source(struct rbl_policy *p, bool allow)
{
	if (p->n == RBL_SOURCES_MAX)
		die(100, "more than %d lists", RBL_SOURCES_MAX);
	if (rbl_parse_source(optarg, allow, &p->source[p->n++]) < 0)
		die(100, "not a list, nor list:=address,...: %s", optarg);
}

static int
parse_timeout(const char *s)
{
	uint64_t n;
	size_t len = scan_u64(s, &n);

	if (len == 0 || s[len] != '\0' || n > TIMEOUT_MAX)
		tool_usage(100, USAGE);
	return (int)n * 1000;
}

static int
parse_options(int argc, char **argv, struct rbl_policy *p)
{
	int c, timeout = 60000;

	opterr = 0;
	while ((c = getopt(argc, argv, "+bBcCt:r:a:")) != -1) {
		switch (c) {
		case 'b': p->permanent = true; break;
		case 'B': p->permanent = false; break;
		case 'c': p->closed = true; break;
		case 'C': p->closed = false; break;
		case 't': timeout = parse_timeout(optarg); break;
		case 'r': add_source(p, false); break;
		case 'a': add_source(p, true); break;
		default: tool_usage(100, USAGE);
		}
	}
	if (optind >= argc)
		tool_usage(100, USAGE);
	return timeout;
}

/* What tcpserver's rules said: empty lets in, "-" refuses for good. */
static enum rbl_verdict
from_environment(const char *word, struct str *text)
{
	enum rbl_verdict v = *word == '-' ? RBL_PERM : RBL_TEMP;

	if (*word == '\0')
		return RBL_PASS;
	if (v == RBL_PERM)
		word++;
	if (*word == '\0')
		word = "mail from your address is refused";
	rbl_cat_text(text, word, strlen(word));
	return v;
}

static enum rbl_verdict
from_lists(const struct rbl_policy *p, const char *client, struct str *text)
{
	struct rbl_dns d;
	struct ip ip;

	if (p->n == 0)
		return RBL_PASS;
	if (client == NULL || ip_parse(client, strlen(client), &ip) < 0) {
		log_warn("TCPREMOTEIP is not an address: lists not asked");
		if (!p->closed)
			return RBL_PASS;
		str_cats(text, "your address is not known, try again later");
		return RBL_TEMP;
	}
	dns_init(&d.dns);
	d.until = clock_mono_ms() + RBL_TOTAL_MS;
	return rbl_decide(p, &ip, rbl_ask_dns, &d, text);
}

int
main(int argc, char **argv)
{
	const char *client = getenv("TCPREMOTEIP");
	const char *word = getenv("RBLSMTPD");
	struct rbl_policy policy = {0};
	struct str text = {0}, who = {0};
	enum rbl_verdict v;
	struct io io;
	int timeout;

	log_init("rblsmtpd");
	timeout = parse_options(argc, argv, &policy);
	v = word != NULL ? from_environment(word, &text) :
	    from_lists(&policy, client, &text);
	if (v == RBL_PASS)
		tool_exec(argv + optind, NULL);
	if (client != NULL)
		log_quote(&who, client, strlen(client));
	log_info("%s pid %ld: %s %s", str_c(&who), (long)getpid(),
	    v == RBL_PERM ? "553" : "451", str_c(&text));
	sig_ignore(SIGPIPE);
	io_init(&io, 0, 1, timeout);
	rbl_session(&io, v, str_c(&text), timeout);
	return 0;
}
