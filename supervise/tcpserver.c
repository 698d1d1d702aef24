/* tcpserver - run a program for every TCP connection to a port.
 * Runs as:  root until it listens, then as -u and -g say.
 * Trusts:   its arguments, the rules and the limits file.  Never: a client.
 * Exits:    0 on TERM, 100 misuse, 111 when it cannot listen or become the
 *           user. */
#include "supervise/server.h"
#include "supervise/tool.h"

#include "lib/log.h"

int
main(int argc, char **argv)
{
	struct server_conf conf;

	log_init("tcpserver");
	tool_open_std();
	server_parse(&conf, argc, argv);
	return server_run(&conf);
}
