/* tcprules - compile the rules of tcpserver from standard input.
 * Runs as:  the administrator.
 * Trusts:   its input.
 * Exits:    0, 100 misuse or a line that is no rule, 111 trouble with files. */
#include "supervise/rules.h"
#include "supervise/tool.h"

#include "lib/log.h"

#include <errno.h>
#include <sys/stat.h>

static _Noreturn void
die_syntax(const struct rules_report *rep)
{
	struct str text = {0};

	log_quote(&text, str_c(&rep->line), rep->line.len < 200 ?
	    rep->line.len : 200);
	die(100, "unable to parse this line: %s (line %zu: %s)",
	    str_c(&text), rep->number, rep->why);
}

static void
commit(struct cdb_writer *w, const char *cdb, const char *tmp)
{
	mode_t mask = umask(022);

	(void)umask(mask);
	if (cdbwriter_commit(w, cdb, 0644 & ~mask) == 0)
		return;
	if (errno == ENOSPC || errno == EDQUOT || errno == EIO ||
	    errno == EFBIG)
		tool_die(111, "unable to write to %s", tmp);
	tool_die(111, "unable to move %s to %s", tmp, cdb);
}

int
main(int argc, char **argv)
{
	struct rules_report rep = {0};
	struct cdb_writer *w;
	enum rules_compiled r;
	struct io in;

	log_init("tcprules");
	tool_open_std();
	if (argc < 3)
		tool_usage(100, "tcprules rules.cdb rules.tmp");
	if (cdbwriter_open(argv[2], &w) < 0)
		tool_die(111, "unable to create %s", argv[2]);
	io_init(&in, 0, -1, IO_FOREVER);
	r = rules_compile(&in, w, &rep);
	if (r != RULES_OK)
		cdbwriter_abort(w);
	switch (r) {
	case RULES_SYNTAX:
		die_syntax(&rep);
	case RULES_READ:
		tool_die(111, "unable to read input");
	case RULES_WRITE:
		tool_die(111, "unable to write to %s", argv[2]);
	case RULES_OK:
		break;
	}
	commit(w, argv[1], argv[2]);
	str_free(&rep.line);
	return 0;
}
