/* tcpclient - connect to a TCP server and run a program with the connection
 * as descriptors 6 and 7.
 * Runs as:  whoever starts it.
 * Trusts:   its arguments.  Never: what DNS and the peer's identification
 *           server say; names are cleaned before they reach the environment.
 * Exits:    100 misuse, 111 no connection; else it is the program. */
#include "supervise/tcpwho.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define USAGE "tcpclient [ -hHrRdDqQv ] [ -i localip ] [ -p localport ] " \
	"[ -T timeoutconn ] [ -l localname ] [ -t timeoutinfo ] " \
	"host port program"
#define SECONDS_MAX 86400       /* of any option; a day */

struct options {
	bool quiet, verbose, nodelay, no_name, no_ident;
	int family;             /* 4, 6, 0: both */
	struct ip source;       /* family 0: any */
	uint16_t source_port;
	int first_ms, second_ms, ident_ms;
	const char *localname;
	const char *host, *port;
	char *const *program;
};

static uint64_t
seconds(const char *s, const char **rest)
{
	uint64_t n;
	size_t len = scan_u64(s, &n);

	if (len == 0 || n > SECONDS_MAX)
		tool_usage(100, USAGE);
	*rest = s + len;
	return n;
}

/* "2+58", or "10" alone for no second round. */
static void
parse_timeouts(const char *s, struct options *o)
{
	o->first_ms = (int)seconds(s, &s) * 1000;
	o->second_ms = *s == '+' ? (int)seconds(s + 1, &s) * 1000 : 0;
	if (*s != '\0')
		tool_usage(100, USAGE);
}

static void
parse_source(const char *s, struct options *o)
{
	if (strcmp(s, "0") != 0 && ip_parse(s, strlen(s), &o->source) < 0)
		tool_usage(100, USAGE);
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	const char *rest;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "+dDvqQhHrR46i:p:t:T:l:")) != -1) {
		switch (c) {
		case 'd': o->nodelay = false; break;
		case 'D': o->nodelay = true; break;
		case 'v': o->verbose = true; o->quiet = false; break;
		case 'q': o->quiet = true; o->verbose = false; break;
		case 'Q': o->quiet = o->verbose = false; break;
		case 'h': o->no_name = false; break;
		case 'H': o->no_name = true; break;
		case 'r': o->no_ident = false; break;
		case 'R': o->no_ident = true; break;
		case '4': o->family = 4; break;
		case '6': o->family = 6; break;
		case 'i': parse_source(optarg, o); break;
		case 'p':
			if (tcp_parse_port(optarg, &o->source_port) < 0)
				tool_usage(100, USAGE);
			break;
		case 't':
			o->ident_ms = (int)seconds(optarg, &rest) * 1000;
			if (*rest != '\0')
				tool_usage(100, USAGE);
			break;
		case 'T': parse_timeouts(optarg, o); break;
		case 'l': o->localname = optarg; break;
		default: tool_usage(100, USAGE);
		}
	}
	if (argc - optind < 3)
		tool_usage(100, USAGE);
	o->host = argv[optind];
	o->port = argv[optind + 1];
	o->program = argv + optind + 2;
}

static void
find_host(const struct dns *dns, const struct options *o,
    struct ip addr[TCPWHO_ADDRS], size_t *n)
{
	const struct ip v4 = {.family = 4, .b = {127, 0, 0, 1}};
	const struct ip v6 = {.family = 6, .b = {[15] = 1}};
	enum tcpwho_status st = tcpwho_host(dns, o->host,
	    o->family == 6 ? &v6 : &v4, o->family, addr, n);

	if (st == TCPWHO_OK)
		return;
	if (o->quiet)
		_exit(111);
	if (st == TCPWHO_TEMP)
		tool_die(111, "temporarily unable to figure out IP address "
		    "for %s", o->host);
	die(111, "no IP address for %s", o->host);
}

static void
tell_failures(const struct options *o, const struct ip *addr, size_t n,
    uint16_t port, const int *outcome)
{
	char text[IP_TEXT];

	for (size_t i = 0; i < n && !o->quiet; i++)
		if (outcome[i] > 0)
			log_info("unable to connect to %s port %u: %s",
			    ip_text(&addr[i], text), port,
			    tool_error_text(outcome[i]));
}

/* Each address for a short while; then again, longer, each that was only too
 * slow. */
