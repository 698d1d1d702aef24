/* server_opt.c - the arguments of tcpserver.
 *
 * Trusts: whoever wrote the run script, but not to have written it without a
 * slip: an empty or misspelt number never means "stay root". */
#include "supervise/server.h"

#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/tcp.h"

#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The historical line, which scripts compare; tcpserver(1) has the rest. */
#define USAGE "tcpserver [ -1UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ]" \
	" [ -B banner ] [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ]" \
	" [ -t timeout ] host port program"
#define OPTIONS "+1UXpPhHrRoOdDqQv46kc:C:x:B:g:u:b:l:t:I:L:"

static _Noreturn void
misuse(const struct server_conf *c, const char *what, const char *value)
{
	if (c->talk == SERVER_QUIET)
		_exit(100);
	die(100, "%s: %s", what, value);
}

static uint64_t
number(const struct server_conf *c, const char *what, const char *s,
    uint64_t max)
{
	uint64_t v;
	size_t n = scan_u64(s, &v);

	if (n == 0 || s[n] != '\0' || v > max)
		misuse(c, what, s);
	return v;
}

static void
limit(struct server_conf *c, const char *name, const char *value)
{
	if (srvlimits_set(&c->limits, name, value) < 0)
		misuse(c, "not a usable limit", value);
}

/* -U: what envuidgid has set. */
static void
ids_from_env(struct server_conf *c)
{
	const char *uid = getenv("UID"), *gid = getenv("GID");

	if (uid == NULL && gid == NULL)
		misuse(c, "-U", "neither UID nor GID is set");
	if (uid != NULL)
		c->uid = (uid_t)number(c, "UID is not a number", uid,
		    UINT32_MAX - 1);
	if (gid != NULL)
		c->gid = (gid_t)number(c, "GID is not a number", gid,
		    UINT32_MAX - 1);
}

/* Options with a value. */
static void
take_value(struct server_conf *c, int opt, const char *value)
{
	switch (opt) {
	case 'c': limit(c, "total", value); break;
	case 'C': limit(c, "address", value); break;
	case 'b': limit(c, "backlog", value); break;
	case 'x': c->rules = value; break;
	case 'L': c->limits_file = value; break;
	case 'B': c->banner = value; break;
	case 'l': c->local_name = value; break;
	case 'g':
		c->gid = (gid_t)number(c, "not a gid", value, UINT32_MAX - 1);
		break;
	case 'u':
		c->uid = (uid_t)number(c, "not a uid", value, UINT32_MAX - 1);
		break;
	case 't':
		c->info_ms = 1000 * (int)number(c, "not a number of seconds",
		    value, 86400);
		break;
	case 'I':
		c->interface = if_nametoindex(value);
		if (c->interface == 0)
			misuse(c, "no such interface", value);
		break;
	default:
		tool_usage(100, USAGE);
	}
}

static void
take_flag(struct server_conf *c, int opt, const char *value)
{
	switch (opt) {
	case '1': c->print_port = true; break;
	case '4': c->only4 = true; c->both = false; break;
	case '6': c->both = true; c->only4 = false; break;
	case 'U': ids_from_env(c); break;
	case 'X': c->rules_optional = true; break;
	case 'p': c->paranoid = true; break;
	case 'P': c->paranoid = false; break;
	case 'h': c->remote_name = true; break;
	case 'H': c->remote_name = false; break;
	case 'r': c->remote_info = true; break;
	case 'R': c->remote_info = false; break;
	case 'o': c->kill_options = false; break;
	case 'O': c->kill_options = true; break;
	case 'd': c->delay = true; break;
	case 'D': c->delay = false; break;
	case 'k': c->keep = true; break;
	case 'q': c->talk = SERVER_QUIET; break;
	case 'Q': c->talk = SERVER_ERRORS; break;
	case 'v': c->talk = SERVER_VERBOSE; break;
	default: take_value(c, opt, value);
	}
}

void
server_parse(struct server_conf *c, int argc, char **argv)
{
	int opt;

	*c = (struct server_conf){.talk = SERVER_ERRORS, .kill_options = true,
	    .remote_name = true, .remote_info = true, .info_ms = 26000};
	srvlimits_default(&c->limits);
	opterr = 0;
	while ((opt = getopt(argc, argv, OPTIONS)) != -1)
		take_flag(c, opt, optarg);
	argv += optind;
	if (argv[0] == NULL || argv[1] == NULL || argv[2] == NULL)
		tool_usage(100, USAGE);
	c->host = argv[0];
	c->program = (const char *const *)argv + 2;
	if (tcp_parse_port(argv[1], &c->port) < 0) {
		if (c->talk == SERVER_QUIET)
			_exit(111);
		die(111, "unable to figure out port number for %s", argv[1]);
	}
}
