/* vchkpw - check a login by authdaemond and run a program as the user.
 * Runs as:  whoever starts it; root where the program is to run as the user.
 * Trusts:   its arguments and environment, authdaemond.  Never: what is on
 *           descriptor 3.
 * Exits:    as the program it runs; 1, 3 and 111 are the usual ones of its
 *           own, see CHKPW_CODES. */
#include "vpop/chkpw.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_FD 3

static enum chkpw_code
read_input(struct chkpw *out)
{
	char buf[CHKPW_MAX + 1];
	size_t len = 0;
	ssize_t n;
	enum chkpw_code code;

	do {
		n = read(INPUT_FD, buf + len, sizeof buf - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < sizeof buf) || (n < 0 && errno == EINTR));
	code = n < 0 ? CHKPW_INPUT : chkpw_parse(buf, len, out);
	explicit_bzero(buf, sizeof buf);
	fd_close(INPUT_FD);
	return code;
}

int
main(int argc, char **argv)
{
	struct chkpw_where where = {.socket = AUTHPROTO_SOCKET,
	    .remote_ip = getenv("TCPREMOTEIP"),
	    .local_ip = getenv("TCPLOCALIP"),
	    .local_port = getenv("TCPLOCALPORT"),
	    .service = getenv("SERVICE"),
	    .domain = getenv("VPOPMAIL_DOMAIN")};
	struct chkpw c = {0};
	enum chkpw_code code;

	log_init("vchkpw");
	if (argc < 2) {
		log_warn("usage: vchkpw program [argument ...]");
		return CHKPW_MISUSE;
	}
	where.program = argv[1];
	if (where.remote_ip == NULL)
		where.remote_ip = getenv("REMOTE_HOST");
	/* It holds a password; what it executes is traceable again. */
	if (sandbox_undumpable() < 0)
		log_sys("unable to hide my memory");
	code = read_input(&c);
	if (code == CHKPW_OK)
		code = chkpw_check(&where, &c);
	if (code == CHKPW_OK)
		code = chkpw_become(&c);
	chkpw_free(&c);
	if (code != CHKPW_OK)
		return (int)code;
	proc_exec((const char *const *)argv + 1, NULL);
	log_sys("unable to run %s", argv[1]);
	return CHKPW_TEMP;
}