static int
make_connection(const struct options *o, const struct ip *addr, size_t n,
    uint16_t port)
{
	const struct ip *any = o->source.family != 0 ? &o->source : NULL;
	struct tcp_options opt = {.port = port,
	    .source4 = any && any->family == 4 ? any : NULL,
	    .source6 = any && any->family == 6 ? any : NULL,
	    .source_port = o->source_port, .each_ms = o->first_ms,
	    .head_ms = TCP_ONE_BY_ONE};
	struct ip again[TCPWHO_ADDRS];
	int outcome[TCPWHO_ADDRS], fd;
	size_t m = 0;

	fd = tcp_connect(addr, n, &opt, outcome, NULL);
	if (fd >= 0)
		return fd;
	for (size_t i = 0; i < n; i++)
		if (o->second_ms > 0 && outcome[i] == ETIMEDOUT) {
			again[m++] = addr[i];
			outcome[i] = 0;         /* told after the second */
		}
	tell_failures(o, addr, n, port, outcome);
	if (m == 0)
		return -1;
	opt.each_ms = o->second_ms;
	fd = tcp_connect(again, m, &opt, outcome, NULL);
	if (fd < 0)
		tell_failures(o, again, m, port, outcome);
	return fd;
}

/* TCPname, and for an IPv6 connection TCP6name too. */
static void
set(struct toolenv *env, bool v6, const char *name, const char *value)
{
	struct str full = {0};

	str_cats(&full, "TCP");
	str_cats(&full, name);
	toolenv_set(env, str_c(&full), value);
	str_copys(&full, "TCP6");
	str_cats(&full, name);
	toolenv_set(env, str_c(&full), v6 ? value : NULL);
	str_free(&full);
}

static void
set_port(struct toolenv *env, bool v6, const char *name, uint16_t port)
{
	struct str value = {0};

	str_catu(&value, port);
	set(env, v6, name, str_c(&value));
	str_free(&value);
}

static void
fill_environment(const struct dns *dns, const struct options *o, int fd,
    struct toolenv *env)
{
	struct ip local, remote;
	uint16_t local_port, remote_port;
	struct str name = {0};
	char text[IP_TEXT];
	bool v6;

	if (tcp_local(fd, &local, &local_port) < 0)
		tool_die(111, "unable to get local address");
	if (tcp_peer(fd, &remote, &remote_port) < 0)
		tool_die(111, "unable to get remote address");
	if (o->verbose)
		log_info("connected to %s port %u", ip_text(&remote, text),
		    remote_port);
	v6 = remote.family == 6;
	toolenv_set(env, "PROTO", v6 ? "TCP6" : "TCP");
	set(env, v6, "LOCALIP", ip_text(&local, text));
	set_port(env, v6, "LOCALPORT", local_port);
	set(env, v6, "REMOTEIP", ip_text(&remote, text));
	set_port(env, v6, "REMOTEPORT", remote_port);
	if (o->localname != NULL)
		set(env, v6, "LOCALHOST", o->localname);
	else
		set(env, v6, "LOCALHOST", tcpwho_name(dns, &local, false,
		    &name) ? str_c(&name) : NULL);
	set(env, v6, "REMOTEHOST", !o->no_name && tcpwho_name(dns, &remote,
	    false, &name) ? str_c(&name) : NULL);
	set(env, v6, "REMOTEINFO", !o->no_ident && tcpwho_ident(&local,
	    local_port, &remote, remote_port, o->ident_ms, &name) ?
	    str_c(&name) : NULL);
	str_free(&name);
}

int
main(int argc, char **argv)
{
	struct options o = {.first_ms = 2000, .second_ms = 58000,
	    .ident_ms = 26000};
	struct ip addr[TCPWHO_ADDRS];
	struct toolenv env;
	struct dns dns;
	uint16_t port;
	size_t n;
	int fd;

	log_init("tcpclient");
	tool_open_std();
	parse_options(argc, argv, &o);
	if (tcp_parse_port(o.port, &port) < 0) {
		if (o.quiet)
			return 111;
		die(111, "unable to figure out port number for %s", o.port);
	}
	dns_init(&dns);
	find_host(&dns, &o, addr, &n);
	if ((fd = make_connection(&o, addr, n, port)) < 0)
		return 111;
	if (tcp_blocking(fd) < 0)
		tool_die(111, "unable to set up the connection");
	if (o.nodelay)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
		    sizeof(int));
	toolenv_init(&env);
	fill_environment(&dns, &o, fd, &env);
	if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 8)) < 0 || dup2(fd, 6) < 0 ||
	    dup2(fd, 7) < 0)
		tool_die(111, "unable to copy descriptor");
	tool_exec(o.program, env.v);
}
